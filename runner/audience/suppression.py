"""Suppression lists: the people who must not be texted, whatever the recipient file says.

A list that is missing, empty, unreadable or partly junk stops the plan. Sending because a list failed to load is the
one mistake that cannot be made good. So nothing is guessed about what a column holds either: customer numbers of eight
digits would pass for phone numbers in Singapore, and everybody on the list would be sent to.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner.audience.key_index import KeyIndex
from runner.audience.spec import SuppressionList
from runner.base.errors import InputError, Position, Problem
from runner.base.text import quoted, quoted_names
from runner.files import reader
from runner.files.columns import PHONE_NAMES, bare, find_column
from runner.files.formats import Format, identify, unchanged
from runner.files.source import Numbered, Source, UnreadableRow
from runner.numbers.digits import why_no_key
from runner.numbers.phone import Number, is_country, normalise, not_a_country

_EXAMPLES = 2
_MOST_KINDS = 5
_IN_DOUBT = "nothing is sent while a suppression list is in doubt"
# A first line such as "+65 9123 4567" is a number already; "Phone" or "opted_out_2026" is a header.
_LIKE_A_NUMBER = re.compile(r"['\"]?[+(]*[0-9][0-9 ().-]*['\"]?")
# "8123 4567 Ann" and 6.59E+09 are people too; "opted out since 2019" is nobody.
_MOST_DIGITS_OF_A_NAME = 4
_NAMES = f"{', '.join(PHONE_NAMES[:-1])} or {PHONE_NAMES[-1]}"


@dataclass(frozen=True, slots=True)
class SuppressionColumns:
    """The places of what a list's rows hold. A list without a header begins with an entry.

    `is_named`: the header says what they hold; else it is any words above a lone column.
    """

    phone: int | None = None
    key: int | None = None
    country: int | None = None
    has_header: bool = True
    is_named: bool = True


class Suppression:
    """The numbers and keys of all lists.

    `country` is where numbers without a plus are at home, as in the campaign; a list's own column `country_column`
    says it for each row. `key` is the column that tells recipients apart: a list with a column of that name (in any
    case), or with the one that it names itself, suppresses by key too. A row may hold a number, a key or both.

    Raises InputError for every list that cannot be read and for entries that are no numbers, all at once. `remarks`
    collects a sentence on how much the lists hold, for people.
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
        self._country = country
        self._key = key
        self._country_column = country_column
        # Each entry's row is the place of its list in `_names`, from 1.
        self._numbers, self._keys = KeyIndex(), KeyIndex()
        self._names: list[str] = []
        self._entries = 0
        problems: list[Problem] = []
        held: list[str] = []
        for one in lists:
            before = len(self)
            try:
                with unchanged(one.path):
                    self._load(one)
            except InputError as error:
                problems += error.problems
            held.append(f"{len(self) - before:,} of {one.path.name}")
        if problems:
            raise InputError(problems)
        if held and remarks is not None:
            remarks.append(f"numbers and keys on suppression lists: {', '.join(held)}")

    def __len__(self) -> int:
        """Entries, numbers and keys, counting each as often as it is listed."""
        return self._entries

    def find_number(self, destination: str) -> str | None:
        """The name of the first list that holds the E.164 number, or None."""
        return self._name(self._numbers.first_row(destination))

    def find_key(self, key: str) -> str | None:
        """The name of the first list that holds exactly this key, or None."""
        return self._name(self._keys.first_row(key))

    def _name(self, row: int | None) -> str | None:
        return None if row is None else self._names[row - 1]

    def _load(self, one: SuppressionList) -> None:
        source = Source(one.path, encoding_key=None)
        header = reader.read_header(source)
        columns = find_columns(one, header, key=self._key, country=self._country, country_column=self._country_column)
        sheets = reader.filled_sheets(source)
        if len(sheets) > 1:
            # Only the first one is read, and there is no telling that nobody on another one has opted out.
            what = f"{one.path} has more than one sheet with something in it: {quoted_names(sheets)}"
            raise InputError.of(what, f"save each list as a file of its own, and empty the others; {_IN_DOUBT}")
        self._names.append(one.path.name)
        file_format = identify(one.path)
        junk = _Junk(one.path, file_format)
        entries = 0
        with closing(_entries(source, file_format, header, columns)) as rows:
            for place, cells in rows:
                entries += 1
                if isinstance(cells, UnreadableRow):
                    junk.add(place, cells.words, _IN_DOUBT, "cannot be read")
                elif trouble := self._take(cells, columns):
                    junk.add(place, trouble, f"correct the entry or remove it; {_IN_DOUBT}", _kind(trouble, cells))
        if junk:
            raise InputError(junk.problems(entries))
        if not entries and not columns.is_named:
            what = f"{one.path} holds nothing but {quoted(header[0])}, which is neither a number nor named like them"
            raise InputError.of(what, f"if nobody is on the list, let it hold one line, phone; {_IN_DOUBT}")

    def _take(self, cells: Sequence[str], columns: SuppressionColumns) -> str | None:
        """Takes a row's number and key. Answers what is wrong with the row, if anything."""
        written = cells[columns.phone] if columns.phone is not None else ""
        key = cells[columns.key] if columns.key is not None else ""
        if key:
            if why := why_no_key(key):
                return why
            self._keys.add(key, len(self._names))
            self._entries += 1
        if written:
            country = self._country
            if columns.country is not None and (own := cells[columns.country]):
                country = own.upper()
                if not is_country(country):
                    return not_a_country(own)
            number = normalise(written, country)
            if not isinstance(number, Number):
                return number.detail
            self._numbers.add(number.destination, len(self._names))
            self._entries += 1
        elif not key and any(cells):
            if columns.key is None:
                return "there is no number"
            return "there is no key" if columns.phone is None else "there is neither a number nor a key"
        return None


def _entries(
    source: Source, file_format: Format, header: list[str], columns: SuppressionColumns
) -> Generator[Numbered, None, None]:
    """Every entry with its line, or its row where there are no lines; a header that is an entry comes first."""
    with closing(reader.read_numbered(source)) as rows:
        if file_format is not Format.PARQUET:
            first = next(rows, None)
            if first is not None and not columns.has_header:
                yield first
        elif not columns.has_header:
            yield 0, tuple(header)
        yield from rows


class _Junk:
    """The entries of a list that are none: some of every kind, and how many there are."""

    def __init__(self, path: Path, file_format: Format) -> None:
        self._path = path
        self._is_text = file_format.is_text
        self._kinds: Counter[str] = Counter()
        self._shown: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._shown)

    def add(self, place: int, what: str, remedy: str, kind: str) -> None:
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = "something else"
        self._kinds[kind] += 1
        if self._kinds[kind] > _EXAMPLES:
            return
        if self._is_text:
            self._shown.append(Problem(what, remedy, where=Position(str(self._path), place, 1)))
        else:
            row = f"row {place}" if place else "the name of its column"
            self._shown.append(Problem(f"{self._path}: {row}: {what}", remedy))

    def problems(self, entries: int) -> Iterator[Problem]:
        yield from self._shown
        if (count := self._kinds.total()) > len(self._shown):
            kinds = ", ".join(f"{times:,} × {kind}" for kind, times in self._kinds.most_common())
            most = count > entries // 2
            remedy = "is it the right column, and recipients.country the country of its numbers?" if most else ""
            yield Problem(f"{self._path}: {count:,} of its {entries:,} entries are in doubt: {kinds}", remedy)


def _kind(words: str, cells: Sequence[str]) -> str:
    """What is wrong, without the cell that it is wrong with."""
    for cell in cells:
        words = words.removeprefix(f"{quoted(cell)} ")
    return words.partition(";")[0]


def find_columns(
    one: SuppressionList, header: Sequence[str], *, key: str | None, country: str | None, country_column: str | None
) -> SuppressionColumns:
    """The columns of a list with that `header`. `key`, `country` and `country_column` are the campaign's.

    Raises InputError with everything that is in doubt.
    """
    return _Finder(one, header, key).columns(country, country_column)


class _Finder:
    """Finds what the columns of a list hold, or says what is in doubt."""

    def __init__(self, one: SuppressionList, header: Sequence[str], key: str | None) -> None:
        self._list = one
        self._header = header
        self._key = key
        self._problems: list[Problem] = []

    def columns(self, country: str | None, country_column: str | None) -> SuppressionColumns:
        one, header = self._list, self._header
        if one.key is not None and self._key is None:
            what = f'the column "{one.key}" is to hold keys, but the campaign has none'
            self._problem(what, "name the recipients' column that tells persons apart with recipients.key")
        if len(header) == 1 and one.phone is None and one.key is None:
            found = self._lone(country)
        else:
            phone = self._place(one.phone, PHONE_NAMES, "numbers", "phone")
            key = self._place(one.key, [self._key] if self._key else [], "keys", "key")
            countries = header.index(country_column) if country_column in header else None
            found = SuppressionColumns(phone, None if key == phone else key, countries)
        if found.phone is None and found.key is None and not self._problems:
            names = f"{_NAMES}, or {self._key} for keys" if self._key else _NAMES
            naming = f"{{file: {one.path.name}, phone: COLUMN}}"
            remedy = f"rename one, or name it in recipients.suppress: {naming}; the list has {quoted_names(header)}"
            if any(_LIKE_A_NUMBER.fullmatch(name) for name in header):
                remedy = f"its first row is {quoted_names(header)}; put one above it that names the columns"
            self._problem(f"no column is named {names}", remedy)
        if self._problems:
            raise InputError(self._problems)
        return found

    def _lone(self, country: str | None) -> SuppressionColumns:
        """A lone column holds numbers, whatever it is called, unless it may hold keys as well."""
        name = self._header[0]
        if _LIKE_A_NUMBER.fullmatch(name) or isinstance(normalise(name, country), Number):
            return SuppressionColumns(phone=0, has_header=False)
        if name.casefold() in PHONE_NAMES:
            return SuppressionColumns(phone=0)
        if self._key is None:
            digits = sum(map(str.isdecimal, name))
            return SuppressionColumns(phone=0, has_header=digits <= _MOST_DIGITS_OF_A_NAME, is_named=False)
        if name.casefold() == self._key.casefold():
            return SuppressionColumns(key=0)
        self._problem(
            f'its only column, "{name}", may hold numbers or {self._key}',
            f'name it phone or {self._key}, or say which: {{file: {self._list.path.name}, phone: "{name}"}}',
        )
        return SuppressionColumns()

    def _place(self, wanted: str | None, names: Sequence[str], what: str, option: str) -> int | None:
        """The column that is `wanted`, or else the only one with one of the `names`, in any case."""
        if wanted is not None:
            found = find_column(self._header, wanted)
            if isinstance(found, str):
                return self._header.index(found)
            self._problem(found.what, found.remedy)
            return None
        folded = [name.casefold() for name in names]
        places = [place for place, name in enumerate(self._header) if bare(name).casefold() in folded]
        if len(places) > 1:
            several = quoted_names([self._header[place] for place in places])
            self._problem(
                f"several columns could hold the {what}: {several}",
                f'say which one: {{file: {self._list.path.name}, {option}: "{self._header[places[0]]}"}}',
            )
        return places[0] if len(places) == 1 else None

    def _problem(self, what: str, remedy: str) -> None:
        self._problems.append(Problem(f"{self._list.path}: {what}", remedy))
