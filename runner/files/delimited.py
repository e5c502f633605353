"""A strict reader for CSV and TSV: errors are reported with their line; nothing is guessed.

An unclosed quote can swallow a thousand rows, so it stops the plan. A row with more cells than the header is excluded,
and one with fewer gets empty cells, as in a spreadsheet program. The reader uses the standard csv module because it
keeps line numbers.
"""

import csv
import io
import re
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from runner.base.errors import InputError, Position, Problem
from runner.base.wording import counted
from runner.files.columns import blank_rows_remark, without_blank_end
from runner.files.encodings import LONGEST_LINE, find_codec, long_line
from runner.files.formats import Format, open_bytes, readable
from runner.files.source import Cells, Numbered, Source, UnreadableRow

# More than any cell that a person fills in. A longer cell means an unclosed quote.
_CELL_LIMIT = 1 << 20
# As many as a spreadsheet can have.
_MOST_COLUMNS = 16_384
_MOST_BLANK = 1_000_000
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
# Excel writes and reads a first line that names the delimiter; blank cells may follow it.
_SEP = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)


def read_records(
    source: Source, file_format: Format, remarks: list[str], *, header_only: bool
) -> Generator[tuple[int, *Numbered], None, None]:
    """Every record with the line on which it starts, and the number that a spreadsheet program shows for it: first the
    header as written, then each row.

    Blank lines and rows with only empty cells are skipped. With `header_only`, only the encoding of the first megabyte
    is checked, and the caller reads only the header. Raises InputError for an encoding error or an unclosed quote, and
    if no row matches the header.
    """
    path, codec = source.path, find_codec(source, file_format, remarks, whole=not header_only)
    errors = "replace" if header_only else "strict"
    with (
        readable(path),
        open_bytes(path, file_format) as raw,
        io.TextIOWrapper(raw, codec, errors, newline="") as file,
    ):
        yield from _parsed(path, file, remarks)


def _parsed(path: Path, file: io.TextIOWrapper, remarks: list[str]) -> Iterator[tuple[int, *Numbered]]:
    csv.field_size_limit(_CELL_LIMIT)
    opening, skipped, delimiter = _opening(path, file)
    reader = csv.reader(chain(opening, file), delimiter=delimiter, strict=True)
    width = full = fitting = blank = pending = short = first_short = 0
    misfit: Problem | None = None
    end = skipped
    try:
        for number, cells in enumerate(reader, 1):
            line, end = end + 1, skipped + reader.line_num
            if not any(map(str.strip, cells)):
                pending += 1
                if pending > _MOST_BLANK:
                    what = f"{path} has more than {_MOST_BLANK:,} blank rows in a row"
                    raise InputError.of(f"{what}, up to line {end:,}", "delete them, or create the file again")
                continue
            blank, pending = blank + (pending if width else 0), 0
            if not width:
                header = _header(Position(str(path), line, 1), cells)
                width, full = len(header), len(cells)
                if delimiter != "," and not _is_tsv(path):
                    remarks.append(f"{path.name}: cells are separated by {_DELIMITERS[delimiter]}")
                yield line, number, header
            elif "\0" in "".join(cells):
                fitting += 1
                yield line, number, UnreadableRow(f"a NUL byte ({_place(line)}); export the file again")
            elif len(cells) == width or (len(cells) > width and not any(map(str.strip, cells[width:]))):
                fitting += 1
                yield line, number, tuple(map(str.strip, cells[:width]))
            elif len(cells) < width and not _has_other_delimiter(cells, delimiter):
                fitting += 1
                short, first_short = short + 1, first_short or line
                yield line, number, tuple(map(str.strip, cells)) + ("",) * (width - len(cells))
            else:
                misfit = misfit or _misfit(path, line, len(cells), width, delimiter)
                yield line, number, _ragged(line, cells, width, full)
    except csv.Error as error:
        raise InputError([_broken(Position(str(path), end + 1, 1), error)]) from error
    if misfit is not None and not fitting:
        raise InputError([misfit])
    blank_rows_remark(path, blank, remarks)
    if short:
        rows = f"{counted(short, 'row has', 'rows have')} fewer cells than the header"
        remarks.append(f"{path.name}: {rows}, first on {_place(first_short)}; the missing cells are read as empty")


def _header(where: Position, cells: list[str]) -> Cells:
    """The names, without blank ones at the end. Raises InputError for names that no list has."""
    if "\0" in "".join(cells):
        raise InputError([Problem("the header has a NUL byte", 'save the file as "CSV UTF-8" again', where=where)])
    header = without_blank_end(cells)
    if len(header) > _MOST_COLUMNS:
        what = f"the header has {counted(len(header), 'column')}; the maximum is {_MOST_COLUMNS:,}"
        raise InputError([Problem(what, "check the file", where=where)])
    return tuple(header)


def _has_other_delimiter(cells: list[str], delimiter: str) -> bool:
    """Whether the row may be separated by something else than the header."""
    return len(cells) == 1 and any(other in cells[0] for other in _DELIMITERS if other != delimiter)


def _is_tsv(path: Path) -> bool:
    return ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:])


def _opening(path: Path, file: io.TextIOWrapper) -> tuple[list[str], int, str]:
    """The lines up to the header, the number of lines skipped before them, and the delimiter.

    The delimiter is the one that the file names, or tab for .tsv, or else the most frequent of comma, semicolon, tab
    and pipe in the header outside quotes. Rows aren't used, because a comma or semicolon there may be text.
    """
    opening: list[str] = []
    quotes = size = 0
    # At most a piece of a line at a time: a file may be one line of 3 GB.
    for line in iter(partial(file.readline, LONGEST_LINE), ""):
        size += len(line)
        if size >= LONGEST_LINE:
            raise long_line(path)
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
        words = f"text in column {place}, but the header has no name for it ({_place(line)})"
        return UnreadableRow(f"{words}; add a name to the header, or clear the cell")
    words = f"{counted(count, 'cell')}, but the header has {counted(width, 'column')} ({_place(line)})"
    if count > width:
        return UnreadableRow(f"{words}; put cells that contain the delimiter in double quotes")
    return UnreadableRow(f"{words}; separate the cells as in the header")


def _place(line: int) -> str:
    """In parentheses, because people read the number of the row before it."""
    return f"line {line} of the file"


def _misfit(path: Path, line: int, count: int, width: int, delimiter: str) -> Problem:
    cells, columns = counted(count, "cell"), counted(width, "column")
    return Problem(
        f"no row matches the header: this row has {cells}, the header has {columns}",
        f"check that the first line has the column names, and separate all cells with {_DELIMITERS[delimiter]}",
        where=Position(str(path), line, 1),
    )


def _broken(where: Position, error: csv.Error) -> Problem:
    """`where` is the start of the record with the unclosed quote, not the end of the text after it."""
    if "expected after" in str(error):
        remedy = 'double the quotes inside a quoted cell, as in "the ""big"" sale"'
        return Problem("there is text after the closing quote of a cell", remedy, where=where)
    if "larger than" in str(error):
        return Problem("a cell is larger than 1 MB", "shorten it, or look for a quote that is not closed", where=where)
    return Problem("a double quote in this row is not closed", "close it", where=where)
