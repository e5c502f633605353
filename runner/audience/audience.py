"""Read the recipient file and judge each row: a recipient, or excluded with a reason.

`campaign check` imports this module, so phonenumbers is loaded only when rows are read.
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
from runner.base.wording import counted
from runner.files import reader
from runner.files.formats import changed, unchanged
from runner.files.sheet_rows import SheetRows
from runner.numbers.digits import folded_key

if TYPE_CHECKING:
    from runner.audience.suppression import Suppression

# A suppressed person is reported as suppressed, even without a usable key or time zone.
_AFTER_SUPPRESSION = (ExclusionReason.MISSING_FIELD, ExclusionReason.UNKNOWN_ZONE)


def read_audience(
    spec: AudienceSpec,
    work: Work,
    *,
    batch_size: int = reader.BATCH_SIZE,
    remarks: list[str] | None = None,
    warnings: list[str] | None = None,
    sheet_rows: SheetRows | None = None,
) -> Generator[RowBatch, None, None]:
    """Every row of the file, in order, in batches. Close the iterator to close the files. Adds sentences on how the
    files are read to `remarks`, and on what may be wrong with them to `warnings`, when all rows have been read; and the
    rows' numbers in the sheet to `sheet_rows`.

    A row is excluded for the first reason that applies: a reason from `work` (see `judge.Judge`), suppression, or a
    duplicate of another row without a reason. But suppression comes before an empty key and an unknown time zone.
    Memory grows by 6 bytes per recipient and per entry of a suppression list. Raises InputError if a file can't be
    read, has no rows, or changes before its last row is read.
    """
    from runner.audience.suppression import Suppression

    lists = Suppression(
        spec.suppress, country=spec.country, key=spec.key, country_column=spec.country_column, remarks=remarks
    )
    seen, sheet_rows = KeyIndex(folded_key if spec.key else None), sheet_rows or SheetRows()
    with _placed(spec.places), unchanged(spec.source.path):
        if tuple(reader.read_header(spec.source)) != spec.header:
            raise changed(spec.source.path)
        if spec.duplicates is Duplicates.REJECT:
            # Only the last row shows whether the first one is a duplicate, so read the file twice.
            with closing(_read(spec, batch_size, None, SheetRows())) as batches:
                for batch in work(batches, False):
                    _suppress(batch, lists, spec)
                    for key, row in _sightings(batch):
                        seen.add(key, row)
            lists.forget()
        with closing(_read(spec, batch_size, remarks, sheet_rows)) as batches:
            for batch in work(batches, True):
                _suppress(batch, lists, spec)
                _compare(batch, seen, spec.duplicates, sheet_rows)
                yield batch
    if remarks is not None:
        remarks += lists.remarks()
    if warnings is not None:
        warnings += [*lists.warnings(spec.source.path.name), *_respelled(seen, sheet_rows)]


def _respelled(seen: KeyIndex, sheet_rows: SheetRows) -> list[str]:
    """A warning about keys that are one key for people."""
    if not seen.respelled:
        return []
    rows = ", ".join(f"row {sheet_rows.of(row)} like row {sheet_rows.of(other)}" for row, other in seen.respelled_rows)
    words = "row has the key of an earlier row", "rows have the key of an earlier row"
    more = ", …" if seen.respelled > len(seen.respelled_rows) else ""
    return [
        f"{counted(seen.respelled, *words)} in another spelling, such as another letter case ({rows}{more}); each "
        "is a separate recipient: if it is the same person, write the key in the same way"
    ]


@contextmanager
def _placed(places: Mapping[str, Position]) -> Generator[None, None, None]:
    """Add positions to problems about keys of the campaign file that describe the source."""
    try:
        yield
    except InputError as error:
        placed = [replace(problem, where=problem.where or places.get(problem.path)) for problem in error.problems]
        raise InputError(placed) from error


def _read(
    spec: AudienceSpec, batch_size: int, remarks: list[str] | None, sheet_rows: SheetRows
) -> Generator[RowBatch, None, None]:
    number = 0
    read = reader.read_rows(spec.source, batch_size=batch_size, remarks=remarks, sheet_rows=sheet_rows)
    with closing(read) as batches:
        for batch in batches:
            yield RowBatch(number + 1, batch.rows, batch.matches)
            number += len(batch.rows)
    if not number:
        raise InputError.of(f"{spec.source.path} has a header but no rows", "check how the file was created")


def _suppress(batch: RowBatch, lists: "Suppression", spec: AudienceSpec) -> None:
    """Exclude rows of which a number or the key is listed, even if they have no key or time zone."""
    if not len(lists):
        return
    for index, destination in enumerate(batch.destinations):
        known = batch.exclusions.get(index)
        if destination is None or (known is not None and known.reason not in _AFTER_SUPPRESSION):
            continue
        for column, number in batch.numbers.get(index, ((spec.phone, destination),)):
            if listed := lists.find_number(number):
                words = f"{column}: {number} is on the suppression list {listed}"
                batch.exclusions[index] = Exclusion(ExclusionReason.SUPPRESSED, words)
                break
        else:
            if spec.key and (key := batch.keys[index]) and (listed := lists.find_key(key)):
                words = f"{spec.key}: {quoted(key)} is on the suppression list {listed}"
                batch.exclusions[index] = Exclusion(ExclusionReason.SUPPRESSED, words)


def _sightings(batch: RowBatch) -> list[tuple[str, int]]:
    """(key, data row) of the recipients."""
    out = batch.exclusions
    return [(key, batch.first + index) for index, key in enumerate(batch.keys) if key is not None and index not in out]


def _compare(batch: RowBatch, seen: KeyIndex, duplicates: Duplicates, sheet_rows: SheetRows) -> None:
    """Exclude duplicates, or with `all` give each row a separate key."""
    for key, row in _sightings(batch):
        index = row - batch.first
        if duplicates is Duplicates.ALL:
            batch.keys[index] = numbered(key, seen.add(key, row))
        elif (duplicates is Duplicates.REJECT or seen.add(key, row)) and (other := seen.other_row(key, row)):
            same = "same number" if key == batch.destinations[index] else f'same key "{key}"'
            batch.exclusions[index] = Exclusion(ExclusionReason.DUPLICATE, f"{same} as row {sheet_rows.of(other)}")


def numbered(key: str, before: int) -> str:
    """The key of a row after `before` rows with the same key: C-17, C-17#2, C-17#3.

    A key that already ends in such a suffix gets one from the start (C-17#2 becomes C-17#2#1). So no two rows share a
    key, and a row's key depends only on the rows before it: rows appended to the file between two starts of a run
    change no key, and nobody is texted twice.
    """
    _, mark, suffix = key.rpartition("#")
    if before == 0 and not (mark and suffix.isdecimal()):
        return key
    return f"{key}#{before + 1}"
