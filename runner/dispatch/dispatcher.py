"""The one paced loop: next item, pace, departure, answer, settle, until there are no more or something stops it.

Messages, conversion feedback, cancellations and test messages all leave through here. What differs between them is a
`WorkSource`: where the items come from, and where their answers go. One task feeds: it waits for the pace, has the next
item from the source and starts a task for its request. So a kill leaves only those messages `unknown` that are in
flight, and the few that `Feed` has claimed ahead.
"""

import asyncio
import contextlib
import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from runner.base.events import EventKind
from runner.base.outcomes import Outcome, OutcomeReason
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.retry import Backoff, Retry
from runner.ledger.lock import Lease
from runner.provider.client import HeldBackError

# The most requests without an answer. 1,800/s needs 180 of them at 100 ms; below the usual 1,024 open files.
IN_FLIGHT_LIMIT = 800

# How long to sleep before looking at the wall clock: a machine that was suspended, or a clock that was set.
LOOK_AGAIN_S = 60.0

T = TypeVar("T")

# Awaited by a sender when its request is ready, before the first byte leaves. May raise HeldBackError.
Departure = Callable[[], Awaitable[None]]


class Opening(NamedTuple):
    """When the next items may leave (seconds since the Unix epoch), and in words what is waited for until then."""

    at: float
    words: str


class WorkSource(ABC, Generic[T]):
    """Gives the loop its items and takes their answers. The loop calls everything from one event loop."""

    async def begin(self) -> None:
        """Begin, or begin again after an `opening`: nothing is in flight, and all that was settled is flushed."""

    @abstractmethod
    async def has_more(self) -> bool:
        """Whether there is something to start; True may be wrong, False isn't, unless an item comes back."""

    @abstractmethod
    async def next(self) -> T | None:
        """The next item, ready to leave; None when there is none now."""

    def may_leave(self, item: T, made: float, now: float) -> bool:  # noqa: ARG002 (a hook)
        """Whether an item whose request was made at `made` may still leave at `now` (seconds since the epoch)."""
        return True

    @abstractmethod
    def settle(self, item: T, answer: Outcome | None) -> Stop | None:
        """Take an item's answer, None when it was called off. An item that is to go again is given again.

        Returns a reason for the loop to stop, if the source sees one.
        """

    def opening(self) -> Opening | None:
        """When items that `has_more` passes over may leave; None: there are none."""
        return None

    def close(self) -> None:
        """Nothing more leaves: `has_more` says False soon."""

    async def end(self) -> None:
        """Take back what was prepared and not started. Requests may still be in flight."""

    async def flush(self) -> None:
        """Wait until all that was settled is durable. Raises LedgerError."""

    def left_out(self) -> Stop | None:
        """What was not sent although the source came to its end, and why; None: nothing."""
        return None


@dataclass(eq=False)
class Dispatcher(Generic[T]):
    """Sends the items of one source once. Use `run`; `stop` and `abandon` may be called from a signal handler.

    :param send: one request. It awaits the departure it is given, and returns an answer or raises HeldBackError.
    :param lease: what allows this process to send; asked again when it has run out.
    :param not_after: from then on (seconds since the Unix epoch) nothing leaves; `not_after_key` is what says so.
    :param resting: is told, on a thread of its own, what is waited for when sending rests until some hours begin, and
        None when it goes on.
    :param wall: the time of day, in seconds since the Unix epoch.
    """

    source: WorkSource[T]
    _: KW_ONLY
    send: Callable[[T, Departure], Awaitable[Outcome]]
    pace: Pace
    progress: Progress
    in_flight_limit: int = IN_FLIGHT_LIMIT
    backoff: Backoff = field(default_factory=lambda: Backoff(random.Random()))  # noqa: S311 (jitter, no secret)
    lease: Lease | None = None
    not_after: float = math.inf
    not_after_key: str = "notAfter"
    resting: Callable[[str | None], object] = lambda _: None
    wall: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._retry = Retry(self.pace, self.backoff, self.progress, self.wall)
        self._requests: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()  # some request has ended
        self._interrupt: Callable[[], object] | None = None
        self._stop: Stop | None = None
        self._bug: BaseException | None = None

    def stop(self, stop: Stop) -> None:
        """Let nothing more leave; what is in flight still gets its answer. The first reason given is the one kept."""
        self._stop = self._stop or stop
        self.progress.stopping = True
        self.source.close()
        if self._interrupt:
            self._interrupt()

    def abandon(self) -> None:
        """Stop waiting for the answers in flight: a message's outcome is `unknown` then."""
        for request in self._requests:
            request.cancel()

    async def run(self) -> Stop | None:
        """Send until the source is used up. Returns why it stopped earlier, or what was left out, or None.

        Raises LedgerError when the ledger can't be written; nothing has left since. Raises what the source raises.
        """
        try:
            await self._work_off()
        finally:
            while self._requests:
                await asyncio.wait(self._requests)
        if self._bug:
            raise self._bug
        await self.source.flush()
        return self._stop or self.source.left_out()

    async def _work_off(self) -> None:
        try:
            await self.source.begin()
            while not self._stop:
                # Looked at before the turn is waited for: at 1/h the last item would else be an hour from the end.
                if await self.source.has_more():
                    await self._turn()
                    if not self._is_over() and (item := await self.source.next()) is not None:
                        self._start(item)
                elif self._requests:
                    await self._until_one_ended()  # its item may have to go again
                elif opening := self.source.opening():
                    await self._rest(opening)
                    if not self._stop:
                        await self.source.begin()
                else:
                    break
        finally:
            await self.source.end()

    async def _turn(self) -> None:
        """Wait until one more request may be started: no pause, room in flight, and its place in the pace.

        No longer than `not_after`.
        """
        while not self._is_over():
            if len(self._requests) >= (1 if self._retry.one_at_a_time else self.in_flight_limit):
                await self._until_one_ended()
            elif (wait_s := self._retry.until - asyncio.get_running_loop().time()) > 0:
                await self._interruptible(asyncio.sleep(wait_s), self.not_after - self.wall())
            elif self.lease and not self.lease.is_valid():
                # The machine slept, or the ledger was slow: go on only if nobody took the run over meanwhile.
                if not await asyncio.to_thread(self.lease.renew):
                    words = "another process took the run over while this one was away; nothing has left since"
                    self.stop(Stop(OutcomeReason.LEASE_LOST, words))
            else:
                self.progress.waiting_for = ""
                if await self._interruptible(self.pace.turn(), self.not_after - self.wall()):
                    return

    async def _rest(self, opening: Opening) -> None:
        """Sleep until some sending hours begin, with everything settled and written: a new pass may begin then."""
        await self.source.flush()
        if opening.at >= self.not_after:
            self._stop_late(f"the rest is waiting for {opening.words}, and that is past")
            return
        self.progress.waiting_for, self.progress.sleeps_until = opening.words, opening.at
        began = now = self.wall()
        await asyncio.to_thread(self.resting, opening.words)
        while not self._stop and now < opening.at:
            await self._interruptible(asyncio.sleep(min(opening.at - now, LOOK_AGAIN_S)))
            before, now = now, self.wall()
            if now < before:
                break  # the clock was set back: what opens first is to be asked anew
        self.progress.waiting_for, self.progress.sleeps_until = "", None
        self.progress.note_pause(EventKind.RESTED, began, max(self.wall() - began, 0.0), opening.words)
        await asyncio.to_thread(self.resting, None)
        self.backoff.reached()  # nothing was tried meanwhile: that is no time without a connection

    def _is_over(self) -> bool:
        """Whether nothing more leaves; looks at `not_after`, too."""
        if not self._stop and self.wall() >= self.not_after:
            self._stop_late("it is past")
        return self._stop is not None

    def _stop_late(self, words: str) -> None:
        last = f"{self.not_after_key} ({datetime.fromtimestamp(self.not_after, UTC):%Y-%m-%d %H:%M} UTC)"
        self.stop(Stop(OutcomeReason.TOO_LATE, f"{words} {last}"))

    async def _until_one_ended(self) -> None:
        self._ended.clear()
        await self._interruptible(self._ended.wait())

    async def _interruptible(self, waiting: Awaitable[object], at_most_s: float = math.inf) -> bool:
        """Wait, but no longer than `at_most_s` or until `stop`: at 1/h the next turn is an hour away.

        Returns whether `waiting` came to its end.
        """
        task = asyncio.current_task()
        assert task is not None
        self._interrupt = task.cancel
        try:
            if math.isinf(at_most_s):  # a timeout costs 4 µs, once for each message
                await waiting
            else:
                async with asyncio.timeout(at_most_s):
                    await waiting
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if not self._stop:
                raise
            task.uncancel()
            return False
        finally:
            self._interrupt = None
        return True

    def _start(self, item: T) -> None:
        request = asyncio.create_task(self._request(item))
        self._requests.add(request)
        request.add_done_callback(partial(self._end, item))
        self.progress.in_flight = len(self._requests)

    async def _request(self, item: T) -> None:
        answer: Outcome | None = None
        with contextlib.suppress(asyncio.CancelledError, HeldBackError):  # a message's only while nothing has left
            answer = await self.send(item, partial(self._departure, item, self.wall()))
        self._settle(item, answer)

    async def _departure(self, item: T, made: float) -> None:
        """The last moment before the first byte leaves: keep the ceiling, and stay if it may not leave any more.

        The item was given at `made`; since then sending may have stopped or paused, or its hours may have ended.
        """
        await self.pace.start()
        paused = asyncio.get_running_loop().time() < self._retry.until
        lost = self.lease is not None and not self.lease.is_valid()
        if self._is_over() or paused or lost or not self.source.may_leave(item, made, self.wall()):
            raise HeldBackError
        self.progress.started += 1

    def _end(self, item: T, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        self.progress.in_flight = len(self._requests)
        self._ended.set()
        if request.cancelled():  # before its first step
            self._settle(item, None)
        elif bug := request.exception():
            # A message's claim stays in the ledger, so that it becomes unknown instead of being sent again.
            self._bug = self._bug or bug
            self.stop(Stop(OutcomeReason.INTERRUPTED, "a bug"))

    def _settle(self, item: T, answer: Outcome | None) -> None:
        if stop := self.source.settle(item, answer):
            self.stop(stop)
        if answer and (stop := self._retry.after(answer, asyncio.get_running_loop().time())):
            self.stop(stop)
