"""Spreadsheets as rows of strings. Imported only for spreadsheets.

Calamine unpacks a whole sheet, so memory grows with its rows. It returns error values (#N/A) and formulas without a
result as empty cells, and a template may have a default for those. So the XML of an XLSX is scanned for them while it
is unpacked, without building a tree.
"""

import datetime as dt
import posixpath
import re
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile, ZipInfo

import python_calamine as calamine
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from runner.base.cells import DIGITS, Kind, TypedText, written
from runner.base.errors import InputError, Problem
from runner.base.text import closest, quoted_names
from runner.base.wording import counted
from runner.files.columns import blank_rows_remark, without_blank_end
from runner.files.formats import readable
from runner.files.source import Numbered, Source, UnreadableRow

_Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta

# Excel keeps 15 digits; longer numbers are rounded.
_EXACT = 10**15

_CHUNK = 1 << 20  # more than any cell: a cell has at most 32,767 characters
_READ = 1 << 20
# The XML of a sheet with a million rows and twenty columns has 1.3 GB; a larger one is no recipient list.
_MOST_BYTES = 4 << 30
# Text shrinks to a tenth. A part of 3 GB in 3 MB is no list.
_MOST_GROWTH = 200
_SMALL_BYTES = 1 << 26
# A byte of Deflate is at most 1,032 bytes when unpacked.
_DEFLATE_GROWTH = 1032
_MOST_CELL_BYTES = 1 << 24
# Calamine needs 32 bytes for each cell between the first and the last, also for empty ones: 2 GB.
_MOST_CELLS = 1 << 26
_MOST_ROWS = 1 << 20
_ERROR = re.compile(rb'<(?:\w+:)?c\s[^>]*?\bt="e"[^>]*>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL)
_NO_VALUE = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^>]*/>)\s*(?:<(?:\w+:)?v>\s*</(?:\w+:)?v>|<(?:\w+:)?v\s*/>)?\s*</(?:\w+:)?c>"
)
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_HIDDEN = re.compile(rb'<(?:\w+:)?row\s[^>]*?\bhidden="(?:1|true)"')
_ADDRESS = re.compile(rb'r="([A-Z]{1,3})([0-9]{1,7})"')
_WIDE = re.compile(rb'r="[A-Z][A-Z]')  # column 27 and later
_SHEET = re.compile(r"xl/worksheets/[^/]*\.xml")
_WORKBOOK = re.compile(r"xl/workbook\w*\.xml")
_FAR = 'delete the cells far from the table, or save it as "CSV UTF-8"'


def read_records(source: Source, remarks: list[str], *, header_only: bool) -> Generator[Numbered, None, None]:
    """Every row that isn't blank, with its row number: first the header as written, then the data.

    Unnamed columns at the right end are notes and are ignored. Raises InputError for a file that isn't a spreadsheet,
    and for a missing sheet.
    """
    with readable(source.path), _book(source.path) as book:
        name = _sheet_name(source, book, remarks)
        # Also if only the header is read: calamine loads the whole sheet, and the scan refuses a huge one.
        lacking = _scan(source.path, name, [] if header_only else remarks)
        yield from _records(source.path, book.get_sheet_by_name(name), lacking, remarks)


def filled_sheets(path: Path) -> list[str]:
    """The names of the visible sheets that aren't empty."""
    with readable(path), _book(path) as book:
        names = _sheets(book, hidden=False)
        for name in names:
            _scan(path, name, [])
        return [name for name in names if book.get_sheet_by_name(name).start is not None]


def _records(
    path: Path, sheet: CalamineSheet, lacking: Mapping[int, tuple[int, str]], remarks: list[str]
) -> Generator[Numbered, None, None]:
    """`lacking` are the cells found by `_scan`."""
    width = blank = pending = 0
    if sheet.start is None:
        return
    for number, values in enumerate(sheet.iter_rows(), 1):
        column, words = lacking.get(number, (0, ""))
        cells = [_text(value) for value in values]
        if not any(cells) and not column:
            pending += width > 0
            continue
        blank, pending = blank + pending, 0
        if not width:
            if column:
                what = f"{path}: the header (row {number}) has {words}"
                raise InputError.of(what, "write the column name into the cell")
            header = without_blank_end(cells)
            width = len(header)
            yield number, tuple(header)
        elif 0 < column <= width:
            what = f'{words} in the column "{header[column - 1]}" (row {number} of the sheet)'
            yield number, UnreadableRow(f"{what}; correct or clear the cell")
        elif any(cells[:width]):  # else there is only a note beside the table
            yield number, tuple(cells[:width])
    blank_rows_remark(path, blank, remarks)


def _text(value: _Value) -> str:
    """The value as people write it: 6591234567 not 6591234567.0, 12.5 not 12.500000000000002."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return TypedText(written(value), Kind.BOOLEAN)
    if isinstance(value, int | float):
        if value == int(value):
            return TypedText(str(int(value)), Kind.NUMBER) if abs(value) < _EXACT else f"≈{int(value)}"
        return TypedText(format(Decimal(f"{value:.{DIGITS}g}"), "f"), Kind.NUMBER)
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat() if isinstance(value, dt.time) else TypedText(written(value), Kind.DATE)


@contextmanager
def _book(path: Path) -> Generator[CalamineWorkbook, None, None]:
    _check_sizes(path)
    try:
        with closing(_opened(path)) as book:
            yield book
    except PasswordError as error:
        remedy = 'save it without a password, or as "CSV UTF-8"'
        raise InputError([Problem(f"{path} is protected by a password", remedy)]) from error
    except CalamineError as error:
        if str(error).startswith("Cell limit exceeded"):  # also for cells that an ODS file repeats
            what = f"{path}: a sheet reaches over more than 100 million cells, too far to read"
            raise InputError.of(what, _FAR) from error
        what = f"{path} is damaged or not a spreadsheet: {(str(error) or 'unreadable').splitlines()[0]}"
        raise InputError([Problem(what, 'open it and save it again, or save it as "CSV UTF-8"')]) from error
    except BaseException as error:
        # A panic in the library's Rust code; its class can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise InputError.of(f"{path} is damaged or not a spreadsheet", 'save it as "CSV UTF-8"') from error


def _check_sizes(path: Path) -> None:
    """Raises InputError for an archive that is too large when unpacked: calamine unpacks whole parts."""
    try:
        with ZipFile(path) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > _MOST_BYTES:
                raise InputError.of(f"{path} is larger than 4 GB when unpacked", 'save it as "CSV UTF-8"')
            for part in parts:
                _check_growth(path, part, part.file_size)
                # `_scan` unpacks the sheet.
                if part.compress_size * _DEFLATE_GROWTH > _SMALL_BYTES and not _SHEET.fullmatch(part.filename):
                    for _ in _unpacked(path, archive, part):
                        pass
    except (BadZipFile, NotImplementedError, ValueError, EOFError, zlib.error):
        return  # another format, or the reader reports the error


def _check_growth(path: Path, part: ZipInfo, size: int) -> None:
    """Raises InputError if so many bytes can't be those of a list."""
    if size > _SMALL_BYTES and size > _MOST_GROWTH * part.compress_size:
        what = f"{path} is more than {_MOST_GROWTH} times as large when unpacked, so it is no list of recipients"
        raise InputError.of(what, 'create it again; if it is right, save it as "CSV UTF-8"')


def _unpacked(path: Path, archive: ZipFile, part: ZipInfo) -> Iterator[bytes]:
    """All bytes of a part, even if the archive states another size. Raises InputError like `_check_sizes`."""
    part.file_size = _MOST_BYTES  # `archive` would stop at the stated size, but calamine doesn't
    size = 0
    with archive.open(part) as file:
        while chunk := file.read(_READ):
            size += len(chunk)
            _check_growth(path, part, size)
            yield chunk


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


def _scan(path: Path, sheet: str, remarks: list[str]) -> dict[int, tuple[int, str]]:
    """The cells without a value: row → the first such column (from 1), and a description of the cell.

    Raises InputError for a sheet that is too large.
    """
    found: dict[int, tuple[int, str]] = {}
    hidden = 0
    try:
        with ZipFile(path) as archive:
            part = archive.getinfo(_part(archive, sheet))
            widest = 0
            for piece in _pieces(path, _unpacked(path, archive, part)):
                if _WIDE.search(piece):
                    widest = max(widest, *(_column(letters) for letters, _ in _ADDRESS.findall(piece)))
                hidden += len(_HIDDEN.findall(piece)) if b'hidden="' in piece else 0
                for start, words in _without_value(piece):
                    row, column = _address(path, piece, start, words)
                    found[row] = min((column, words), found.get(row, (column, words)))
            # A cell far from the others: calamine keeps every cell between them.
            if widest * _MOST_ROWS > _MOST_CELLS:
                pieces = _pieces(path, _unpacked(path, archive, part))
                rows = max(int(row) for piece in pieces for _, row in _ADDRESS.findall(piece))
                if rows * widest > _MOST_CELLS:
                    what = f'{path}: the sheet "{sheet}" reaches to row {rows:,} and column {widest:,}, too far to read'
                    raise InputError.of(what, _FAR)
    except (BadZipFile, KeyError, ET.ParseError, NotImplementedError, EOFError):
        # The reader reports the error, or reads the file anyway.
        words = "in this format, error values such as #N/A are read as empty cells; save it as XLSX to detect them"
        remarks.append(f"{path.name}: {words}")
        return found
    if hidden:
        remarks.append(f"{path.name}: includes {counted(hidden, 'hidden row')} (hidden by a filter or by hand)")
    return found


def _part(archive: ZipFile, sheet: str) -> str:
    """The sheet's file in the archive. Raises KeyError if there is none."""
    book = next(filter(_WORKBOOK.fullmatch, archive.namelist()), "")
    relations = _small(archive, f"xl/_rels/{posixpath.basename(book)}.rels").iter()
    targets = {entry.get("Id"): entry.get("Target", "") for entry in relations}
    for entry in _small(archive, book).iter():
        if entry.tag.endswith("}sheet") and entry.get("name") == sheet:
            relation = next((value for name, value in entry.items() if name.endswith("}id")), "")
            return posixpath.normpath(posixpath.join("/xl", targets[relation])).lstrip("/")
    raise KeyError(sheet)


def _small(archive: ZipFile, name: str) -> ET.Element:
    with archive.open(name) as file:
        text = file.read(_CHUNK)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise KeyError(name)  # no spreadsheet program writes entities, and XML bombs use them
    return ET.fromstring(text)  # noqa: S314 - without entities, and at most a megabyte


def _pieces(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The XML, split between cells. Raises InputError for a cell that is too large."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        # A cell with its content extends from one start to the next.
        start = max(data.rfind(b"<c "), data.rfind(b":c "), data.rfind(b"<row"), data.rfind(b":row"))
        cut = data.rfind(b"<", 0, start + 1)
        if cut <= 0:
            rest = data
            if len(rest) > _MOST_CELL_BYTES:
                raise InputError.of(f"{path} has a cell of more than 16 MB", "shorten it")
            continue
        rest = data[cut:]
        yield data[:cut]
    yield rest


def _without_value(piece: bytes) -> Iterator[tuple[int, str]]:
    """The start of each cell without a value in the XML, and a description of the cell."""
    if b't="e"' in piece:
        for match in _ERROR.finditer(piece):
            yield match.start(), f"the error value {match[1].decode('ascii', 'replace')[:20]}"
    if b"<f" in piece or b":f" in piece:
        for match in _NO_VALUE.finditer(piece):
            start = max(piece.rfind(b"<c ", 0, match.start()), piece.rfind(b":c ", 0, match.start()))
            yield piece.rfind(b"<", 0, start + 1), "a formula without a value"


def _address(path: Path, piece: bytes, start: int, words: str) -> tuple[int, int]:
    """The row and column, from 1, of the cell that starts at `start`."""
    cell = _CELL.match(piece, start)
    if cell is None:
        what = f"{path} has {words} in a cell without an address"
        raise InputError.of(what, "open it in a spreadsheet program, correct the cell and save it again")
    return int(cell[2]), _column(cell[1])


def _column(letters: bytes) -> int:
    """The number of the column AB, from 1."""
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column
