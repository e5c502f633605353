"""Rows of the recipient file, stored by column: creating a million records would take longer than judging them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from runner.base.exclusions import Exclusion
from runner.base.messages import Encoding, Remark, RemarkKind, Text
from runner.files.source import Cells, UnreadableRow

# `saved`, `note` and `remarks` of a `Text` as plain values, which pass between processes five times as fast.
Extras = tuple[int, str | None, list[tuple[str, str, str, int]]]


@dataclass(slots=True)
class RowBatch:
    """Some rows of the recipient file, in order; item `i` of each list belongs to data row `first + i`.

    After reading: `cells`, and `matches`, whether `recipients.where` is true for each row (None: no condition).

    After judging: `keys`, `destinations` (E.164 with plus) and `countries` (ISO 3166-1 alpha-2), None if unknown;
    `notes` on repairs; `zones`, the IANA time zones in which the phone may be, sorted, empty if unknown or not needed.
    If the file has several columns of numbers, `numbers` are all valid ones of a row, by index, as (column, E.164); the
    destination is the first. A row that is not in `exclusions` (by index) is a recipient, and has a key and a
    destination.

    After composing: `texts`, `encodings` and `segments`, None for an excluded row; `refused`, by index, are the rows
    whose text can't be sent; `extras` are notes and remarks, for the few texts that have any.
    """

    first: int
    cells: list[Cells | UnreadableRow]
    matches: Sequence[bool] | None = None
    keys: list[str | None] = field(default_factory=list)
    destinations: list[str | None] = field(default_factory=list)
    countries: list[str | None] = field(default_factory=list)
    notes: list[str | None] = field(default_factory=list)
    zones: list[tuple[str, ...]] = field(default_factory=list)
    exclusions: dict[int, Exclusion] = field(default_factory=dict)
    texts: list[str | None] = field(default_factory=list)
    encodings: list[str | None] = field(default_factory=list)
    segments: list[int | None] = field(default_factory=list)
    refused: dict[int, Exclusion] = field(default_factory=dict)
    extras: dict[int, Extras] = field(default_factory=dict)
    numbers: dict[int, list[tuple[str, str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cells)

    def recipients(self) -> list[int]:
        """The indexes of the rows that are not excluded."""
        return [index for index in range(len(self.cells)) if index not in self.exclusions]

    def numbers_of(self, index: int) -> dict[str, str]:
        """The numbers of a recipient, the destination first, each with its column; "" if there is only one column."""
        destination = self.destinations[index]
        assert destination is not None, "a recipient has a destination"
        return {number: column for column, number in self.numbers.get(index, [("", destination)])}

    def column(self, place: int) -> list[str]:
        """The cells of one column of the file; "" in an unreadable row."""
        cell = itemgetter(place)
        return ["" if isinstance(cells, UnreadableRow) else cell(cells) for cells in self.cells]

    def add_text(self, composed: Text | Exclusion | None) -> None:
        """Add the next row's text, or the reason for no text; None for an excluded row."""
        text = composed if isinstance(composed, Text) else None
        if isinstance(composed, Exclusion):
            self.refused[len(self.texts)] = composed
        elif text and (text.saved or text.note or text.remarks):
            remarks = [(one.kind.value, one.subject, one.source, one.times) for one in text.remarks]
            self.extras[len(self.texts)] = text.saved, text.note, remarks
        self.texts.append(text.text if text else None)
        self.encodings.append(text.encoding.value if text else None)
        self.segments.append(text.segments if text else None)

    def text(self, index: int) -> Text:
        """The text of a recipient."""
        text = self.texts[index]
        assert text is not None, "a recipient has a text"
        saved, note, remarks = self.extras.get(index, (0, None, []))
        told = tuple(Remark(RemarkKind(kind), subject, source, times) for kind, subject, source, times in remarks)
        return Text(text, Encoding(self.encodings[index] or ""), self.segments[index] or 0, saved, note, told)

    def warnings(self, index: int) -> str | None:
        """The warnings about the text of a row; None if there are none."""
        if index not in self.extras or index in self.exclusions:
            return None
        return "; ".join(remark.warning for remark in self.text(index).remarks if remark.warning) or None

    def verdict(self, index: int) -> Text | Exclusion:
        """The text of a row, or its exclusion."""
        return self.exclusions.get(index) or self.text(index)


# Judges batches in order and, if the flag is set, composes the recipients' texts.
Work = Callable[[Iterable[RowBatch], bool], Iterator[RowBatch]]
