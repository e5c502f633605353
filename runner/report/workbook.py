"""The results as a spreadsheet: written row by row as they come, whatever their number.

Every text is a text: nothing in it becomes a formula, a link or a number. A sheet holds 1,048,576 rows; what is beyond
goes on in further sheets.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
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
_MADE = datetime(2000, 1, 1, tzinfo=UTC)


class Workbook:
    """Takes frames of one schema. Get one with `workbook`."""

    def __init__(self, book: Any, schema: Mapping[str, Any]) -> None:  # noqa: ANN401 (the library has no types)
        self._book = book
        self._schema = schema
        self._header = book.add_format({"bold": True, "bottom": 1})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._sheets = 0
        self._rows = 0
        self._sheet: Any = None
        self._begin_sheet()

    def add(self, frame: pl.DataFrame) -> None:
        """Append the frame's rows."""
        for row in frame.iter_rows():
            if self._rows == SHEET_ROWS:
                self._end_sheet()
                self._begin_sheet()
            self._rows += 1
            for column, value in enumerate(row):
                self._write(column, value)

    def close(self) -> None:
        self._end_sheet()

    def _write(self, column: int, value: object) -> None:
        match value:
            case None:
                return
            case str():
                self._sheet.write_string(self._rows, column, _writable(value))
            case datetime() if value.year >= _FIRST_YEAR:
                # Spreadsheets know no time zones; the column's header says UTC.
                self._sheet.write_datetime(self._rows, column, value.replace(tzinfo=None), self._time)
            case Decimal() | int() | float():
                self._sheet.write_number(self._rows, column, float(value))
            case _:
                self._sheet.write_string(self._rows, column, _writable(str(value)))

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._rows = 0
        self._sheet = self._book.add_worksheet("results" if self._sheets == 1 else f"results {self._sheets}")
        self._sheet.freeze_panes(1, 1)
        for column, (name, kind) in enumerate(self._schema.items()):
            is_time = isinstance(kind, pl.Datetime)
            self._sheet.set_column(column, column, _WIDTHS.get(name, _CARRIED_WIDTH))
            self._sheet.write_string(0, column, _writable(f"{name} (UTC)" if is_time else name), self._header)

    def _end_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._rows, len(self._schema) - 1)


@contextmanager
def workbook(file: IO[bytes], schema: Mapping[str, Any], scratch: Path) -> Iterator[Workbook]:
    """A spreadsheet that is written to an open file when the block ends well.

    `scratch` is a folder for what is on its way, its owner's alone, which is there only for so long; it takes about
    eight times what the CSV does (a million rows: 2.7 GB). Raises OSError when the disk is full.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxFileError

    options = {
        "constant_memory": True,
        "tmpdir": str(scratch),
        "use_zip64": True,  # only matters where a sheet is beyond 4 GB: it would be refused otherwise
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    target = _Target(file)
    with _folder(scratch):
        book = xlsxwriter.Workbook(target, options)
        book.set_properties({"title": "results", "created": _MADE})
        try:
            sheets = Workbook(book, schema)
            yield sheets
            sheets.close()
            book.close()
        except XlsxFileError as error:
            cause = error.args[0] if error.args else error
            raise cause if isinstance(cause, OSError) else OSError(str(cause)) from error
        finally:
            target.shut()
            book.fileclosed = True  # else its destructor warns of a block that was broken off
            for sheet in book.worksheets():
                sheet.row_data_fh.close()


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    shutil.rmtree(path, ignore_errors=True)  # of a process that was killed
    path.mkdir(mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)


class _Target:
    """The file, as long as the block lasts.

    An archive that was broken off writes its end whenever it is collected, and would complain to the terminal that
    the file is closed by then.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._place = 0
        self._is_open = True

    def shut(self) -> None:
        self._is_open = False

    def write(self, data: bytes) -> int:
        if self._is_open:
            self._file.write(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> int:
        if self._is_open:
            self._file.seek(place)
        self._place = place
        return place

    def flush(self) -> None:
        if self._is_open:
            self._file.flush()


def _writable(text: str) -> str:
    text = _UNWRITABLE.sub("\ufffd", text)
    if len(text) > MOST_OF_CELL // 2:
        units = text.encode("utf-16-le")
        if len(units) > MOST_OF_CELL * 2:
            text = units[: (MOST_OF_CELL - len(CUT)) * 2].decode("utf-16-le", "ignore") + CUT
    # The library takes such a text for its own formatting, and would write it as XML.
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
