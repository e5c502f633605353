"""What an XLSX holds that its reader doesn't tell: error values, formulas without a value, rows that a filter hides.

Scans the XML of one sheet as it is unpacked, without building anything.
"""

import posixpath
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

from runner.errors import InputError

_CHUNK = 1 << 20  # more than any cell: Excel's hold 32,767 characters
_READ = 1 << 20
# The XML of a sheet with a million rows of twenty columns has 1.3 GB; what is larger is no list of people.
_MOST_BYTES = 4 << 30
_ERROR = re.compile(rb'<(?:\w+:)?c\s[^>]*?\bt="e"[^>]*>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL)
_NO_VALUE = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^>]*/>)\s*(?:<(?:\w+:)?v>\s*</(?:\w+:)?v>|<(?:\w+:)?v\s*/>)?\s*</(?:\w+:)?c>"
)
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_HIDDEN = re.compile(rb'<(?:\w+:)?row\s[^>]*?\bhidden="(?:1|true)"')
_WORKBOOK = re.compile(r"xl/workbook\w*\.xml")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


@dataclass(slots=True)
class Oddities:
    """`cells` maps a row of the sheet to its first odd column (from 1) and what that holds, in words.

    `known`: the sheet was looked through.
    """

    cells: dict[int, tuple[int, str]] = field(default_factory=dict)
    hidden: int = 0
    known: bool = False

    def remarks(self, name: str) -> list[str]:
        if not self.known:
            return [f"{name}: error values such as #N/A are read as empty cells in this format; XLSX tells them apart"]
        if not self.hidden:
            return []
        if self.hidden == 1:
            return [f"{name}: 1 row is hidden in the spreadsheet, by a filter or by hand; it is read all the same"]
        return [f"{name}: {self.hidden:,} rows are hidden in the spreadsheet, by a filter or by hand; "
                "they are read all the same"]  # fmt: skip


def oddities(path: Path, sheet: str) -> Oddities:
    """Those of one sheet; none for formats other than XLSX. Raises InputError for a sheet of no size for a list."""
    found = Oddities()
    try:
        with ZipFile(path) as archive:
            part = _part(archive, sheet)
            if part is None:
                return found
            if archive.getinfo(part).file_size > _MOST_BYTES:
                raise InputError.of(f"{path} unpacks to more than 4 GB", 'save it as "CSV UTF-8" and name that file')
            with archive.open(part) as file:
                for piece in _pieces(iter(lambda: file.read(_READ), b"")):
                    _scan(path, piece, found)
        found.known = True
    except (BadZipFile, KeyError, ET.ParseError, NotImplementedError, EOFError):
        return found  # the reader says what is wrong, or reads what it can
    return found


def _part(archive: ZipFile, sheet: str) -> str | None:
    """The file in the archive that holds the sheet."""
    book = next(filter(_WORKBOOK.fullmatch, archive.namelist()), None)
    if book is None:
        return None
    targets = {
        relation.get("Id"): relation.get("Target", "")
        for relation in _small(archive, f"xl/_rels/{posixpath.basename(book)}.rels").iter()
        if relation.tag.endswith("}Relationship")
    }
    for entry in _small(archive, book).iter():
        if entry.tag.endswith("}sheet") and entry.get("name") == sheet:
            target = targets.get(entry.get(_RELATION) or entry.get(_STRICT_RELATION))
            if target:
                return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    return None


def _small(archive: ZipFile, name: str) -> ET.Element:
    with archive.open(name) as file:
        text = file.read(_CHUNK)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise KeyError(name)  # no spreadsheet program writes one, and entities are how XML bombs are made
    return ET.fromstring(text)  # noqa: S314 - without entities, and at most a megabyte


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The XML cut between cells."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        # A cell, with all that is in it, goes from one start to the next.
        start = max(data.rfind(b"<c "), data.rfind(b":c "), data.rfind(b"<row"), data.rfind(b":row"))
        cut = data.rfind(b"<", 0, start + 1)
        if cut <= 0:
            rest = data[-_CHUNK:]
            continue
        rest = data[cut:]
        yield data[:cut]
    yield rest


def _scan(path: Path, piece: bytes, found: Oddities) -> None:
    if b'hidden="' in piece:
        found.hidden += len(_HIDDEN.findall(piece))
    if b't="e"' in piece:
        for match in _ERROR.finditer(piece):
            value = match[1].decode("ascii", "replace")[:20]
            _note(path, piece, match.start(), f"the error value {value}", found)
    if b"<f" in piece or b":f" in piece:
        for match in _NO_VALUE.finditer(piece):
            start = max(piece.rfind(b"<c ", 0, match.start()), piece.rfind(b":c ", 0, match.start()))
            _note(path, piece, piece.rfind(b"<", 0, start + 1), "a formula without a value", found)


def _note(path: Path, piece: bytes, start: int, words: str, found: Oddities) -> None:
    cell = _CELL.match(piece, start)
    if cell is None:
        what = f"{path} holds {words}, in a cell without an address"
        raise InputError.of(what, "open the file in a spreadsheet, correct it, and save it again")
    column = 0
    for letter in cell[1]:
        column = column * 26 + letter - 64
    row, odd = int(cell[2]), (column, sys.intern(words))  # a formula gone wrong may be in a million rows
    found.cells[row] = min(odd, found.cells.get(row, odd))
