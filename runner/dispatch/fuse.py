"""Fuses (`stopWhen`): they stop a run early when something goes wrong. They only count; no clock, no ledger.

`campaign run --ignore-fuse NAME` ignores one of them for one start of a run.
"""

import math
from collections import deque
from collections.abc import Collection
from enum import StrEnum

from runner.base.messages import Message
from runner.base.options import FuseLimits
from runner.base.outcomes import DIFFERING, Outcome, OutcomeReason, Status
from runner.files.sheet_rows import SheetRows

# The share of unknown outcomes is computed over this many recent ones.
RECENT = 200

# A share is ignored until there are this many outcomes.
SAMPLE = 50

# How many accepted messages must have an answer that differs from the request.
DIFFERING_SAMPLE = 20

# How many requests, one after the other, must get an answer that isn't the provider's.
UNEXPECTED_IN_A_ROW = 10

# The quantile of the normal distribution for the two-sided 95% confidence interval.
Z_95 = 1.96

# The most examples in the message of a tripped fuse.
EXAMPLES = 3


class FuseName(StrEnum):
    """What `--ignore-fuse` takes."""

    UNKNOWN_IN_A_ROW = "unknownInARow"
    UNKNOWN_SHARE = "unknownShare"
    REJECTED_SHARE = "rejectedShare"
    DIFFERING_ANSWERS = "differingAnswers"
    UNEXPECTED_ANSWERS = "unexpectedAnswers"


# The status of the messages that a fuse shows as examples.
_EXAMPLES_OF = {
    FuseName.UNKNOWN_IN_A_ROW: Status.UNKNOWN,
    FuseName.UNKNOWN_SHARE: Status.UNKNOWN,
    FuseName.REJECTED_SHARE: Status.REJECTED,
    FuseName.DIFFERING_ANSWERS: Status.ACCEPTED,
    FuseName.UNEXPECTED_ANSWERS: Status.UNSENT,
}


def wilson_lower(count: int, of: int) -> float:
    """The lower bound of the 95% confidence interval of the share `count / of` (Wilson score interval). Pure.

    A few rejections early in a run say little: of 93 messages with 2 rejected, the true share may be 0.6%.
    """
    share, z2 = count / of, Z_95 * Z_95
    middle = share + z2 / (2 * of)
    margin = Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max((middle - margin) / (1 + z2 / of), 0.0)


class Fuses:
    """Watches the outcomes of one session. Call `add` for each, in the order they are settled.

    `sheet_rows` has the row numbers that people read.
    """

    def __init__(
        self, limits: FuseLimits, *, ignored: Collection[str] = (), sheet_rows: SheetRows | None = None
    ) -> None:
        self._limits = limits
        self._ignored = frozenset(ignored)
        self._sheet_rows = sheet_rows or SheetRows()
        self._in_a_row = 0
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._recent_unknown = 0
        self._settled = 0
        self._rejected = 0
        self._accepted = 0
        self._differing = 0
        self._examples: dict[Status, deque[str]] = {status: deque(maxlen=EXAMPLES) for status in _EXAMPLES_OF.values()}
        self._unexpected = 0
        self._unexpected_at = 0  # when the newest unexpected answer that counts came

    def add(self, message: Message, outcome: Outcome) -> str | None:
        """Count an outcome. Returns the fuse that it trips, as `NAME: ` and what was counted, or None."""
        if outcome.status is Status.UNSENT:
            return self._add_unsent(message, outcome)
        if outcome.status is not Status.UNKNOWN:
            self._unexpected = 0
        unknown = outcome.status is Status.UNKNOWN
        self._in_a_row = self._in_a_row + 1 if unknown else 0
        self._recent_unknown += unknown - (self._recent[0] if len(self._recent) == RECENT else 0)
        self._recent.append(unknown)
        self._settled += 1
        self._rejected += outcome.status is Status.REJECTED
        differs = outcome.reason in DIFFERING
        self._accepted += outcome.status is Status.ACCEPTED
        self._differing += differs
        if outcome.status is not Status.ACCEPTED or differs:
            self._note_example(message, outcome)
        # Also checked after an accepted message: it may complete the sample, and from then on a share counts.
        return self._blown() if self._recent_unknown or self._rejected or differs else None

    def _add_unsent(self, message: Message, outcome: Outcome) -> str | None:
        """Count an answer that isn't the provider's. Answers to requests that were in flight together count once."""
        if outcome.reason is not OutcomeReason.UNEXPECTED_ANSWER:
            return None
        self._note_example(message, outcome)
        if (outcome.sent_at or 0) < self._unexpected_at:
            return None
        self._unexpected += 1
        self._unexpected_at = outcome.answered_at or 0
        return self._blown()

    def _note_example(self, message: Message, outcome: Outcome) -> None:
        code = f" {outcome.error_code}" if outcome.error_code else ""
        words = f" ({outcome.detail})" if outcome.detail else ""
        row = self._sheet_rows.of(message.row)
        self._examples[outcome.status].append(f"row {row}: {outcome.reason.value}{code}{words}")

    def _blown(self) -> str | None:
        limits, unknown, recent = self._limits, self._recent_unknown, len(self._recent)
        tripped: dict[FuseName, str] = {}
        if self._in_a_row >= limits.unknown_in_a_row:
            tripped[FuseName.UNKNOWN_IN_A_ROW] = f"{self._in_a_row} requests in a row have an unknown outcome"
        # No bound here: with only the last 200, a share slightly above the limit would never be significant, and each
        # unknown message may be one that is lost.
        if recent >= SAMPLE and unknown > limits.unknown_share * recent:
            tripped[FuseName.UNKNOWN_SHARE] = f"{unknown} of the last {recent} requests have an unknown outcome"
        if self._settled >= SAMPLE and wilson_lower(self._rejected, self._settled) > limits.rejected_share:
            tripped[FuseName.REJECTED_SHARE] = f"{self._rejected} of {self._settled} messages were rejected"
        if self._differing >= DIFFERING_SAMPLE and self._differing == self._accepted:
            saw = f"all {self._accepted} accepted messages have another number or encoding in the provider's answer"
            tripped[FuseName.DIFFERING_ANSWERS] = saw
        if self._unexpected >= UNEXPECTED_IN_A_ROW:
            saw = f"{self._unexpected} requests in a row got an answer that is not from the SMS API"
            tripped[FuseName.UNEXPECTED_ANSWERS] = f"{saw}; a proxy or load balancer may have answered instead"
        for name, saw in tripped.items():
            if name not in self._ignored:
                return f"{name}: {saw}; for example {'; '.join(self._examples[_EXAMPLES_OF[name]])}"
        return None
