"""The campaign's `thresholds`: what makes a finished run fail. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.base.wording import share
from runner.campaign.values import threshold
from runner.report.counts import Counts
from runner.report.run_settings import DEFAULT_THRESHOLDS


@dataclass(frozen=True, slots=True)
class Judged:
    """One threshold: `count` of `of` messages, and whether that crosses the `limit` (`2%` or `10`)."""

    name: str
    limit: str
    count: int
    of: int
    crossed: bool

    @property
    def figures(self) -> str:
        """`1 of 4 sent (25.0%)`."""
        return f"{self.count:,} of {self.of:,} {_OF[self.name]} ({share(self.count, self.of)})"

    @property
    def words(self) -> str:
        """`crossed` or `within the limit`."""
        return "crossed" if self.crossed else "within the limit"

    def as_json(self) -> dict[str, Any]:
        """The threshold for summary.json. `share` is from 0 to 1; null if there are no messages to compare with."""
        limit = self.limit if self.limit.endswith("%") else int(self.limit)
        part = self.count / self.of if self.of else None
        return {"name": self.name, "limit": limit, "value": self.count, "share": part, "crossed": self.crossed}


# What a percentage is of.
_OF = {"rejected": "sent", "unknown": "sent", "undelivered": "accepted"}


def judge(limits: Mapping[str, str], counts: Counts) -> list[Judged]:
    """Judge the thresholds by the counts of a run. Messages that are being sent don't count as unknown."""
    sent = counts.sent - counts.in_flight
    values = {
        "rejected": (counts.rejected, sent),
        "unknown": (counts.unknown - counts.in_flight, sent),
        "undelivered": (counts.undelivered, counts.accepted),
    }
    return [
        Judged(name, limits[name], count, of, threshold(limits[name]).is_crossed(count, of))
        for name, (count, of) in values.items()
        if name in limits
    ]


def has_news(judged: Sequence[Judged]) -> bool:
    """Whether to show the thresholds: one is crossed, or the campaign file sets one."""
    return any(each.crossed for each in judged) or {each.name: each.limit for each in judged} != DEFAULT_THRESHOLDS
