"""Which columns of a suppression list hold its numbers and keys. Pure: header in, places out.

What is in doubt is never guessed; see `suppression.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runner.audience.columns import PHONE_NAMES, find_column, quoted_names
from runner.audience.header import bare
from runner.audience.phone import Number, normalise
from runner.audience.spec import SuppressionList
from runner.errors import InputError, Problem

# A first line such as "+65 9123 4567" is a number already; "Phone" or "opted_out_2026" is a header.
_LIKE_A_NUMBER = re.compile(r"['\"]?[+(]*[0-9][0-9 ().-]*['\"]?")
# "8123 4567 Ann" and 6.59E+09 are people too; "opted out since 2019" is nobody.
_MOST_DIGITS_OF_A_NAME = 4
_NAMES = f"{', '.join(PHONE_NAMES[:-1])} or {PHONE_NAMES[-1]}"


@dataclass(frozen=True, slots=True)
class ListColumns:
    """The places of what a list's rows hold. A list without a header begins with an entry.

    `is_named`: the header says what they hold; else it is any words above a lone column.
    """

    phone: int | None = None
    key: int | None = None
    country: int | None = None
    has_header: bool = True
    is_named: bool = True


def find_columns(
    one: SuppressionList, header: Sequence[str], *, key: str | None, country: str | None, country_column: str | None
) -> ListColumns:
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

    def columns(self, country: str | None, country_column: str | None) -> ListColumns:
        one, header = self._list, self._header
        if one.key is not None and self._key is None:
            what = f'the column "{one.key}" is to hold keys, but the campaign has none'
            self._problem(what, "name the recipients' column that tells persons apart with recipients.key")
        if len(header) == 1 and one.phone is None and one.key is None:
            found = self._lone(country)
        else:
            phone = self._place(one.phone, PHONE_NAMES, "numbers", "phone")
            key = self._place(one.key, [self._key] if self._key else [], "keys", "key")
            found = ListColumns(phone, None if key == phone else key, self._named(country_column))
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

    def _lone(self, country: str | None) -> ListColumns:
        """A lone column holds numbers, whatever it is called, unless it may hold keys as well."""
        name = self._header[0]
        if _LIKE_A_NUMBER.fullmatch(name) or isinstance(normalise(name, country), Number):
            return ListColumns(phone=0, has_header=False)
        if name.casefold() in PHONE_NAMES:
            return ListColumns(phone=0)
        if self._key is None:
            digits = sum(map(str.isdecimal, name))
            return ListColumns(phone=0, has_header=digits <= _MOST_DIGITS_OF_A_NAME, is_named=False)
        if name.casefold() == self._key.casefold():
            return ListColumns(key=0)
        self._problem(
            f'its only column, "{name}", may hold numbers or {self._key}',
            f'name it phone or {self._key}, or say which: {{file: {self._list.path.name}, phone: "{name}"}}',
        )
        return ListColumns()

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

    def _named(self, column: str | None) -> int | None:
        return self._header.index(column) if column in self._header else None

    def _problem(self, what: str, remedy: str) -> None:
        self._problems.append(Problem(f"{self._list.path}: {what}", remedy))
