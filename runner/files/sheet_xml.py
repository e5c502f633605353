"""The XML of an XLSX sheet: what calamine doesn't say about its cells, and a copy without stray cells.

The XML is searched while it is unpacked, without building a tree: a sheet of a million rows has more than a gigabyte.
"""

import html
import posixpath
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from runner.base.errors import InputError
from runner.base.placeholders import UNCALCULATED
from runner.base.text import quoted
from runner.files.number_formats import NumberFormat, number_format

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
# Smaller areas (32 MB) are read as they are. Of a larger one, an eighth must have cells, because a copy takes time.
_SMALL_AREA = 1 << 20
_SPARSE = 8
# A byte of the formats of a column is the place of a cell's format; 0 means that it has none.
_MOST_FORMATS = 255
_MOST_FORMATTED = 1 << 28
_STARTS = (b"<c ", b":c ", b"<row", b":row")
_ERROR = re.compile(rb'<(?:\w+:)?c\s[^>]*?\bt="e"[^>]*>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL)
_NO_VALUE = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^>]*/>)\s*(?:<(?:\w+:)?v>\s*</(?:\w+:)?v>|<(?:\w+:)?v\s*/>)?\s*</(?:\w+:)?c>"
)
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_WHOLE_CELL = re.compile(
    rb'<(?P<prefix>(?:\w+:)?)c\s(?P<head>[^>]*?\br="(?P<column>[A-Z]{1,3})(?P<row>[0-9]{1,7})"[^>]*?)'
    rb"(?:/>|>(?P<content>.*?)</(?P=prefix)c>)",
    re.DOTALL,
)
_SHARED = re.compile(rb"<(?P<prefix>(?:\w+:)?)si(?:\s[^>]*)?(?:/>|>(?P<content>.*?)</(?P=prefix)si>)", re.DOTALL)
_TAG = re.compile(rb"<[^>]*>")
_HIDDEN = re.compile(rb'<(?:\w+:)?row\s[^>]*?\bhidden="(?:1|true)"')
_ADDRESS = re.compile(rb'r="([A-Z]{1,3})([0-9]{1,7})"')
_IMPOSSIBLE = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="(?![A-Z]{1,3}[0-9]{1,7}")([^"]*)')
_MOST_ROWS = 1 << 20
SHEET = re.compile(r"xl/worksheets/[^/]*\.xml")
_WORKBOOK = re.compile(r"xl/workbook\w*\.xml")
FAR = 'delete the cells far from the table, or save it as "CSV UTF-8"'


@dataclass(slots=True)
class Scan:
    """What calamine doesn't say about a sheet's cells. Rows and columns are numbered from 1.

    `odd` are the cells that calamine reads as empty: row → column → the error value. `formats` has, for each column
    with formatted cells, a byte per row: the place of the cell's format in `kinds`, from 1. `widest` and `last` are the
    last column and row with a cell, `cells` is the number of cells.
    """

    part: str
    odd: dict[int, dict[int, str]] = field(default_factory=dict)
    formats: dict[int, bytearray] = field(default_factory=dict)
    kinds: list[NumberFormat] = field(default_factory=list)
    hidden: int = 0
    widest: int = 0
    last: int = 0
    cells: int = 0

    @property
    def is_sparse(self) -> bool:
        """Whether calamine would need memory for many cells that aren't there."""
        area = self.widest * self.last
        return area > _MOST_CELLS or (area > _SMALL_AREA and area > _SPARSE * self.cells)


def scan(path: Path, sheet: str) -> Scan | None:
    """Search the XML of a sheet; None if the file isn't an XLSX.

    Raises InputError for a sheet that is too large.
    """
    try:
        with ZipFile(path) as archive:
            found = Scan(_part(archive, sheet))
            wider = _wider_than(0)
            formatted = _formatted(archive, found.kinds)
            for piece in _pieces(path, unpacked(path, archive, archive.getinfo(found.part))):
                found.cells += piece.count(b"<c ") + piece.count(b":c ")
                if wider.search(piece):
                    if cell := _IMPOSSIBLE.search(piece):
                        what = f"{path} has a cell with the address {quoted(cell[1].decode('ascii', 'replace'))}"
                        raise InputError.of(what, "open it in a spreadsheet program and save it again")
                    found.widest = max(found.widest, *(_column(letters) for letters, _ in _ADDRESS.findall(piece)))
                    wider = _wider_than(found.widest)
                if address := _ADDRESS.search(piece, max(piece.rfind(b"<c "), piece.rfind(b":c "), 0)):
                    found.last = max(found.last, int(address[2]))
                found.hidden += len(_HIDDEN.findall(piece)) if b'hidden="' in piece else 0
                for start, error in _without_value(piece):
                    row, column = _address(path, piece, start, error)
                    found.odd.setdefault(row, {})[column] = error
                if formatted:
                    _note_formats(path, piece, *formatted, found.formats)
            return found
    except (BadZipFile, KeyError, ValueError, ET.ParseError, NotImplementedError, EOFError):
        return None  # the reader reports the error, or reads the file anyway


def _wider_than(column: int) -> re.Pattern[bytes]:
    """A pattern for the address of a cell after this column; after Z, of any cell with two letters. Impossible
    addresses match too.
    """
    letter = rb"[%c-Z][0-9]|" % (65 + column) if column < 26 else b""
    return re.compile(rb'\br="(?:%s[A-Z][A-Z]|[a-z]|[A-Z][0-9]{8})' % letter)


def trimmed(path: Path, found: Scan, file: IO[bytes]) -> None:
    """Write a copy of the workbook to `file`, in which the sheet has no cell outside of its table.

    The table is as wide as its header, and ends with the last row that has a value. Raises InputError if it is too
    large.
    """
    with ZipFile(path) as archive, ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as copy:
        blank = _blank_texts(path, archive)

        def pieces() -> Iterator[bytes]:
            return _pieces(path, unpacked(path, archive, archive.getinfo(found.part)))

        width, last = _table(pieces(), blank)
        if width * last > _MOST_CELLS or last > _MOST_ROWS:
            what = f"{path}: the sheet's table has {last:,} rows and {width:,} columns, too many to read"
            raise InputError.of(what, FAR)

        def kept(cell: re.Match[bytes]) -> bytes:
            is_inside = _column(cell["column"]) <= width and int(cell["row"]) <= last
            return cell[0] if is_inside and not _is_blank(cell, blank) else b""

        for part in archive.infolist():
            if part.filename == found.part:
                with copy.open(part.filename, "w") as sheet:
                    for piece in pieces():
                        sheet.write(_WHOLE_CELL.sub(kept, piece))
            elif not SHEET.fullmatch(part.filename) and not part.filename.startswith("xl/media/"):
                with copy.open(part.filename, "w") as other:
                    for chunk in unpacked(path, archive, part):
                        other.write(chunk)


def _table(pieces: Iterable[bytes], blank: frozenset[int]) -> tuple[int, int]:
    """The last column of the first row with values, and the last row with a value in these columns."""
    header = width = last = 0
    for piece in pieces:
        for cell in _WHOLE_CELL.finditer(piece):
            row, column = int(cell["row"]), _column(cell["column"])
            if (header and row > header and column > width) or _is_blank(cell, blank):
                continue
            header = header or row
            width = max(width, column) if row == header else width
            last = max(last, row)
    return width, last


def _is_blank(cell: re.Match[bytes], blank: frozenset[int]) -> bool:
    """Whether a cell has no value, or a text of spaces."""
    content = cell["content"]
    if not content:
        return True
    text = _TAG.sub(b"", content).strip()
    if b't="s"' in cell["head"]:
        return not text.isdigit() or int(text) in blank
    return not html.unescape(text.decode("utf-8", "replace")).strip() and b"<f" not in content and b":f" not in content


def _blank_texts(path: Path, archive: ZipFile) -> frozenset[int]:
    """The numbers of the shared texts that are only spaces."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return frozenset()
    blank, number = set(), 0
    chunks = unpacked(path, archive, archive.getinfo("xl/sharedStrings.xml"))
    for piece in _pieces(path, chunks, (b"<si", b":si")):
        for text in _SHARED.finditer(piece):
            if not html.unescape(_TAG.sub(b"", text["content"] or b"").decode("utf-8", "replace")).strip():
                blank.add(number)
            number += 1
    return frozenset(blank)


def _styles(archive: ZipFile) -> dict[int, NumberFormat]:
    """The styles of cells with a format that changes numbers, by their number."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    with archive.open("xl/styles.xml") as file:
        text = file.read(_MOST_CELL_BYTES)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        return {}
    root = ET.fromstring(text)  # noqa: S314 - without entities, and at most 16 MB
    codes = {int(one.get("numFmtId", -1)): one.get("formatCode", "") for one in root.iterfind("{*}numFmts/{*}numFmt")}
    styles = {}
    for place, one in enumerate(root.iterfind("{*}cellXfs/{*}xf")):
        number = int(one.get("numFmtId", 0))
        if found := number_format(number, codes.get(number)):
            styles[place] = found
    return styles


def _formatted(archive: ZipFile, kinds: list[NumberFormat]) -> tuple[re.Pattern[bytes], dict[bytes, int]] | None:
    """A pattern for cells with a format that changes numbers, and style → place of its format in `kinds`, from 1.

    Fills `kinds`. None if there are no such formats.
    """
    styles = _styles(archive)
    kinds += list(dict.fromkeys(styles.values()))[:_MOST_FORMATS]
    places = {str(style).encode(): kinds.index(kind) + 1 for style, kind in styles.items() if kind in kinds}
    if not places:
        return None
    one_of = b"|".join(places)
    return re.compile(rb'<(?:\w+:)?c\s(?=[^>]*?\bs="(%s)")[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"' % one_of), places


def _note_formats(
    path: Path, piece: bytes, pattern: re.Pattern[bytes], places: dict[bytes, int], formats: dict[int, bytearray]
) -> None:
    for style, letters, digits in pattern.findall(piece):
        row = int(digits)
        column = formats.setdefault(_column(letters), bytearray())
        if row >= len(column):
            if row * len(formats) > _MOST_FORMATTED:
                raise InputError.of(f"{path} has formatted cells up to row {row:,} in {len(formats):,} columns", FAR)
            column.extend(bytes(row + 1 - len(column)))
        column[row] = places[style]


def check_sizes(path: Path) -> None:
    """Raises InputError for an archive that is too large when unpacked: calamine unpacks whole parts."""
    try:
        with ZipFile(path) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > _MOST_BYTES:
                raise InputError.of(f"{path} is larger than 4 GB when unpacked", 'save it as "CSV UTF-8"')
            for part in parts:
                _check_growth(path, part, part.file_size)
                # `scan` unpacks the sheet.
                if part.compress_size * _DEFLATE_GROWTH > _SMALL_BYTES and not SHEET.fullmatch(part.filename):
                    for _ in unpacked(path, archive, part):
                        pass
    except (BadZipFile, NotImplementedError, ValueError, EOFError, zlib.error):
        return  # another format, or the reader reports the error


def _check_growth(path: Path, part: ZipInfo, size: int) -> None:
    """Raises InputError if so many bytes can't be those of a list."""
    if size > _SMALL_BYTES and size > _MOST_GROWTH * part.compress_size:
        what = f"{path} is more than {_MOST_GROWTH} times as large when unpacked, so it is not a list of recipients"
        raise InputError.of(what, 'create it again; if it is right, save it as "CSV UTF-8"')


def unpacked(path: Path, archive: ZipFile, part: ZipInfo) -> Iterator[bytes]:
    """All bytes of a part, even if the archive states another size. Raises InputError like `check_sizes`."""
    part.file_size = _MOST_BYTES  # `archive` would stop at the stated size, but calamine doesn't
    size = 0
    with archive.open(part) as file:
        while chunk := file.read(_READ):
            size += len(chunk)
            _check_growth(path, part, size)
            yield chunk


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


def _pieces(path: Path, chunks: Iterator[bytes], starts: tuple[bytes, ...] = _STARTS) -> Iterator[bytes]:
    """The XML, split between cells, or other elements with these `starts`. Raises InputError for a cell too large."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        # A cell with its content extends from one start to the next.
        start = max(map(data.rfind, starts))
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
    """The start of each cell without a value in the XML, and its error value."""
    if b't="e"' in piece:
        for match in _ERROR.finditer(piece):
            yield match.start(), match[1].decode("utf-8", "replace").strip()[:20] or "#N/A"
    if b"<f" in piece or b":f" in piece:
        for match in _NO_VALUE.finditer(piece):
            start = max(piece.rfind(b"<c ", 0, match.start()), piece.rfind(b":c ", 0, match.start()))
            yield piece.rfind(b"<", 0, start + 1), UNCALCULATED


def _address(path: Path, piece: bytes, start: int, error: str) -> tuple[int, int]:
    """The row and column, from 1, of the cell that starts at `start`."""
    cell = _CELL.match(piece, start)
    if cell is None:
        what = f"{path} has the error value {error} in a cell without an address"
        raise InputError.of(what, "open it in a spreadsheet program, correct the cell and save it again")
    return int(cell[2]), _column(cell[1])


def _column(letters: bytes) -> int:
    """The number of the column AB, from 1."""
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column
