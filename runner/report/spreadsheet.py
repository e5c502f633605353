"""The results as a spreadsheet, written in batches, for any number of rows.

Text cells stay text: they never become formulas, links or numbers. A sheet holds 1,048,576 rows; further rows go into
further sheets.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import polars as pl

from runner.base.result_columns import RESULT_COLUMNS

# Rows of a sheet, without the header.
SHEET_ROWS = 1_048_575

# The longest cell, in UTF-16 units; a character beyond U+FFFF has two.
MOST_OF_CELL = 32_767

CUT = "… (cut)"

_WIDTHS = {column.name: column.width for column in RESULT_COLUMNS} | {"number": 16, "text": 60, "warnings": 40}
_CARRIED_WIDTH = 14
# Characters that XML 1.0 can't represent, and lone surrogates, which UTF-8 can't encode.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Spreadsheets have no dates before this year.
_FIRST_YEAR = 1900
# A fixed creation time, so that the same results give the same bytes.
_CREATED = datetime(2000, 1, 1, tzinfo=UTC)


class Spreadsheet:
    """Receives frames of one schema. Created by `spreadsheet`."""

    def __init__(self, book: Any, schema: Mapping[str, Any], title: str) -> None:  # noqa: ANN401 (the library has no types)
        self._book = book
        self._title = title
        self._schema = schema
        self._header = book.add_format({"bold": True, "bottom": 1})
        self._begin_sheet()

    def add(self, frame: pl.DataFrame) -> None:
        """Append the frame's rows."""
        for row in frame.iter_rows():
            if self._row == SHEET_ROWS:
                self.end_sheet()
                self._begin_sheet()
            self._row += 1
            self._sheet.write_row(self._row, 0, map(_writable, row))

    def _begin_sheet(self) -> None:
        sheets = len(self._book.worksheets())
        self._sheet = self._book.add_worksheet(f"{self._title} {sheets + 1}" if sheets else self._title)
        self._row = 0
        self._sheet.freeze_panes(1, 1)
        for column, (name, kind) in enumerate(self._schema.items()):
            label = f"{name} (UTC)" if isinstance(kind, pl.Datetime) else name
            self._sheet.set_column(column, column, _WIDTHS.get(name, _CARRIED_WIDTH))
            self._sheet.write_string(0, column, _writable(label), self._header)

    def end_sheet(self) -> None:
        """Add a filter to the sheet's columns."""
        self._sheet.autofilter(0, 0, self._row, len(self._schema) - 1)


@contextmanager
def spreadsheet(
    file: IO[bytes], schema: Mapping[str, Any], scratch: Path, *, title: str = "results"
) -> Iterator[Spreadsheet]:
    """A spreadsheet that is written to an open file when the block ends without an error. `title` names its sheets.

    `scratch` is a temporary folder, readable by its owner alone, that exists during the block. It takes about eight
    times the space of the CSV (a million rows: 2.7 GB). Raises OSError if the disk is full.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    options = {
        "constant_memory": True,
        "tmpdir": str(scratch),
        "use_zip64": True,  # sheets over 4 GB fail without it
        "default_date_format": "yyyy-mm-dd hh:mm:ss.000",
        "remove_timezone": True,  # spreadsheets have no time zones; the header says UTC
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    shutil.rmtree(scratch, ignore_errors=True)  # left by a killed process
    scratch.mkdir(mode=0o700)
    # Not directly into `file`: a failed archive writes its end when it is garbage-collected, after `file` was closed.
    whole = scratch / "results.xlsx"
    try:
        book = xlsxwriter.Workbook(str(whole), options)
        book.set_properties({"title": title, "created": _CREATED})
        try:
            sheets = Spreadsheet(book, schema, title)
            yield sheets
            sheets.end_sheet()
            book.close()
        except FileCreateError as error:
            raise error.args[0] from error  # its cause, an OSError
        finally:
            book.fileclosed = True  # otherwise its destructor warns if the block failed
            for sheet in book.worksheets():
                sheet.row_data_fh.close()
        with whole.open("rb") as finished:
            shutil.copyfileobj(finished, file)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _writable(value: object) -> object:
    """A cell that the library can write."""
    if isinstance(value, datetime) and value.year < _FIRST_YEAR:
        return str(value)
    if not isinstance(value, str):
        return value
    text = _UNWRITABLE.sub("\ufffd", value)
    if len(text) > MOST_OF_CELL // 2:
        units = text.encode("utf-16-le")
        if len(units) > MOST_OF_CELL * 2:
            text = units[: (MOST_OF_CELL - len(CUT)) * 2].decode("utf-16-le", "ignore") + CUT
    # The library would take such a text for rich-text XML and write it unescaped.
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
