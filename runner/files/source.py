"""The input and output of file readers: a source, and its rows as cells or as the reason why they are unreadable."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """A file with rows, and how to read it.

    `sheet` is the name of a spreadsheet's sheet (None: the first). `encoding` is a text file's (None: UTF-8, or UTF-16
    if detected), `encoding_key` the campaign key for it (None: there is no key). `where` is an SQL condition on the
    columns; rows for which it is false are marked. `used` are the columns whose cells matter (None: all): a value of
    theirs that can't be read makes the row unreadable, and cells of other columns may be read as "". Lists are read, as
    JSON, only if they are named here.
    """

    path: Path
    sheet: str | None = None
    encoding: str | None = None
    where: str | None = None
    encoding_key: str | None = "recipients.encoding"
    used: frozenset[str] | None = None


# What MySQL and PostgreSQL write for NULL.
NULL = r"\N"

# One per column, trimmed, "" if empty.
Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that can't be read as cells. `words`, which are shown after the row's number, say why and what to do."""

    words: str


# A row with its place: the line on which it starts, or its row number. See `reader.read_numbered`.
Numbered = tuple[int, Cells | UnreadableRow]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in file order. `matches` is whether the source's condition is true for each; None: no condition."""

    rows: list[Cells | UnreadableRow]
    matches: Sequence[bool] | None = None
