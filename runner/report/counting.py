"""Counting the rows of a results file part by part, so that memory doesn't grow with the file.

Polars reads far ahead of what it groups: a page of ten million rows read at once takes several times the memory.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    Query = Callable[[pl.LazyFrame], pl.LazyFrame]

PART_ROWS = 200_000

Totals = dict[tuple[Any, ...], tuple[Any, ...]]
"""Sums by what they are of."""


def parts_of(results: Path, rows: int = PART_ROWS) -> list["pl.LazyFrame"]:
    """The file as parts of so many rows; at least one."""
    import polars as pl

    scan = pl.scan_parquet(results, glob=False)
    return [scan.slice(first, rows) for first in range(0, max(scan.select(pl.len()).collect().item(), 1), rows)]


def totals(parts: Sequence["pl.LazyFrame"], queries: Sequence["Query"], *, sums: Sequence[int]) -> list[Totals]:
    """What each query gives of all parts: rows that differ only in their last columns, `sums` of them, are added up."""
    import polars as pl

    found: list[Totals] = [{} for _ in queries]
    for part in parts:
        frames = pl.collect_all([query(part) for query in queries], engine="streaming")
        for total, frame, last in zip(found, frames, sums, strict=True):
            for row in frame.iter_rows():
                key, values = row[:-last], row[-last:]
                before = total.get(key)
                total[key] = tuple(map(_plus, before, values)) if before else values
    return found


def counts(parts: Sequence["pl.LazyFrame"], query: "Query") -> dict[tuple[Any, ...], int]:
    """Of one query whose last column is a count."""
    (found,) = totals(parts, [query], sums=[1])
    return {key: count for key, (count,) in found.items()}


def _plus(one: Any, other: Any) -> Any:  # noqa: ANN401 (whole numbers and decimals)
    return one + other
