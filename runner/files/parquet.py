"""Parquet as rows of strings. Imported only for Parquet files, because polars is slow to load."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from runner.base.errors import InputError, Problem
from runner.files.columns import Header, name_columns, naming_remarks
from runner.files.condition import Condition
from runner.files.source import NULL, Batch, Cells, UnreadableRow

_PART_ROWS = 50_000
# A dictionary has each value once, so a file of a few kilobytes can hold a terabyte of text, and a billion rows.
_MOST_BATCH_BYTES = 1 << 26
_SMALL_ROWS = 10_000_000
_MOST_ROWS_PER_BYTE = 200
_REMEDY = "export it again, or use CSV"

# Integers are exact in a float only up to its mantissa. A phone number stored in 32 bits has lost its last digits and
# must not be used. Written as "≈6591234600" it is excluded with a reason.
_EXACT = {"Float32": 2**24, "Float64": 2**53}


class Table:
    """A Parquet file's columns and rows. `where` is an SQL condition on the columns with their types.

    Raises InputError for a file that isn't Parquet, and for an invalid condition.
    """

    def __init__(self, path: Path, where: str | None = None) -> None:
        self._path = path
        left_out: dict[str, str] = {}
        with _parquet(path):
            # No glob and no hive: a path is literal, and a folder named "city=Penang" adds no column.
            self._frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            schema = self._frame.collect_schema().items()
        columns = [column for name, dtype in schema for column in _flattened(name, pl.col(name), dtype, left_out)]
        if not columns:
            raise InputError([Problem(f"{path} has no column with single values", _REMEDY)])
        written = [name for name, _, _ in columns]
        self.names = Header(name_columns(written), left_out)
        self.types = {name: dtype for name, (_, _, dtype) in zip(self.names, columns, strict=True)}
        self._columns = [column.alias(name) for name, (_, column, _) in zip(self.names, columns, strict=True)]
        self.remarks = naming_remarks(path.name, written, self.names)
        if left_out:
            which = ", ".join(f'"{name}"' for name in left_out)
            self.remarks.append(f"{path.name}: columns with lists or bytes are ignored: {which}")
        self._condition = Condition(where, self.types) if where is not None else None

    def read(self, batch_size: int) -> Generator[Batch, None, None]:
        """Rows in file order, cells as trimmed text, nulls as "", and for each row whether the condition is true.

        Read in parts, because polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader.
        """
        texts = [_as_text(name, dtype) for name, dtype in self.types.items()]
        row = 1
        with _parquet(self._path):
            for first in range(0, self._row_count(), _PART_ROWS):
                part = self._frame.select(self._columns).slice(first, _PART_ROWS).collect()
                for batch in part.iter_slices(batch_size):
                    written = batch.select(texts)
                    if sum(written.select(pl.all().str.len_bytes().cast(pl.Int64).sum()).row(0)) > _MOST_BATCH_BYTES:
                        what = f"{self._path}: the cells of the rows {row:,} to {row + len(batch) - 1:,}"
                        raise InputError.of(f"{what} have more than 64 MB", "shorten them")
                    rows: list[Cells | UnreadableRow]
                    rows = [tuple(map(str.strip, cells)) for cells in written.iter_rows()]
                    yield Batch(rows, self._condition.match(batch, row) if self._condition else None)
                    row += len(rows)

    def _row_count(self) -> int:
        """The number of rows, which the file states. Raises InputError if it is no list's."""
        rows: int = self._frame.select(pl.len()).collect().item()
        if rows > _SMALL_ROWS and rows > _MOST_ROWS_PER_BYTE * self._path.stat().st_size:
            what = f"{self._path} has {rows:,} rows that are almost all the same, so it is no list of recipients"
            raise InputError.of(what, "export it again")
        return rows


@contextmanager
def _parquet(path: Path) -> Generator[None, None, None]:
    """Raise InputError if polars can't read the file."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise InputError([Problem(f"can't read {path} as Parquet: {first_line}", _REMEDY)]) from error


def _flattened(
    name: str, column: pl.Expr, dtype: pl.DataType, left_out: dict[str, str]
) -> Iterator[tuple[str, pl.Expr, pl.DataType]]:
    """Columns with single values, by name and type. A struct's fields become columns such as `home.city`."""
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            inner = field.dtype() if isinstance(field.dtype, type) else field.dtype
            yield from _flattened(f"{name}.{field.name}", column.struct.field(field.name), inner, left_out)
    elif dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        left_out[name] = str(dtype)
    else:
        yield name, column, dtype


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column as people write it: 6591234567 not 6591234567.0, 2026-12-01 10:00:00 not …000000."""
    column = pl.col(name)
    if dtype.is_float():
        # pandas writes a missing number as NaN.
        text = column.fill_nan(None).cast(pl.String)
        whole = column.is_finite() & (column == column.floor())
        exact = column.abs() <= _EXACT.get(str(dtype), 0)
        digits = pl.when(whole & exact).then(column).cast(pl.Int64).cast(pl.String)
        rounded = pl.when(whole & ~exact).then(pl.lit("≈") + text.str.strip_suffix(".0"))
        text = pl.coalesce(digits, rounded, text)
    elif dtype == pl.Datetime:
        text = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
        if getattr(dtype, "time_zone", None):
            text = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f%:z")
    elif dtype == pl.Duration:
        text = column.dt.to_string()
    else:
        text = column.cast(pl.String)
        text = pl.when(text != NULL).then(text)
    return text.fill_null("").alias(name)
