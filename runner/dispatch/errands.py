"""Requests that may be repeated without harm, paced: feedback, and taking scheduled messages back.

Unlike sending, nothing has to be durable before a request leaves: what has no answer is simply asked again. The rate is
kept when a request is begun, so that connecting may bring two starts closer than it says.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from runner.dispatch.pace import Pace
from runner.dispatch.retry import GIVE_UP_AFTER_S, Backoff
from runner.models import Rate
from runner.provider.afterwards import Ended, Ending

IN_FLIGHT_LIMIT = 200

MOST_TRIES = 20
"""So often one thing is asked for while others get answers; then it is left for another time, or all would wait."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Standing:
    """How far it is; read by whoever shows it. `left` got no answer, though others did."""

    done: int = 0
    refused: int = 0
    left: int = 0
    in_flight: int = 0
    waiting_for: str = ""
    stopping: bool = False


class Errands(Generic[T]):
    """Asks for one thing after the other until there are none, or something stops it. Made in its event loop.

    :param ask: one request; it says how it ended and never raises.
    :param ended: is told of each that is done or refused, in the event loop.
    :param give_up_after_s: without a single answer for so long, it stops.
    """

    def __init__(
        self,
        *,
        ask: Callable[[T], Awaitable[Ended]],
        ended: Callable[[T, Ended], object],
        rate: Rate,
        rng: random.Random,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self.standing = Standing()
        self._ask = ask
        self._ended = ended
        self._clock = asyncio.get_running_loop().time
        self._pace = Pace(rate, clock=self._clock)
        self._backoff = Backoff(rng, give_up_after_s=give_up_after_s)
        self._requests: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Lock()  # what is asked again waits beside what is new
        self._rest_until = 0.0
        self._answers = 0
        self._stopped = asyncio.Event()
        self._stop_words: str | None = None
        self._bug: BaseException | None = None

    def stop(self, words: str) -> None:
        """Begin nothing more; what is in flight still gets its answer. The first reason given is kept."""
        self._stop_words = self._stop_words or words
        self.standing.stopping = True
        self._stopped.set()

    def abandon(self) -> None:
        """After `stop`: don't wait for answers either. What was asked is asked again another time."""
        for request in self._requests:
            request.cancel()

    async def run(self, things: AsyncIterator[T]) -> str | None:
        """Ask for all of them. Returns why it stopped early, in words, or None."""
        try:
            while (thing := await self._unless_stopped(_next(things))) is not None:
                if len(self._requests) >= IN_FLIGHT_LIMIT:
                    await asyncio.wait(self._requests, return_when=asyncio.FIRST_COMPLETED)
                await self._unless_stopped(self._turn())
                if self._stopped.is_set():
                    break
                request = asyncio.create_task(self._until_ended(thing))
                self._requests.add(request)
                self.standing.in_flight = len(self._requests)
                request.add_done_callback(self._forget)
        except BaseException:
            self.stop("what is to be asked for could not be read")  # or what has no answer would be asked until it has
            raise
        finally:
            while self._requests:
                await asyncio.wait(self._requests)
        if self._bug:
            raise self._bug
        return self._stop_words

    async def _until_ended(self, thing: T) -> None:
        tries, answers = 0, self._answers
        while not (tries and self._stopped.is_set()):
            found = await self._ask(thing)
            tries += 1
            match found.ending:
                case Ending.DONE | Ending.REFUSED:
                    self._backoff.reached()
                    self._answers += 1
                    self.standing.waiting_for = ""
                    self.standing.done += found.ending is Ending.DONE
                    self.standing.refused += found.ending is Ending.REFUSED
                    self._ended(thing, found)
                    return
                case Ending.STOP:
                    self.stop(found.detail)
                case Ending.AGAIN:
                    if tries >= MOST_TRIES and self._answers > answers:
                        self.standing.left += 1
                        return
                    self._rest(found)
                    await self._unless_stopped(self._turn())

    async def _turn(self) -> None:
        """Wait until one more request may leave: its place in the pace, and no rest."""
        async with self._turns:
            await self._rested()
            await self._pace.turn()
            await self._rested()  # one that began meanwhile
        await self._pace.start()

    async def _rested(self) -> None:
        while (wait_s := self._rest_until - self._clock()) > 0:  # noqa: ASYNC110 (a time, not an event)
            await asyncio.sleep(wait_s)

    def _rest(self, found: Ended) -> None:
        """Let all rest for a while, or stop when it is time to give up."""
        now = self._clock()
        is_first = now >= self._rest_until  # else it is one of many that failed in the same moment
        if found.retry_after_s is not None:
            self.standing.waiting_for = "the provider's rate limit"
            self._backoff.reached()
            if is_first:
                self._pace.slow_down()
            self._rest_until = max(self._rest_until, now + found.retry_after_s)
            return
        self.standing.waiting_for = f"the provider ({found.detail})"
        if is_first:
            wait_s = self._backoff.failed(now)
            if wait_s is None:
                self.stop(f"the provider could not be reached for long: {found.detail}")
            else:
                self._rest_until = now + wait_s

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, R]) -> R | None:
        """Wait for it, or until all stops."""
        if self._stopped.is_set():
            waiting.close()
            return None
        task, stopped = asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_done = task.done()
            for one in (task, stopped):
                one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)
        return task.result() if is_done else None

    def _forget(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        self.standing.in_flight = len(self._requests)
        if not request.cancelled() and (bug := request.exception()):
            self._bug = self._bug or bug
            self.stop("a bug")


async def _next(things: AsyncIterator[T]) -> T | None:
    return await anext(things, None)
