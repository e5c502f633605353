"""Adding up the rows of a Parquet file part by part, and durations in buckets, so that memory stays flat.

Polars reads far ahead of what it groups: a file of ten million rows read at once takes several times the memory.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

PART_ROWS = 200_000

# Sums by what they are of.
Sums = Mapping[tuple[Any, ...], tuple[Any, ...]]

# Durations are counted in buckets that grow by 2%: percentiles of ten million rows need no sorting and little memory.
_GROWTH = math.log(1.02)


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
    """What each of the queries gives of all parts, in the order of the texts of its keys.

    The last `columns` of each query are added up; those before them are the key.
    """
    found: list[dict[tuple[Any, ...], tuple[Any, ...]]] = [{} for _ in columns]
    for part in parts:
        for sums, frame, last in zip(found, pl.collect_all(queries(part), engine="streaming"), columns, strict=True):
            for row in frame.iter_rows():
                key, values = row[:-last], row[-last:]
                before = sums.get(key)
                sums[key] = tuple(one + other for one, other in zip(before, values, strict=True)) if before else values
    return [dict(sorted(sums.items(), key=lambda item: str(item[0]))) for sums in found]


def counts_of(
    parts: Sequence[pl.LazyFrame], query: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> dict[tuple[Any, ...], int]:
    """Of one query whose last column is a count."""
    (found,) = sums_of(parts, lambda part: [query(part)], columns=[1])
    return {key: count for key, (count,) in found.items()}


@dataclass(frozen=True, slots=True)
class Durations:
    """How many took how long, by bucket (see `bucket_of`), shortest first. Milliseconds come out."""

    buckets: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Self:
        return cls(tuple(sorted(counts.items())))

    @property
    def total(self) -> int:
        return sum(count for _, count in self.buckets)

    def percentile(self, percent: float) -> float:
        """In milliseconds, right to within 1%: the least time within which that many were done. There must be some."""
        wanted, seen = math.ceil(self.total * percent / 100), 0
        for bucket, count in self.buckets:
            seen += count
            if seen >= wanted:
                return _middle(bucket)
        return _middle(self.buckets[-1][0])

    def curve(self) -> list[tuple[float, float]]:
        """How many of all (0 to 1) were done within so many milliseconds, rising."""
        total, seen, points = self.total, 0, []
        for bucket, count in self.buckets:
            seen += count
            points.append((_middle(bucket), seen / total))
        return points


def _middle(bucket: int) -> float:
    return math.exp((bucket + 0.5) * _GROWTH)


def bucket_of(milliseconds: pl.Expr) -> pl.Expr:
    """The bucket of a duration. Below a millisecond, and before zero (two clocks that differ), all are alike."""
    return (milliseconds.clip(lower_bound=1).log() / _GROWTH).floor().cast(pl.Int32)
