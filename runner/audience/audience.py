"""The recipient file, row by row, each one judged: a recipient, or excluded for a reason.

`campaign check` imports this module, so phonenumbers and sqlite are loaded only once rows are read.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

from runner.audience import files
from runner.audience.cells import Cells, Unreadable
from runner.audience.spec import AudienceSpec
from runner.audience.steady import changed, unchanged
from runner.errors import InputError, Position
from runner.models import Duplicates, Exclusion, ExclusionReason, Row

if TYPE_CHECKING:
    from runner.audience.judge import Judge
    from runner.audience.people import People, Sighting

__all__ = ["AudienceSpec", "read_audience"]

Batches = Generator[list[Row], None, None]


def read_audience(
    spec: AudienceSpec, *, batch_size: int = files.BATCH_SIZE, remarks: list[str] | None = None
) -> Batches:
    """Every row of the file, in its order, in batches; close it to close the files. `remarks` collects sentences on
    how the file is read, for people.

    A row is excluded for the first of these that applies: it cannot be read, `recipients.where` doesn't hold for it,
    the judge has a reason (see `judge.Judge`), it is a duplicate among the rows that passed all of these. Memory
    grows with the suppression lists alone. Raises InputError when a file cannot be read, has no rows, or changes
    before its last row is read.
    """
    from runner.audience.judge import Judge
    from runner.audience.people import People
    from runner.audience.suppression import Suppression

    suppression = Suppression(
        spec.suppress, country=spec.country, key=spec.key, country_column=spec.country_column, remarks=remarks
    )
    with _placed(spec.places), unchanged(spec.source.path), People() as people:
        header = files.read_header(spec.source)
        if spec.header is not None and tuple(header) != spec.header:
            raise changed(spec.source.path)
        judge = Judge(spec, header, suppression)
        read = _Reading(spec, header, judge, batch_size)
        if spec.duplicates is Duplicates.REJECT:
            # Whether the first row is to go shows only at the last one, so the file is read twice.
            with closing(read(None)) as batches:
                for rows in batches:
                    people.count(_sightings(rows))
        decide = {Duplicates.FIRST: _first, Duplicates.REJECT: _reject, Duplicates.ALL: _all}[spec.duplicates]
        with closing(read(remarks)) as batches:
            for rows in batches:
                yield decide(rows, people)


@contextmanager
def _placed(places: Mapping[str, Position]) -> Generator[None, None, None]:
    """Gives the problems with what the campaign file says of the source their places in it."""
    try:
        yield
    except InputError as error:
        placed = [replace(problem, where=problem.where or places.get(problem.path)) for problem in error.problems]
        raise InputError(placed) from error


class _Reading:
    """The rows of the file, judged one by one; it can be read again."""

    def __init__(self, spec: AudienceSpec, header: Sequence[str], judge: "Judge", batch_size: int) -> None:
        self._spec = spec
        self._header = header
        self._judge = judge
        self._batch_size = batch_size

    def __call__(self, remarks: list[str] | None) -> Batches:
        source = self._spec.source
        number = 0
        with closing(files.read_rows(source, batch_size=self._batch_size, remarks=remarks)) as batches:
            for batch in batches:
                kept = batch.kept or repeat(True)
                yield [
                    self._row(row, *found) for row, found in enumerate(zip(batch.rows, kept, strict=False), number + 1)
                ]
                number += len(batch.rows)
        if not number:
            raise InputError.of(f"{source.path} has a header and no rows", "nobody is in it; check how it was made")

    def _row(self, number: int, cells: Cells | Unreadable, kept: bool) -> Row:
        if isinstance(cells, Unreadable):
            exclusion = Exclusion(ExclusionReason.UNREADABLE_ROW, cells.words)
            return Row(number, dict.fromkeys(self._header, ""), exclusion=exclusion)
        if kept:
            return self._judge(number, cells)
        fields = dict(zip(self._header, cells, strict=True))
        key = fields[self._spec.key] or None if self._spec.key else None
        words = f"recipients.where doesn't hold for this row: {_in_one_line(self._spec.source.where or '')}"
        return Row(number, fields, key=key, exclusion=Exclusion(ExclusionReason.FILTERED, words))


def _sightings(rows: list[Row]) -> "list[Sighting]":
    return [(row.key, row.number) for row in rows if row.key is not None and row.exclusion is None]


def _first(rows: list[Row], people: "People") -> list[Row]:
    sightings = _sightings(rows)
    seen = people.count(sightings)
    later = [sighting for sighting, before in zip(sightings, seen, strict=True) if before]
    return _excluding(rows, later, people)


def _reject(rows: list[Row], people: "People") -> list[Row]:
    return _excluding(rows, _sightings(rows), people)


def _all(rows: list[Row], people: "People") -> list[Row]:
    from runner.audience.people import numbered

    sightings = _sightings(rows)
    keys = {row: numbered(key, before) for (key, row), before in zip(sightings, people.count(sightings), strict=True)}
    return [row if keys.get(row.number, row.key) == row.key else replace(row, key=keys[row.number]) for row in rows]


def _excluding(rows: list[Row], suspects: "list[Sighting]", people: "People") -> list[Row]:
    """Excludes those suspects that share their key with another row."""
    if not suspects:
        return rows
    others = {row: other for (_, row), other in zip(suspects, people.other_rows(suspects), strict=True) if other}
    return [_duplicate(row, others[row.number]) if row.number in others else row for row in rows]


def _duplicate(row: Row, other: int) -> Row:
    same = "same number" if row.key == row.destination else f'same key "{row.key}"'
    return replace(row, exclusion=Exclusion(ExclusionReason.DUPLICATE, f"{same} as row {other}"))


def _in_one_line(condition: str, limit: int = 60) -> str:
    line = " ".join(condition.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
