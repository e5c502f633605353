"""Row numbers as people read them: those that a spreadsheet program shows."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class SheetRows:
    """Turns data rows (the first below the header is 1) into the row numbers that a spreadsheet program shows.

    A sheet counts the header, the rows above it and blank rows, but no line breaks inside a quoted cell. `starts` are
    the pairs (data row, row of the sheet) from which rows follow each other without a gap. Without any, rows keep their
    numbers: a Parquet file has no sheet.
    """

    starts: list[tuple[int, int]] = field(default_factory=list)

    def add(self, first: int, numbers: Sequence[int]) -> None:
        """Add the data rows from `first` on, with their rows in the sheet, after all earlier ones."""
        has_gap = numbers[-1] - numbers[0] != len(numbers) - 1
        for row, number in enumerate(numbers if has_gap else numbers[:1], first):
            if not self.starts or self.of(row) != number:
                self.starts.append((row, number))

    def below_header(self, rows: Iterable[int]) -> set[int]:
        """Rows of the sheet that a user names. A row above the data means the first row below the header."""
        return {max(row, self.of(1)) for row in rows}

    def of(self, row: int) -> int:
        """The number that a spreadsheet program shows for a data row."""
        place = bisect_right(self.starts, (row, math.inf)) - 1
        if place < 0:
            return row
        start, number = self.starts[place]
        return number + row - start
