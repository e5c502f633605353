"""Suppression lists: people who must not be texted, whatever the recipient file says.

A list that is missing, empty, unreadable or has invalid entries stops the plan, because a text sent by mistake can't be
taken back. The meaning of a column is not guessed either: customer numbers of eight digits look like phone numbers in
Singapore, and everybody on the list would get a text.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from runner.audience.key_index import KeyIndex
from runner.audience.spec import SuppressionList
from runner.base.errors import InputError, Position, Problem
from runner.base.text import folded, joined, quoted, quoted_names
from runner.files import reader
from runner.files.columns import PHONE_NAMES, bare, find_column
from runner.files.formats import Format, identify, unchanged
from runner.files.source import Cells, Source, UnreadableRow
from runner.numbers.digits import why_no_key
from runner.numbers.phone import Number, normalise

_EXAMPLES = 2
_MOST_KINDS = 5
_IN_DOUBT = "nothing is sent until every suppression list is valid"
# A first line such as "+65 9123 4567" is a number; "Phone" or "opted_out_2026" is a header.
_LIKE_A_NUMBER = re.compile(r"['\"]?[+(]*[0-9][0-9 ().-]*['\"]?")
# "8123 4567 Ann" and 6.59E+09 are entries too; "opted out since 2019" is a header.
_MOST_DIGITS_OF_A_NAME = 4


class Suppression:
    """The numbers and keys of all lists, read by `read_list`.

    Raises InputError with the problems of all lists. Adds a sentence with the size of the lists to `remarks`.
    """

    def __init__(
        self,
        lists: Iterable[SuppressionList],
        *,
        country: str | None = None,
        key: str | None = None,
        country_column: str | None = None,
        remarks: list[str] | None = None,
    ) -> None:
        # The row of each entry is the 1-based index of its list in `_names`.
        self._numbers, self._keys = KeyIndex(), KeyIndex()
        self._names: list[str] = []
        self._entries = 0
        problems: list[Problem] = []
        counts: list[str] = []
        for listed in lists:
            before = len(self)
            self._names.append(listed.path.name)
            try:
                for entry in read_list(listed, country=country, key=key, country_column=country_column):
                    for index, value in zip((self._numbers, self._keys), entry, strict=True):
                        if value is not None:
                            index.add(value, len(self._names))
                            self._entries += 1
            except InputError as error:
                problems += error.problems
            counts.append(f"{listed.path.name} {len(self) - before:,}")
        if problems:
            raise InputError(problems)
        if counts and remarks is not None:
            remarks.append(f"entries of suppression lists: {', '.join(counts)}")

    def __len__(self) -> int:
        """The number of entries (numbers and keys), including duplicates."""
        return self._entries

    def find_number(self, destination: str) -> str | None:
        """The name of the first list with the E.164 number, or None."""
        place = self._numbers.first_row(destination)
        return self._names[place - 1] if place else None

    def find_key(self, key: str) -> str | None:
        """The name of the first list with exactly this key, or None."""
        place = self._keys.first_row(key)
        return self._names[place - 1] if place else None


def read_list(
    listed: SuppressionList, *, country: str | None = None, key: str | None = None, country_column: str | None = None
) -> Generator[tuple[str | None, str | None], None, None]:
    """The (E.164 number, key) of each row of a list; a row may have either or both.

    `country` is the country of numbers without a plus, as in the campaign; a list's column `country_column` overrides
    it for each row. `key` is the campaign's key column: a list with a column of that name (in any case), or with a
    column named as `listed.key`, suppresses by key too.

    Raises InputError for an unreadable list, and at its end for all its invalid rows.
    """
    path, source = listed.path, Source(listed.path, encoding_key=None)
    with unchanged(path):
        header = reader.read_header(source)
        columns = _find_columns(listed, header, key, country, country_column)
        sheets = reader.filled_sheets(source)
        if len(sheets) > 1:
            # Only the first sheet is read, and people on another sheet may have opted out.
            what = f"{path} has more than one sheet with data: {quoted_names(sheets)}"
            raise InputError.of(what, f"save each sheet as a separate file; {_IN_DOUBT}")
        file_format = identify(path)
        junk, entries = _Junk(path, file_format.is_text), 0
        places = (columns.phone, columns.key, columns.country)
        used = frozenset(header[place] for place in places if place is not None)
        with closing(reader.read_numbered(replace(source, used=used))) as rows:
            names = (0, tuple(header))
            first = names if file_format is Format.PARQUET else next(rows, names)
            for place, cells in rows if columns.has_header else chain([first], rows):
                entries += 1
                if isinstance(cells, UnreadableRow):
                    junk.add(place, cells.words, _IN_DOUBT, "unreadable")
                elif isinstance(entry := _read_entry(cells, columns, country), str):
                    junk.add(place, entry, f"correct or remove the entry; {_IN_DOUBT}", _kind(entry, cells))
                else:
                    yield entry
        if junk.shown:
            raise InputError(junk.problems(entries))
        if not entries and not columns.is_named:
            what = f"{path} has only {quoted(header[0])}, which is neither a phone number nor a known column name"
            raise InputError.of(what, f'if the list is empty on purpose, write one line with "phone"; {_IN_DOUBT}')


@dataclass(frozen=True, slots=True)
class _Columns:
    """The column indexes of a list. A list without a header starts with an entry.

    `is_named`: the header has a known column name; otherwise it is any text above a single column.
    """

    phone: int | None = None
    key: int | None = None
    country: int | None = None
    has_header: bool = True
    is_named: bool = True


def _read_entry(cells: Cells, columns: _Columns, country: str | None) -> tuple[str | None, str | None] | str:
    """A row's number and key, or why the row is invalid."""
    written, key, own_country = (
        cells[place] if place is not None else "" for place in (columns.phone, columns.key, columns.country)
    )
    if key and (why := why_no_key(key)):
        return why
    if written:
        number = normalise(written, own_country or country)
        return (number.destination, key or None) if isinstance(number, Number) else number.detail
    if key or not any(cells):
        return None, key or None
    if columns.key is None:
        return "the number is missing"
    return "the key is missing" if columns.phone is None else "number and key are missing"


@dataclass(slots=True)
class _Junk:
    """The invalid entries of a list: the count of each kind, and some examples to show."""

    path: Path
    is_text: bool
    kinds: Counter[str] = field(default_factory=Counter)
    shown: list[Problem] = field(default_factory=list)

    def add(self, place: int, what: str, remedy: str, kind: str) -> None:
        if kind not in self.kinds and len(self.kinds) >= _MOST_KINDS:
            kind = "other problems"
        self.kinds[kind] += 1
        if self.kinds[kind] > _EXAMPLES:
            return
        if self.is_text:
            self.shown.append(Problem(what, remedy, where=Position(str(self.path), place, 1)))
        else:
            row = f"row {place}" if place else "the column name"
            self.shown.append(Problem(f"{self.path}: {row}: {what}", remedy))

    def problems(self, entries: int) -> Iterator[Problem]:
        yield from self.shown
        if (count := self.kinds.total()) > len(self.shown):
            kinds = ", ".join(f"{times:,} × {kind}" for kind, times in self.kinds.most_common())
            most = count > entries // 2
            remedy = "check the column, and check recipients.country" if most else ""
            yield Problem(f"{self.path}: {count:,} of {entries:,} entries are invalid: {kinds}", remedy)


def _kind(words: str, cells: Sequence[str]) -> str:
    """The error without the quoted cell."""
    for cell in cells:
        words = words.removeprefix(f"{quoted(cell)} ")
    return words.partition(";")[0]


def _find_columns(
    listed: SuppressionList, header: Sequence[str], key: str | None, country: str | None, country_column: str | None
) -> _Columns:
    """The columns of a list with this `header`. Raises InputError with all problems."""
    problems: list[Problem] = []
    file = listed.path.name
    if listed.key is not None and key is None:
        what = f'the list has keys in the column "{listed.key}", but the campaign has no key column'
        problems.append(Problem(what, "set recipients.key to the key column of the recipient file"))
    if len(header) == 1 and listed.phone is None and listed.key is None:
        columns = _lone_column(file, header[0], key, country, problems)
    else:
        phone = _place(file, header, listed.phone, "phone", PHONE_NAMES, problems)
        keys = _place(file, header, listed.key, "key", [key] if key else [], problems)
        countries = next((i for i, name in enumerate(header) if folded(name) == folded(country_column or "")), None)
        columns = _Columns(phone, None if keys == phone else keys, countries)
    if columns.phone is None and columns.key is None and not problems:
        remedy = f"the first row is {quoted_names(header)}; add a row with the column names above it"
        if not any(map(_LIKE_A_NUMBER.fullmatch, header)):
            example = f"{{file: {file}, phone: COLUMN}}"
            remedy = f"rename a column, or use {example} in recipients.suppress; the columns are {quoted_names(header)}"
        keys_too = f", or {key} for keys" if key else ""
        problems.append(Problem(f"no column is named {joined(PHONE_NAMES, 'or')}{keys_too}", remedy))
    if problems:
        raise InputError(replace(problem, what=f"{listed.path}: {problem.what}") for problem in problems)
    return columns


def _lone_column(file: str, name: str, key: str | None, country: str | None, problems: list[Problem]) -> _Columns:
    """A single column has numbers, whatever its name, unless it may have keys."""
    if _LIKE_A_NUMBER.fullmatch(name) or isinstance(normalise(name, country), Number):
        return _Columns(phone=0, has_header=False)
    if folded(name) in PHONE_NAMES:
        return _Columns(phone=0)
    if key is None:
        digits = sum(map(str.isdecimal, name))
        return _Columns(phone=0, has_header=digits <= _MOST_DIGITS_OF_A_NAME, is_named=False)
    if folded(name) != folded(key):
        remedy = f'rename it to phone or {key}, or write {{file: {file}, phone: "{name}"}}'
        problems.append(Problem(f'the only column, "{name}", may have phone numbers or values of {key}', remedy))
    return _Columns(key=0)


def _place(
    file: str, header: Sequence[str], wanted: str | None, option: str, names: Sequence[str], problems: list[Problem]
) -> int | None:
    """The column `wanted`, or else the only column with one of the `names`, in any case."""
    if wanted is not None:
        found = find_column(header, wanted)
        if isinstance(found, str):
            return header.index(found)
        problems.append(found)
        return None
    wanted_names = {folded(name) for name in names}
    places = [place for place, name in enumerate(header) if folded(bare(name)) in wanted_names]
    if len(places) > 1:
        first, shown = header[places[0]], quoted_names([header[place] for place in places])
        what = f"several columns could have the {'phone numbers' if option == 'phone' else 'keys'}: {shown}"
        problems.append(Problem(what, f'choose one: {{file: {file}, {option}: "{first}"}}'))
    return places[0] if len(places) == 1 else None
