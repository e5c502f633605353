"""CSV and TSV, strictly: what cannot be read exactly is an error with its line, never a guess.

A quote that is not closed can swallow a thousand rows, and bytes of another encoding garble names; both would end on
phones. The standard csv module is used because it keeps row and line numbers; it reads 700,000 rows a second.
"""

import csv
import re
from collections.abc import Generator, Iterator
from pathlib import Path

from runner.audience.header import check_header
from runner.errors import InputError, Position, Problem

ENDINGS = (".csv", ".tsv", ".txt")

# Roomy for any cell that a person filled in. A longer one means a quote that was never closed.
_CELL_LIMIT = 1 << 20
_MAX_PROBLEMS = 10
_QUOTED = re.compile(r'"[^"]*(?:"|$)')

Record = tuple[int, tuple[str, ...]]


def read_records(path: Path) -> Generator[Record, None, None]:
    """Every record, the header first, each as (line on which it begins, trimmed cells). Blank lines are no records.

    Raises InputError at once for trouble that makes the rest unreadable; ragged rows are collected, so that the user
    sees ten of them at a time, but nothing after the first one is yielded.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _records(path, _Lines(path, file))
    except UnicodeDecodeError as error:
        raise InputError([_not_utf8(path)]) from error
    except OSError as error:
        raise InputError([Problem(f"{path} cannot be read: {error.strerror}")]) from error


class _Lines:
    """The physical lines of a file, refusing NUL; `first` can be looked at before reading."""

    def __init__(self, path: Path, file: Iterator[str]) -> None:
        self._path = path
        self._file = file
        self._number = 0
        self.first = next(file, "")
        self._pending = self.first

    def __iter__(self) -> Iterator[str]:
        line = self._pending
        while line:
            self._number += 1
            if "\0" in line:
                where = Position(str(self._path), self._number, line.index("\0") + 1)
                what = "there is a NUL byte, which no text file holds"
                raise InputError([Problem(what, 'save the file as "CSV UTF-8" again', where=where)])
            yield line
            line = next(self._file, "")


def _records(path: Path, lines: _Lines) -> Iterator[Record]:
    csv.field_size_limit(_CELL_LIMIT)
    reader = csv.reader(lines, delimiter=_delimiter(path, lines.first), strict=True)
    width = row = 0
    problems: list[Problem] = []
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not cells or (len(cells) == 1 != width and not cells[0].strip()):
                continue
            if not width:
                header = check_header(path, cells, begins)
                width = len(header)
                yield begins, header
                continue
            row += 1
            if len(cells) != width:
                problems.append(_ragged(path, begins, row, len(cells), width))
                if len(problems) == _MAX_PROBLEMS:
                    break
            elif not problems:
                yield begins, tuple(map(str.strip, cells))
    except csv.Error as error:
        problems.append(_broken(path, line, error))
    if problems:
        raise InputError(problems)
    if not width:
        raise InputError([Problem(f"{path} is empty", "its first line must name the columns")])


def _delimiter(path: Path, first_line: str) -> str:
    """Tab for .tsv; else whichever of comma, semicolon and tab the header holds most, outside of quotes.

    Only the header is looked at: in the rows a comma or a semicolon may well be text.
    """
    if path.suffix.lower() == ".tsv":
        return "\t"
    bare = _QUOTED.sub("", first_line)
    return max(",;\t", key=bare.count)


def _ragged(path: Path, line: int, row: int, count: int, width: int) -> Problem:
    cells = "1 cell" if count == 1 else f"{count} cells"
    columns = "1 column" if width == 1 else f"{width} columns"
    return Problem(
        f"row {row} has {cells}, but the header names {columns}",
        "put a cell that holds the delimiter in double quotes"
        if count > width
        else "add the missing cells, left empty if need be",
        where=Position(str(path), line, 1),
    )


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


def _not_utf8(path: Path) -> Problem:
    """Looks for the line again, in bytes: the decoder knows only its place in a buffer."""
    remedy = 'save it as "CSV UTF-8"'
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                column = len(line[: error.start].decode()) + 1
                what = f"the byte 0x{line[error.start]:02X} shows that this file is not UTF-8"
                return Problem(what, remedy, where=Position(str(path), number, column))
    return Problem(f"{path} is not UTF-8", remedy)
