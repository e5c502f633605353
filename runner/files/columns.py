"""Make column names unique, and find a column by its name. Pure.

A `Problem` from here has neither `path` nor `where`; the caller knows the key of the campaign file and its position,
and adds them with `dataclasses.replace`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from runner.base.cells import Kind, Kinds
from runner.base.errors import Problem
from runner.base.text import closest, joined, quoted_names
from runner.base.wording import counted

PHONE_NAMES = ("phone", "mobile", "msisdn", "destination", "to")

_NUMBERED = re.compile(r"(?P<name>.+) \(column (?P<place>[0-9]+)\)'*", re.DOTALL)


class Header(list[str]):
    """Column names. `left_out` are the columns without single values, each with the type of its values.

    `kinds` are the kinds of the cells by column, without those of a spreadsheet. A column of lists is left out, but a
    template can use it.
    """

    def __init__(
        self, names: Iterable[str], left_out: Mapping[str, str] | None = None, kinds: Kinds | None = None
    ) -> None:
        super().__init__(names)
        self.left_out: Mapping[str, str] = left_out or {}
        self.kinds: Kinds = kinds or {}


def is_list(header: Sequence[str], name: str) -> bool:
    """Whether only a template can use the column, because it has lists."""
    return isinstance(header, Header) and header.kinds.get(name) is Kind.LIST


def bare(name: str) -> str:
    """The column's name in the file."""
    numbered = _NUMBERED.fullmatch(name)
    return numbered["name"] if numbered else name


def name_columns(written: Sequence[str]) -> tuple[str, ...]:
    """The names, trimmed and unique.

    A duplicate name becomes `name (column 2)` in each of its columns, and a blank name becomes `column 3`. So a
    template can't use one of two columns with the same name by accident.
    """
    trimmed = [name.strip() for name in written]
    times = Counter(trimmed)
    taken = {name for name, count in times.items() if count == 1}
    names: list[str] = []
    for place, name in enumerate(trimmed, 1):
        unique = name
        if not name or times[name] > 1:
            unique = f"{name} (column {place})" if name else f"column {place}"
            while unique in taken:
                unique += "'"
            taken.add(unique)
        names.append(unique)
    return tuple(names)


def without_blank_end(written: Sequence[str]) -> list[str]:
    """The names without blank names at the end: Excel writes two columns as `phone;name;;;`."""
    names = [name.strip() for name in written]
    while names and not names[-1]:
        names.pop()
    return names


def naming_remarks(file: str, written: Sequence[str], names: Sequence[str]) -> list[str]:
    """Remarks on names that differ from the file."""
    remarks = []
    trimmed = [name.strip() for name in written]
    for name in dict.fromkeys(trimmed):
        places = [place for place, other in enumerate(trimmed) if other == name]
        called = joined([f'"{names[place]}"' for place in places])
        if not name:
            which = f"column {places[0] + 1} has" if len(places) == 1 else f"{len(places)} columns have"
            remarks.append(f"{file}: {which} no name; use {called}")
        elif len(places) > 1:
            remarks.append(f'{file}: {len(places)} columns are named "{name}"; use {called}')
    return remarks


def blank_rows_remark(path: Path, count: int, remarks: list[str]) -> None:
    """Add a remark on the number of blank rows between other rows; blank rows at the end are ignored."""
    if count:
        remarks.append(f"{path.name}: {counted(count, 'blank row')} skipped")


def find_phone_column(header: Sequence[str], wanted: str | None = None) -> str | Problem:
    """The column with the phone numbers: `wanted`, or else the only column with a name in `PHONE_NAMES`."""
    if wanted is not None:
        return find_column(header, wanted)
    found = [column for column in header if bare(column).casefold() in PHONE_NAMES and not is_list(header, column)]
    if len(found) == 1:
        return found[0]
    if found:
        return Problem(
            f"several columns could have the phone numbers: {quoted_names(found)}", "choose one with recipients.phone"
        )
    return Problem(
        f"no column is named {joined(PHONE_NAMES, 'or')}",
        f"name the column with the phone numbers in recipients.phone; the columns are {quoted_names(header)}",
    )


def find_column(header: Sequence[str], wanted: str) -> str | Problem:
    """The column named exactly `wanted`; a name in another case is suggested, never used.

    A duplicate name is not accepted; see `name_columns` for the unique names.
    """
    if wanted in header and not is_list(header, wanted):
        return wanted
    if found := no_single_column(header, wanted):
        return found
    meant = closest(wanted, header)
    hint = f'did you mean "{meant}"? ' if meant else ""
    return Problem(f'there is no column "{wanted}"', f"{hint}the columns are {quoted_names(header)}")


def no_single_column(header: Sequence[str], wanted: str) -> Problem | None:
    """Why a name in the file can't be used: several columns have it, or the column has no single values."""
    if isinstance(header, Header) and wanted in header.left_out:
        what = f'the column "{wanted}" has values of the unsupported type {header.left_out[wanted]}'
        return Problem(what, "use another column, or export it as text")
    same = [name for name in header if (found := _NUMBERED.fullmatch(name)) and found["name"] == wanted]
    if len(same) > 1:
        places = joined([str(header.index(name) + 1) for name in same])
        what = f'there are {len(same)} columns named "{wanted}" (columns {places})'
        return Problem(what, f'rename all but one, or write "{same[0]}"')
    return None
