"""The loop that sends everything at the set rate: next item, pace, departure, answer, settle, until done or stopped.

Messages, conversion feedback, cancellations and test messages all use it. A `WorkSource` says where the items come from
and where their answers go. A single task waits for the pace, gets the next item from the source and starts a task for
its request. So a kill leaves few messages `unknown`: those in flight, and those that `Feed` claimed ahead.
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
from runner.base.wording import clock_time
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress, Stop
from runner.dispatch.retry import LONG_S, Backoff, Retry
from runner.ledger.lock import Lease
from runner.provider.client import HeldBackError

# The most requests that may wait for an answer. At 1,800/s and 100 ms per answer, 180 wait at a time. Each needs an
# open file, and the usual limit is 1,024.
IN_FLIGHT_LIMIT = 800

# How often to check the wall clock during a long sleep: the machine may have been suspended, or its clock changed.
LOOK_AGAIN_S = 60.0

T = TypeVar("T")

# A sender awaits this when its request is ready, before the first byte leaves. May raise HeldBackError.
Departure = Callable[[], Awaitable[None]]


class Opening(NamedTuple):
    """When the next items may leave (seconds since the Unix epoch), and a text that says what they wait for."""

    at: float
    words: str


class WorkSource(ABC, Generic[T]):
    """Gives the loop its items and takes their answers. The loop calls all methods from one event loop."""

    async def begin(self) -> None:
        """Begin, or begin again after an `opening`. Nothing is in flight then, and all settlements are flushed."""

    @abstractmethod
    async def has_more(self) -> bool:
        """Whether there may be an item to start. False means there is none, unless one in flight comes back."""

    @abstractmethod
    async def next(self) -> T | None:
        """The next item, ready to leave, or None if there is none now."""

    def may_leave(self, item: T, made: float, now: float) -> bool:  # noqa: ARG002 (a hook)
        """Whether an item whose request was built at `made` may still leave at `now` (seconds since the epoch)."""
        return True

    @abstractmethod
    def settle(self, item: T, answer: Outcome | None) -> Stop | None:
        """Take an item's answer, or None if its request was called off. An item to retry is returned by `next` again.

        Returns a reason for the loop to stop, if there is one.
        """

    def opening(self) -> Opening | None:
        """When the items that `has_more` skips may leave, or None if there are none."""
        return None

    def close(self) -> None:
        """The loop is stopping: `has_more` should return False soon."""

    async def end(self) -> None:
        """Take back items that were prepared but not started. Requests may still be in flight."""

    async def flush(self) -> None:
        """Wait until all settlements are durable. Raises LedgerError."""

    def left_out(self) -> Stop | None:
        """What was not sent although the source is exhausted, and why, or None."""
        return None


@dataclass(eq=False)
class Dispatcher(Generic[T]):
    """Sends the items of one source, once. Use `run`. Signal handlers may call `stop` and `abandon`.

    :param send: makes one request. It awaits the departure, then returns an answer or raises HeldBackError.
    :param lease: allows this process to send; renewed if it has expired.
    :param not_after: nothing leaves from then on (seconds since the Unix epoch). `not_after_key` names the campaign key
        for the error message.
    :param resting: called in another thread when sending pauses for long (until sending hours begin, because of the
        provider, or for the rate), with a text that says what it waits for, and with None when sending continues.
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
        self._resting = False  # `resting` was called with a text

    def stop(self, stop: Stop) -> None:
        """Send nothing more, but wait for the answers in flight. The first reason given is kept."""
        self._stop = self._stop or stop
        self.progress.stopping = True
        self.source.close()
        if self._interrupt:
            self._interrupt()

    def stop_by_signal(self, words: str) -> None:
        """Stop because of a signal. If the provider can't be reached, the reason says why."""
        unreachable = self._retry.unreachable
        words += f" while waiting for {unreachable}" if unreachable else ""
        self.stop(Stop(OutcomeReason.INTERRUPTED, words))

    def abandon(self) -> None:
        """Stop waiting for the answers in flight. The outcome of those messages is `unknown`."""
        for request in self._requests:
            request.cancel()

    async def run(self) -> Stop | None:
        """Send until the source is exhausted. Returns why sending stopped early, or what was left out, or None.

        Raises LedgerError if the ledger can't be written; nothing leaves after that. Raises what the source raises.
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
                # Check before waiting for the turn: otherwise a run at 1/h would end an hour after its last item.
                if await self.source.has_more():
                    await self._turn()
                    if not self._is_over() and (item := await self.source.next()) is not None:
                        self._start(item)
                elif self._requests:
                    await self._until_one_ended()  # its item may need a retry
                elif opening := self.source.opening():
                    await self._rest(opening)
                    if not self._stop:
                        await self.source.begin()
                else:
                    break
        finally:
            await self.source.end()

    async def _turn(self) -> None:
        """Wait until one more request may start: no pause, not too many in flight, and a turn of the pace.

        Waits no longer than `not_after`, and not after sending is given up.
        """
        while not self._is_over():
            if len(self._requests) >= (1 if self._retry.one_at_a_time else self.in_flight_limit):
                await self._until_one_ended()
            elif (wait_s := self._retry.until - asyncio.get_running_loop().time()) > 0:
                await self._pause(wait_s, self.progress.waiting_for)
            elif self.lease and not self.lease.is_valid():
                # The machine was suspended, or the ledger was slow: continue only if no other process took the run.
                if not await asyncio.to_thread(self.lease.renew):
                    words = "another process took over the run while this one was suspended; nothing has left since"
                    self.stop(Stop(OutcomeReason.LEASE_LOST, words))
            elif (wait_s := self.pace.full_for_s()) >= LONG_S:
                # Another run of the sub-account may take the place meanwhile; then the next time is shown.
                at = clock_time(self.wall() + wait_s, self.wall())
                await self._pause(wait_s, f"the next start within the rate, at {at}")
            else:
                self.progress.waiting_for = ""
                if self._resting:
                    await self._tell_resting(None)
                if await self._interruptible(self.pace.turn(), self._longest_wait_s()):
                    return

    async def _pause(self, wait_s: float, words: str) -> None:
        """Start nothing for so long. A long pause is shown, with what it waits for."""
        if wait_s >= LONG_S:
            self.progress.waiting_for, self.progress.sleeps_until = words, self.wall() + wait_s
            await self._tell_resting(words)
        if not self._stop:
            await self._interruptible(asyncio.sleep(wait_s), self._longest_wait_s())
        self.progress.sleeps_until = None

    def _longest_wait_s(self) -> float:
        """Until it is too late to send, or sending is given up."""
        return min(self.not_after - self.wall(), self._retry.patience_s(asyncio.get_running_loop().time()))

    async def _rest(self, opening: Opening) -> None:
        """Sleep until sending hours begin. Everything is settled and written first, so that a new pass may begin."""
        await self.source.flush()
        if opening.at >= self.not_after:
            self._stop_late(f"the remaining messages wait for {opening.words}, which is after")
            return
        self.progress.waiting_for, self.progress.sleeps_until = opening.words, opening.at
        began = now = self.wall()
        await self._tell_resting(opening.words)
        while not self._stop and now < opening.at:
            await self._interruptible(asyncio.sleep(min(opening.at - now, LOOK_AGAIN_S)))
            before, now = now, self.wall()
            if now < before:
                break  # the clock was set back: find out again what opens first
        self.progress.waiting_for, self.progress.sleeps_until = "", None
        self.progress.note_pause(EventKind.RESTED, began, max(self.wall() - began, 0.0), opening.words)
        await self._tell_resting(None)
        self.backoff.reached()  # no request was tried, so this time doesn't count as unreachable

    async def _tell_resting(self, words: str | None) -> None:
        self._resting = words is not None
        await asyncio.to_thread(self.resting, words)

    def _is_over(self) -> bool:
        """Whether nothing more may leave, also because `not_after` has passed or the provider took nothing for long."""
        if not self._stop and self.wall() >= self.not_after:
            self._stop_late("it is past")
        if not self._stop and (stop := self._retry.given_up(asyncio.get_running_loop().time())):
            self.stop(stop)
        return self._stop is not None

    def _stop_late(self, words: str) -> None:
        last = f"{self.not_after_key} ({datetime.fromtimestamp(self.not_after, UTC):%Y-%m-%d %H:%M} UTC)"
        self.stop(Stop(OutcomeReason.TOO_LATE, f"{words} {last}"))

    async def _until_one_ended(self) -> None:
        self._ended.clear()
        await self._interruptible(self._ended.wait())

    async def _interruptible(self, waiting: Awaitable[object], at_most_s: float = math.inf) -> bool:
        """Wait, but no longer than `at_most_s`, and not after `stop`: at 1/h the next turn may be an hour away.

        Returns whether `waiting` finished.
        """
        task = asyncio.current_task()
        assert task is not None
        self._interrupt = task.cancel
        try:
            if math.isinf(at_most_s):  # a timeout costs 4 µs per message
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
        # A message's `send` raises CancelledError only while nothing has left.
        with contextlib.suppress(asyncio.CancelledError, HeldBackError):
            answer = await self.send(item, partial(self._departure, item, self.wall()))
        self._settle(item, answer)

    async def _departure(self, item: T, made: float) -> None:
        """Called just before the first byte leaves: wait for the rate, or raise HeldBackError if it may not leave.

        The request was built at `made`. Since then, sending may have stopped or paused, or the sending hours ended.
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
        if request.cancelled():  # before it started
            self._settle(item, None)
        elif bug := request.exception():
            # A message keeps its claim in the ledger, so that it becomes unknown and is not sent again.
            self._bug = self._bug or bug
            self.stop(Stop(OutcomeReason.INTERRUPTED, "a bug"))

    def _settle(self, item: T, answer: Outcome | None) -> None:
        if stop := self.source.settle(item, answer):
            self.stop(stop)
        if answer and (stop := self._retry.after(answer, asyncio.get_running_loop().time())):
            self.stop(stop)
