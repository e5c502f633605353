"""Spreadsheets as rows of strings. Imported only for spreadsheets.

Calamine unpacks a whole sheet, so memory grows with its rows. It returns error values (#N/A) and formulas without a
result as empty cells, and numbers without their formats (42 for 00042). `sheet_xml` finds what is missing in an XLSX.
"""

import datetime as dt
import re
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import python_calamine as calamine
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from runner.base import interrupts
from runner.base.cells import DIGITS, Kind, TypedText, written
from runner.base.errors import InputError, Problem, is_panic
from runner.base.placeholders import ROUNDED, error_in_words
from runner.base.text import closest, quoted_names
from runner.base.wording import counted
from runner.files.columns import blank_rows_remark, without_blank_end
from runner.files.formats import readable
from runner.files.sheet_xml import FAR, Scan, check_sizes, scan, trimmed
from runner.files.source import Numbered, Source

_Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta

# Excel keeps 15 digits; longer numbers are rounded.
_EXACT = 10**15

# A formatted number that is still one. 007 and 15% are text.
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


def read_records(source: Source, remarks: list[str], *, header_only: bool) -> Generator[Numbered, None, None]:
    """Every row that isn't blank, with its row number: first the header as written, then the data.

    Unnamed columns at the right end are notes and are ignored. Raises InputError for a file that isn't a spreadsheet,
    and for a missing sheet.
    """
    with readable(source.path), _book(source.path) as book:
        name = _sheet_name(source, book, remarks)
        # Also if only the header is read: calamine loads the whole sheet, and the scan refuses a huge one.
        found = scan(source.path, name)
        if found is None:
            words = (
                "in this format, error values such as #N/A are read as empty cells, and numbers without their formats"
            )
            remarks.append(f"{source.path.name}: {words}; save it as XLSX to keep both")
        elif found.hidden and not header_only:
            rows = counted(found.hidden, "hidden row")
            remarks.append(f"{source.path.name}: includes {rows} (hidden by a filter or by hand)")
        with _sheet(source.path, book, name, found) as sheet:
            yield from _records(source.path, sheet, found, remarks)


def filled_sheets(path: Path) -> list[str]:
    """The names of the visible sheets that aren't empty."""
    filled = []
    with readable(path), _book(path) as book:
        for name in _sheets(book, hidden=False):
            with _sheet(path, book, name, scan(path, name)) as sheet:
                filled += [name] if sheet.start is not None else []
    return filled


@contextmanager
def _sheet(path: Path, book: CalamineWorkbook, name: str, found: Scan | None) -> Generator[CalamineSheet, None, None]:
    """The sheet; without stray cells, if it has any."""
    if found is None or not found.is_sparse:
        yield _by_name(book, name)
        return
    with tempfile.TemporaryFile() as file:
        trimmed(path, found, file)
        file.seek(0)
        with closing(CalamineWorkbook.from_filelike(file)) as copy:
            yield _by_name(copy, name)


def _records(
    path: Path, sheet: CalamineSheet, found: Scan | None, remarks: list[str]
) -> Generator[Numbered, None, None]:
    header: list[str] = []
    blank = pending = 0
    amounts: dict[int, str] = {}
    for number, cells in _rows(sheet, found, amounts):
        if not any(cells):
            pending += bool(header)
            continue
        blank, pending = blank + pending, 0
        if not header:
            if words := next(filter(None, map(error_in_words, cells)), None):
                what = f"{path}: a cell of the header (row {number}) {words}"
                raise InputError.of(what, "write the column name into the cell")
            header = without_blank_end(cells)
            yield number, tuple(header)
        elif any(cells[: len(header)]):  # else there is only a note beside the table
            yield number, tuple(cells[: len(header)])
    blank_rows_remark(path, blank, remarks)
    for column, words in sorted(amounts.items()):
        if column <= len(header):
            what = f'amounts in the column "{header[column - 1]}" are read without their currency ({words})'
            remarks.append(f"{path.name}: {what}; write it in the text, or use the filter currency")


def _rows(
    sheet: CalamineSheet, found: Scan | None, amounts: dict[int, str]
) -> Generator[tuple[int, list[str]], None, None]:
    """Every row with its number. Fills `amounts` for each column that the sheet shows with a currency: an example."""
    odd, formats = (found.odd, list(found.formats.items())) if found else ({}, [])
    for number, values in enumerate(sheet.iter_rows() if sheet.start else (), 1):
        cells = [_text(value) for value in values]
        for column, error in odd.get(number, {}).items():
            cells[column - 1] = error
        for column, places in formats:
            place = places[number] if number < len(places) and column <= len(cells) else 0
            if found and place:
                value, kind = values[column - 1], found.kinds[place - 1]
                if (shown := kind.text(value)) is not None:
                    text = shown.strip()
                    cells[column - 1] = TypedText(text, Kind.NUMBER) if _PLAIN_NUMBER.fullmatch(text) else text
                    if kind.has_currency and column not in amounts:
                        amounts[column] = f'{shown}, shown as "{kind.shown(value)}"'
        yield number, cells


def _text(value: _Value) -> str:
    """The value as people write it: 6591234567 not 6591234567.0, 12.5 not 12.500000000000002."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return TypedText(written(value), Kind.BOOLEAN)
    if isinstance(value, int | float):
        if value == int(value):
            return TypedText(str(int(value)), Kind.NUMBER) if abs(value) < _EXACT else f"{ROUNDED}{int(value)}"
        return TypedText(format(Decimal(f"{value:.{DIGITS}g}"), "f"), Kind.NUMBER)
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat() if isinstance(value, dt.time) else TypedText(written(value), Kind.DATE)


@contextmanager
def _book(path: Path) -> Generator[CalamineWorkbook, None, None]:
    check_sizes(path)
    try:
        with interrupts.quiet():
            opened = _opened(path)
        with closing(opened) as book:
            yield book
    except PasswordError as error:
        remedy = 'save it without a password, or as "CSV UTF-8"'
        raise InputError([Problem(f"{path} is protected by a password", remedy)]) from error
    except CalamineError as error:
        if str(error).startswith("Cell limit exceeded"):  # also for cells that an ODS file repeats
            what = f"{path}: a sheet reaches over more than 100 million cells, too far to read"
            raise InputError.of(what, FAR) from error
        what = f"{path} is damaged or not a spreadsheet: {(str(error) or 'unreadable').splitlines()[0]}"
        raise InputError([Problem(what, 'open it and save it again, or save it as "CSV UTF-8"')]) from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise InputError.of(f"{path} is damaged or not a spreadsheet", 'save it as "CSV UTF-8"') from error


def _opened(path: Path) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_path(path)
    except PasswordError:
        raise
    except CalamineError:
        # With a path, calamine uses only the extension; with a file, it looks inside, but loads the whole file.
        with suppress(CalamineError), path.open("rb") as file:
            return CalamineWorkbook.from_filelike(file)
        raise


def _by_name(book: CalamineWorkbook, name: str) -> CalamineSheet:
    with interrupts.quiet():
        return book.get_sheet_by_name(name)


def _sheets(book: CalamineWorkbook, *, hidden: bool) -> list[str]:
    """The names of the sheets with cells, with or without `hidden` ones."""
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
    return [sheet.name for sheet in sheets if hidden or sheet.visible == calamine.SheetVisibleEnum.Visible]


def _sheet_name(source: Source, book: CalamineWorkbook, remarks: list[str]) -> str:
    names = _sheets(book, hidden=source.sheet is not None)
    if source.sheet in names:
        return source.sheet
    if source.sheet is not None:
        meant = closest(source.sheet, names)
        hint = f'did you mean "{meant}"? ' if meant else ""
        what = f'{source.path} has no sheet "{source.sheet}"'
        raise InputError([Problem(what, f"{hint}its sheets are {quoted_names(names) or 'none'}", "recipients.sheet")])
    if not names:
        raise InputError.of(f"{source.path} has no visible sheet", "name a sheet with recipients.sheet")
    if len(names) > 1:
        remarks.append(f'{source.path.name}: only the first of {len(names)} sheets, "{names[0]}", is read')
    return names[0]
