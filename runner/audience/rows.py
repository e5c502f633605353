"""Rows of the recipient file by columns: a million records for people's sake would take longer than judging them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from runner.audience.source import Cells, Unreadable
from runner.models import Exclusion, ExclusionReason, Row

Verdict = tuple[str, str]
"""The code and the words of an exclusion, as plain texts."""


def exclusion_of(verdict: Verdict) -> Exclusion:
    return Exclusion(ExclusionReason(verdict[0]), verdict[1])


@dataclass(slots=True)
class Columns:
    """What is found out about each row of a batch by itself, as lists of plain values: so it goes between processes.

    As in `Row`; item `i` of each list is of row `i` of the batch, and `excluded` are by `i`, in ascending order.
    """

    keys: list[str | None] = field(default_factory=list)
    destinations: list[str | None] = field(default_factory=list)
    countries: list[str | None] = field(default_factory=list)
    notes: list[str | None] = field(default_factory=list)
    zones: list[tuple[str, ...]] = field(default_factory=list)
    excluded: dict[int, Verdict] = field(default_factory=dict)


@dataclass(slots=True)
class Rows:
    """A batch of judged rows in the order of the file, the first of which is data row `first`."""

    header: Sequence[str]
    first: int
    cells: list[Cells | Unreadable]
    columns: Columns
    exclusions: dict[int, Exclusion]

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Row]:
        return map(self.row, range(len(self.cells)))

    def row(self, index: int) -> Row:
        cells, columns = self.cells[index], self.columns
        return Row(
            self.first + index,
            dict.fromkeys(self.header, "")
            if isinstance(cells, Unreadable)
            else dict(zip(self.header, cells, strict=True)),
            columns.keys[index],
            columns.destinations[index],
            columns.countries[index],
            self.exclusions.get(index),
            columns.notes[index],
            columns.zones[index],
        )

    def left(self) -> list[int]:
        """The rows that are not excluded, by their indexes."""
        return [index for index in range(len(self.cells)) if index not in self.exclusions]

    def values(self, column: str) -> list[str]:
        """What the rows hold in a column of the file."""
        cell = itemgetter(self.header.index(column))
        return ["" if isinstance(cells, Unreadable) else cell(cells) for cells in self.cells]
