"""The plan as a table for people, from `campaign plan --out`: CSV, spreadsheet or Parquet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import polars as pl

from runner.base.errors import InputError
from runner.base.files import replacing, unwritable
from runner.base.text import defused_column
from runner.files.reader import read_header
from runner.files.source import Source
from runner.plan.parquet import frame_writer
from runner.plan.planner import Also
from runner.report.masking import masked_detail
from runner.report.results import masked_rows, scratch_of
from runner.report.spreadsheet import spreadsheet

# `row` is the row that a spreadsheet program shows. The other columns are the plan's, except for the warnings.
SCHEMA = {
    "row": pl.Int64, "key": pl.String, "number": pl.String, "text": pl.String, "segments": pl.Int8,
    "reason": pl.String, "detail": pl.String, "warnings": pl.String,
}  # fmt: skip
_FORMATS = (".csv", ".xlsx", ".parquet")


def check_format(path: Path) -> None:
    """Raise InputError if the name doesn't end in a format that can be written."""
    if path.suffix.lower() not in _FORMATS:
        what = f"--out: {path} doesn't end in .csv, .xlsx or .parquet"
        raise InputError.of(what, "choose the format with the ending, such as plan.csv")


def refuse_other_file(path: Path) -> None:
    """Raise InputError if the path has a file that isn't such a table: it may be a recipient file."""
    if not path.exists():
        return
    with suppress(InputError):
        if read_header(Source(path)) == [*SCHEMA]:
            return
    raise InputError.of(f"--out: {path} exists and is no plan table", "name a new file, or delete this one")


@contextmanager
def plan_table(path: Path, *, mask: bool) -> Iterator[Also]:
    """Write the table to `path` when the block ends without an error, readable by its owner alone.

    `mask` leaves the texts out, and hides the middle digits of phone numbers and the cells that `detail` and `warnings`
    quote. Cells that a spreadsheet would run as formulas are defused in CSV; Parquet has them as they are. Raises
    BlockedError if the disk is full.
    """
    with ExitStack() as stack:
        file = stack.enter_context(replacing(path))
        write: Callable[[pl.DataFrame], None]
        match path.suffix.lower():
            case ".csv":
                file.write((",".join(SCHEMA) + "\n").encode())
                write = partial(_write_csv, file)
            case ".xlsx":
                write = stack.enter_context(spreadsheet(file, SCHEMA, scratch_of(path), title="plan")).add
            case _:
                write = stack.enter_context(frame_writer(file, SCHEMA))

        def add(planned: pl.DataFrame, numbers: Sequence[int], warnings: Sequence[str | None]) -> None:
            rows = planned.rename({"destination": "number"}).with_columns(
                row=pl.Series(numbers, dtype=pl.Int64), warnings=pl.Series(warnings, dtype=pl.String)
            )
            rows = rows.select(*SCHEMA)
            try:
                write(_masked(rows) if mask else rows)
            except OSError as error:  # else the plan file would be said to be unwritable
                raise unwritable(path, error) from error

        yield add


def _masked(rows: pl.DataFrame) -> pl.DataFrame:
    warnings = [words and masked_detail(words, None) for words in rows["warnings"]]
    hidden = masked_rows(rows.with_columns(text=pl.lit(None, pl.String)))
    return hidden.with_columns(warnings=pl.Series(warnings, dtype=pl.String))


def _write_csv(file: IO[bytes], frame: pl.DataFrame) -> None:
    texts = frame.select(pl.col(pl.String)).columns
    frame.with_columns(map(defused_column, texts)).write_csv(file, include_header=False)
