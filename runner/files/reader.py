"""Read recipient files and suppression lists: the entry point for all formats.

    .csv, .tsv, .txt (.gz, .zst)         text, read by the standard csv module, which keeps line numbers
    .xlsx, .xlsm, .xlsb, .xls, .ods      one sheet, read by calamine
    .parquet                             read by polars

In every format, cells are trimmed text. Empty cells and \\N (NULL in MySQL and PostgreSQL) are "". Memory doesn't grow
with the number of rows, except for spreadsheets, which must be unpacked whole.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.errors import InputError, Problem
from runner.files import delimited
from runner.files.columns import name_columns, naming_remarks
from runner.files.formats import Format, identify, unchanged
from runner.files.source import NULL, Batch, Cells, Numbered, Source, UnreadableRow

if TYPE_CHECKING:
    import polars as pl

    from runner.files.parquet import Table

# 5,000 rows are about 2 MB as tuples, and few enough that planning starts immediately.
BATCH_SIZE = 5_000


def read_header(source: Source) -> list[str]:
    """The column names, trimmed and unique (see `columns.name_columns`).

    Reads the first megabyte of a text file, or the footer of a Parquet file. Raises InputError for a file that is
    missing or empty, doesn't match its extension, or has an unknown encoding.
    """
    found = _identified(source)
    if found is Format.PARQUET:
        return _table(source.path).names
    with closing(_records(source, found, [], header_only=True)) as records:
        return list(name_columns(_header(source, found, records)))


def read_rows(
    source: Source, *, batch_size: int = BATCH_SIZE, remarks: list[str] | None = None
) -> Generator[Batch, None, None]:
    """Data rows in batches of at most `batch_size`; each readable row has as many cells as the header.

    Adds sentences on how the file is read to `remarks`. Close the iterator (or exhaust it) to close the file. Raises
    InputError like `read_header`, and for later errors: an invalid character, an unclosed quote, a file that changes
    while it is read, a condition that fails on a row.
    """
    remarks = remarks if remarks is not None else []
    found = _identified(source)
    with unchanged(source.path):
        if found is Format.PARQUET:
            table = _table(source.path, source.where)
            remarks += table.remarks
            yield from table.read(batch_size)
        else:
            yield from _batches(source, found, batch_size, remarks)


def read_numbered(source: Source) -> Generator[Numbered, None, None]:
    """Every row as (place, cells), for lists that may have no header; blank rows are skipped.

    In a text file, the place is the line on which the row starts; in a spreadsheet, it is the row number shown. Both
    yield the header record first, as written. In a Parquet file, the place is the 1-based data row, and there is no
    header record. Raises InputError like `read_rows`.
    """
    found = _identified(source)
    with unchanged(source.path):
        if found is Format.PARQUET:
            yield from enumerate((row for batch in _table(source.path).read(BATCH_SIZE) for row in batch.rows), 1)
        else:
            with closing(_records(source, found, [])) as records:
                yield from ((place, _without_null(row)) for place, row in records)


def filled_sheets(source: Source) -> list[str]:
    """The names of a spreadsheet's visible sheets that aren't empty; none for other formats."""
    if not identify(source.path).is_spreadsheet:
        return []
    from runner.files import spreadsheet

    return spreadsheet.filled_sheets(source.path)


def check_where(source: Source) -> Problem | None:
    """The problem of the source's condition that shows without reading rows: its words, columns and types.

    The problem has neither `path` nor `where`; the caller knows the position in the campaign file. Raises InputError
    like `read_header`.
    """
    if source.where is None:
        return None
    from runner.files.condition import Condition

    is_parquet = identify(source.path) is Format.PARQUET
    types: Mapping[str, pl.DataType | None]
    types = _table(source.path).types if is_parquet else dict.fromkeys(read_header(source))
    try:
        Condition(source.where, types)
    except InputError as error:
        found = error.problems[0]
        return Problem(found.what, found.remedy)
    return None


def _table(path: Path, where: str | None = None) -> "Table":
    from runner.files.parquet import Table

    return Table(path, where)


def _identified(source: Source) -> Format:
    found = identify(source.path)
    if source.sheet is not None and not found.is_spreadsheet:
        what = f"{source.path} is not a spreadsheet and has no sheets"
        raise InputError([Problem(what, "remove recipients.sheet, or use a spreadsheet", "recipients.sheet")])
    return found


def _batches(source: Source, found: Format, size: int, remarks: list[str]) -> Generator[Batch, None, None]:
    with closing(_records(source, found, remarks)) as records:
        written = _header(source, found, records)
        header = name_columns(written)
        remarks += naming_remarks(source.path.name, written, header)
        condition = None
        if source.where is not None:
            from runner.files.condition import Condition

            condition = Condition(source.where, dict.fromkeys(header))
        number = 1
        while rows := [_without_null(row) for _, row in islice(records, size)]:
            rows = condition.without_errors(rows, header) if condition else rows
            yield Batch(rows, condition.match_texts(rows, header, number) if condition else None)
            number += len(rows)


def _header(source: Source, found: Format, records: Iterator[Numbered]) -> Cells:
    """The first record: the names as written, trimmed, without blank names at the end."""
    _, names = next(records, (0, None))
    if not isinstance(names, tuple):
        first = "row" if found.is_spreadsheet else "line"
        raise InputError.of(f"{source.path} is empty", f"write the column names in the first {first}")
    return names


def _records(
    source: Source, found: Format, remarks: list[str], *, header_only: bool = False
) -> Generator[Numbered, None, None]:
    if found.is_spreadsheet:
        from runner.files import spreadsheet

        return spreadsheet.read_records(source, remarks, header_only=header_only)
    return delimited.read_records(source, found, remarks, header_only=header_only)


def _without_null(row: Cells | UnreadableRow) -> Cells | UnreadableRow:
    if isinstance(row, UnreadableRow) or NULL not in row:
        return row
    return tuple("" if cell == NULL else cell for cell in row)
