"""Suppression lists: the numbers that must not be texted, whatever the recipient file says.

A list that is missing, unreadable or partly junk stops the plan. Sending because a list failed to load is the one
mistake that cannot be made good. Exact, at 8 bytes a number: ten million opt-outs take 80 MB.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import chain
from pathlib import Path

from runner.audience import delimited, files
from runner.audience.columns import PHONE_NAMES, find_phone_column
from runner.audience.phone import Number, normalise
from runner.errors import InputError, Position, Problem
from runner.models import Exclusion

# Numbers are sorted a million at a time: sorting makes an object of every number, and they shall never all live.
_RUN_LENGTH = 1_000_000
_EXAMPLES = 5
# A first line such as "+65 9123 4567" is a number already; "Phone" or "opted_out_2026" is a header.
_LIKE_A_NUMBER = re.compile(r"[+(]*[0-9][0-9 ().-]*")

_Entry = tuple[int, bool, str]  # (line or data row, whether the rest of the row is empty too, number as written)


class Suppression:
    """The numbers of all lists. `country` is where numbers without a plus are at home, as in the campaign.

    Raises InputError for a list that cannot be read, and for entries that are no numbers.
    """

    def __init__(self, lists: Iterable[Path], country: str | None = None) -> None:
        self._runs: list[tuple[str, array[int]]] = []
        problems: list[Problem] = []
        for path in lists:
            try:
                self._load(path, country)
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)

    def __len__(self) -> int:
        """Entries, counting a number once for each time it is listed."""
        return sum(len(numbers) for _, numbers in self._runs)

    def find(self, destination: str) -> str | None:
        """The name of the list that holds the E.164 number, or None."""
        wanted = int(destination[1:])
        for name, numbers in self._runs:
            place = bisect_left(numbers, wanted)
            if place < len(numbers) and numbers[place] == wanted:
                return name
        return None

    def _load(self, path: Path, country: str | None) -> None:
        junk: list[tuple[int, Exclusion]] = []
        count = 0
        numbers: list[int] = []
        with closing(_entries(path)) as entries:
            for place, blank, raw in entries:
                if blank:
                    continue
                number = normalise(raw, country)
                if isinstance(number, Number):
                    numbers.append(int(number.destination[1:]))
                    if len(numbers) == _RUN_LENGTH:
                        self._runs.append((path.name, array("Q", sorted(numbers))))
                        numbers = []
                    continue
                count += 1
                if count <= _EXAMPLES:
                    junk.append((place, number))
        self._runs.append((path.name, array("Q", sorted(numbers))))
        if junk:
            raise InputError(_junk(path, junk, count))


def _entries(path: Path) -> Generator[_Entry, None, None]:
    """Every number of a list, as written; a list is a plain column of numbers, or a table with a column for them."""
    header = files.read_header(path) if _has_content(path) else []
    if not header:
        return
    index = _column(path, header)
    if path.suffix.lower() == ".parquet":
        with closing(files.read_rows(path)) as batches:
            for place, cells in enumerate(chain.from_iterable(batches), 1):
                yield place, not any(cells), cells[index]
        return
    with closing(delimited.read_records(path)) as records:
        if not _LIKE_A_NUMBER.fullmatch(header[index]):
            next(records)
        for line, cells in records:
            yield line, not any(cells), cells[index]


def _has_content(path: Path) -> bool:
    """A list without anybody on it is fine, even without a header."""
    return not path.is_file() or path.stat().st_size > 0


def _column(path: Path, header: list[str]) -> int:
    if len(header) == 1:
        return 0  # whatever it is called, it can only hold the numbers
    found = find_phone_column(header)
    if isinstance(found, Problem):
        names = f"{', '.join(PHONE_NAMES[:-1])} or {PHONE_NAMES[-1]}"
        raise InputError([Problem(f"{path}: {found.what}", f"name one column, and only one, {names}")])
    return header.index(found)


def _junk(path: Path, junk: list[tuple[int, Exclusion]], count: int) -> Generator[Problem, None, None]:
    remedy = "correct the entry or remove it; nothing is sent while a suppression list is in doubt"
    for place, exclusion in junk:
        what = exclusion.detail if exclusion.detail != "is empty" else "there is no number"
        if path.suffix.lower() == ".parquet":
            yield Problem(f"{path}: row {place}: {what}", remedy)
        else:
            yield Problem(what, remedy, where=Position(str(path), place, 1))
    if count > len(junk):
        yield Problem(f"{path}: {count - len(junk):,} more entries are no numbers")
