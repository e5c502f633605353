"""The source of a run's messages: which one comes next, its claim before it leaves, its settlement after the answer.

The feed goes over the messages that are left in passes. Those whose sending hours are closed are passed over, not kept:
there may be a million. When nothing is left to send before some of them open, the next pass begins, and finds in the
ledger what the passes before have sent. So a pass may only begin when everything that was claimed is settled: the feed
is empty, nothing is in flight, and the ledger's writer has nothing that waits. Else a message could be claimed twice.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import KW_ONLY, dataclass, field
from heapq import heappop, heappush

from runner.base.errors import LedgerError
from runner.base.messages import Message
from runner.base.options import FuseLimits, Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.base.wording import counted
from runner.dispatch.budget import Budget
from runner.dispatch.dispatcher import Opening, WorkSource
from runner.dispatch.fuse import Fuses
from runner.dispatch.progress import Progress, Stop
from runner.ledger.writer import Claim, LedgerWriter
from runner.schedule.sending_hours import SendingHoursGate

# Claims are made in groups of what the rate brings in this time, one group ahead: 40 commits a second at the most.
CLAIM_AHEAD_S = 0.025

# After a pause, what was claimed before it is claimed anew: somebody may have opted out meanwhile.
CLAIM_AGAIN_S = 1.0

_HELD_BACK = Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)

# What may be left out at the end. The first cause gives a stop its code, because nothing can be done about the last.
_LEFT_OUT = (
    (OutcomeReason.OUTSIDE_WINDOW, "message's turn", "messages' turn",
     "came outside of the sending hours; run it again inside of them"),
    (OutcomeReason.OUTSIDE_WINDOW, "message has", "messages have",
     "no moment in the coming week that is inside of the sending hours in every time zone its phone may be in; widen "
     "the hours, or name the zone in a column of the recipient file"),
    (OutcomeReason.COOLDOWN, "recipient", "recipients",
     "got their most messages from other campaigns meanwhile; the next start leaves them out"),
    (OutcomeReason.OPTED_OUT, "recipient", "recipients", "opted out meanwhile; the next start leaves them out"),
)  # fmt: skip


@dataclass(eq=False)
class Feed(WorkSource[Claim]):
    """Gives one dispatcher its claims, and settles them.

    :param messages: begins one pass over the messages that the ledger doesn't have, in the order of the file.
    :param progress: its `settled` is counted here.
    :param hours: when each message may leave; None: at any time. A message whose hours are closed is waited for, or,
        with `skip`, left out.
    :param budget: what the run may still send and spend; None: without limit.
    """

    messages: Callable[[], AsyncIterator[Message]]
    _: KW_ONLY
    writer: LedgerWriter
    rate: Rate
    progress: Progress
    fuses: Fuses = field(default_factory=lambda: Fuses(FuseLimits()))
    hours: SendingHoursGate | None = None
    skip: bool = False
    budget: Budget | None = None
    wall: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._group = max(1, int(self.rate.per_second * CLAIM_AHEAD_S))
        self._ahead = self.rate.per_second >= 1 / (2 * CLAIM_AHEAD_S)
        self._pass: AsyncIterator[Message] | None = None  # None: it is used up
        self._hand: deque[Claim] = deque()  # claimed, not started
        self._claimed_at = 0.0  # when the newest group was, by the wall
        self._refill: asyncio.Task[list[Claim]] | None = None
        self._waiting: deque[Claim] = deque()  # read or come back unsent, to be claimed
        self._resume_point = ResumePoint()
        self._closed = False
        self._outside = 0
        self._never = 0
        # Rows that must not be claimed any more; a pass later they would be, and be counted again.
        self._refused: dict[int, OutcomeReason] = {}
        # When the first of those open that this pass has passed over.
        self._opening: float | None = None
        # The limit that the next message would break. Until something in flight comes back unsent there is no more.
        self._limit: str | None = None

    async def begin(self) -> None:
        """Begin the first pass, or the next one; only when nothing is claimed, in flight or unwritten."""
        assert not any((self._hand, self._refill, self._waiting))
        await self._end_pass()
        self._pass = self.messages()
        self._opening, self._outside, self._never = None, 0, 0

    def close(self) -> None:
        self._closed = True

    async def has_more(self) -> bool:
        """Whether there is something to claim or to start; perhaps, while a group is being claimed."""
        if self._hand or self._refill:
            return True
        if self._limit:
            return False
        if claim := await self._next_open():
            self._waiting.appendleft(claim)
        return bool(self._waiting)  # something may have come back unsent while the end of the plan was read

    async def next(self) -> Claim | None:
        """The next message, durably claimed; None when there is none to claim now. Raises LedgerError."""
        if self.wall() - self._claimed_at > CLAIM_AGAIN_S:
            await self._unclaim()
        if not self._hand:
            refill = self._refill or asyncio.create_task(self._claim_group())
            self._refill = None
            self._hand.extend(await refill)
        if not self._hand:
            return None
        claim = self._hand.popleft()
        if self._ahead and self._refill is None and len(self._hand) <= self._group // 2:
            self._refill = asyncio.create_task(self._claim_group())
        return claim

    def may_leave(self, item: Claim, made: float, now: float) -> bool:
        return self.hours is None or self.hours.may_leave(item.message, made, now)

    def settle(self, item: Claim, answer: Outcome | None) -> Stop | None:
        """Settle a claim. What was certainly not sent is claimed anew. Returns the fuse that the outcome trips."""
        outcome = answer or _HELD_BACK
        self.writer.settle(item.message.message_id, outcome)
        if outcome.status is Status.UNSENT:
            self._give_back(item)
            has_left = outcome.sent_at is not None
            self._waiting.append(Claim(item.message, item.attempt + has_left))
            return None
        self.progress.settled[outcome.status] += 1
        blown = self.fuses.add(item.message, outcome)
        return Stop(OutcomeReason.FUSE, blown) if blown else None

    def opening(self) -> Opening | None:
        """When the first of the messages open that this pass has passed over; no limit is slept on."""
        if self._opening is None or self._limit:
            return None
        assert self.hours is not None
        return Opening(self._opening, self.hours.words(self._opening))

    async def flush(self) -> None:
        await self.writer.flush()

    async def _unclaim(self) -> None:
        """Give back what was claimed and not started, so that it is claimed next."""
        refill, self._refill = self._refill, None
        try:
            if refill:
                self._hand.extend(await refill)
        finally:
            while self._hand:
                self.settle(self._hand.popleft(), None)

    async def end(self) -> None:
        """Give back what was claimed and not started, and close the pass."""
        try:
            with contextlib.suppress(LedgerError):  # then the last group was not claimed, and `run` tells of it
                await self._unclaim()
        finally:
            await self._end_pass()

    def left_out(self) -> Stop | None:
        """What was not sent although the feed came to its end, and why; None when there is nothing.

        A limit comes first. OPTED_OUT is the reason only when there is no other: all others got their message.
        """
        if self._limit:
            return Stop(OutcomeReason.LIMIT_REACHED, self._limit)
        refused = Counter(self._refused.values())
        counts = self._outside, self._never, refused[OutcomeReason.COOLDOWN], refused[OutcomeReason.OPTED_OUT]
        causes = [
            (reason, f"{counted(count, one, several)} {words}")
            for count, (reason, one, several, words) in zip(counts, _LEFT_OUT, strict=True)
            if count
        ]
        return Stop(causes[0][0], "; ".join(words for _, words in causes)) if causes else None

    async def _claim_group(self) -> list[Claim]:
        """Claim a group: what waits to be claimed first, then new messages. Empty when there are none."""
        while group := await self._candidates():
            for claim in group:
                self._resume_point.claim(claim.message.row)
            refused = await self.writer.claim(group, frontier=self._resume_point.row)
            self._claimed_at = self.wall()
            for claim in group:
                if reason := refused.get(claim.message.message_id):
                    self._refused[claim.message.row] = reason
                    self._give_back(claim)
            if claimed := [claim for claim in group if claim.message.message_id not in refused]:
                return claimed
            # Nothing to start, and the turn is taken already: at 1/h the next one would be an hour away.
        return []

    async def _candidates(self) -> list[Claim]:
        group: list[Claim] = []
        while len(group) < self._group and (claim := await self._next_open()):
            self._limit = self.budget.take(claim.message) if self.budget else None
            if self._limit:
                self._waiting.appendleft(claim)
                break
            group.append(claim)
        return group

    async def _next_open(self) -> Claim | None:
        """The next message that may leave at this moment: one that waits, else a new one.

        What was open when it was read may be closed by now: it is dropped, and the next pass finds it.
        """
        while self._waiting:
            claim = self._waiting.popleft()
            if self._is_open(claim.message, self.wall()):
                return claim
        while self._pass is not None and not self._closed:
            message = await anext(self._pass, None)
            now = self.wall()
            # Some that were passed over are open now, and come first in the file: the next pass begins with them.
            if message is None or (self._opening is not None and self._opening <= now):
                await self._end_pass()
            else:
                self._resume_point.read(message.row)
                if message.row not in self._refused and self._is_open(message, now):
                    return Claim(message, attempt=1)
        return None

    def _is_open(self, message: Message, now: float) -> bool:
        """Whether a message may leave; if not, it is noted as passed over."""
        if self.hours is None:
            return True
        opening = self.hours.opens_at(message, now)
        if opening is None:
            self._never += 1
        elif opening <= now:
            return True
        elif self.skip:
            self._outside += 1
        elif self._opening is None or opening < self._opening:
            self._opening = opening
        return False

    async def _end_pass(self) -> None:
        ended, self._pass = self._pass, None
        if isinstance(ended, AsyncGenerator):
            await ended.aclose()  # it holds the plan's file open

    def _give_back(self, claim: Claim) -> None:
        self._resume_point.read(claim.message.row)
        if self.budget:
            self.budget.give_back(claim.message)
            self._limit = None  # there may be room again


class ResumePoint:
    """The plan row up to which the ledger has every message: a run that is continued begins to look behind it.

    It hears of each message that is read from the plan, is about to be claimed, or comes back without being sent.
    """

    def __init__(self) -> None:
        self._last = 0
        self._open: set[int] = set()  # rows that were read, and whose messages the ledger doesn't have
        self._in_order: list[int] = []  # a heap of them, and of some that it has by now

    def read(self, row: int) -> None:
        """The ledger doesn't have the row's message: it was read from the plan, or came back."""
        self._last = max(self._last, row)
        if row not in self._open:
            self._open.add(row)
            heappush(self._in_order, row)

    def claim(self, row: int) -> None:
        """The ledger has it, if the claim that is about to be made comes to be."""
        self._open.discard(row)

    @property
    def row(self) -> int:
        """The ledger has the messages of all rows up to this one."""
        while self._in_order and self._in_order[0] not in self._open:
            heappop(self._in_order)
        return self._in_order[0] - 1 if self._in_order else self._last
