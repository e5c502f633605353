"""What every reader hands on: a row as cells, or a row that could not be read as such."""

from dataclasses import dataclass

Cells = tuple[str, ...]
"""As many as the header has names, trimmed, empty ones as ""."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that could not be read as cells. `words` say why and what to do, as a clause."""

    words: str


Numbered = tuple[int, Cells | Unreadable]
"""A row with its place: the line on which it begins, or the number of the row. See `files.read_numbered`."""
