"""The names of a file's columns, made so that each means one column, and finding a column by its name. Pure.

A `Problem` from here has neither `path` nor `where`; the caller knows the key of the campaign file and its position
and adds them with `dataclasses.replace`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from runner.base.errors import Problem
from runner.base.text import closest, joined, quoted_names
from runner.base.wording import counted

PHONE_NAMES = ("phone", "mobile", "msisdn", "destination", "to")

_NUMBERED = re.compile(r"(?P<name>.+) \(column (?P<place>[0-9]+)\)'*", re.DOTALL)


class Header(list[str]):
    """Column names. `left_out` are the columns that hold no single values, each with what it holds."""

    def __init__(self, names: Iterable[str], left_out: Mapping[str, str] | None = None) -> None:
        super().__init__(names)
        self.left_out: Mapping[str, str] = left_out or {}


def bare(name: str) -> str:
    """The name that the column has in the file."""
    numbered = _NUMBERED.fullmatch(name)
    return numbered["name"] if numbered else name


def name_columns(written: Sequence[str]) -> tuple[str, ...]:
    """The names, trimmed, each of them once.

    A name that several columns have becomes `name (column 2)` at each of its places, and a blank one `column 3`: with
    two columns of one name nobody can tell which of them a template means, so neither is meant by accident.
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
    """The names up to the last one that isn't blank: `phone;name;;;` is how Excel writes two columns."""
    names = [name.strip() for name in written]
    while names and not names[-1]:
        names.pop()
    return names


def naming_remarks(file: str, written: Sequence[str], names: Sequence[str]) -> list[str]:
    """What a person should know of names that aren't as in the file."""
    remarks = []
    trimmed = [name.strip() for name in written]
    for name in dict.fromkeys(trimmed):
        places = [place for place, other in enumerate(trimmed) if other == name]
        called = joined([f'"{names[place]}"' for place in places])
        if not name:
            which = f"column {places[0] + 1} has" if len(places) == 1 else f"{len(places)} columns have"
            remarks.append(f"{file}: {which} no name and {'is' if len(places) == 1 else 'are'} called {called}")
        elif len(places) > 1:
            remarks.append(f'{file}: {len(places)} columns are named "{name}" and are called {called}')
    return remarks


def blank_rows_remark(path: Path, count: int, remarks: list[str]) -> None:
    """Says how many rows without anything in them there are between others; those at the end mean nothing."""
    if count:
        remarks.append(f"{path.name}: {counted(count, 'blank row is', 'blank rows are')} passed over")


def find_phone_column(header: Sequence[str], wanted: str | None = None) -> str | Problem:
    """The column that holds the numbers: the one `wanted`, or else the only one with a name in `PHONE_NAMES`."""
    if wanted is not None:
        return find_column(header, wanted)
    found = [column for column in header if bare(column).casefold() in PHONE_NAMES]
    if len(found) == 1:
        return found[0]
    if found:
        return Problem(
            f"several columns could hold the numbers: {quoted_names(found)}", "say which one with recipients.phone"
        )
    return Problem(
        f"no column is named {joined(PHONE_NAMES, 'or')}",
        f"say which one holds the numbers with recipients.phone; the file has {quoted_names(header)}",
    )


def find_column(header: Sequence[str], wanted: str) -> str | Problem:
    """The column named exactly `wanted`; names that differ in case are suggested, never taken.

    A name that several columns have means none of them; see `name_columns` for how to write them.
    """
    if wanted in header:
        return wanted
    if found := no_single_column(header, wanted):
        return found
    meant = closest(wanted, header)
    hint = f'did you mean "{meant}"? ' if meant else ""
    return Problem(f'there is no column "{wanted}"', f"{hint}the file has {quoted_names(header)}")


def no_single_column(header: Sequence[str], wanted: str) -> Problem | None:
    """Why a name that is in the file can't be used: it means several columns, or one that holds no single values."""
    if isinstance(header, Header) and wanted in header.left_out:
        what = f'the column "{wanted}" holds no single values, but {header.left_out[wanted]}'
        return Problem(what, "name another column")
    same = [name for name in header if (found := _NUMBERED.fullmatch(name)) and found["name"] == wanted]
    if len(same) > 1:
        places = joined([str(header.index(name) + 1) for name in same])
        what = f'there are {len(same)} columns named "{wanted}" (columns {places})'
        return Problem(what, f'rename all but one, or write "{same[0]}"')
    return None
