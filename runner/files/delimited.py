"""CSV and TSV, strictly: what cannot be read exactly is reported with its line, never guessed.

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
from runner.base.wording import counted
from runner.files.columns import blank_rows_remark, without_blank_end
from runner.files.encodings import find_codec
from runner.files.formats import Format, open_bytes, readable
from runner.files.source import Numbered, Source, UnreadableRow

# Roomy for any cell that a person filled in. A longer one means a quote that was never closed.
_CELL_LIMIT = 1 << 20
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
# Excel writes and obeys a first line that names the delimiter; blank cells may follow it.
_SEP = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)


def read_records(
    source: Source, file_format: Format, remarks: list[str], *, header_only: bool
) -> Generator[Numbered, None, None]:
    """Every record with the line on which it begins: first the header as written, then each row.

    Blank lines, and rows without anything in any cell, are no records. A file without any record yields nothing.
    With `header_only` the encoding of the first megabyte alone is looked at, and nothing but the header is to be read.
    Raises InputError for an encoding in doubt, a quote that is never closed, and when not one row fits the header.
    """
    path, codec = source.path, find_codec(source, file_format, remarks, whole=not header_only)
    errors = "replace" if header_only else "strict"
    with (
        readable(path),
        open_bytes(path, file_format) as raw,
        io.TextIOWrapper(raw, codec, errors, newline="") as file,
    ):
        yield from _parsed(path, file, remarks)


def _parsed(path: Path, file: Iterator[str], remarks: list[str]) -> Iterator[Numbered]:
    csv.field_size_limit(_CELL_LIMIT)
    opening, skipped, delimiter = _opening(path, file)
    reader = csv.reader(chain(opening, file), delimiter=delimiter, strict=True)
    width = full = fitting = blank = pending = 0
    misfit: Problem | None = None
    end = skipped
    try:
        for cells in reader:
            line, end = end + 1, skipped + reader.line_num
            if not any(map(str.strip, cells)):
                pending += width > 0
                continue
            blank, pending = blank + pending, 0
            has_nul = "\0" in "".join(cells)
            if not width:
                if has_nul:
                    where, remedy = Position(str(path), line, 1), 'save the file as "CSV UTF-8" again'
                    raise InputError([Problem("there is a NUL byte, which no text file holds", remedy, where=where)])
                header = without_blank_end(cells)
                width, full = len(header), len(cells)
                if delimiter != "," and not _is_tsv(path):
                    remarks.append(f"{path.name} has its cells parted by {_DELIMITERS[delimiter]}")
                yield line, tuple(header)
            elif has_nul:
                fitting += 1
                words = f"line {line} holds a NUL byte, which no text does; write the file again from where it came"
                yield line, UnreadableRow(words)
            elif len(cells) == width or (len(cells) > width and not any(map(str.strip, cells[width:]))):
                fitting += 1
                yield line, tuple(map(str.strip, cells[:width]))
            else:
                misfit = misfit or _misfit(path, line, len(cells), width, delimiter)
                yield line, _ragged(line, cells, width, full)
    except csv.Error as error:
        raise InputError([_broken(Position(str(path), end + 1, 1), error)]) from error
    if misfit is not None and not fitting:
        raise InputError([misfit])
    blank_rows_remark(path, blank, remarks)


def _is_tsv(path: Path) -> bool:
    return ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:])


def _opening(path: Path, file: Iterator[str]) -> tuple[list[str], int, str]:
    """The lines up to the header's, how many were skipped before them, and the delimiter.

    That is the one which the file names itself; or tab for .tsv; or else whichever of comma, semicolon, tab and pipe
    the header holds most, outside of quotes. In the rows a comma or a semicolon may well be text.
    """
    opening: list[str] = []
    quotes = 0
    for line in file:
        if named := _SEP.fullmatch(line):
            return [], len(opening) + 1, named[1]
        opening.append(line)
        quotes += line.count('"')
        if line.strip() and (quotes % 2 == 0 or len(opening) > 100):
            break
    header = _QUOTED.sub("", "".join(opening))
    return opening, 0, "\t" if _is_tsv(path) else max(_DELIMITERS, key=header.count)


def _ragged(line: int, cells: list[str], width: int, full: int) -> UnreadableRow:
    count = len(cells)
    if width < count <= full:
        place = next(place for place, cell in enumerate(cells, 1) if place > width and cell.strip())
        words = f"line {line} has text in column {place}, which has no name"
        return UnreadableRow(f"{words}; name it in the header, or empty the cell")
    words = f"line {line} has {counted(count, 'cell')}, but the header names {counted(width, 'column')}"
    if count > width:
        return UnreadableRow(f"{words}; put a cell that holds the delimiter in double quotes")
    return UnreadableRow(f"{words}; add the missing cells, left empty if need be")


def _misfit(path: Path, line: int, count: int, width: int, delimiter: str) -> Problem:
    cells, columns = counted(count, "cell"), counted(width, "column")
    return Problem(
        f"not one row fits the header: this one has {cells}, the header names {columns}",
        f"let the first line name the columns, and part the cells of every row by {_DELIMITERS[delimiter]}, as there",
        where=Position(str(path), line, 1),
    )


def _broken(where: Position, error: csv.Error) -> Problem:
    """`where` is the begin of the record: the quote that is not closed, not the end of what it swallowed."""
    if "expected after" in str(error):
        remedy = 'write a double quote inside of a quoted cell twice, as in "the ""big"" sale"'
        return Problem("a quoted cell is followed by more text", remedy, where=where)
    if "larger than" in str(error):
        return Problem("a cell holds more than a megabyte", "that is no cell of a recipient; shorten it", where=where)
    return Problem("a double quote is opened in this row and never closed", "close it", where=where)
