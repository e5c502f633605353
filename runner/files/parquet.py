"""Parquet as rows of strings. Imported only for Parquet files, because polars is slow to load."""

import re
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import polars as pl

from runner.base import interrupts
from runner.base.cells import DIGITS, Kind, written
from runner.base.errors import InputError, Problem, is_panic
from runner.base.placeholders import ROUNDED
from runner.files.columns import Header, name_columns, naming_remarks
from runner.files.condition import Condition
from runner.files.source import NULL, Batch, Cells, Source, UnreadableRow

_PART_ROWS = 50_000
# A dictionary has each value once, so a file of a few kilobytes can hold a terabyte of text, and a billion rows.
_MOST_BATCH_BYTES = 1 << 26
_SMALL_ROWS = 10_000_000
_MOST_ROWS_PER_BYTE = 200
_REMEDY = "export it again, or use CSV"

# Integers are exact in a float only up to its mantissa. A phone number stored in 32 bits has lost its last digits and
# must not be used. Written as "≈6591234600" it is excluded with a reason.
_EXACT = {"Float16": 2**11, "Float32": 2**24, "Float64": 2**53}

# The days from 1970 to the first of year 1 and the last of year 9999. PostgreSQL's infinite dates are beyond, and
# polars panics when it writes them.
_DAYS = (-719_162, 2_932_896)
_PER_DAY = {None: 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
# What polars makes of an INT96 timestamp that 64 bits can't hold, such as Spark's of the year 9999.
_TOO_FAR = 2**63 - 1

# polars panics on a file with the type INTERVAL, unless it may take it for a struct.
pl.Config.load('{"environment": {"POLARS_IMPORT_INTERVAL_AS_STRUCT": "1"}}')
_INTERVAL = pl.Struct({"months": pl.Int32, "days": pl.Int32, "nanoseconds": pl.Duration("ns")})
_SINGLE = (pl.String, pl.Binary, pl.Boolean, pl.Date, pl.Datetime, pl.Time, pl.Categorical, pl.Enum, pl.Null)
_MOST_DIGITS = 38

_UUID_BYTES = 16
# A text of fixed length is filled up with NULs. Other control characters show that bytes aren't text.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Table:
    """A Parquet file's columns and rows. `types` are polars' types by column; bytes are read as text.

    A column of lists is read only if the source names it, because a list may be far larger than all other cells.

    Raises InputError for a file that isn't Parquet.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._path = source, source.path
        path = source.path
        left_out: dict[str, str] = {}
        with _parquet(path):
            # No glob and no hive: a path is literal, and a folder named "city=Penang" adds no column.
            self._frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            schema = self._frame.collect_schema().items()
        columns = [column for name, dtype in schema for column in _flattened(name, pl.col(name), dtype, left_out)]
        if all(isinstance(dtype, pl.List) for _, _, dtype in columns):
            raise InputError([Problem(f"{path} has no column with single values", _REMEDY)])
        in_file = [name for name, _, _ in columns]
        names = name_columns(in_file)
        self._columns = {name: column.alias(name) for name, (_, column, _) in zip(names, columns, strict=True)}
        types = {name: dtype for name, (_, _, dtype) in zip(names, columns, strict=True)}
        self._bytes = [name for name, dtype in types.items() if dtype == pl.Binary]
        self.types = types | dict.fromkeys(self._bytes, pl.String())
        self.names = Header(names, left_out, {name: _kind(dtype) for name, dtype in types.items()})
        self.remarks = naming_remarks(path.name, in_file, names)
        used = {*self.single} if source.used is None else source.used
        if ignored := {name: kind for name, kind in left_out.items() if name not in types}:
            which = ", ".join(f'"{name}" ({kind})' for name, kind in ignored.items())
            self.remarks.append(f"{path.name}: columns of types that can't be used are ignored: {which}")
        self._used = [name for name in names if name in used]

    @property
    def single(self) -> dict[str, pl.DataType]:
        """The types of the columns with single values."""
        return {name: dtype for name, dtype in self.types.items() if not isinstance(dtype, pl.List)}

    def read(self, batch_size: int, columns: Collection[str] | None = None) -> Generator[Batch, None, None]:
        """Rows in file order, cells as trimmed text, nulls as "", and for each row whether the condition is true.

        `columns` are read (None: those that the source uses); the cells of others are "". Read in parts, because
        polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader. Raises InputError for
        an invalid condition.
        """
        columns = self._used if columns is None else columns
        where = self._source.where
        condition = Condition(where, self.single, self.names.left_out) if where is not None else None
        wanted = list(dict.fromkeys([*columns, *(condition.columns if condition else ())]))
        texts = [
            _as_text(pl.col(name), self.types[name]).fill_null("").alias(name)
            if name in columns
            else pl.lit("").alias(name)
            for name in self.names
        ]
        uuids = [name for name in self._bytes if name in wanted and self._has_uuids(name)]
        for first in range(0, self._row_count(), _PART_ROWS):
            part, unreadable = self._part(first, wanted, uuids)
            for start in range(0, len(part), batch_size):
                batch = part.slice(start, batch_size)
                rows = self._rows(batch.lazy().select(texts), first + start + 1)
                for index in unreadable.keys() & range(start, start + len(rows)):
                    rows[index - start] = UnreadableRow(unreadable[index])
                yield Batch(rows, condition.match(batch, first + start + 1) if condition else None)

    def _part(self, first: int, wanted: list[str], uuids: list[str]) -> tuple[pl.DataFrame, dict[int, str]]:
        """Rows from `first` on, with bytes as text; and by index, why a row has a used cell that can't be read."""
        unreadable: dict[int, str] = {}
        part = self._collected(wanted, first)
        for name in self._bytes:
            if name in wanted:
                self._refuse_much(int(part[name].bin.size().sum()), first + 1, len(part))
                texts = [_decoded(value, is_uuid=name in uuids) for value in part[name]]
                lost = part[name].is_not_null() & pl.Series(text is None for text in texts)
                words = f'bytes that are not text in the column "{name}"; export it as text'
                unreadable |= dict.fromkeys(lost.arg_true() if name in self._used else (), words)
                part = part.with_columns(pl.Series(name, texts, pl.String))
        for name in self._used:
            if (endless := _endless(pl.col(name), self.types[name])) is not None:
                kind = "number" if self.types[name].is_float() else "or very distant date"
                words = f'an infinite {kind} in the column "{name}"; correct it, or export the column as text'
                unreadable |= dict.fromkeys(part.select(pl.arg_where(endless)).to_series(), words)
        return part, unreadable

    def _collected(self, wanted: list[str], first: int) -> pl.DataFrame:
        """The `wanted` columns of the part from index `first` on. Raises InputError, which names a broken column."""

        def collected(names: list[str]) -> pl.DataFrame:
            return self._frame.select([self._columns[name] for name in names]).slice(first, _PART_ROWS).collect()

        try:
            with _parquet(self._path):
                return collected(wanted)
        except InputError:
            for name in wanted:
                with _parquet(self._path, name):
                    collected([name])
            raise

    def _rows(self, texts: pl.LazyFrame, row: int) -> list[Cells | UnreadableRow]:
        """The cells of rows from row number `row` on. Raises InputError if they are too much for memory."""
        with _parquet(self._path):
            frame = texts.collect()
            size = sum(frame.select(pl.all().str.len_bytes().cast(pl.Int64).sum()).row(0))
        self._refuse_much(size, row, len(frame))
        return [tuple(map(str.strip, cells)) for cells in frame.iter_rows()]

    def _refuse_much(self, size: int, row: int, rows: int) -> None:
        """Raise InputError if the cells of so many rows, from row number `row` on, are too much for memory."""
        if size > _MOST_BATCH_BYTES:
            what = f"{self._path}: the cells of the rows {row:,} to {row + rows - 1:,} have more than 64 MB"
            raise InputError.of(what, "shorten them")

    def _has_uuids(self, name: str) -> bool:
        """Whether a column of bytes has UUIDs: all values have 16 bytes, and one is no text."""
        with _parquet(self._path, name):
            sizes = self._frame.select(self._columns[name].bin.size().unique()).collect().to_series().drop_nulls()
        if sizes.to_list() != [_UUID_BYTES]:
            return False
        for first in range(0, self._row_count(), _PART_ROWS):
            values = self._collected([name], first).to_series().drop_nulls()
            if any(_decoded(value, is_uuid=False) is None for value in values):
                return True
        return False

    def _row_count(self) -> int:
        """The number of rows, which the file states. Raises InputError if it is no list's."""
        with _parquet(self._path):
            rows: int = self._frame.select(pl.len()).collect().item()
        if rows > _SMALL_ROWS and rows > _MOST_ROWS_PER_BYTE * self._path.stat().st_size:
            what = f"{self._path} has {rows:,} rows that are almost all the same, so it is not a list of recipients"
            raise InputError.of(what, "export it again")
        return rows


@contextmanager
def _parquet(path: Path, column: str | None = None) -> Generator[None, None, None]:
    """Raise InputError if polars can't read the file, or this column of it."""
    try:
        with interrupts.quiet():
            yield
    except BaseException as error:
        if not isinstance(error, pl.exceptions.PolarsError | OSError) and not is_panic(error):
            raise
        what = f"can't read {path} as Parquet" if column is None else f'can\'t read the column "{column}" of {path}'
        why = "it is damaged, or has values of an unknown kind" if is_panic(error) else str(error).partition("\n")[0]
        raise InputError([Problem(f"{what}: {why}", _REMEDY)]) from error


def _flattened(
    name: str, column: pl.Expr, dtype: pl.DataType, left_out: dict[str, str]
) -> Iterator[tuple[str, pl.Expr, pl.DataType]]:
    """Columns by name and type. A struct's fields become columns such as `home.city`. `left_out` gets those without
    single values; lists are in both.
    """
    if isinstance(dtype, pl.Struct) and dtype != _INTERVAL:
        for field in dtype.fields:
            inner = field.dtype() if isinstance(field.dtype, type) else field.dtype
            yield from _flattened(f"{name}.{field.name}", column.struct.field(field.name), inner, left_out)
    elif _is_single(dtype):
        yield name, column, dtype
    else:
        left_out[name] = "Interval" if dtype == _INTERVAL else str(dtype)
        if isinstance(dtype, pl.List) and _inner(dtype) != pl.Binary and _is_single(_inner(dtype)):
            yield name, column, dtype


def _is_single(dtype: pl.DataType) -> bool:
    return dtype in _SINGLE or (dtype.is_numeric() and (getattr(dtype, "precision", 0) or 0) <= _MOST_DIGITS)


def _inner(dtype: pl.List) -> pl.DataType:
    return dtype.inner() if isinstance(dtype.inner, type) else dtype.inner


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return Kind.NUMBER
    if getattr(dtype, "time_zone", None):
        return Kind.INSTANT
    kinds = {pl.Boolean: Kind.BOOLEAN, pl.Date: Kind.DATE, pl.Datetime: Kind.DATE, pl.List: Kind.LIST}
    return next((kind for other, kind in kinds.items() if dtype == other), Kind.TEXT)


def _decoded(value: bytes | None, *, is_uuid: bool) -> str | None:
    """Bytes as text, or as a UUID in its usual form; None if they are neither."""
    if value is None:
        return None
    if is_uuid:
        return str(UUID(bytes=value))
    try:
        text = value.decode().rstrip("\0")
    except UnicodeDecodeError:
        return None
    return None if _NO_TEXT.search(text) else text


def _endless(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """For each row, whether the value is infinite or outside of the years 1 to 9999; None if no value can be."""
    if dtype.is_float():
        return column.is_infinite()
    if not dtype.is_temporal() or dtype == pl.Time:
        return None
    first, last = _DAYS
    per_day = _PER_DAY[getattr(dtype, "time_unit", None)]
    return ~column.to_physical().is_between(
        max(first * per_day, -_TOO_FAR), min((last + 1) * per_day, _TOO_FAR), closed="left"
    )


def _as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The column as people write it: 6591234567 not 6591234567.0, 2026-12-01 10:00:00 not …000000; a list as JSON."""
    if (endless := _endless(column, dtype)) is not None:
        column = pl.when(~endless).then(column)
    if dtype.is_float():
        column = column.cast(pl.Float32) if dtype == pl.Float16 else column  # polars has no floor for it
        # pandas writes a missing number as NaN.
        filled = column.fill_nan(None)
        whole = column == column.floor()
        exact = column.abs() <= _EXACT.get(str(dtype), 0)
        digits = pl.when(whole & exact).then(column).cast(pl.Int64).cast(pl.String)
        rounded = pl.when(whole & ~exact).then(pl.lit(ROUNDED) + filled.cast(pl.String).str.strip_suffix(".0"))
        return pl.coalesce(digits, rounded, filled.map_batches(_without_noise, pl.String))
    if dtype == pl.Datetime:
        zone = "%:z" if getattr(dtype, "time_zone", None) else ""
        return column.dt.to_string(f"%Y-%m-%d %H:%M:%S%.f{zone}")
    if isinstance(dtype, pl.List):
        inner = _inner(dtype)
        if not (inner.is_integer() or inner.is_float() or inner in (pl.Boolean, pl.String)):
            column = column.list.eval(_as_text(pl.element(), inner))
        as_json = pl.struct(column.alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
        return pl.when(column.list.len() > 0).then(as_json)
    text = column.cast(pl.String)
    if dtype.is_decimal():  # 19.900000000
        return pl.when(text.str.contains(".", literal=True)).then(text.str.replace(r"\.?0+$", "")).otherwise(text)
    return pl.when(text != NULL).then(text)


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
