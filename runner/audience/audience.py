"""The recipient file, row by row, each one judged: a recipient, or excluded for a reason.

`campaign check` imports this module, so phonenumbers is loaded only once rows are read.
"""

from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.audience.key_index import KeyIndex
from runner.audience.row_batch import RowBatch, Work
from runner.audience.spec import AudienceSpec
from runner.base.errors import InputError, Position
from runner.base.exclusions import Duplicates, Exclusion, ExclusionReason
from runner.base.text import quoted
from runner.files import reader
from runner.files.formats import changed, unchanged

if TYPE_CHECKING:
    from runner.audience.suppression import Suppression

# Whoever has opted out is counted as such, even without a usable key or time zone.
_AFTER_SUPPRESSION = (ExclusionReason.MISSING_FIELD, ExclusionReason.UNKNOWN_ZONE)


def read_audience(
    spec: AudienceSpec, work: Work, *, batch_size: int = reader.BATCH_SIZE, remarks: list[str] | None = None
) -> Generator[RowBatch, None, None]:
    """Every row of the file, in its order, in batches; close it to close the files. `remarks` collects sentences on
    how the file is read, for people.

    A row is excluded for the first of these that applies: `work` has a reason (see `judge.Judge`), the person is
    suppressed, the row is a duplicate among the rows for which there is no reason; but suppression goes before an empty
    key and an unknown time zone. Memory grows by 6 bytes for each recipient and each entry of a suppression list.
    Raises InputError when a file cannot be read, has no rows, or changes before its last row is read.
    """
    from runner.audience.suppression import Suppression

    lists = Suppression(
        spec.suppress, country=spec.country, key=spec.key, country_column=spec.country_column, remarks=remarks
    )
    seen = KeyIndex()
    with _placed(spec.places), unchanged(spec.source.path):
        if tuple(reader.read_header(spec.source)) != spec.header:
            raise changed(spec.source.path)
        if spec.duplicates is Duplicates.REJECT:
            # Whether the first row is to go shows only at the last one, so the file is read twice.
            with closing(_read(spec, batch_size, None)) as batches:
                for batch in work(batches, False):
                    _suppress(batch, lists, spec)
                    for key, row in _sightings(batch):
                        seen.add(key, row)
        with closing(_read(spec, batch_size, remarks)) as batches:
            for batch in work(batches, True):
                _suppress(batch, lists, spec)
                _compare(batch, seen, spec.duplicates)
                yield batch


@contextmanager
def _placed(places: Mapping[str, Position]) -> Generator[None, None, None]:
    """Gives the problems with what the campaign file says of the source their places in it."""
    try:
        yield
    except InputError as error:
        placed = [replace(problem, where=problem.where or places.get(problem.path)) for problem in error.problems]
        raise InputError(placed) from error


def _read(spec: AudienceSpec, batch_size: int, remarks: list[str] | None) -> Generator[RowBatch, None, None]:
    number = 0
    with closing(reader.read_rows(spec.source, batch_size=batch_size, remarks=remarks)) as batches:
        for batch in batches:
            yield RowBatch(number + 1, batch.rows, batch.matches)
            number += len(batch.rows)
    if not number:
        raise InputError.of(f"{spec.source.path} has a header and no rows", "nobody is in it; check how it was made")


def _suppress(batch: RowBatch, lists: "Suppression", spec: AudienceSpec) -> None:
    """Excludes the rows whose number or key is listed, also those that only lack a key or a time zone."""
    if not len(lists):
        return
    for index, number in enumerate(batch.destinations):
        known = batch.exclusions.get(index)
        if number is None or (known is not None and known.reason not in _AFTER_SUPPRESSION):
            continue
        if listed := lists.find_number(number):
            words = f"{spec.phone}: {number} is listed in {listed}"
        elif spec.key and (key := batch.keys[index]) and (listed := lists.find_key(key)):
            words = f"{spec.key}: {quoted(key)} is listed in {listed}"
        else:
            continue
        batch.exclusions[index] = Exclusion(ExclusionReason.SUPPRESSED, words)


def _sightings(batch: RowBatch) -> list[tuple[str, int]]:
    """(key, data row) of the recipients."""
    out = batch.exclusions
    return [(key, batch.first + index) for index, key in enumerate(batch.keys) if key is not None and index not in out]


def _compare(batch: RowBatch, seen: KeyIndex, duplicates: Duplicates) -> None:
    """Excludes duplicates, or with `all` gives each of them a key of its own."""
    for key, row in _sightings(batch):
        index = row - batch.first
        if duplicates is Duplicates.ALL:
            batch.keys[index] = numbered(key, seen.add(key, row))
        elif (duplicates is Duplicates.REJECT or seen.add(key, row)) and (other := seen.other_row(key, row)):
            same = "same number" if key == batch.destinations[index] else f'same key "{key}"'
            batch.exclusions[index] = Exclusion(ExclusionReason.DUPLICATE, f"{same} as row {other}")


def numbered(key: str, before: int) -> str:
    """The key of the row that follows `before` rows with the same one: C-17, C-17#2, C-17#3.

    A key that itself ends in such a suffix gets one from the start (C-17#2 becomes C-17#2#1). So no two rows ever
    share a key, whatever the keys look like, and a row's key depends only on the rows before it: rows appended to the
    file between two starts of a run change nobody's key, and nobody is texted twice.
    """
    _, mark, suffix = key.rpartition("#")
    if before == 0 and not (mark and suffix.isdecimal()):
        return key
    return f"{key}#{before + 1}"
