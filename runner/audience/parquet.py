"""Parquet as rows of strings. Imported only for Parquet files, because polars takes 0.2 s to load."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.audience.header import check_header
from runner.errors import InputError, Problem

if TYPE_CHECKING:
    import polars as pl

_MAGIC = b"PAR1"
_PART_ROWS = 50_000
_REMEDY = "write it again from where it came, or use CSV"

# Whole numbers are exact in a float only up to its mantissa. A phone number stored in 32 bits has lost its last
# digits: it must not be passed on as if it were one. Left as "6591234600.0" it is excluded with a reason.
_EXACT = {"Float32": 2**24, "Float64": 2**53}


def read_header(path: Path) -> list[str]:
    """Column names, trimmed. Raises InputError for what isn't Parquet and for columns that aren't plain values."""
    return _scan(path)[1]


def read_rows(path: Path, batch_size: int) -> Generator[list[tuple[str, ...]], None, None]:
    """Rows in file order, cells as trimmed text, nulls as "".

    Part by part, because polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader.
    """
    import polars as pl

    frame, _ = _scan(path)
    try:
        for first in range(0, frame.select(pl.len()).collect().item(), _PART_ROWS):
            for batch in frame.slice(first, _PART_ROWS).collect().iter_slices(batch_size):
                yield [tuple(map(str.strip, row)) for row in batch.iter_rows()]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError([Problem(f"{path} cannot be read as Parquet: {_first_line(error)}", _REMEDY)]) from error


def _scan(path: Path) -> tuple["pl.LazyFrame", list[str]]:
    import polars as pl

    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise InputError([Problem(f"{path} is not a Parquet file", "check its ending: .csv, .tsv or .txt")])
        # Neither glob nor hive: a path is a path, and a folder named "city=Penang" adds no column.
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError([Problem(f"{path} cannot be read as Parquet: {_first_line(error)}", _REMEDY)]) from error
    names = check_header(path, schema.names())
    problems = [
        Problem(f'{path}: the column "{name}" holds {kind}, which is not a single value', "leave it out of the file")
        for name, kind in schema.items()
        if kind.is_nested() or kind in (pl.Binary, pl.Object)
    ]
    if problems:
        raise InputError(problems)
    return frame.select(_as_text(name, kind) for name, kind in schema.items()), list(names)


def _as_text(name: str, kind: "pl.DataType") -> "pl.Expr":
    """The column as people write it: 6591234567 and not 6591234567.0, 2026-12-01 10:00:00 and not …000000."""
    import polars as pl

    column = pl.col(name)
    if kind.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() <= _EXACT.get(str(kind), 0))
        digits = pl.when(whole).then(column).cast(pl.Int64).cast(pl.String)
        # pandas writes a missing number as NaN.
        text = pl.coalesce(digits, column.fill_nan(None).cast(pl.String))
    elif kind == pl.Datetime:
        text = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
        if getattr(kind, "time_zone", None):
            text = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f%:z")
    elif kind == pl.Duration:
        text = column.dt.to_string()
    else:
        text = column.cast(pl.String)
    return text.fill_null("").alias(name)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
