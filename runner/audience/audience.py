"""The recipient file, row by row, each one judged: a recipient, or excluded for a reason.

`campaign check` imports this module, so phonenumbers and sqlite are loaded only once rows are read.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.audience import files
from runner.audience.spec import AudienceSpec
from runner.models import Exclusion, ExclusionReason, Row

if TYPE_CHECKING:
    from runner.audience.judge import Judge
    from runner.audience.people import People, Sighting

__all__ = ["AudienceSpec", "read_audience"]

Batches = Generator[list[Row], None, None]


def read_audience(spec: AudienceSpec, *, batch_size: int = files.BATCH_SIZE) -> Batches:
    """Every row of the file, in its order, in batches; close it to close the files.

    A row is excluded for the first of these that applies: its number is empty or invalid, its country is not allowed,
    it is suppressed, its key is empty, it is a duplicate among the rows that passed all of these. Memory grows with
    the suppression lists alone. Raises InputError when a file cannot be read.
    """
    from runner.audience.judge import Judge
    from runner.audience.people import Duplicates, People
    from runner.audience.suppression import Suppression

    duplicates = Duplicates(spec.duplicates)
    judge = Judge(spec, files.read_header(spec.file), Suppression(spec.suppress, spec.country))
    with People() as people:
        if duplicates is Duplicates.REJECT:
            # Whether the first row is to go shows only at the last one, so the file is read twice.
            with closing(_judged(spec, judge, batch_size)) as batches:
                for rows in batches:
                    people.count(_sightings(rows))
        decide = {Duplicates.FIRST: _first, Duplicates.REJECT: _reject, Duplicates.ALL: _all}[duplicates]
        with closing(_judged(spec, judge, batch_size)) as batches:
            for rows in batches:
                yield decide(rows, people)


def _judged(spec: AudienceSpec, judge: "Judge", batch_size: int) -> Batches:
    number = 0
    with closing(files.read_rows(spec.file, batch_size=batch_size)) as batches:
        for batch in batches:
            yield [judge(row, cells) for row, cells in enumerate(batch, number + 1)]
            number += len(batch)


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
