"""Counts of a run's results file, for the terminal, the page and summary.json.

The file is read in parts and durations are counted in buckets, so memory use stays constant. Polars reads far ahead of
its grouping: reading ten million rows at once takes several times the memory.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from runner.base.conversions import ConversionOutcome
from runner.base.outcomes import OutcomeReason, Status
from runner.files.sheet_rows import SheetRows
from runner.ledger.counts import MessageGroup
from runner.report.counts import FAILED_STATES, Counts, delivery_key

PART_ROWS = 200_000
# Example rows for each reason.
EXAMPLES = 3
# Each bucket of durations is 2% wider than the one before: percentiles need no sorting and little memory.
_GROWTH = math.log(1.02)


class Durations(Counter[int]):
    """The number of durations in each bucket (see `bucket_of`)."""

    def percentile(self, percent: float) -> float:
        """The percentile in milliseconds, with an error of up to 1%. There must be at least one duration."""
        return next(milliseconds for milliseconds, done in self.curve() if done >= percent / 100)

    def curve(self) -> list[tuple[float, float]]:
        """The cumulative distribution as (milliseconds, share of all from 0 to 1), in ascending order."""
        total, done, points = self.total(), 0, []
        for bucket, count in sorted(self.items()):
            done += count
            points.append((math.exp((bucket + 0.5) * _GROWTH), done / total))
        return points


def bucket_of(milliseconds: pl.Expr) -> pl.Expr:
    """The bucket of a duration. Those below 1 ms share the first, even negative ones, when two clocks differ."""
    return (milliseconds.clip(lower_bound=1).log() / _GROWTH).floor().cast(pl.Int32).alias("bucket")


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """The counts of a run: `totals`, the counts of `accepted` messages, and details that only the results have.

    `examples` (sheet row, key, detail) and `by_reason` are by status and reason, in file order. `error_codes` is by
    reason and the answer's error code. `countries` (alpha-2; None: unknown) has the countries that messages were sent
    to; the country with the most accepted messages is first. `billed_messages` is by currency, like `Counts.bills`.
    """

    totals: Counts
    accepted: Counts
    countries: Mapping[str | None, Counts]
    examples: Mapping[tuple[str, str], Sequence[tuple[int, str | None, str]]]
    by_reason: Counter[tuple[str, str]]
    error_codes: Counter[tuple[str, int]]
    by_error_code: Counter[int]
    billed_messages: Counter[str]
    to_delivery: Durations
    to_conversion: Durations
    # Of accepted messages only: by (segments, encoding), by the provider's delivery state and detail, by the receipt's
    # error code; and messages that were not delivered, by error code.
    sizes: Counter[tuple[int, str]]
    states: Counter[tuple[str | None, str | None]]
    by_delivery_error: Counter[int]
    failed_by_code: Counter[int | None]


def parts_of(results: Path, rows: int = PART_ROWS) -> list[pl.LazyFrame]:
    """The file in parts of `rows` rows; at least one part."""
    scan = pl.scan_parquet(results, glob=False)
    return [scan.slice(first, rows) for first in range(0, max(scan.select(pl.len()).collect().item(), 1), rows)]


def grouped(parts: Iterable[pl.LazyFrame], keys: Sequence[str | pl.Expr], *sums: pl.Expr) -> pl.DataFrame:
    """The rows of all parts, grouped and sorted by the keys, with the number of rows as `count`, and the sums."""
    frames = [part.group_by(keys).agg(pl.len().alias("count"), *sums).collect(engine="streaming") for part in parts]
    names = frames[0].columns[: len(keys)]
    return pl.concat(frames).group_by(names).sum().sort(names)


def durations(parts: Iterable[pl.LazyFrame], milliseconds: pl.Expr) -> Durations:
    """The durations of all rows, without nulls."""
    known = (part.filter(milliseconds.is_not_null()) for part in parts)
    return Durations(dict(grouped(known, [bucket_of(milliseconds)]).iter_rows()))


def _since_sending(parts: Iterable[pl.LazyFrame], rows: pl.Expr, until: str) -> Durations:
    return durations((part.filter(rows) for part in parts), (pl.col(until) - pl.col("sent_at")).dt.total_milliseconds())


def count_results(results: Path, sheet_rows: SheetRows | None = None) -> ResultCounts:
    """Count a run's results.parquet. `sheet_rows` has the row numbers that the examples show."""
    parts = parts_of(results)
    price = pl.col("billed_price")
    groups = grouped(
        parts,
        ["country", "status", "reason", "delivery_state", "delivery_detail", "delivery_error", "outcome", "segments",
         "encoding", "error_code", pl.col("billed_currency").fill_null(""), price.is_not_null().alias("has_price")],
        price.cast(pl.Decimal(38, 9)).sum(),
        pl.col("billed_segments").cast(pl.Int64).sum(),
    )  # fmt: skip
    totals, accepted, countries = Counts(), Counts(), defaultdict[str | None, Counts](Counts)
    for row in groups.iter_rows(named=True):
        group = MessageGroup(
            status=row["status"],
            delivery=delivery_key(row["delivery_state"], row["delivery_detail"]),
            count=row["count"],
            segments=(row["segments"] or 0) * row["count"],
            billed_segments=row["billed_segments"],
            currency=row["billed_currency"],
            amount=row["billed_price"] if row["has_price"] else None,
        )
        of_row = [totals, countries[row["country"]], *([accepted] if group.status == Status.ACCEPTED else [])]
        for counts in of_row:
            counts.add(group)
            if row["outcome"] is not None:
                counts.conversions[row["outcome"]] += group.count
    sent_to = [(country, counts) for country, counts in countries.items() if counts.sent]
    examples, by_reason = _examples(parts, sheet_rows or SheetRows()), _tally(groups, "status", "reason")
    totals.in_flight = by_reason[Status.UNKNOWN, OutcomeReason.IN_FLIGHT]
    with_error = groups.drop_nulls("error_code")
    of_accepted = groups.filter(pl.col("status") == Status.ACCEPTED.value)
    return ResultCounts(
        totals=totals.with_rates(),
        accepted=accepted,
        countries=dict(sorted(sent_to, key=lambda item: (-item[1].accepted, -item[1].sent, item[0] or "~"))),
        examples=examples,
        by_reason=Counter({key: by_reason[key] for key in examples}),
        error_codes=_tally(with_error, "reason", "error_code"),
        by_error_code=_tally(with_error, "error_code"),
        billed_messages=_tally(groups.filter("has_price"), "billed_currency"),
        to_delivery=_since_sending(parts, pl.col("status") == Status.ACCEPTED.value, "delivered_at"),
        to_conversion=_since_sending(parts, pl.col("outcome") == ConversionOutcome.SUCCESS.value, "converted_at"),
        sizes=_tally(of_accepted, "segments", "encoding"),
        states=_tally(of_accepted, "delivery_state", "delivery_detail"),
        by_delivery_error=_tally(of_accepted.filter(pl.col("delivery_error") != 0), "delivery_error"),
        failed_by_code=_tally(of_accepted.filter(pl.col("delivery_state").is_in(FAILED_STATES)), "delivery_error"),
    )


def _tally(groups: pl.DataFrame, *columns: str) -> Counter[Any]:
    """The number of rows by their value in a column, or by their values in several columns."""
    sums = groups.group_by(columns, maintain_order=True).agg(pl.sum("count"))
    keys = sums[columns[0]] if len(columns) == 1 else sums.select(columns).iter_rows()
    return Counter(dict(zip(keys, sums["count"], strict=True)))


def _examples(
    parts: Sequence[pl.LazyFrame], sheet_rows: SheetRows
) -> dict[tuple[str, str], list[tuple[int, str | None, str]]]:
    """The first rows of each status and reason, in file order."""
    found: dict[tuple[str, str], list[tuple[int, str | None, str]]] = {}
    for part in parts:
        firsts = part.group_by("status", "reason", maintain_order=True).agg(
            pl.col("row", "key", "detail").head(EXAMPLES)
        )
        for status, reason, *columns in firsts.collect(engine="streaming").iter_rows():
            of_reason = found.setdefault((status, reason), [])
            rows = [(sheet_rows.of(row), key, detail or "") for row, key, detail in zip(*columns, strict=True)]
            of_reason += rows[: EXAMPLES - len(of_reason)]
    return found
