"""Parquet as rows of strings. Imported only for Parquet files, because polars is slow to load."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from runner.base.errors import InputError, Problem
from runner.files.condition import Where
from runner.files.header import Header, name_columns, naming_remarks
from runner.files.source import Cells

_PART_ROWS = 50_000
_REMEDY = "write it again from where it came, or use CSV"

# Whole numbers are exact in a float only up to its mantissa. A phone number stored in 32 bits has lost its last
# digits: it must not be passed on as if it were one. Written as "≈6591234600" it is excluded with a reason.
_EXACT = {"Float32": 2**24, "Float64": 2**53}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that holds single values: a field of a struct is one too, named as in `home.city`."""

    path: tuple[str, ...]
    kind: pl.DataType

    def expression(self) -> pl.Expr:
        column = pl.col(self.path[0])
        for field in self.path[1:]:
            column = column.struct.field(field)
        return column


class Table:
    """A Parquet file's columns and rows. `where` is an SQL condition over the columns, with the types that they have.

    Raises InputError for what isn't Parquet, and for a condition that is wrong.
    """

    def __init__(self, path: Path, where: str | None = None) -> None:
        self._path = path
        self._frame, schema = _scan(path)
        self._columns: list[_Column] = []
        left_out: dict[str, str] = {}
        for name, kind in schema.items():
            _collect((name,), kind, self._columns, left_out)
        if not self._columns:
            raise InputError([Problem(f"{path} has no column of single values", _REMEDY)])
        written = [".".join(column.path) for column in self._columns]
        self.names = Header(name_columns(written), left_out)
        self.kinds = {name: column.kind for name, column in zip(self.names, self._columns, strict=True)}
        self.remarks = [f"{path.name}: {words}" for words in naming_remarks(written, self.names)]
        if left_out:
            which = ", ".join(f'"{name}"' for name in left_out)
            self.remarks.append(f"{path.name}: not read, because they hold lists or bytes: {which}")
        self._where = Where(where, self.kinds) if where is not None else None

    def read(self, batch_size: int) -> Generator[tuple[Sequence[Cells], Sequence[bool] | None], None, None]:
        """Rows in file order, cells as trimmed text, nulls as "", each batch with whether the condition holds.

        Part by part, because polars' own batches have no back-pressure: it reads a whole file ahead of a slow reader.
        """
        plain = self._frame.select(
            column.expression().alias(name) for name, column in zip(self.names, self._columns, strict=True)
        )
        texts = [_as_text(name, kind) for name, kind in self.kinds.items()]
        row = 1
        try:
            for first in range(0, self._frame.select(pl.len()).collect().item(), _PART_ROWS):
                for batch in plain.slice(first, _PART_ROWS).collect().iter_slices(batch_size):
                    rows = [tuple(map(str.strip, cells)) for cells in batch.select(texts).iter_rows()]
                    yield rows, self._where.kept(batch, row) if self._where else None
                    row += len(rows)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self._path, error) from error


def _scan(path: Path) -> tuple[pl.LazyFrame, pl.Schema]:
    try:
        # Neither glob nor hive: a path is a path, and a folder named "city=Penang" adds no column.
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        return frame, frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    first_line = str(error).partition("\n")[0]
    return InputError([Problem(f"{path} cannot be read as Parquet: {first_line}", _REMEDY)])


def _collect(path: tuple[str, ...], kind: pl.DataType, columns: list[_Column], left_out: dict[str, str]) -> None:
    if isinstance(kind, pl.Struct):
        for field in kind.fields:
            dtype = field.dtype
            _collect((*path, field.name), dtype() if isinstance(dtype, type) else dtype, columns, left_out)
    elif kind.is_nested() or kind in (pl.Binary, pl.Object):
        left_out[".".join(path)] = str(kind)
    else:
        columns.append(_Column(path, kind))


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """The column as people write it: 6591234567 and not 6591234567.0, 2026-12-01 10:00:00 and not …000000."""
    column = pl.col(name)
    if kind.is_float():
        # pandas writes a missing number as NaN.
        text = column.fill_nan(None).cast(pl.String)
        whole = column.is_finite() & (column == column.floor())
        exact = column.abs() <= _EXACT.get(str(kind), 0)
        digits = pl.when(whole & exact).then(column).cast(pl.Int64).cast(pl.String)
        rounded = pl.when(whole & ~exact).then(pl.lit("≈") + text.str.strip_suffix(".0"))
        text = pl.coalesce(digits, rounded, text)
    elif kind == pl.Datetime:
        text = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
        if getattr(kind, "time_zone", None):
            text = column.dt.to_string("%Y-%m-%d %H:%M:%S%.f%:z")
    elif kind == pl.Duration:
        text = column.dt.to_string()
    else:
        text = column.cast(pl.String)
    return text.fill_null("").alias(name)
