"""The source of a run's messages: it picks the next one, claims it before it leaves and settles it after the answer.

The feed reads the remaining messages in passes. It skips messages outside their sending hours and doesn't keep them,
because there may be a million. When only skipped messages remain, the run waits until sending hours begin, and then
starts the next pass. That pass asks the ledger which messages were sent.

So a pass may begin only when everything that was claimed is settled: the feed is empty, nothing is in flight, and the
ledger's writer has no waiting items. Otherwise a message could be claimed twice.
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
from runner.base.outcomes import FatalAnswer, Outcome, OutcomeReason, Status, Then
from runner.base.wording import counted
from runner.dispatch.budget import Budget
from runner.dispatch.dispatcher import Opening, WorkSource
from runner.dispatch.fuse import Fuses
from runner.dispatch.progress import Progress, Stop
from runner.ledger.writer import Claim, LedgerWriter
from runner.schedule.sending_hours import SendingHoursGate

# Claims are made in groups. A group holds what the rate allows in this time, and one group is claimed ahead. That makes
# at most 40 commits per second.
CLAIM_AHEAD_S = 0.025

# After a pause of this length, messages that were claimed ahead are claimed again: somebody may have opted out.
CLAIM_AGAIN_S = 1.0

_HELD_BACK = Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)

# Messages that may be left out at the end, with text for one and for several. The first cause that applies gives the
# stop its code, because nothing can be done about the last ones.
_LEFT_OUT = (
    (OutcomeReason.OUTSIDE_WINDOW, "message was", "messages were",
     "skipped outside the sending hours; run the campaign again during them"),
    (OutcomeReason.OUTSIDE_WINDOW, "message has", "messages have",
     "no time in the next week that is within the sending hours in every possible time zone of the number; widen the "
     "hours, or add a column with the time zone to the recipient file"),
    (OutcomeReason.COOLDOWN, "recipient", "recipients",
     "reached the frequency cap during the run; the next start leaves them out"),
    (OutcomeReason.OPTED_OUT, "recipient", "recipients", "opted out during the run; the next start leaves them out"),
)  # fmt: skip


@dataclass(eq=False)
class Feed(WorkSource[Claim]):
    """Gives a dispatcher its claims, and settles them.

    :param messages: starts one pass over the messages that the ledger doesn't have, in the order of the file.
    :param progress: the feed updates its `settled` counts.
    :param hours: when each message may leave; None: at any time. The run waits for messages outside their sending
        hours, or leaves them out if `skip` is set.
    :param budget: what the run may still send and spend; None: no limit.
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
        self._pass: AsyncIterator[Message] | None = None  # None: exhausted
        self._hand: deque[Claim] = deque()  # claimed, not started
        self._claimed_at = 0.0  # when the newest group was claimed, by the wall clock
        self._refill: asyncio.Task[list[Claim]] | None = None
        self._waiting: deque[Claim] = deque()  # to be claimed: just read, or came back unsent
        self._resume_point = ResumePoint()
        self._closed = False
        self._outside = 0
        self._never = 0
        # Rows that were refused. Without this, the next pass would claim and count them again.
        self._refused: dict[int, OutcomeReason] = {}
        # When the earliest of the messages that this pass skipped may leave.
        self._opening: float | None = None
        # The limit that the next message would exceed. Then nothing more leaves, unless a message comes back unsent.
        self._limit: str | None = None

    async def begin(self) -> None:
        """Begin the first or the next pass. Only call this when nothing is claimed, in flight or unwritten."""
        assert not any((self._hand, self._refill, self._waiting))
        await self._end_pass()
        self._pass = self.messages()
        self._opening, self._outside, self._never = None, 0, 0

    def close(self) -> None:
        self._closed = True

    async def has_more(self) -> bool:
        """Whether there is something to claim or start. While a group is being claimed, the answer may be wrong."""
        if self._hand or self._refill:
            return True
        if self._limit:
            return False
        if claim := await self._next_open():
            self._waiting.appendleft(claim)
        return bool(self._waiting)  # a message may have come back unsent while the end of the plan was read

    async def next(self) -> Claim | None:
        """The next message, durably claimed, or None if there is none to claim now. Raises LedgerError."""
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
        """Settle a claim. A message that was certainly not received is claimed again.

        Returns the fuse that tripped, or a fatal answer with the message that got it.
        """
        outcome = answer or _HELD_BACK
        self.writer.settle(item.message.message_id, outcome)
        if outcome.status is Status.UNSENT:
            self._give_back(item)
            has_left = outcome.sent_at is not None
            self._waiting.append(Claim(item.message, item.attempt + has_left))
            if outcome.then is Then.STOP:
                fatal = FatalAnswer(item.message.message_id, item.attempt, outcome)
                return Stop(outcome.reason, outcome.detail, outcome, fatal)
        else:
            self.progress.settled[outcome.status] += 1
        blown = self.fuses.add(item.message, outcome)
        return Stop(OutcomeReason.FUSE, blown) if blown else None

    def opening(self) -> Opening | None:
        """When the earliest of the skipped messages may leave. None once a limit is reached: waiting wouldn't help."""
        if self._opening is None or self._limit:
            return None
        assert self.hours is not None
        return Opening(self._opening, self.hours.words(self._opening))

    async def flush(self) -> None:
        await self.writer.flush()

    async def _unclaim(self) -> None:
        """Give back claims that were not started. These messages are claimed next."""
        refill, self._refill = self._refill, None
        try:
            if refill:
                self._hand.extend(await refill)
        finally:
            while self._hand:
                self.settle(self._hand.popleft(), None)

    async def end(self) -> None:
        """Give back claims that were not started, and close the pass."""
        try:
            with contextlib.suppress(LedgerError):  # the last group was not claimed then; `run` raises the error
                await self._unclaim()
        finally:
            await self._end_pass()

    def left_out(self) -> Stop | None:
        """What was not sent although the feed is exhausted, and why, or None.

        A limit comes first. OPTED_OUT is the reason only if there is no other: then everybody else got the message.
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
        """Claim a group: first the waiting messages, then new ones. Empty if there are none."""
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
            # All were refused. Try the next group, because the turn is already taken: at 1/h, the next one is an hour
            # away.
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
        """The next message that may leave now: a waiting one, else a new one.

        A waiting message whose sending hours have ended since is dropped; the next pass finds it again.
        """
        while self._waiting:
            claim = self._waiting.popleft()
            if self._is_open(claim.message, self.wall()):
                return claim
        while self._pass is not None and not self._closed:
            message = await anext(self._pass, None)
            now = self.wall()
            # If skipped messages may leave now, end this pass: they come first in the file, so the next pass begins
            # with them.
            if message is None or (self._opening is not None and self._opening <= now):
                await self._end_pass()
            else:
                self._resume_point.read(message.row)
                if message.row not in self._refused and self._is_open(message, now):
                    return Claim(message, attempt=1)
        return None

    def _is_open(self, message: Message, now: float) -> bool:
        """Whether a message may leave now. If not, it is counted as skipped."""
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
            await ended.aclose()  # it keeps the plan file open

    def _give_back(self, claim: Claim) -> None:
        self._resume_point.read(claim.message.row)
        if self.budget:
            self.budget.give_back(claim.message)
            self._limit = None  # the next message may fit again


class ResumePoint:
    """Finds the plan row up to which the ledger has every message. A resumed run starts reading after this row.

    Call `read` for each message that is read from the plan or comes back unsent, and `claim` before it is claimed.
    """

    def __init__(self) -> None:
        self._last = 0
        self._open: set[int] = set()  # rows that were read but whose messages aren't in the ledger
        self._in_order: list[int] = []  # a heap of these rows; it may also contain rows that are in the ledger by now

    def read(self, row: int) -> None:
        """The row's message is not in the ledger: it was read from the plan, or came back unsent."""
        self._last = max(self._last, row)
        if row not in self._open:
            self._open.add(row)
            heappush(self._in_order, row)

    def claim(self, row: int) -> None:
        """The row's message is about to be claimed, so the ledger has it if the claim succeeds."""
        self._open.discard(row)

    @property
    def row(self) -> int:
        """The resume point: the ledger has the messages of all rows up to this one."""
        while self._in_order and self._in_order[0] not in self._open:
            heappop(self._in_order)
        return self._in_order[0] - 1 if self._in_order else self._last
