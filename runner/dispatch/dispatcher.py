"""Sending: claim, pace, send, settle, for every message that is left, until there are none or something stops it.

One task feeds: it takes the next messages, has them claimed (durably, a few at a time), waits for the pace and starts
one task for each request. So there are never more claims without a request than `CLAIM_AHEAD_S` of the rate, and what
a kill leaves `unknown` is what was in flight plus those.
"""

import asyncio
import contextlib
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from runner.dispatch.fuse import Fuses
from runner.dispatch.pace import Pace
from runner.dispatch.retry import Backoff
from runner.errors import LedgerError
from runner.ledger.writer import Claim, LedgerWriter
from runner.models import FuseLimits, Message, Outcome, OutcomeReason, Rate, Status, Then
from runner.provider.client import HeldBackError

IN_FLIGHT_LIMIT = 800
"""The most requests without an answer. 1,800/s needs 180 of them at 100 ms; below the usual 1,024 open files."""

CLAIM_AHEAD_S = 0.025
"""Claims are made in groups of what the rate brings in this time, one group ahead: 40 commits a second at the most."""


class Sender(Protocol):
    """Sends one message. `departure` is awaited when the connection is ready, before the first byte leaves."""

    def __call__(self, message: Message, departure: Callable[[], Awaitable[None]]) -> Awaitable[Outcome]: ...


class Permission(Protocol):
    """What allows this process to send: a lease that may run out."""

    def is_valid(self) -> bool:
        """Whether a request may leave at this moment."""

    def renew(self) -> bool:
        """Ask again, blocking; False when it is lost for good."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why sending ended before the end, in a code and in words, with the answer that was the reason, if one was."""

    reason: OutcomeReason
    detail: str
    outcome: Outcome | None = None


@dataclass(slots=True)
class Progress:
    """Where sending stands; read by whoever shows it, while the dispatcher writes it."""

    settled: Counter[Status] = field(default_factory=Counter)
    in_flight: int = 0
    started: int = 0
    throttled_s: float = 0.0
    waiting_for: str = ""
    stopping: bool = False


class Dispatcher:
    """Sends the messages of one run once. Use `run`; `stop` and `abandon` may be called from a signal handler."""

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
    ) -> None:
        self._send = send
        self._writer = writer
        self._pace = pace
        self._progress = progress
        self._backoff = backoff or Backoff(random.Random())  # noqa: S311 (jitter, not a secret)
        self._fuses = fuses or Fuses(FuseLimits())
        self._lease = lease
        self._group = max(1, int(rate.per_second * CLAIM_AHEAD_S))
        self._ahead = rate.per_second >= 1 / (2 * CLAIM_AHEAD_S)
        self._hand: deque[Claim] = deque()  # claimed, not started
        self._refill: asyncio.Task[list[Claim]] | None = None
        self._seen: deque[Message] = deque()  # read, not claimed
        self._again: deque[Claim] = deque()  # came back unsent, to be claimed anew
        self._requests: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()  # some request has ended
        self._interrupt: Callable[[], object] | None = None
        self._paused_until = 0.0
        self._reached = True  # False after a failed connection: one request at a time until one gets through
        self._stop: Stop | None = None
        self._bug: BaseException | None = None

    def stop(self, stop: Stop) -> None:
        """Let nothing more leave; what is in flight still gets its answer. The first reason given is the one kept."""
        self._stop = self._stop or stop
        self._progress.stopping = True
        if self._interrupt:
            self._interrupt()

    def abandon(self) -> None:
        """Stop waiting for the answers in flight: they become `unknown`."""
        for request in self._requests:
            request.cancel()

    async def run(self, messages: AsyncIterator[Message]) -> Stop | None:
        """Send until the messages are used up. Returns why it stopped earlier, or None.

        Raises LedgerError when the ledger can't be written; nothing has left since.
        """
        try:
            await self._feed(messages)
        finally:
            while self._requests:
                await asyncio.wait(self._requests)
        if self._bug:
            raise self._bug
        await self._writer.flush()
        return self._stop

    async def _feed(self, messages: AsyncIterator[Message]) -> None:
        try:
            while not self._stop:
                # Looked at before the turn is waited for: at 1/h the last message would else be an hour from the end.
                if not await self._has_more(messages):
                    if not self._requests:
                        break
                    await self._until_one_ended()  # it may come back unsent
                    continue
                await self._turn()
                if not self._stop and (claim := await self._next_claim(messages)):
                    self._start(claim)
        finally:
            await self._take_back_claims()

    async def _has_more(self, messages: AsyncIterator[Message]) -> bool:
        """Whether there is something to claim or to start; perhaps, while a group is being claimed."""
        if not (self._hand or self._refill or self._again or self._seen):
            message = await anext(messages, None)
            if message is not None:
                self._seen.append(message)
        return bool(self._hand or self._refill or self._again or self._seen)

    async def _turn(self) -> None:
        """Wait until one more request may be started: no pause, room in flight, and its place in the pace."""
        loop = asyncio.get_running_loop()
        while not self._stop:
            if len(self._requests) >= (IN_FLIGHT_LIMIT if self._reached else 1):
                await self._until_one_ended()
            elif (wait_s := self._paused_until - loop.time()) > 0:
                await self._interruptible(asyncio.sleep(wait_s))
            elif self._lease and not self._lease.is_valid():
                await self._ask_for_lease(self._lease)
            else:
                self._progress.waiting_for = ""
                await self._interruptible(self._pace.turn())
                return

    async def _ask_for_lease(self, lease: Permission) -> None:
        """The machine slept, or the ledger was slow: go on only if nobody took the run over meanwhile."""
        if not await asyncio.to_thread(lease.renew):
            words = "another process took the run over while this one was away; nothing has left since"
            self.stop(Stop(OutcomeReason.LEASE_LOST, words))

    async def _until_one_ended(self) -> None:
        self._ended.clear()
        await self._interruptible(self._ended.wait())

    async def _interruptible(self, waiting: Awaitable[object]) -> None:
        """Wait, but no longer than until `stop`: at 1/h the next turn is an hour away."""
        task = asyncio.current_task()
        assert task is not None
        self._interrupt = task.cancel
        try:
            await waiting
        except asyncio.CancelledError:
            if not self._stop:
                raise
            task.uncancel()
        finally:
            self._interrupt = None

    async def _next_claim(self, messages: AsyncIterator[Message]) -> Claim | None:
        """The next message, durably claimed; None when there is none to claim now."""
        if not self._hand:
            refill = self._refill or asyncio.create_task(self._claim_group(messages))
            self._refill = None
            self._hand.extend(await refill)
        if not self._hand:
            return None
        claim = self._hand.popleft()
        if self._ahead and self._refill is None and len(self._hand) <= self._group // 2:
            self._refill = asyncio.create_task(self._claim_group(messages))
        return claim

    async def _claim_group(self, messages: AsyncIterator[Message]) -> list[Claim]:
        """Claim a group: what came back unsent first, then new messages. Empty when there are none."""
        group: list[Claim] = []
        while len(group) < self._group and self._again:
            group.append(self._again.popleft())
        while len(group) < self._group:
            message = self._seen.popleft() if self._seen else await anext(messages, None)
            if message is None:
                break
            group.append(Claim(message, attempt=1))
        if group:
            await self._writer.claim(group)
        return group

    async def _take_back_claims(self) -> None:
        """Give back what was claimed and not started."""
        if self._refill:
            with contextlib.suppress(LedgerError):  # then none of them was claimed, and `run` tells of it
                self._hand.extend(await self._refill)
        for claim in self._hand:
            self._writer.settle(claim.message.message_id, Outcome(Status.UNSENT, OutcomeReason.HELD_BACK))
        self._hand.clear()

    def _start(self, claim: Claim) -> None:
        request = asyncio.create_task(self._request(claim))
        self._requests.add(request)
        request.add_done_callback(partial(self._end, claim))
        self._progress.in_flight = len(self._requests)

    async def _request(self, claim: Claim) -> None:
        try:
            outcome = await self._send(claim.message, self._departure)
        except asyncio.CancelledError:  # only raised while nothing has left
            outcome = Outcome(Status.UNSENT, OutcomeReason.INTERRUPTED)
        self._settle(claim, outcome)

    async def _departure(self) -> None:
        """The last moment before the first byte leaves: keep the ceiling, and stay if sending has stopped or paused."""
        await self._pace.start()
        paused = asyncio.get_running_loop().time() < self._paused_until
        if self._stop or paused or (self._lease and not self._lease.is_valid()):
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
            self._reached = True
            self._backoff.reached()
        if outcome.status is Status.UNSENT:
            left = outcome.sent_at is not None
            self._again.append(Claim(claim.message, claim.attempt + left))
        else:
            self._progress.settled[outcome.status] += 1
            if blown := self._fuses.saw(claim.message, outcome):
                self.stop(Stop(OutcomeReason.FUSE, str(blown)))
        match outcome.then:
            case Then.STOP:
                self.stop(Stop(outcome.reason, outcome.detail, outcome))
            case Then.PAUSE:
                self._pause(outcome.retry_after_s or 0.0)
            case Then.BACK_OFF:
                self._back_off(outcome)

    def _pause(self, seconds: float) -> None:
        """All sending rests. The many 429s of one moment count as one, or the pace would fall to nothing."""
        now = asyncio.get_running_loop().time()
        if now >= self._paused_until:
            self._pace.slow_down()
        until = max(self._paused_until, now + seconds)
        self._progress.throttled_s += until - max(now, self._paused_until)
        self._progress.waiting_for = "the provider's rate limit"
        self._paused_until = until

    def _back_off(self, outcome: Outcome) -> None:
        now = asyncio.get_running_loop().time()
        self._reached = False
        if now < self._paused_until:
            return  # one of many that failed in the same moment
        wait_s = self._backoff.failed(now)
        if wait_s is None:
            self.stop(Stop(outcome.reason, outcome.detail, outcome))
            return
        self._progress.waiting_for = f"a connection ({outcome.detail})"
        self._paused_until = now + wait_s
