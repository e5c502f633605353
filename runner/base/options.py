"""The settings of a run: rate, limits, fuses, frequency cap and sending hours."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Outside(StrEnum):
    """What to do with messages outside the sending hours."""

    WAIT = "wait"  # the run sleeps until the hours begin
    SKIP = "skip"  # the message is left out
    SCHEDULE = "schedule"  # the provider gets the message now, and sends it when the hours begin


@dataclass(frozen=True, slots=True)
class SendingHours:
    """Sending hours, in local time. `opens` and `closes` are minutes since midnight, `closes` up to 1440.

    A window that closes before it opens, or at the same minute, continues past midnight and belongs to the day on which
    it opens. `days` are those days; 0 is Monday. `zone` is the IANA time zone; None: the time zone of each recipient.
    """

    opens: int
    closes: int
    days: frozenset[int]
    zone: str | None
    outside: Outside = Outside.WAIT


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a run may send and cost, over all its sessions. None: no limit. `cost` is in `currency`."""

    messages: int | None = None
    segments: int | None = None
    cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Cooldown:
    """The frequency cap: at most `messages` per number in any `per_s` seconds, across all campaigns of the ledger."""

    messages: int
    per_s: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """The most of something that a finished run may have: a number of messages, or a percentage of some messages."""

    number: Decimal
    is_share: bool = False

    def is_crossed(self, count: int, of: int) -> bool:
        """Whether `count` of `of` messages are too many. Exact: 29% of 100 messages allows 29."""
        return count * 100 > self.number * of if self.is_share else count > self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_share else f"{self.number}"


@dataclass(frozen=True, slots=True)
class RowRange:
    """How many rows a file may have. None: any number more."""

    least: int
    most: int | None = None

    def __contains__(self, count: int) -> bool:
        return self.least <= count and (self.most is None or count <= self.most)

    @property
    def in_words(self) -> str:
        """`at least 1,000`, `at most 5,000`, `1,000 to 5,000`."""
        if self.most is None:
            return f"at least {self.least:,}"
        return f"{self.least:,} to {self.most:,}" if self.least else f"at most {self.most:,}"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests start in any window of `period_s` seconds."""

    count: int
    period_s: int

    @property
    def per_second(self) -> float:
        return self.count / self.period_s

    def __str__(self) -> str:
        unit = {1: "s", 60: "min", 3600: "h"}.get(self.period_s, f"{self.period_s}s")
        return f"{self.count}/{unit}"


@dataclass(frozen=True, slots=True)
class FuseLimits:
    """When a run stops automatically. Shares are from 0 to 1."""

    unknown_in_a_row: int = 20
    unknown_share: float = 0.2
    rejected_share: float = 0.5
