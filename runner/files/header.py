"""The names of columns, made so that each means one column."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from runner.base.text import joined

_PLACED = re.compile(r"(?P<name>.+) \(column (?P<place>[0-9]+)\)'*", re.DOTALL)


class Header(list[str]):
    """Column names. `left_out` are the columns that hold no single values, each with what it holds."""

    def __init__(self, names: Iterable[str], left_out: Mapping[str, str] | None = None) -> None:
        super().__init__(names)
        self.left_out: Mapping[str, str] = left_out or {}


def repeated(names: Iterable[str], wanted: str) -> list[str]:
    """The names that stand for columns which are all named `wanted` in the file; see `name_columns`."""
    found = [name for name in names if (placed := _PLACED.fullmatch(name)) and placed["name"] == wanted]
    return found if len(found) > 1 else []


def bare(name: str) -> str:
    """The name that the column has in the file."""
    placed = _PLACED.fullmatch(name)
    return placed["name"] if placed else name


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
        if name and times[name] == 1:
            names.append(name)
            continue
        new = f"{name} (column {place})" if name else f"column {place}"
        while new in taken:
            new += "'"
        names.append(new)
        taken.add(new)
    return tuple(names)


def without_blank_end(written: Sequence[str]) -> list[str]:
    """The names up to the last one that isn't blank: `phone;name;;;` is how Excel writes two columns."""
    names = [name.strip() for name in written]
    while names and not names[-1]:
        names.pop()
    return names


def naming_remarks(written: Sequence[str], names: Sequence[str]) -> list[str]:
    """What a person should know of names that aren't as in the file."""
    trimmed = [name.strip() for name in written]
    remarks = []
    for name in dict.fromkeys(trimmed):
        called = [f'"{given}"' for given, other in zip(names, trimmed, strict=True) if other == name]
        if not name:
            places = [str(place) for place, other in enumerate(trimmed, 1) if not other]
            which = f"column {places[0]} has" if len(places) == 1 else f"columns {joined(places)} have"
            remarks.append(f"{which} no name and {'is' if len(places) == 1 else 'are'} called {joined(called)}")
        elif len(called) > 1:
            remarks.append(f'{len(called)} columns are named "{name}" and are called {joined(called)}')
    return remarks


def remark_blank(path: Path, count: int, remarks: list[str] | None) -> None:
    """Says how many rows without anything in them there are between others; those at the end mean nothing."""
    if count and remarks is not None:
        remarks.append(f"{path.name}: {count:,} blank {'row is' if count == 1 else 'rows are'} passed over")
