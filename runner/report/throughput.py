"""A run's requests and response times over time, in a limited number of bins."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from runner.base.outcomes import Status
from runner.report.result_counts import Durations, bucket_of, durations, grouped

# The most bins of a chart: at least three pixels each on a phone.
MOST_BINS = 120

# The widths that a bin may have, in seconds.
_WIDTHS_S = (
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
_COARSE = 1_000
_ACTIVE_ENOUGH = 0.3
_SECOND = 1_000_000


@dataclass(slots=True)
class Bin:
    """The requests sent from `start` to before `end` (microseconds since the epoch), by status, and their latencies."""

    start: int
    end: int
    by_status: Counter[str] = field(default_factory=Counter)
    latencies: Durations = field(default_factory=Durations)

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / _SECOND


@dataclass(frozen=True, slots=True)
class Stretch:
    """A period of sending without a long break."""

    first: int
    last: int
    requests: int

    @property
    def seconds(self) -> float:
        return (self.last - self.first) / _SECOND

    @property
    def mean_per_second(self) -> float | None:
        """None if it would be meaningless. The first request starts the clock, so it doesn't count."""
        return (self.requests - 1) / self.seconds if self.seconds >= 1 and self.requests > 1 else None


@dataclass(frozen=True, slots=True)
class Throughput:
    """All sending periods of a run (`stretches`), and the bins of one of them (`shown`).

    `shown` is the whole run, or its busiest period if the run was idle most of the time. `latencies` are those of all
    answers.
    """

    stretches: Sequence[Stretch]
    shown: Stretch
    bins: Sequence[Bin]
    latencies: Durations

    @property
    def requests(self) -> int:
        return sum(stretch.requests for stretch in self.stretches)

    @property
    def seconds(self) -> float:
        """From the first request to the last, including breaks."""
        return (self.stretches[-1].last - self.stretches[0].first) / _SECOND

    @property
    def is_part(self) -> bool:
        return self.shown.requests < self.requests


def throughput(results: Sequence[pl.LazyFrame], per_second: float | None) -> Throughput | None:
    """The throughput of a run's results; None if nothing was sent. With a rate, a bin has at least ten messages."""
    # The message whose answer stopped the run had a request too, but wasn't sent.
    was_sent = pl.col("sent_at").is_not_null() & (pl.col("status") != Status.UNSENT.value)
    parts = [
        part.filter(was_sent).select("status", "latency_ms", at=pl.col("sent_at").dt.epoch("us")) for part in results
    ]
    ends = [part.select(first=pl.min("at"), last=pl.max("at"), requests=pl.len()).collect() for part in parts]
    shown = Stretch(*pl.concat(ends).select(pl.min("first"), pl.max("last"), pl.sum("requests")).row(0))
    if not shown.requests:
        return None
    stretches = nearer = _stretches(parts, shown)
    for _ in range(4):  # each time zooms in by a factor of up to 1,000
        if len(nearer) == 1 or sum(part.seconds for part in nearer) >= _ACTIVE_ENOUGH * shown.seconds:
            break
        shown = max(nearer, key=lambda part: part.requests)
        nearer = _stretches(parts, shown)
    bins = _bins(parts, shown, bin_width(shown.seconds, per_second))
    return Throughput(stretches, shown, bins, durations(parts, pl.col("latency_ms")))


def bin_width(seconds: float, per_second: float | None) -> int:
    """The width of a bin in seconds: a round number, few enough bins, and enough messages in each to avoid noise."""
    least = max(seconds / MOST_BINS, 10 / per_second if per_second and per_second > 0 else 0)
    return next((width for width in _WIDTHS_S if width >= least), 86_400 * math.ceil(least / 86_400))


def _stretches(parts: Sequence[pl.LazyFrame], of: Stretch) -> list[Stretch]:
    """The stretch split at its breaks that are longer than a twentieth of it."""
    width = max((of.last - of.first) // _COARSE, 1)
    coarse = [
        part.filter(pl.col("at").is_between(of.first, of.last))
        .group_by(((pl.col("at") - of.first) // width).alias("bin"))
        .agg(pl.min("at").alias("first"), pl.max("at").alias("last"), pl.len().alias("requests"))
        .collect(engine="streaming")
        for part in parts
    ]
    together = pl.min("first"), pl.max("last"), pl.sum("requests")
    whole = pl.concat(coarse).group_by("bin").agg(together).sort("bin")
    is_after_break = (pl.col("first") - pl.col("last").shift() > (of.last - of.first) / 20).fill_null(value=False)
    found = whole.group_by(is_after_break.cum_sum().alias("stretch"), maintain_order=True).agg(together)
    return [Stretch(first, last, requests) for _, first, last, requests in found.iter_rows()]


def _bins(parts: Sequence[pl.LazyFrame], of: Stretch, width_s: int) -> list[Bin]:
    """Bins of that width from the first request on. A short remainder is part of the last bin.

    Each request owns a share of the time, half before and half after it. Without that, a bin that begins with a request
    could show one more than the rate allows, because of a millisecond of jitter.
    """
    width, span = width_s * _SECOND, of.last - of.first
    gap = max(span // (of.requests - 1), 1) if of.requests > 1 else _SECOND
    start = of.first - gap // 2
    # A rate over the last tenth of a second would be meaningless.
    last = max(round((span + gap) / width) - 1, 0)
    shown = pl.col("at").is_between(of.first, of.last)
    keys = [((pl.col("at") - start) // width).clip(upper_bound=last).alias("bin"), bucket_of(pl.col("latency_ms"))]
    counts = grouped((part.filter(shown) for part in parts), [*keys, "status"])
    bins = [Bin(start + n * width, start + (n + 1) * width) for n in range(last + 1)]
    bins[-1].end = start + span + gap
    for n, bucket, status, count in counts.iter_rows():
        bins[n].by_status[status] += count
        if bucket is not None:
            bins[n].latencies[bucket] += count
    return bins
