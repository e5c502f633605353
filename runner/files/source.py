"""What a reader of files is asked for, and what every reader hands on: rows as cells, or why a row has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """A file with rows, and how it is to be read.

    `sheet` is the name of a spreadsheet's sheet (None: the first). `encoding` is a text file's (None: UTF-8, or UTF-16
    that its bytes show), `encoding_key` the key of the campaign file that says it (None: no key does). `where` is
    an SQL condition over its columns; rows for which it doesn't hold are marked.
    """

    path: Path
    sheet: str | None = None
    encoding: str | None = None
    where: str | None = None
    encoding_key: str | None = "recipients.encoding"


# As many as the header has names, trimmed, empty ones as "".
Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that could not be read as cells. `words` say why and what to do, as a clause."""

    words: str


# A row with its place: the line on which it begins, or the number of the row. See `reader.read_numbered`.
Numbered = tuple[int, Cells | UnreadableRow]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in file order. `matches` says for each whether the source's condition holds; None: it has no condition."""

    rows: list[Cells | UnreadableRow]
    matches: Sequence[bool] | None = None
