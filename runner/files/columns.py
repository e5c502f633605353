"""Make column names unique, and find a column by its name. Pure.

A `Problem` from here has neither `path` nor `where`; the caller knows the key of the campaign file and its position,
and adds them with `dataclasses.replace`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from runner.base.cells import Kind, Kinds
from runner.base.errors import Problem
from runner.base.text import closest, folded, joined, quoted_names
from runner.base.wording import counted

PHONE_NAMES = ("phone", "mobile", "msisdn", "destination", "to")

# In a log of messages, `to` is the recipient of those that were sent, and the sender's own number in those received.
_RECEIVER_NAMES = ("destination", "to")
_SENDER_NAMES = ("from", "sender", "originator")

_NUMBERED = re.compile(r"(?P<name>.+) \(column (?P<place>[0-9]+)\)'*", re.DOTALL)


# No name of a column: a number of at least seven digits or a date, an email address, a UUID.
_DATA = re.compile(
    r"['\"]?[+(]*(?:[0-9][ ().:+T-]*){7,}Z?['\"]?|[^@\s]+@[^@\s]+\.[^@\s]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)


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
    """The names, trimmed and unique, also when folded.

    A duplicate name becomes `name (column 2)` in each of its columns, and a blank name becomes `column 3`. So a
    template can't use one of two columns with the same name by accident.
    """
    trimmed = [name.strip() for name in written]
    times = Counter(map(folded, trimmed))
    taken = {name for name, count in times.items() if count == 1}
    names: list[str] = []
    for place, name in enumerate(trimmed, 1):
        unique = name
        if not name or times[folded(name)] > 1:
            unique = f"{name} (column {place})" if name else f"column {place}"
            while folded(unique) in taken:
                unique += "'"
            taken.add(folded(unique))
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
    places_by_name: dict[str, list[int]] = {}
    for place, name in enumerate(map(folded, written)):
        places_by_name.setdefault(name, []).append(place)
    for name, places in places_by_name.items():
        called = joined([f'"{names[place]}"' for place in places])
        if not name:
            which = f"column {places[0] + 1} has" if len(places) == 1 else f"{len(places)} columns have"
            remarks.append(f"{file}: {which} no name; use {called}")
        elif len(places) > 1:
            spelled = joined(dict.fromkeys(f'"{written[place].strip()}"' for place in places), "or")
            remarks.append(f"{file}: {len(places)} columns are named {spelled}; use {called}")
    return remarks


def blank_rows_remark(path: Path, count: int, remarks: list[str]) -> None:
    """Add a remark on the number of blank rows between other rows; blank rows at the end are ignored."""
    if count:
        remarks.append(f"{path.name}: {counted(count, 'blank row')} skipped")


def phone_columns(header: Sequence[str]) -> list[str]:
    """The columns that may have the phone numbers, by their names."""
    names = [folded(bare(column)) for column in header]
    is_log = any(name in _RECEIVER_NAMES for name in names)
    wanted = {*PHONE_NAMES, *(_SENDER_NAMES if is_log else ())}
    return [column for column, name in zip(header, names, strict=True) if name in wanted]


def find_phone_column(header: Sequence[str], wanted: str | None = None) -> str | Problem:
    """The column with the phone numbers: `wanted`, or else the only one of the `phone_columns`."""
    if wanted is not None:
        return find_column(header, wanted)
    found = [column for column in phone_columns(header) if not is_list(header, column)]
    if len(found) == 1:
        return found[0]
    if found:
        return Problem(
            f"several columns could have the phone numbers: {quoted_names(found)}", "choose one with recipients.phone"
        )
    remedy = f"name the column with the phone numbers in recipients.phone; the columns are {quoted_names(header)}"
    if len(header) == 1:
        remedy = (
            f"the first row has only {quoted_names(header)}; delete the rows above the column names, or name it phone"
        )
    return Problem(f"no column is named {joined(PHONE_NAMES, 'or')}", no_header_remedy(header) or remedy)


def find_column(header: Sequence[str], wanted: str) -> str | Problem:
    """The column named `wanted`, as `folded` compares names.

    A duplicate name is not accepted; see `name_columns` for the unique names.
    """
    if found := [name for name in header if folded(name) == folded(wanted) and not is_list(header, name)]:
        return found[0]
    if problem := no_single_column(header, wanted):
        return problem
    meant = closest(wanted, header)
    hint = f'did you mean "{meant}"? ' if meant else ""
    remedy = no_header_remedy(header) or f"{hint}the columns are {quoted_names(header)}"
    return Problem(f'there is no column "{wanted}"', remedy)


def no_single_column(header: Sequence[str], wanted: str) -> Problem | None:
    """Why a name in the file can't be used: several columns have it, or the column has no single values."""
    left_out = header.left_out if isinstance(header, Header) else {}
    if kind := next((kind for name, kind in left_out.items() if folded(name) == folded(wanted)), None):
        what = f'the column "{wanted}" has values of the unsupported type {kind}'
        return Problem(what, "use another column, or export it as text")
    same = [name for name in header if name != bare(name) and folded(bare(name)) == folded(wanted)]
    if len(same) > 1:
        places = joined([str(header.index(name) + 1) for name in same])
        what = f'there are {len(same)} columns named "{wanted}" (columns {places})'
        return Problem(what, f'rename all but one, or write "{same[0]}"')
    return None


def no_header_remedy(header: Sequence[str], data: Collection[str] = ()) -> str | None:
    """What to do if the names are data: one looks like a number, a date, a UUID or an address, or is in `data`."""
    if not any(_DATA.fullmatch(name) or folded(name) in data for name in header):
        return None
    return f"the first row has data, not column names: {quoted_names(header)}; add a row with the column names above it"
