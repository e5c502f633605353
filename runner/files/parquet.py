"""Parquet as rows of strings. Imported only for Parquet files, because polars is slow to load."""

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from runner.base.cells import DIGITS, Kind, written
from runner.base.errors import InputError, Problem
from runner.files.columns import Header, name_columns, naming_remarks
from runner.files.condition import Condition
from runner.files.source import Batch, Cells, UnreadableRow

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
    """A Parquet file's columns and rows. `where` is an SQL condition on the columns with their types; `lists` are the
    columns with lists to read.

    Raises InputError for a file that isn't Parquet, and for an invalid condition.
    """

    def __init__(self, path: Path, where: str | None = None, lists: Collection[str] = ()) -> None:
        self._path = path
        left_out: dict[str, str] = {}
        with _parquet(path):
            # No glob and no hive: a path is literal, and a folder named "city=Penang" adds no column.
            self._frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            schema = self._frame.collect_schema().items()
        columns = [column for name, dtype in schema for column in _flattened(name, pl.col(name), dtype, left_out)]
        if all(dtype.is_nested() for _, _, dtype in columns):
            raise InputError([Problem(f"{path} has no column with single values", _REMEDY)])
        written = [name for name, _, _ in columns]
        names = name_columns(written)
        types = {name: dtype for name, (_, _, dtype) in zip(names, columns, strict=True)}
        self.names = Header(names, left_out, {name: _kind(dtype) for name, dtype in types.items()})
        # Without those that a condition can't use.
        self.types = {name: dtype for name, dtype in types.items() if not dtype.is_nested()}
        # A list may be far larger than all other cells, so only those that a template uses are read.
        self._columns = [
            (column if name in self.types or name in lists else pl.lit("")).alias(name)
            for name, (_, column, _) in zip(names, columns, strict=True)
        ]
        self._texts = [
            _as_text(pl.col(name), types[name]).fill_null("").alias(name)
            if name in self.types or name in lists
            else pl.col(name)
            for name in names
        ]
        self.remarks = naming_remarks(path.name, written, self.names)
        if ignored := [name for name in left_out if name not in lists]:
            which = ", ".join(f'"{name}"' for name in ignored)
            self.remarks.append(f"{path.name}: columns with lists or bytes are ignored: {which}")
        self._condition = Condition(where, self.types) if where is not None else None

    def read(self, batch_size: int) -> Generator[Batch, None, None]:
        """Rows in file order, cells as trimmed text, nulls as "", and for each row whether the condition is true.

        Read in parts, because polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader.
        """
        row = 1
        with _parquet(self._path):
            for first in range(0, self._row_count(), _PART_ROWS):
                part = self._frame.select(self._columns).slice(first, _PART_ROWS).collect()
                for batch in part.iter_slices(batch_size):
                    written = batch.select(self._texts)
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
        if isinstance(dtype, pl.List) and not _inner(dtype).is_nested() and _inner(dtype) not in (pl.Binary, pl.Object):
            yield name, column, dtype
    else:
        yield name, column, dtype


def _inner(dtype: pl.List) -> pl.DataType:
    return dtype.inner() if isinstance(dtype.inner, type) else dtype.inner


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return Kind.NUMBER
    if getattr(dtype, "time_zone", None):
        return Kind.INSTANT
    kinds = {pl.Boolean: Kind.BOOLEAN, pl.Date: Kind.DATE, pl.Datetime: Kind.DATE, pl.List: Kind.LIST}
    return next((kind for other, kind in kinds.items() if dtype == other), Kind.TEXT)


def _as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The column as people write it: 6591234567 not 6591234567.0, 2026-12-01 10:00:00 not …000000; a list as JSON."""
    if dtype.is_float():
        # pandas writes a missing number as NaN.
        filled = column.fill_nan(None)
        whole = column.is_finite() & (column == column.floor())
        exact = column.abs() <= _EXACT.get(str(dtype), 0)
        digits = pl.when(whole & exact).then(column).cast(pl.Int64).cast(pl.String)
        rounded = pl.when(whole & ~exact).then(pl.lit("≈") + filled.cast(pl.String).str.strip_suffix(".0"))
        return pl.coalesce(digits, rounded, filled.map_batches(_without_noise, pl.String))
    if dtype == pl.Datetime:
        zone = "%:z" if getattr(dtype, "time_zone", None) else ""
        return column.dt.to_string(f"%Y-%m-%d %H:%M:%S%.f{zone}")
    if dtype == pl.Duration:
        return column.dt.to_string()
    if isinstance(dtype, pl.List):
        inner = _inner(dtype)
        if not (inner.is_integer() or inner.is_float() or inner in (pl.Boolean, pl.String)):
            column = column.list.eval(_as_text(pl.element(), inner))
        as_json = pl.struct(column.alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
        return pl.when(column.list.len() > 0).then(as_json)
    text = column.cast(pl.String)
    if dtype.is_decimal():  # 19.900000000
        return pl.when(text.str.contains(".", literal=True)).then(text.str.replace(r"\.?0+$", "")).otherwise(text)
    return text


def _without_noise(column: pl.Series) -> pl.Series:
    """Floats as text with at most 15 digits and no exponent, as in a spreadsheet: 0.3 not 0.30000000000000004."""
    text = column.cast(pl.String)
    odd = (text.str.len_bytes() > DIGITS + 1) | text.str.contains("e", literal=True)
    if not odd.any():
        return text
    return pl.Series(
        [written(value) if is_odd else shown for value, shown, is_odd in zip(column, text, odd, strict=True)],
        dtype=pl.String,
    )
