"""Recipient files as rows of strings: one door for every format.

    .csv, .tsv, .txt   text in UTF-8, read by the standard csv module, which keeps exact row and line numbers
    .parquet           read by polars, every column turned into text

Whatever the format, cells come trimmed and empty cells are "". Memory doesn't grow with the number of rows.
"""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from runner.audience import delimited
from runner.errors import InputError, Problem

Cells = tuple[str, ...]

# 5,000 rows are about 2 MB as tuples, and few enough that the first ones are planned at once.
BATCH_SIZE = 5_000

_SUPPORTED = ".csv, .tsv, .txt or .parquet"
_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")


def read_header(path: Path) -> list[str]:
    """The column names, trimmed. Reads one record of a text file, or the footer of a Parquet file.

    Raises InputError for a file that is missing, of another kind, empty, or with blank or repeated column names.
    """
    if _is_parquet(path):
        from runner.audience import parquet

        return parquet.read_header(path)
    with closing(delimited.read_records(path)) as records:
        return list(next(records)[1])


def read_rows(path: Path, *, batch_size: int = BATCH_SIZE) -> Generator[list[Cells], None, None]:
    """Data rows in file order, in batches of at most `batch_size`; each row has as many cells as the header.

    Close the iterator (or exhaust it) to close the file. Raises InputError as `read_header` does, and for what only
    shows further down: ragged rows, bytes that aren't UTF-8, quotes that are never closed.
    """
    if _is_parquet(path):
        from runner.audience import parquet

        yield from parquet.read_rows(path, batch_size)
        return
    with closing(delimited.read_records(path)) as records:
        next(records)
        batch: list[Cells] = []
        for _, cells in records:
            batch.append(cells)
            if len(batch) == batch_size:
                yield batch
                batch = []
        if batch:
            yield batch


def _is_parquet(path: Path) -> bool:
    """Tells the two kinds apart by the ending, after making sure that there is a file to read."""
    if not path.exists():
        raise InputError([Problem(f"{path} does not exist", "check the name; it is relative to the campaign file")])
    if not path.is_file():
        raise InputError([Problem(f"{path} is not a file", f"name a {_SUPPORTED} file")])
    ending = path.suffix.lower()
    if ending == ".parquet":
        return True
    if ending in delimited.ENDINGS:
        return False
    if ending in _SPREADSHEETS:
        raise InputError([Problem(f"{path} is a spreadsheet", 'save it as "CSV UTF-8" and name that file')])
    raise InputError(
        [Problem(f"{path} has the ending {ending or '(none)'}, which is not supported", f"use a {_SUPPORTED} file")]
    )
