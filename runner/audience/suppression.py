"""Suppression lists: the people who must not be texted, whatever the recipient file says.

A list that is missing, unreadable or partly junk stops the plan. Sending because a list failed to load is the one
mistake that cannot be made good. So nothing is guessed about what a column holds either: customer numbers of eight
digits would pass for phone numbers in Singapore, and everybody on the list would be sent to.
"""

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner.audience import files
from runner.audience.cells import Numbered, Unreadable
from runner.audience.columns import PHONE_NAMES, find_column
from runner.audience.listed import Listed
from runner.audience.phone import Number, is_country, normalise, not_a_country
from runner.audience.sniff import Kind, identify
from runner.audience.spec import Source, SuppressionList
from runner.audience.written import why_no_key
from runner.errors import InputError, Position, Problem

_EXAMPLES = 5
_IN_DOUBT = "nothing is sent while a suppression list is in doubt"
# A first line such as "+65 9123 4567" is a number already; "Phone" or "opted_out_2026" is a header.
_LIKE_A_NUMBER = re.compile(r"['\"]?[+(]*[0-9][0-9 ().-]*['\"]?")
# How a column is called when its name stands in the header more than once.
_REPEATED = re.compile(r" \(column [0-9]+\)'*")
_NAMES = f"{', '.join(PHONE_NAMES[:-1])} or {PHONE_NAMES[-1]}"


@dataclass(frozen=True, slots=True)
class _Columns:
    """The places of what a list's rows hold. A list without a header begins with an entry."""

    phone: int | None = None
    key: int | None = None
    country: int | None = None
    has_header: bool = True


class Suppression:
    """The numbers and keys of all lists.

    `country` is where numbers without a plus are at home, as in the campaign; a list's own column `country_column`
    says it for each row. `key` is the column that tells recipients apart: a list with a column of that name (in any
    case), or with the one that it names itself, suppresses by key too. A row may hold a number, a key or both.

    Raises InputError for every list that cannot be read and for entries that are no numbers, all at once.
    """

    def __init__(
        self,
        lists: Iterable[SuppressionList],
        *,
        country: str | None = None,
        key: str | None = None,
        country_column: str | None = None,
    ) -> None:
        self._country = country
        self._key = key
        self._country_column = country_column
        self._listed = Listed()
        problems: list[Problem] = []
        for one in lists:
            try:
                self._load(one)
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)

    def __len__(self) -> int:
        """Entries, numbers and keys, counting each as often as it is listed."""
        return len(self._listed)

    def find_number(self, destination: str) -> str | None:
        """The name of the list that holds the E.164 number, or None."""
        return self._listed.find_number(destination)

    def find_key(self, key: str) -> str | None:
        """The name of the list that holds exactly this key, or None."""
        return self._listed.find_key(key)

    def find(self, destination: str, key: str | None = None) -> str | None:
        """The name of the list that holds the person's number or key, or None."""
        return self.find_number(destination) or (self.find_key(key) if key is not None else None)

    def _load(self, one: SuppressionList) -> None:
        source = Source(one.path)
        if _is_blank(one.path):
            return
        header = files.read_header(source)
        columns = _Finder(one, header, self._key).columns(self._country, self._country_column)
        name = one.path.name
        junk: list[tuple[int, str, str]] = []
        count = 0
        with closing(_entries(source, header, columns)) as rows:
            for place, cells in rows:
                if isinstance(cells, Unreadable):
                    what, remedy = cells.words, _IN_DOUBT
                elif trouble := self._take(name, cells, columns):
                    what, remedy = trouble, f"correct the entry or remove it; {_IN_DOUBT}"
                else:
                    continue
                count += 1
                if count <= _EXAMPLES:
                    junk.append((place, what, remedy))
        self._listed.seal(name)
        if junk:
            raise InputError(_junk(source, junk, count))

    def _take(self, name: str, cells: Sequence[str], columns: _Columns) -> str | None:
        """Takes a row's number and key. Answers what is wrong with the row, if anything."""
        written = cells[columns.phone] if columns.phone is not None else ""
        key = cells[columns.key] if columns.key is not None else ""
        if key:
            if why := why_no_key(key):
                return why
            self._listed.add_key(name, key)
        if written:
            country = self._country
            if columns.country is not None and (own := cells[columns.country]):
                country = own.upper()
                if not is_country(country):
                    return not_a_country(own)
            number = normalise(written, country)
            if not isinstance(number, Number):
                return number.detail
            self._listed.add_number(name, number.destination)
        elif not key and any(cells):
            return _nothing(columns)
        return None


def _is_blank(path: Path) -> bool:
    """A list without anybody on it is fine, even without a header."""
    return path.is_file() and path.stat().st_size == 0


def _entries(source: Source, header: list[str], columns: _Columns) -> Generator[Numbered, None, None]:
    """Every entry with its line, or its row where there are no lines; a header that is an entry comes first."""
    with closing(files.read_numbered(source)) as rows:
        if identify(source.path).kind is not Kind.PARQUET:
            first = next(rows, None)
            if first is not None and not columns.has_header:
                yield first
        elif not columns.has_header:
            yield 0, tuple(header)
        yield from rows


def _nothing(columns: _Columns) -> str:
    if columns.key is None:
        return "there is no number"
    return "there is no key" if columns.phone is None else "there is neither a number nor a key"


class _Finder:
    """Finds what the columns of a list hold, or says what is in doubt."""

    def __init__(self, one: SuppressionList, header: list[str], key: str | None) -> None:
        self._list = one
        self._header = header
        self._key = key
        self._problems: list[Problem] = []

    def columns(self, country: str | None, country_column: str | None) -> _Columns:
        one, header = self._list, self._header
        if one.key is not None and self._key is None:
            what = f'the column "{one.key}" is to hold keys, but the campaign has none'
            self._problem(what, "name the recipients' column that tells persons apart with recipients.key")
        if len(header) == 1 and one.phone is None and one.key is None:
            found = self._lone(country)
        else:
            phone = self._place(one.phone, PHONE_NAMES, "numbers", "phone")
            key = self._place(one.key, [self._key] if self._key else [], "keys", "key")
            found = _Columns(phone, None if key == phone else key, self._named(country_column))
        if found.phone is None and found.key is None and not self._problems:
            names = f"{_NAMES}, or {self._key} for keys" if self._key else _NAMES
            self._problem(f"no column is named {names}", f"rename one; the list has {_quoted(header)}")
        if self._problems:
            raise InputError(self._problems)
        return found

    def _lone(self, country: str | None) -> _Columns:
        """A lone column holds numbers, whatever it is called, unless it may hold keys as well."""
        name = self._header[0]
        if _LIKE_A_NUMBER.fullmatch(name) or isinstance(normalise(name, country), Number):
            return _Columns(phone=0, has_header=False)
        if self._key is None or name.casefold() in PHONE_NAMES:
            return _Columns(phone=0)
        if name.casefold() == self._key.casefold():
            return _Columns(key=0)
        self._problem(
            f'its only column, "{name}", may hold numbers or {self._key}',
            f'name it phone or {self._key}, or say which: {{file: {self._list.path.name}, phone: "{name}"}}',
        )
        return _Columns()

    def _place(self, wanted: str | None, names: Sequence[str], what: str, option: str) -> int | None:
        """The column that is `wanted`, or else the only one with one of the `names`, in any case."""
        if wanted is not None:
            found = find_column(self._header, wanted)
            if isinstance(found, str):
                return self._header.index(found)
            self._problem(found.what, found.remedy)
            return None
        folded = [name.casefold() for name in names]
        places = [place for place, name in enumerate(self._header) if _REPEATED.sub("", name).casefold() in folded]
        if len(places) > 1:
            several = _quoted([self._header[place] for place in places])
            self._problem(
                f"several columns could hold the {what}: {several}",
                f'say which one: {{file: {self._list.path.name}, {option}: "{self._header[places[0]]}"}}',
            )
        return places[0] if len(places) == 1 else None

    def _named(self, column: str | None) -> int | None:
        return self._header.index(column) if column in self._header else None

    def _problem(self, what: str, remedy: str) -> None:
        self._problems.append(Problem(f"{self._list.path}: {what}", remedy))


def _junk(source: Source, junk: list[tuple[int, str, str]], count: int) -> Iterator[Problem]:
    is_text = files.is_text(source)
    for place, what, remedy in junk:
        if is_text:
            yield Problem(what, remedy, where=Position(str(source.path), place, 1))
        else:
            row = f"row {place}" if place else "the name of its column"
            yield Problem(f"{source.path}: {row}: {what}", remedy)
    if count > len(junk):
        yield Problem(f"{source.path}: {count - len(junk):,} more entries are in doubt")


def _quoted(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
