"""Sending: claim, pace, send, settle, for every message that is left, until there are none or something stops it.

One task feeds: it takes the next messages, has them claimed (durably, a few at a time), waits for the pace and starts
one task for each request. So there are never more claims without a request than `CLAIM_AHEAD_S` of the rate, and what
a kill leaves `unknown` is what was in flight plus those.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from runner.dispatch.feed import Feed
from runner.dispatch.fuse import Fuses
from runner.dispatch.pace import Pace
from runner.dispatch.parts import Allowance, Gate, Permission, Progress, Sender, Source, Stop
from runner.dispatch.retry import Backoff, Pauses
from runner.ledger.writer import Claim, LedgerWriter
from runner.models import EventKind, FuseLimits, Message, Outcome, OutcomeReason, Rate, Status, Then
from runner.provider.client import HeldBackError

__all__ = ["IN_FLIGHT_LIMIT", "Dispatcher", "Progress", "Stop"]

IN_FLIGHT_LIMIT = 800
"""The most requests without an answer. 1,800/s needs 180 of them at 100 ms; below the usual 1,024 open files."""

LOOK_AGAIN_S = 60.0
"""How long to sleep before looking at the wall clock: a machine that was suspended, or a clock that was set."""


class Dispatcher:
    """Sends the messages of one run once. Use `run`; `stop` and `abandon` may be called from a signal handler.

    :param hours: when each message may leave; None: at any time. A message whose hours are closed is waited for, or,
        with `skip`, left out.
    :param not_after: from then on (seconds since the Unix epoch) nothing leaves; `not_after_key` is what says so.
    :param allowance: what the run may still send and spend; None: without limit.
    :param resting: is told, on a thread of its own, what is waited for when sending rests until some hours begin, and
        None when it goes on.
    :param wall: the time of day, in seconds since the Unix epoch.
    """

    def __init__(
        self,
        *,
        send: Sender,
        writer: LedgerWriter,
        pace: Pace,
        rate: Rate,
        progress: Progress,
        backoff: Backoff | None = None,
        fuses: Fuses | None = None,
        lease: Permission | None = None,
        hours: Gate | None = None,
        skip: bool = False,
        not_after: float | None = None,
        not_after_key: str = "notAfter",
        allowance: Allowance | None = None,
        resting: Callable[[str | None], object] = lambda _: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._send = send
        self._writer = writer
        self._pace = pace
        self._progress = progress
        backoff = backoff or Backoff(random.Random())  # noqa: S311 (jitter, not a secret)
        self._pauses = Pauses(pace, backoff, progress, wall)
        self._fuses = fuses or Fuses(FuseLimits())
        self._lease = lease
        self._hours = hours
        self._not_after = not_after
        self._not_after_key = not_after_key
        self._resting = resting
        self._wall = wall
        self._feed = Feed(writer=writer, rate=rate, wall=wall, hours=hours, skip=skip, allowance=allowance)
        self._requests: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()  # some request has ended
        self._interrupt: Callable[[], object] | None = None
        self._stop: Stop | None = None
        self._bug: BaseException | None = None

    def stop(self, stop: Stop) -> None:
        """Let nothing more leave; what is in flight still gets its answer. The first reason given is the one kept."""
        self._stop = self._stop or stop
        self._progress.stopping = True
        self._feed.close()
        if self._interrupt:
            self._interrupt()

    def abandon(self) -> None:
        """Stop waiting for the answers in flight: they become `unknown`."""
        for request in self._requests:
            request.cancel()

    async def run(self, source: Source) -> Stop | None:
        """Send until the messages are used up. Returns why it stopped earlier, or what was left out, or None.

        Raises LedgerError when the ledger can't be written; nothing has left since.
        """
        try:
            await self._work_off(source)
        finally:
            while self._requests:
                await asyncio.wait(self._requests)
        if self._bug:
            raise self._bug
        await self._writer.flush()
        return self._stop or self._feed.left_out()

    async def _work_off(self, source: Source) -> None:
        try:
            await self._feed.begin_pass(source)
            while not self._stop:
                # Looked at before the turn is waited for: at 1/h the last message would else be an hour from the end.
                if await self._feed.has_more():
                    await self._turn()
                    self._stop_if_late()
                    if not self._stop and (claim := await self._feed.next_claim()):
                        self._start(claim)
                elif self._requests:
                    await self._until_one_ended()  # it may come back unsent
                elif self._feed.refusal:
                    self.stop(Stop(OutcomeReason.LIMIT_REACHED, self._feed.refusal))
                elif self._feed.opening is None:
                    break
                else:
                    await self._rest(self._feed.opening)
                    if not self._stop:
                        await self._feed.begin_pass()
        finally:
            await self._feed.take_back()

    async def _turn(self) -> None:
        """Wait until one more request may be started: no pause, room in flight, and its place in the pace.

        No longer than `not_after`.
        """
        loop = asyncio.get_running_loop()
        while not self._stop and not self._is_late():
            if len(self._requests) >= (1 if self._pauses.one_at_a_time else IN_FLIGHT_LIMIT):
                await self._until_one_ended()
            elif (wait_s := self._pauses.until - loop.time()) > 0:
                await self._interruptible(asyncio.sleep(wait_s), self._left_s())
            elif self._lease and not self._lease.is_valid():
                await self._ask_for_lease(self._lease)
            else:
                self._progress.waiting_for = ""
                if await self._interruptible(self._pace.turn(), self._left_s()):
                    return

    async def _rest(self, opening: float) -> None:
        """Sleep until some sending hours begin, with everything settled and written: a new pass may begin then."""
        await self._writer.flush()
        assert self._hours is not None
        words, now = self._hours.words(opening), self._wall()
        if self._not_after is not None and opening >= self._not_after:
            late = f"the rest is waiting for {words}, and that is past {self._last()}"
            self.stop(Stop(OutcomeReason.TOO_LATE, late))
            return
        self._progress.waiting_for, self._progress.sleeps_until = words, opening
        began = now
        await asyncio.to_thread(self._resting, words)
        while not self._stop and now < opening:
            await self._interruptible(asyncio.sleep(min(opening - now, LOOK_AGAIN_S)))
            before, now = now, self._wall()
            if now < before:
                break  # the clock was set back: what opens first is to be asked anew
        self._progress.waiting_for, self._progress.sleeps_until = "", None
        self._progress.note_pause(EventKind.RESTED, began, max(self._wall() - began, 0.0), words)
        await asyncio.to_thread(self._resting, None)
        self._pauses.slept()

    async def _ask_for_lease(self, lease: Permission) -> None:
        """The machine slept, or the ledger was slow: go on only if nobody took the run over meanwhile."""
        if not await asyncio.to_thread(lease.renew):
            words = "another process took the run over while this one was away; nothing has left since"
            self.stop(Stop(OutcomeReason.LEASE_LOST, words))

    def _is_late(self) -> bool:
        return self._not_after is not None and self._wall() >= self._not_after

    def _stop_if_late(self) -> None:
        if self._is_late():
            self.stop(Stop(OutcomeReason.TOO_LATE, f"it is past {self._last()}"))

    def _last(self) -> str:
        """`notAfter (2026-12-01 18:00 UTC)`."""
        assert self._not_after is not None
        return f"{self._not_after_key} ({datetime.fromtimestamp(self._not_after, UTC):%Y-%m-%d %H:%M} UTC)"

    def _left_s(self) -> float | None:
        return None if self._not_after is None else self._not_after - self._wall()

    async def _until_one_ended(self) -> None:
        self._ended.clear()
        await self._interruptible(self._ended.wait())

    async def _interruptible(self, waiting: Awaitable[object], at_most_s: float | None = None) -> bool:
        """Wait, but no longer than `at_most_s` or until `stop`: at 1/h the next turn is an hour away.

        Returns whether it was waited for to its end.
        """
        task = asyncio.current_task()
        assert task is not None
        self._interrupt = task.cancel
        try:
            if at_most_s is None:
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
        else:
            return True
        finally:
            self._interrupt = None

    def _start(self, claim: Claim) -> None:
        request = asyncio.create_task(self._request(claim))
        self._requests.add(request)
        request.add_done_callback(partial(self._end, claim))
        self._progress.in_flight = len(self._requests)

    async def _request(self, claim: Claim) -> None:
        departure = partial(self._departure, claim.message, self._wall())
        try:
            outcome = await self._send(claim.message, departure)
        except asyncio.CancelledError:  # only raised while nothing has left
            outcome = Outcome(Status.UNSENT, OutcomeReason.INTERRUPTED)
        self._settle(claim, outcome)

    async def _departure(self, message: Message, made: float) -> None:
        """The last moment before the first byte leaves: keep the ceiling, and stay if it may not leave any more.

        It was claimed at `made`; since then sending may have stopped or paused, or its sending hours may have ended.
        """
        await self._pace.start()
        self._stop_if_late()
        paused = asyncio.get_running_loop().time() < self._pauses.until
        if self._stop or paused or (self._lease and not self._lease.is_valid()):
            raise HeldBackError
        if self._hours and not self._hours.may_leave(message, made, self._wall()):
            raise HeldBackError
        self._progress.started += 1

    def _end(self, claim: Claim, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        self._progress.in_flight = len(self._requests)
        self._ended.set()
        if request.cancelled():  # before its first step
            self._settle(claim, Outcome(Status.UNSENT, OutcomeReason.INTERRUPTED))
        elif bug := request.exception():
            # The claim stays in the ledger, so that the message becomes unknown instead of being sent again.
            self._bug = self._bug or bug
            self.stop(Stop(OutcomeReason.INTERRUPTED, "a bug"))

    def _settle(self, claim: Claim, outcome: Outcome) -> None:
        self._writer.settle(claim.message.message_id, outcome)
        if outcome.http_status or outcome.sent_at:
            self._pauses.reached()
        if outcome.status is Status.UNSENT:
            left = outcome.sent_at is not None
            self._feed.came_back(Claim(claim.message, claim.attempt + left))
        else:
            self._progress.settled[outcome.status] += 1
            if blown := self._fuses.saw(claim.message, outcome):
                self.stop(Stop(OutcomeReason.FUSE, str(blown)))
        if outcome.then is Then.GO_ON:
            return
        now = asyncio.get_running_loop().time()
        if outcome.then is Then.PAUSE:
            self._pauses.throttled(now, outcome.retry_after_s or 0.0)
        elif outcome.then is Then.STOP or not self._pauses.unreachable(now, outcome):
            self.stop(Stop(outcome.reason, outcome.detail, outcome))
