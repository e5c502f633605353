"""The results as a spreadsheet, written batch by batch, whatever their number.

Every text is a text: nothing in it becomes a formula, a link or a number. A sheet holds 1,048,576 rows; rows beyond
that go on in further sheets.
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

# Rows of a sheet beside the header's.
SHEET_ROWS = 1_048_575

# The most that a cell holds, in UTF-16 units, of which a character beyond U+FFFF has two.
MOST_OF_CELL = 32_767

CUT = "… (cut)"

_WIDTHS = {column.name: column.width for column in RESULT_COLUMNS}
_CARRIED_WIDTH = 14
# What XML 1.0 can't hold, and lone surrogates, which no file can.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# The first of the dates that a spreadsheet knows.
_FIRST_YEAR = 1900
# Instead of the time of writing: the same results are the same bytes.
_CREATED = datetime(2000, 1, 1, tzinfo=UTC)


class Spreadsheet:
    """Takes frames of one schema. Get one with `spreadsheet`."""

    def __init__(self, book: Any, schema: Mapping[str, Any]) -> None:  # noqa: ANN401 (the library has no types)
        self._book = book
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
        self._sheet = self._book.add_worksheet(f"results {sheets + 1}" if sheets else "results")
        self._row = 0
        self._sheet.freeze_panes(1, 1)
        for column, (name, kind) in enumerate(self._schema.items()):
            label = f"{name} (UTC)" if isinstance(kind, pl.Datetime) else name
            self._sheet.set_column(column, column, _WIDTHS.get(name, _CARRIED_WIDTH))
            self._sheet.write_string(0, column, _writable(label), self._header)

    def end_sheet(self) -> None:
        """Give the sheet's rows a filter."""
        self._sheet.autofilter(0, 0, self._row, len(self._schema) - 1)


@contextmanager
def spreadsheet(file: IO[bytes], schema: Mapping[str, Any], scratch: Path) -> Iterator[Spreadsheet]:
    """A spreadsheet that is written to an open file when the block ends well.

    `scratch` is a folder for the unfinished parts, readable by its owner alone, which exists as long as the block; it
    takes about eight times what the CSV does (a million rows: 2.7 GB). Raises OSError when the disk is full.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    options = {
        "constant_memory": True,
        "tmpdir": str(scratch),
        "use_zip64": True,  # only matters where a sheet is beyond 4 GB: it would be refused otherwise
        "default_date_format": "yyyy-mm-dd hh:mm:ss.000",
        "remove_timezone": True,  # spreadsheets know none; the column's header says UTC
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    scratch.mkdir(mode=0o700)
    # Not into `file` at once: an archive that failed writes its end when it is collected, after `file` was closed.
    whole = scratch / "results.xlsx"
    try:
        book = xlsxwriter.Workbook(str(whole), options)
        book.set_properties({"title": "results", "created": _CREATED})
        try:
            sheets = Spreadsheet(book, schema)
            yield sheets
            sheets.end_sheet()
            book.close()
        except FileCreateError as error:
            raise error.args[0] from error  # the OSError in it
        finally:
            book.fileclosed = True  # else its destructor warns of a block that failed
            for sheet in book.worksheets():
                sheet.row_data_fh.close()
        with whole.open("rb") as finished:
            shutil.copyfileobj(finished, file)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _writable(value: object) -> object:
    """A cell as the library can write it."""
    if isinstance(value, datetime) and value.year < _FIRST_YEAR:
        return str(value)
    if not isinstance(value, str):
        return value
    text = _UNWRITABLE.sub("\ufffd", value)
    if len(text) > MOST_OF_CELL // 2:
        units = text.encode("utf-16-le")
        if len(units) > MOST_OF_CELL * 2:
            text = units[: (MOST_OF_CELL - len(CUT)) * 2].decode("utf-16-le", "ignore") + CUT
    # The library takes such a text for its own formatting, and would write it as XML.
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
