"""CSV and TSV, strictly: what cannot be read exactly is said with its line, never guessed.

A quote that is not closed can swallow a thousand rows: it stops the plan. A row with more or fewer cells than the
header is left out by itself. The standard csv module is used because it keeps row and line numbers.
"""

import csv
import io
import re
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path

from runner.base.errors import InputError, Position, Problem
from runner.files.encodings import find_codec
from runner.files.formats import Packing, open_bytes, readable
from runner.files.header import remark_blank, without_blank_end
from runner.files.source import Numbered, Source, UnreadableRow

# Roomy for any cell that a person filled in. A longer one means a quote that was never closed.
_CELL_LIMIT = 1 << 20
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
# Excel writes and obeys such a first line; blank cells may follow it.
_SEP = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)


def read_header(source: Source, packing: Packing) -> list[str]:
    """The names as written, trimmed, without blank ones at the end.

    Reads the first megabyte at most, and refuses a file whose encoding is in doubt by then.
    """
    for _, header in _records(source.path, packing, find_codec(source, packing, whole=False), "replace", None):
        assert not isinstance(header, UnreadableRow)
        return list(header)
    raise InputError.of(f"{source.path} is empty", "its first line must name the columns")


def read_records(
    source: Source, packing: Packing = Packing.NONE, remarks: list[str] | None = None
) -> Generator[Numbered, None, None]:
    """Every record with the line on which it begins: first the header as written, then each row.

    Blank lines, and rows without anything in any cell, are no records. A file without any record yields nothing.
    Raises InputError for an encoding in doubt, a quote that is never closed, and when not one row fits the header.
    """
    return _records(source.path, packing, find_codec(source, packing, remarks=remarks), "strict", remarks)


def _records(
    path: Path, packing: Packing, codec: str, errors: str, remarks: list[str] | None
) -> Generator[Numbered, None, None]:
    with (
        readable(path),
        open_bytes(path, packing) as raw,
        io.TextIOWrapper(raw, codec, errors, newline="") as file,
    ):
        yield from _parsed(path, file, remarks)


def _parsed(path: Path, file: Iterator[str], remarks: list[str] | None) -> Iterator[Numbered]:
    csv.field_size_limit(_CELL_LIMIT)
    opening, skipped, delimiter = _opening(file)
    delimiter = delimiter or _delimiter(path, opening)
    reader = csv.reader(chain(opening, file), delimiter=delimiter, strict=True)
    width = full = row = ragged = blank = pending = 0
    first: Problem | None = None
    line = 1 + skipped
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1 + skipped
            if not any(map(str.strip, cells)):
                pending += width > 0
                continue
            blank, pending = blank + pending, 0
            if not width:
                header = without_blank_end(cells)
                if any("\0" in name for name in header):
                    where = Position(str(path), begins, 1)
                    remedy = 'save the file as "CSV UTF-8" again'
                    raise InputError([Problem("there is a NUL byte, which no text file holds", remedy, where=where)])
                width, full = len(header), len(cells)
                if remarks is not None and delimiter != "," and ".tsv" not in path.name.lower():
                    remarks.append(f"{path.name} has its cells parted by {_DELIMITERS[delimiter]}")
                yield begins, tuple(header)
                continue
            row += 1
            if "\0" in "".join(cells):
                words = f"line {begins} holds a NUL byte, which no text does"
                yield begins, UnreadableRow(f"{words}; write the file again from where it came")
            elif len(cells) == width or (len(cells) > width and not any(map(str.strip, cells[width:]))):
                yield begins, tuple(map(str.strip, cells[:width]))
            else:
                ragged += 1
                problem = _ragged(begins, cells, width, full)
                first = first or _none_fits(path, begins, len(cells), width, delimiter)
                yield begins, problem
    except csv.Error as error:
        raise InputError([_broken(path, line, error)]) from error
    if first is not None and ragged == row:
        raise InputError([first])
    remark_blank(path, blank, remarks)


def _opening(file: Iterator[str]) -> tuple[list[str], int, str | None]:
    """The lines up to the header's, how many were skipped before them, and the delimiter if the file says it."""
    opening: list[str] = []
    quotes = 0
    for line in file:
        if said := _SEP.fullmatch(line):
            return [], len(opening) + 1, said[1]
        opening.append(line)
        quotes += line.count('"')
        if line.strip() and (quotes % 2 == 0 or len(opening) > 100):
            break
    return opening, 0, None


def _delimiter(path: Path, opening: list[str]) -> str:
    """Tab for .tsv; else whichever of comma, semicolon, tab and pipe the header holds most, outside of quotes.

    Only the header is looked at: in the rows a comma or a semicolon may well be text.
    """
    if ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:]):
        return "\t"
    bare = _QUOTED.sub("", "".join(opening))
    return max(_DELIMITERS, key=bare.count)


def _ragged(line: int, cells: list[str], width: int, full: int) -> UnreadableRow:
    count = len(cells)
    if width < count <= full:
        place = next(place for place, cell in enumerate(cells, 1) if place > width and cell.strip())
        words = f"line {line} has text in column {place}, which has no name"
        return UnreadableRow(f"{words}; name it in the header, or empty the cell")
    words = f"line {line} has {_many(count, 'cell')}, but the header names {_many(width, 'column')}"
    if count > width:
        return UnreadableRow(f"{words}; put a cell that holds the delimiter in double quotes")
    return UnreadableRow(f"{words}; add the missing cells, left empty if need be")


def _none_fits(path: Path, line: int, count: int, width: int, delimiter: str) -> Problem:
    return Problem(
        f"not one row fits the header: this one has {_many(count, 'cell')}, the header names {_many(width, 'column')}",
        f"let the first line name the columns, and part the cells of every row by {_DELIMITERS[delimiter]}, as there",
        where=Position(str(path), line, 1),
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _broken(path: Path, line: int, error: csv.Error) -> Problem:
    """`line` is where the record begins: the quote that is not closed, not the end of what it swallowed."""
    where = Position(str(path), line, 1)
    if "expected after" in str(error):
        return Problem(
            "a quoted cell is followed by more text",
            'write a double quote inside of a quoted cell twice, as in "the ""big"" sale"',
            where=where,
        )
    if "larger than" in str(error):
        return Problem("a cell holds more than a megabyte", "that is no cell of a recipient; shorten it", where=where)
    return Problem("a double quote is opened in this row and never closed", "close it", where=where)
