"""The counts of a run's results file: for the terminal, the page and summary.json.

The file is read in parts, and durations are counted in buckets, so that memory stays flat: polars reads far ahead of
what it groups, and ten million rows read at once take several times the memory.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from runner.base.conversions import ConversionOutcome
from runner.base.outcomes import OutcomeReason, Status
from runner.report.counts import Counts, DeliveryGroup, delivery_group, delivery_key

PART_ROWS = 200_000
# Example rows of each reason.
EXAMPLES = 3
# Buckets of durations grow by 2%: percentiles need no sorting and little memory.
_GROWTH = math.log(1.02)


class Durations(Counter[int]):
    """How many took how long, by bucket (see `bucket_of`)."""

    def percentile(self, percent: float) -> float:
        """The least time, in milliseconds and right to within 1%, within which so many were done. Not for none."""
        return next(milliseconds for milliseconds, done in self.curve() if done >= percent / 100)

    def curve(self) -> list[tuple[float, float]]:
        """As (milliseconds, the share of all, 0 to 1, that was done within them), rising."""
        total, done, points = self.total(), 0, []
        for bucket, count in sorted(self.items()):
            done += count
            points.append((math.exp((bucket + 0.5) * _GROWTH), done / total))
        return points


def bucket_of(milliseconds: pl.Expr) -> pl.Expr:
    """The bucket of a duration. Those below a millisecond, and below zero (two clocks that differ), share the first."""
    return (milliseconds.clip(lower_bound=1).log() / _GROWTH).floor().cast(pl.Int32).alias("bucket")


@dataclass(slots=True)
class CountryCounts:
    """What went to one country (alpha-2; None: not known). `segments` are those of accepted messages."""

    country: str | None
    by_status: Counter[str] = field(default_factory=Counter)
    by_group: Counter[DeliveryGroup] = field(default_factory=Counter)
    segments: int = 0
    conversions: int = 0

    @property
    def sent(self) -> int:
        return sum(self.by_status[status] for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN))


@dataclass(slots=True)
class Bill:
    """What the provider bills in one currency, and for how many messages."""

    amount: Decimal = Decimal(0)
    messages: int = 0


@dataclass(slots=True)
class ResultCounts:
    """What became of a run, row by row: `totals`, and what stands in its results alone.

    `examples` (data row, key, words) and `by_reason` are by status and reason, in the order of the file; `error_codes`
    by reason and the answer's error code. `countries` are those that messages went to, the one with the most accepted
    messages first. `bills` are by currency, as `Counts.bills`.
    """

    examples: Mapping[tuple[str, str], Sequence[tuple[int, str | None, str]]]
    by_reason: Counter[tuple[str, str]]
    to_delivery: Durations
    to_conversion: Durations
    totals: Counts = field(default_factory=Counts)
    error_codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    by_error_code: Counter[int] = field(default_factory=Counter)
    countries: Sequence[CountryCounts] = ()
    bills: dict[str, Bill] = field(default_factory=dict)
    # Of accepted messages alone: by (segments, encoding), by the provider's delivery state and detail, by the receipt's
    # error code, and the same of those that were not delivered.
    sizes: Counter[tuple[int, str]] = field(default_factory=Counter)
    states: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    by_delivery_error: Counter[int] = field(default_factory=Counter)
    failed_by_code: Counter[int | None] = field(default_factory=Counter)
    accepted_conversions: Counter[str] = field(default_factory=Counter)
    accepted_bills: dict[str, Bill] = field(default_factory=dict)
    accepted_billed_segments: int = 0


def parts_of(results: Path, rows: int = PART_ROWS) -> list[pl.LazyFrame]:
    """The file as parts of so many rows; at least one."""
    scan = pl.scan_parquet(results, glob=False)
    return [scan.slice(first, rows) for first in range(0, max(scan.select(pl.len()).collect().item(), 1), rows)]


def sums_of(
    parts: Iterable[pl.LazyFrame], query: Callable[[pl.LazyFrame], pl.LazyFrame], *, columns: int = 1
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The results of a query over all parts, in the order of the texts of their keys.

    The last `columns` are added up; those before them are the key.
    """
    sums: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for part in parts:
        for row in query(part).collect(engine="streaming").iter_rows():
            key, values = row[:-columns], row[-columns:]
            sums[key] = tuple(map(sum, zip(sums[key], values, strict=True))) if key in sums else values
    return dict(sorted(sums.items(), key=lambda item: str(item[0])))


def durations(parts: Iterable[pl.LazyFrame], milliseconds: pl.Expr) -> Durations:
    """The durations of all rows that have one."""
    known = milliseconds.is_not_null()
    buckets = sums_of(parts, lambda part: part.filter(known).group_by(bucket_of(milliseconds)).len())
    return Durations({bucket: count for (bucket,), (count,) in buckets.items()})


def _since_sending(parts: Iterable[pl.LazyFrame], rows: pl.Expr, until: str) -> Durations:
    return durations((part.filter(rows) for part in parts), (pl.col(until) - pl.col("sent_at")).dt.total_milliseconds())


def count_results(results: Path) -> ResultCounts:
    """Count a run's results.parquet."""
    parts = parts_of(results)
    examples = _examples(parts)
    counts = ResultCounts(
        examples,
        Counter(dict.fromkeys(examples, 0)),
        to_delivery=_since_sending(parts, pl.col("status") == Status.ACCEPTED.value, "delivered_at"),
        to_conversion=_since_sending(parts, pl.col("outcome") == ConversionOutcome.SUCCESS.value, "converted_at"),
    )
    totals, all_billed_segments = counts.totals, 0
    countries: dict[str | None, CountryCounts] = {}
    for key, (count, amount, billed_segments, priced) in sums_of(parts, _grouped, columns=4).items():
        name, status, reason, state, detail, delivery_error, outcome, segments, encoding, error_code, currency = key
        country = countries.setdefault(name, CountryCounts(name))
        country.by_status[status] += count
        totals.by_status[status] += count
        counts.by_reason[status, reason] += count
        all_billed_segments += billed_segments
        if error_code is not None:
            counts.error_codes[reason, error_code] += count
            counts.by_error_code[error_code] += count
        if outcome is not None:
            totals.conversions[outcome] += count
            country.conversions += count if outcome == ConversionOutcome.SUCCESS else 0
        for bills in (counts.bills, counts.accepted_bills) if status == Status.ACCEPTED else (counts.bills,):
            if priced:
                bill = bills.setdefault(currency or "", Bill())
                bill.amount += amount
                bill.messages += priced
        if status != Status.ACCEPTED:
            continue
        delivery = delivery_key(state, detail)
        group = delivery_group(delivery)
        country.by_group[group] += count
        country.segments += (segments or 0) * count
        totals.delivery[delivery] += count
        counts.states[state, detail] += count
        counts.sizes[segments, encoding] += count
        counts.accepted_billed_segments += billed_segments
        if outcome is not None:
            counts.accepted_conversions[outcome] += count
        if delivery_error:
            counts.by_delivery_error[delivery_error] += count
        if group is DeliveryGroup.FAILED:
            counts.failed_by_code[delivery_error] += count
    sent = [country for country in countries.values() if country.sent]
    counts.countries = sorted(sent, key=lambda c: (-c.by_status[Status.ACCEPTED], -c.sent, c.country or "~"))
    counts.totals = replace(
        totals,
        in_flight=sum(count for (_, reason), count in counts.by_reason.items() if reason == OutcomeReason.IN_FLIGHT),
        segments_accepted=sum(country.segments for country in sent),
        billed_segments=all_billed_segments,
        bills={currency: bill.amount for currency, bill in sorted(counts.bills.items())},
    ).with_rates()
    return counts


def _grouped(part: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that count alike as (key…, count, amount, billed segments, messages with a price)."""
    keys = ("country", "status", "reason", "delivery_state", "delivery_detail", "delivery_error", "outcome", "segments",
            "encoding", "error_code", "billed_currency")  # fmt: skip
    price, segments = pl.col("billed_price"), pl.col("billed_segments")
    return part.group_by(keys).agg(
        pl.len(),
        price.cast(pl.Decimal(38, 9)).sum(),
        segments.cast(pl.Int64).sum(),
        price.count().alias("messages_with_price"),
    )


def _examples(parts: Sequence[pl.LazyFrame]) -> dict[tuple[str, str], list[tuple[int, str | None, str]]]:
    """The first rows of each status and reason, in the order of the file. Details are read of these rows alone: they
    may be long.
    """
    found: dict[tuple[str, str], list[tuple[int, str | None, str]]] = {}
    for part in parts:
        numbered = part.with_row_index("index")
        firsts = numbered.group_by("status", "reason").agg(pl.col("index").bottom_k(EXAMPLES))
        wanted = [
            index
            for status, reason, indexes in firsts.collect(engine="streaming").iter_rows()
            for index in sorted(indexes)[: EXAMPLES - len(found.get((status, reason), ()))]
        ]
        rows = numbered.filter(pl.col("index").is_in(wanted)).select("status", "reason", "row", "key", "detail")
        for status, reason, row, key, detail in rows.sort("row").collect(engine="streaming").iter_rows():
            found.setdefault((status, reason), []).append((row, key, detail or ""))
    return found
