"""What a campaign asks of a run: its rate, limits, fuses, frequency cap and sending hours."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Outside(StrEnum):
    """What becomes of a message whose turn comes outside of the sending hours."""

    WAIT = "wait"  # the run sleeps until they begin
    SKIP = "skip"  # it is left out
    SCHEDULE = "schedule"  # the provider gets it now, and sends it when they begin


@dataclass(frozen=True, slots=True)
class SendingHours:
    """Sending hours, in local time. `opens` and `closes` are minutes since midnight, `closes` up to 1440.

    A window that closes before it opens, or at the same minute, goes on past midnight and belongs to the day on which
    it opens. `days` are those days, 0 is Monday. `zone` is the IANA time zone for all; None: each recipient's own.
    """

    opens: int
    closes: int
    days: frozenset[int]
    zone: str | None
    outside: Outside = Outside.WAIT


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a run may send and cost, all of its sessions together. None: no limit. `cost` is in `currency`."""

    messages: int | None = None
    segments: int | None = None
    cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A number gets at most `messages` in any `per_s` seconds, over all campaigns of the ledger."""

    messages: int
    per_s: int


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests are started in any window of `period_s` seconds."""

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
    """When a run stops by itself. Shares are from 0 to 1."""

    unknown_in_a_row: int = 20
    unknown_share: float = 0.2
    rejected_share: float = 0.5
