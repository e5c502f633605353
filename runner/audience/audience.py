"""The recipient file, row by row, each one judged: a recipient, or excluded for a reason.

`campaign check` imports this module, so phonenumbers is loaded only once rows are read.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.audience import files
from runner.audience.formats import changed, unchanged
from runner.audience.rows import Columns, Rows, exclusion_of
from runner.audience.source import Cells, Unreadable
from runner.audience.spec import AudienceSpec
from runner.errors import InputError, Position
from runner.models import Duplicates, Exclusion, ExclusionReason

if TYPE_CHECKING:
    from runner.audience.judge import Judge
    from runner.audience.people import People, Sighting

__all__ = ["AudienceSpec", "read_audience"]

R = TypeVar("R", bound=Rows)
R_co = TypeVar("R_co", bound=Rows, covariant=True)

Batches = Generator[tuple[int, files.Batch], None, None]
"""Rows as they are read, with the number of the first one."""


class Work(Protocol[R_co]):
    """Finds out what can be told of each row by itself, for batch after batch, in their order."""

    def begin(self, judge: "Judge") -> None:
        """Called once, before any rows come."""
        ...

    def judged(self, batches: Iterable[tuple[int, files.Batch]]) -> Iterator[Rows]:
        """The rows judged, and no more."""
        ...

    def done(self, batches: Iterable[tuple[int, files.Batch]]) -> Iterator[R_co]:
        """The rows judged, and whatever else is to be found out of them."""
        ...


class Judging:
    """Nothing but the judge."""

    def begin(self, judge: "Judge") -> None:
        self._judge = judge

    def judged(self, batches: Iterable[tuple[int, files.Batch]]) -> Iterator[Rows]:
        for first, batch in batches:
            columns = self._judge.judge(plain(batch.rows), batch.kept)
            yield Rows(self._judge.header, first, batch.rows, columns, exclusions(columns))

    done = judged


def plain(rows: Iterable[Cells | Unreadable]) -> list[Cells | str]:
    """Rows as `Judge.judge` takes them: nothing but texts."""
    return [row.words if isinstance(row, Unreadable) else row for row in rows]


def exclusions(columns: Columns) -> dict[int, Exclusion]:
    return {index: exclusion_of(verdict) for index, verdict in columns.excluded.items()}


def read_audience(
    spec: AudienceSpec, work: Work[R], *, batch_size: int = files.BATCH_SIZE, remarks: list[str] | None = None
) -> Generator[R, None, None]:
    """Every row of the file, in its order, in batches; close it to close the files. `remarks` collects sentences on
    how the file is read, for people.

    A row is excluded for the first of these that applies: the judge has a reason (see `judge.Judge`), it is a duplicate
    among the rows for which it has none. Memory grows with the suppression lists, and by 6 bytes for each recipient.
    Raises InputError when a file cannot be read, has no rows, or changes before its last row is read.
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
        work.begin(Judge(spec, header, suppression))
        if spec.duplicates is Duplicates.REJECT:
            # Whether the first row is to go shows only at the last one, so the file is read twice.
            with closing(_read(spec, batch_size, None)) as batches:
                for rows in work.judged(batches):
                    people.count(_sightings(rows))
        decide = {Duplicates.FIRST: _first, Duplicates.REJECT: _reject, Duplicates.ALL: _all}[spec.duplicates]
        with closing(_read(spec, batch_size, remarks)) as batches:
            for found in work.done(batches):
                decide(found, people)
                yield found


@contextmanager
def _placed(places: Mapping[str, Position]) -> Generator[None, None, None]:
    """Gives the problems with what the campaign file says of the source their places in it."""
    try:
        yield
    except InputError as error:
        placed = [replace(problem, where=problem.where or places.get(problem.path)) for problem in error.problems]
        raise InputError(placed) from error


def _read(spec: AudienceSpec, batch_size: int, remarks: list[str] | None) -> Batches:
    number = 0
    with closing(files.read_rows(spec.source, batch_size=batch_size, remarks=remarks)) as batches:
        for batch in batches:
            yield number + 1, batch
            number += len(batch.rows)
    if not number:
        raise InputError.of(f"{spec.source.path} has a header and no rows", "nobody is in it; check how it was made")


def _sightings(rows: Rows) -> "list[Sighting]":
    first, out = rows.first, rows.exclusions
    return [
        (key, number)
        for number, key in enumerate(rows.columns.keys, first)
        if key is not None and number - first not in out
    ]


def _first(rows: Rows, people: "People") -> None:
    sightings = _sightings(rows)
    seen = people.count(sightings)
    _exclude(rows, [sighting for sighting, before in zip(sightings, seen, strict=True) if before], people)


def _reject(rows: Rows, people: "People") -> None:
    _exclude(rows, _sightings(rows), people)


def _all(rows: Rows, people: "People") -> None:
    from runner.audience.people import numbered

    sightings = _sightings(rows)
    for (key, row), before in zip(sightings, people.count(sightings), strict=True):
        rows.columns.keys[row - rows.first] = numbered(key, before)


def _exclude(rows: Rows, suspects: "list[Sighting]", people: "People") -> None:
    """Excludes those suspects that share their key with another row."""
    for (key, row), other in zip(suspects, people.other_rows(suspects), strict=True):
        if other:
            index = row - rows.first
            same = "same number" if key == rows.columns.destinations[index] else f'same key "{key}"'
            rows.exclusions[index] = Exclusion(ExclusionReason.DUPLICATE, f"{same} as row {other}")
