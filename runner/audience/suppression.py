"""Suppression lists: the people who must not be texted, whatever the recipient file says.

A list that is missing, empty, unreadable or partly junk stops the plan. Sending because a list failed to load is the
one mistake that cannot be made good. So nothing is guessed about what a column holds either: customer numbers of eight
digits would pass for phone numbers in Singapore, and everybody on the list would be sent to.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing

from runner.audience import files
from runner.audience.cells import Numbered, Unreadable
from runner.audience.columns import quoted_names
from runner.audience.key_index import KeyIndex
from runner.audience.list_columns import ListColumns, find_columns
from runner.audience.phone import Number, is_country, normalise, not_a_country
from runner.audience.sniff import Kind, identify
from runner.audience.spec import Source, SuppressionList
from runner.audience.steady import unchanged
from runner.audience.written import quoted, why_no_key
from runner.errors import InputError, Position, Problem

_EXAMPLES = 2
_MOST_KINDS = 5
_IN_DOUBT = "nothing is sent while a suppression list is in doubt"


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
        source = Source(one.path)
        header = files.read_header(source)
        columns = find_columns(one, header, key=self._key, country=self._country, country_column=self._country_column)
        _refuse_more_sheets(source)
        self._names.append(one.path.name)
        junk = _Junk(source)
        entries = 0
        with closing(_entries(source, header, columns)) as rows:
            for place, cells in rows:
                entries += 1
                if isinstance(cells, Unreadable):
                    junk.add(place, cells.words, _IN_DOUBT, "cannot be read")
                elif trouble := self._take(cells, columns):
                    junk.add(place, trouble, f"correct the entry or remove it; {_IN_DOUBT}", _kind(trouble, cells))
        if junk:
            raise InputError(junk.problems(entries))
        if not entries and not columns.is_named:
            what = f"{one.path} holds nothing but {quoted(header[0])}, which is neither a number nor named like them"
            raise InputError.of(what, f"if nobody is on the list, let it hold one line, phone; {_IN_DOUBT}")

    def _take(self, cells: Sequence[str], columns: ListColumns) -> str | None:
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
            return _nothing(columns)
        return None


def _refuse_more_sheets(source: Source) -> None:
    """Only the first sheet is read, and there is no telling that nobody on another one has opted out."""
    names = files.filled_sheets(source)
    if len(names) > 1:
        what = f"{source.path} has more than one sheet with something in it: {quoted_names(names)}"
        raise InputError.of(what, f"save each list as a file of its own, and empty the others; {_IN_DOUBT}")


def _entries(source: Source, header: list[str], columns: ListColumns) -> Generator[Numbered, None, None]:
    """Every entry with its line, or its row where there are no lines; a header that is an entry comes first."""
    with closing(files.read_numbered(source)) as rows:
        if identify(source.path).kind is not Kind.PARQUET:
            first = next(rows, None)
            if first is not None and not columns.has_header:
                yield first
        elif not columns.has_header:
            yield 0, tuple(header)
        yield from rows


def _nothing(columns: ListColumns) -> str:
    if columns.key is None:
        return "there is no number"
    return "there is no key" if columns.phone is None else "there is neither a number nor a key"


class _Junk:
    """The entries of a list that are none: some of every kind, and how many there are."""

    def __init__(self, source: Source) -> None:
        self._path = source.path
        self._is_text = files.is_text(source)
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
