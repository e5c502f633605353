"""The counts of a run's results file: for the terminal, the page and summary.json.

The file is read in parts, and durations are counted in buckets, so that memory stays flat: polars reads far ahead of
what it groups, and ten million rows read at once take several times the memory.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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

# Sums by the values that they are grouped by.
Sums = Mapping[tuple[Any, ...], tuple[Any, ...]]


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


@dataclass(frozen=True, slots=True)
class Bill:
    """What the provider bills in one currency, and for how many messages."""

    amount: Decimal = Decimal(0)
    messages: int = 0


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """What became of a run, row by row: `totals`, and what stands in its results alone.

    `by_reason` and `examples` (data row, key, words) are by status and reason; `error_codes` by reason and the answer's
    error code. `countries` are those that messages went to, the one with the most accepted messages first. Of accepted
    messages: `sizes` by (segments, encoding), `states` by the provider's delivery state and detail, `delivery_errors`
    by group and the receipt's error code, `accepted_conversions` by outcome, `accepted_bills` by currency, and
    `accepted_billed_segments`. `bills` are those for all messages.
    """

    totals: Counts
    by_reason: Counter[tuple[str, str]]
    examples: Mapping[tuple[str, str], Sequence[tuple[int, str | None, str]]]
    error_codes: Counter[tuple[str, int]]
    countries: Sequence[CountryCounts]
    sizes: Counter[tuple[int, str]]
    states: Counter[tuple[str | None, str | None]]
    delivery_errors: Counter[tuple[DeliveryGroup, int | None]]
    accepted_conversions: Counter[str]
    accepted_bills: Mapping[str, Bill]
    accepted_billed_segments: int
    bills: Mapping[str, Bill]
    to_delivery: Durations
    to_conversion: Durations

    @property
    def by_error_code(self) -> Counter[int]:
        """Rows by the answer's error code."""
        return _added((code, count) for (_, code), count in self.error_codes.items())

    @property
    def by_delivery_error(self) -> Counter[int]:
        """Accepted messages by the receipt's error code."""
        return _added((code, count) for (_, code), count in self.delivery_errors.items() if code)

    @property
    def failed_by_code(self) -> Counter[int | None]:
        """Accepted messages that were not delivered, by the receipt's error code."""
        return Counter({code: n for (group, code), n in self.delivery_errors.items() if group is DeliveryGroup.FAILED})


def _added(counts: Iterable[tuple[int, int]]) -> Counter[int]:
    found: Counter[int] = Counter()
    for key, count in counts:
        found[key] += count
    return found


def parts_of(results: Path, rows: int = PART_ROWS) -> list[pl.LazyFrame]:
    """The file as parts of so many rows; at least one."""
    scan = pl.scan_parquet(results, glob=False)
    return [scan.slice(first, rows) for first in range(0, max(scan.select(pl.len()).collect().item(), 1), rows)]


def sums_of(
    parts: Sequence[pl.LazyFrame],
    queries: Callable[[pl.LazyFrame], Sequence[pl.LazyFrame]],
    *,
    columns: Sequence[int],
) -> list[Sums]:
    """The results of each query over all parts, in the order of the texts of their keys.

    The last `columns` of each query are added up; those before them are the key.
    """
    found: list[dict[tuple[Any, ...], tuple[Any, ...]]] = [{} for _ in columns]
    for part in parts:
        for sums, frame, last in zip(found, pl.collect_all(queries(part), engine="streaming"), columns, strict=True):
            for row in frame.iter_rows():
                key, values = row[:-last], row[-last:]
                sums[key] = tuple(map(sum, zip(sums[key], values, strict=True))) if key in sums else values
    return [dict(sorted(sums.items(), key=lambda item: str(item[0]))) for sums in found]


def count_results(results: Path) -> ResultCounts:
    """Count a run's results.parquet."""
    parts = parts_of(results)
    outcomes, reasons, sizes, errors, codes, billed, to_delivery, to_conversion = sums_of(
        parts, _queries, columns=[1, 1, 1, 1, 1, 3, 1, 1]
    )
    by_status, delivery, conversions = Counter[str](), Counter[str](), Counter[str]()
    accepted_conversions, states = Counter[str](), Counter[tuple[str | None, str | None]]()
    countries: dict[str | None, CountryCounts] = {}
    for (name, status, state, detail, outcome), (count,) in outcomes.items():
        country = countries.setdefault(name, CountryCounts(name))
        by_status[status] += count
        country.by_status[status] += count
        if status == Status.ACCEPTED:
            key = delivery_key(state, detail)
            country.by_group[delivery_group(key)] += count
            delivery[key] += count
            states[state, detail] += count
        if outcome is not None:
            conversions[outcome] += count
            accepted_conversions[outcome] += count if status == Status.ACCEPTED else 0
            country.conversions += count if outcome == ConversionOutcome.SUCCESS else 0
    by_size = Counter[tuple[int, str]]()
    for (name, segments, encoding), (count,) in sizes.items():
        countries[name].segments += (segments or 0) * count
        by_size[segments, encoding] += count
    delivery_errors = Counter[tuple[DeliveryGroup, int | None]]()
    for (state, detail, code), (count,) in errors.items():
        delivery_errors[delivery_group(delivery_key(state, detail)), code] += count
    bills = _bills(billed, True, False)
    counts = Counts(
        by_status=by_status,
        in_flight=sum(count for (_, reason), (count,) in reasons.items() if reason == OutcomeReason.IN_FLIGHT),
        segments_accepted=sum((segments or 0) * count for (segments, _), count in by_size.items()),
        delivery=delivery,
        conversions=conversions,
        billed_segments=sum(segments for _, segments, _ in billed.values()),
        bills={currency: bill.amount for currency, bill in bills.items()},
    )
    examples = _examples(parts)
    sent = [country for country in countries.values() if country.sent]
    return ResultCounts(
        totals=counts.with_rates(),
        by_reason=Counter({kind: reasons[kind][0] for kind in examples}),
        examples=examples,
        error_codes=Counter({kind: count for kind, (count,) in codes.items()}),
        countries=sorted(sent, key=lambda c: (-c.by_status[Status.ACCEPTED], -c.sent, c.country or "~")),
        sizes=by_size,
        states=states,
        delivery_errors=delivery_errors,
        accepted_conversions=+accepted_conversions,
        accepted_bills=_bills(billed, True),
        accepted_billed_segments=sum(segments for (_, is_accepted), (_, segments, _) in billed.items() if is_accepted),
        bills=bills,
        to_delivery=Durations({bucket: count for (bucket,), (count,) in to_delivery.items()}),
        to_conversion=Durations({bucket: count for (bucket,), (count,) in to_conversion.items()}),
    )


def _bills(billed: Sums, *of_accepted: bool) -> dict[str, Bill]:
    """By currency, where any message has a price."""
    bills: dict[str, Bill] = {}
    for (currency, is_accepted), (amount, _, messages) in billed.items():
        if messages and is_accepted in of_accepted:
            before = bills.get(currency or "", Bill())
            bills[currency or ""] = Bill(before.amount + amount, before.messages + messages)
    return bills


def _queries(part: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Each grouped as (key…, count), the bills as (key…, amount, segments, messages with a price)."""
    accepted = part.filter(pl.col("status") == Status.ACCEPTED.value)
    converted = part.filter(pl.col("outcome") == ConversionOutcome.SUCCESS.value)
    is_accepted = (pl.col("status") == Status.ACCEPTED.value).alias("is_accepted")
    price, segments = pl.col("billed_price"), pl.col("billed_segments")
    billed = part.filter(price.is_not_null() | segments.is_not_null()).group_by("billed_currency", is_accepted)
    return [
        part.group_by("country", "status", "delivery_state", "delivery_detail", "outcome").len(),
        part.group_by("status", "reason").len(),
        accepted.group_by("country", "segments", "encoding").len(),
        accepted.group_by("delivery_state", "delivery_detail", "delivery_error").len(),
        part.filter(pl.col("error_code").is_not_null()).group_by("reason", "error_code").len(),
        billed.agg(price.cast(pl.Decimal(38, 9)).sum(), segments.cast(pl.Int64).sum(), price.count().alias("messages")),
        *(
            # How long after the request left.
            rows.select(milliseconds=(pl.col(until) - pl.col("sent_at")).dt.total_milliseconds())
            .drop_nulls()
            .group_by(bucket_of(pl.col("milliseconds")))
            .len()
            for rows, until in ((accepted, "delivered_at"), (converted, "converted_at"))
        ),
    ]


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
