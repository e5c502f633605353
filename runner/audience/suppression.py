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
from runner.base.wording import counted
from runner.files import reader
from runner.files.columns import PHONE_NAMES, bare, find_column, no_header_remedy, phone_columns
from runner.files.formats import Format, identify, unchanged
from runner.files.source import Cells, Source, UnreadableRow
from runner.numbers.digits import folded_key, why_no_key
from runner.numbers.phone import Number, normalise

_EXAMPLES = 2
_MOST_KINDS = 5
_IN_DOUBT = "nothing is sent until every suppression list is valid"
# A first line such as "+65 9123 4567" is a number; "Phone" or "opted_out_2026" is a header.
_LIKE_A_NUMBER = re.compile(r"['\"]?[+(]*[0-9][0-9 ().-]*['\"]?")
# "8123 4567 Ann" and 6.59E+09 are entries too; "opted out since 2019" is a header.
_MOST_DIGITS_OF_A_NAME = 4
# In some countries, a date has the digits of a phone number: 2026-12-01, 31.12.2026.
_DATE = re.compile(r"(?:19|20)\d\d[-./]?[01]?\d[-./]?[0-3]?\d|[0-3]?\d[-./][0-3]?\d[-./](?:19|20)?\d\d")
# The filled cells of a column that are tried as phone numbers.
_MOST_LOOKED_AT = 100


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
        self._numbers, self._keys = KeyIndex(), KeyIndex(folded_key)
        self._names: list[str] = []
        self._entries: list[int] = []
        # The lists that share an entry with an earlier list.
        self._overlapping: set[int] = set()
        self._unused: list[str] = []
        self.forget()
        problems: list[Problem] = []
        for number, listed in enumerate(lists, 1):
            self._names.append(listed.path.name)
            self._entries.append(0)
            try:
                options = {"country": country, "key": key, "country_column": country_column}
                for entry in read_list(listed, **options, warnings=self._unused):
                    for index, value in zip((self._numbers, self._keys), entry, strict=True):
                        if value is not None:
                            self._entries[-1] += 1
                            if index.add(value, number) and index.first_row(value) != number:
                                self._overlapping.add(number)
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
        if self._names and remarks is not None:
            counts = (f"{name} {count:,}" for name, count in zip(self._names, self._entries, strict=True))
            remarks.append(f"entries of suppression lists: {', '.join(counts)}")

    def forget(self) -> None:
        """Forget who was found, because the recipients are read again."""
        # The lists that somebody is on; by list, the rows with a key in another spelling.
        self._met: set[int] = set()
        self._respelled: Counter[int] = Counter()

    def __len__(self) -> int:
        """The number of entries (numbers and keys), including duplicates."""
        return sum(self._entries)

    def find_number(self, destination: str) -> str | None:
        """The name of the first list with the E.164 number, or None."""
        number = self._numbers.first_row(destination)
        if number is None:
            return None
        self._met.add(number)
        return self._names[number - 1]

    def find_key(self, key: str) -> str | None:
        """The name of the first list with this key, or None. If the list has another spelling, words say so."""
        number = self._keys.similar_row(key)
        if number is None:
            return None
        self._met.add(number)
        if self._keys.first_row(key):
            return self._names[number - 1]
        self._respelled[number] += 1
        return f"{self._names[number - 1]}, in another spelling"

    def remarks(self) -> list[str]:
        """Which lists have keys in another spelling than the recipients found so far."""
        return [
            f"{self._names[number - 1]}: {counted(count, 'row')} excluded by a key in another spelling (letter case, "
            "spaces, quotes, leading zeros or .0)"
            for number, count in sorted(self._respelled.items())
        ]

    def warnings(self, file: str) -> list[str]:
        """What may be wrong with the lists, after all recipients in `file` were looked up.

        A column of numbers may be unused. A list may have nobody on it, unless it shares an entry with another list,
        and so is written in the right way.
        """
        lonely = [
            f"no recipient in {file} is on the suppression list {name} ({counted(entries, 'entry', 'entries')}); check "
            "that it is the right list, and that its keys or numbers are written like those of the recipients"
            for number, (name, entries) in enumerate(zip(self._names, self._entries, strict=True), 1)
            if entries and number not in self._met | self._overlapping
        ]
        return [*self._unused, *lonely]


def read_list(
    listed: SuppressionList,
    *,
    country: str | None = None,
    key: str | None = None,
    country_column: str | None = None,
    warnings: list[str] | None = None,
) -> Generator["_Entry", None, None]:
    """The (E.164 number, key) of each row of a list; a row may have either or both.

    `country` is the country of numbers without a plus, as in the campaign; a list's column `country_column` overrides
    it for each row. `key` is the campaign's key column: a list with a column of that name (in any case), or with a
    column named as `listed.key`, suppresses by key too. A row with several numbers is several entries. Adds a sentence
    to `warnings` if only the keys of a list are used, and another column has numbers.

    Raises InputError for an unreadable list, and at its end for all its invalid rows, and if another column than the
    one found by its name may have the numbers.
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
        places = (*columns.phones, columns.key, columns.country)
        used = frozenset(header[place] for place in places if place is not None)
        unknown = _UnknownColumns(columns.unknown)
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
                    unknown.look(cells, entry, country)
                    yield from entry
        rivals = unknown.with_numbers()
        if rivals and columns.phones:
            names_of_all = [header[place] for place in sorted([*columns.phones, *rivals])]
            problem = _several(path, names_of_all, "phone")
            raise InputError([replace(problem, what=f"{path}: {problem.what}")])
        if junk.shown:
            raise InputError(junk.problems(entries))
        if rivals and warnings is not None:
            column = header[rivals[0]]
            what = f'{path.name}: the column "{column}" seems to have phone numbers, but only the keys are used'
            remedy = f'to suppress these numbers too, write {{file: {path.name}, phone: "{column}"}}'
            warnings.append(f"{what}; {remedy}")
        if not entries and not columns.is_named:
            what = f"{path} has only {quoted(header[0])}, which is neither a phone number nor a known column name"
            raise InputError.of(what, f'if the list is empty on purpose, write one line with "phone"; {_IN_DOUBT}')


# An entry's number and key.
_Entry = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class _Columns:
    """The column indexes of a list. A list without a header starts with an entry.

    `is_named`: the header has a known column name; otherwise it is any text above a single column. `unknown` are the
    columns without a known meaning, if the others were found by their names.
    """

    phones: tuple[int, ...] = ()
    key: int | None = None
    country: int | None = None
    has_header: bool = True
    is_named: bool = True
    unknown: tuple[int, ...] = ()


def _read_entry(cells: Cells, columns: _Columns, country: str | None) -> list[_Entry] | str:
    """A row's entries, or why the row is invalid."""
    key, own_country = (cells[place] if place is not None else "" for place in (columns.key, columns.country))
    if key and (why := why_no_key(key)):
        return why
    numbers = []
    for place in columns.phones:
        if cells[place]:
            number = normalise(cells[place], own_country or country)
            if not isinstance(number, Number):
                return number.detail
            numbers.append(number.destination)
    if numbers:
        return [(numbers[0], key or None), *((number, None) for number in numbers[1:])]
    if key or not any(cells):
        return [(None, key or None)]
    if columns.key is None:
        return "the number is missing"
    return "number and key are missing" if columns.phones else "the key is missing"


class _UnknownColumns:
    """Looks for phone numbers in columns without a known meaning: they may be those of the people who opted out."""

    def __init__(self, places: Sequence[int]) -> None:
        self._looked_at = dict.fromkeys(places, 0)
        self._numbers = dict.fromkeys(places, 0)

    def look(self, cells: Cells, entry: Sequence[_Entry], country: str | None) -> None:
        for place, count in self._looked_at.items():
            cell = cells[place]
            if not cell or count >= _MOST_LOOKED_AT:
                continue
            self._looked_at[place] = count + 1
            if not _DATE.fullmatch(cell) and isinstance(found := normalise(cell, country), Number):
                self._numbers[place] += all(found.destination != number for number, _ in entry)

    def with_numbers(self) -> list[int]:
        """The columns of which at least half of the filled cells are other numbers than the row's."""
        return [place for place, count in self._numbers.items() if count and 2 * count >= self._looked_at[place]]


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
        wanted = (listed.phone,) if isinstance(listed.phone, str) else listed.phone or (None,)
        found = [_place(listed.path, header, column, "phone", phone_columns(header), problems) for column in wanted]
        phones = tuple(place for place in found if place is not None)
        names = [name for name in header if key and folded(bare(name)) == folded(key)]
        keys = _place(listed.path, header, listed.key, "key", names, problems)
        keys = None if keys in phones else keys
        countries = next((i for i, name in enumerate(header) if folded(name) == folded(country_column or "")), None)
        known = {*phones, keys, countries}
        is_guessed = listed.phone is None and (phones or listed.key is None)
        unknown = [place for place in range(len(header)) if place not in known] if is_guessed else []
        columns = _Columns(phones, keys, countries, unknown=tuple(unknown))
    if not columns.phones and columns.key is None and not problems:
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
        return _Columns(phones=(0,), has_header=False)
    if folded(name) in PHONE_NAMES:
        return _Columns(phones=(0,))
    if key is None:
        digits = sum(map(str.isdecimal, name))
        return _Columns(phones=(0,), has_header=digits <= _MOST_DIGITS_OF_A_NAME, is_named=False)
    if folded(name) != folded(key):
        rename = f'rename it to phone or {key}, or write {{file: {file}, phone: "{name}"}}'
        remedy = no_header_remedy([name]) or rename
        problems.append(Problem(f'the only column, "{name}", may have phone numbers or values of {key}', remedy))
    return _Columns(key=0)


def _place(
    path: Path, header: Sequence[str], wanted: str | None, option: str, found: Sequence[str], problems: list[Problem]
) -> int | None:
    """The column `wanted`, or else the only one that was `found`."""
    if wanted is not None:
        column = find_column(header, wanted)
        if isinstance(column, str):
            return header.index(column)
        problems.append(column)
        return None
    if len(found) > 1:
        problems.append(_several(path, found, option))
    return header.index(found[0]) if len(found) == 1 else None


def _several(path: Path, columns: Sequence[str], option: str) -> Problem:
    what = f"several columns could have the {'phone numbers' if option == 'phone' else 'keys'}: {quoted_names(columns)}"
    example = f'{{file: {path.name}, {option}: "{columns[0]}"}}'
    return Problem(what, f"choose one: {example}, or keep only one of them in the file")
