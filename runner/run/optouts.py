"""The opt-outs of a ledger: in words, changed by hand or from a file, and exported as a suppression list."""

import csv
import io
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TypeVar

from runner.base.clock import iso, now_us
from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.optouts import OptOut, OptOutSource
from runner.files.source import Source, UnreadableRow
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import all_optouts, newest_by_number, note_optouts
from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url, paths_of

COLUMNS = ("destination", "since", "how")
"""Of an exported list. `recipients.suppress` finds the first by its name, and passes over the others."""

AT_A_TIME = 5_000
"""Numbers in one transaction: so few that a run that is going on hardly waits to claim."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Added:
    """How many different numbers were given, and for how many of them something changed."""

    given: int
    changed: int


@dataclass(frozen=True, slots=True)
class Removed:
    """Whose opt-out was taken back, and who had none."""

    taken_back: tuple[str, ...]
    not_out: tuple[str, ...]


def ledger_with_optouts(options: RunOptions, *, sandbox_of: str | None) -> str:
    """The URL of the ledger; `sandbox_of` a campaign it is that of its sandbox run."""
    return paths_of(sandbox_of, SANDBOX_RUN, options).ledger if sandbox_of else ledger_url(options)


def how(one: OptOut) -> str:
    """How it came into the ledger: `replied STOP`, `campaign optouts add`."""
    match one.source:
        case OptOutSource.REPLY:
            return f"replied {' '.join(one.word.split())}" if one.word else "replied"
        case OptOutSource.COMMAND:
            return "campaign optouts add"
        case OptOutSource.FILE:
            return "campaign optouts add --file"


def exclusion_of(one: OptOut) -> Exclusion:
    """Why a plan leaves this number out."""
    day = datetime.fromtimestamp(one.at / 1e6, UTC)
    return Exclusion(ExclusionReason.SUPPRESSED, f"opted out on {day:%Y-%m-%d} ({how(one)})")


def read_numbers(written: Sequence[str], country: str | None) -> list[str]:
    """The numbers (E.164), each once, that somebody wrote. `country` is where those without a plus are at home.

    Raises InputError that names each one that can't be read.
    """
    from runner.numbers.phone import Number, is_country, normalise, not_a_country

    if country is not None and not is_country(country.upper()):
        raise InputError.of(f"--country: {not_a_country(country)}")
    found: dict[str, None] = {}
    problems = []
    for one in written:
        number = normalise(one, country)
        if isinstance(number, Number):
            found[number.destination] = None
        else:
            problems.append(_for_the_command(Problem(number.detail)))
    if problems:
        raise InputError(problems)
    return list(found)


def read_file(path: Path, country: str | None) -> "array[int]":
    """The numbers in a suppression list, each once, in their order, without the plus: ten million take 80 MB.

    Raises InputError with everything in it that is in doubt.
    """
    from runner.audience.spec import SuppressionList
    from runner.audience.suppression import Suppression, find_columns
    from runner.files.formats import unchanged
    from runner.files.reader import read_header, read_numbered
    from runner.numbers.phone import Number, normalise

    one, source = SuppressionList(path), Source(path, encoding_key=None)
    try:
        with unchanged(path):
            # The door that a plan has: what is in doubt there is in doubt here. It lets numbers pass, and empty cells.
            Suppression([one], country=country)
            header = read_header(source)
            place = find_columns(one, header, key=None, country=country, country_column=None).phone
            assert place is not None
            with closing(read_numbered(source)) as rows:
                # A list without a header begins with a number; the name of a column is none.
                cells = chain([header[place]], (row[place] for _, row in rows if not isinstance(row, UnreadableRow)))
                numbers = (normalise(cell, country) for cell in cells if cell)
                found = array("Q", (int(one.destination[1:]) for one in numbers if isinstance(one, Number)))
    except InputError as error:
        raise InputError(map(_for_the_command, error.problems)) from error
    return array("Q", (number for number, _ in groupby(sorted(found))))


def add(ledger: Ledger, numbers: Sequence[str], listed: Sequence[int] = ()) -> Added:
    """Note `numbers` (E.164), given one by one, and those `listed` in a file, as opted out from now on."""
    changed = 0
    for some in _batches(numbers):
        changed += _add(ledger, some, OptOutSource.COMMAND)
    for part in _batches(listed):
        changed += _add(ledger, [f"+{number}" for number in part], OptOutSource.FILE)
    by_hand = {int(one[1:]) for one in numbers}
    return Added(len(by_hand) + sum(number not in by_hand for number in listed), changed)


def _add(ledger: Ledger, numbers: Sequence[str], source: OptOutSource) -> int:
    before = newest_by_number(ledger, numbers)
    new = [one for one in numbers if one not in before or not before[one].is_out]
    # A list that is given every day must not make everybody's opt-out a new one.
    _note(ledger, before, new if source is OptOutSource.FILE else numbers, source, is_out=True)
    return len(new)


def remove(ledger: Ledger, numbers: Sequence[str]) -> Removed:
    """Take back the opt-outs of these numbers."""
    before = newest_by_number(ledger, numbers)
    out = tuple(one for one in numbers if one in before and before[one].is_out)
    _note(ledger, before, out, OptOutSource.COMMAND, is_out=False)
    return Removed(out, tuple(one for one in numbers if one not in out))


def as_csv(ledger: Ledger) -> Iterator[str]:
    """Everybody who is out, as the parts of a CSV file that `recipients.suppress` and `add --file` take as it is.

    No cell of it is a formula to a spreadsheet: a plain signed number is only a number, and a reply comes after a word.
    """
    part = io.StringIO()
    writer = csv.writer(part, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = all_optouts(ledger)
    while some := list(islice(rows, AT_A_TIME)):
        writer.writerows((one.destination, iso(one.at), how(one)) for one in some)
        yield part.getvalue()
        part.seek(0)
        part.truncate()
    yield part.getvalue()


def _note(
    ledger: Ledger, before: Mapping[str, OptOut], numbers: Sequence[str], source: OptOutSource, *, is_out: bool
) -> None:
    """What a person says now is the newest word, also when the clock of whoever wrote the one before was ahead."""
    now = now_us()
    note_optouts(
        ledger,
        [OptOut(one, is_out, max(now, before[one].at + 1) if one in before else now, source) for one in numbers],
    )


def _batches(numbers: Sequence[T]) -> Iterator[Sequence[T]]:
    return (numbers[first : first + AT_A_TIME] for first in range(0, len(numbers), AT_A_TIME))


def _for_the_command(problem: Problem) -> Problem:
    """The words of a campaign file's list, for a list that is given to a command."""
    words = {
        "set recipients.country": "add --country",
        "recipients.country": "--country",
        "; it is relative to the campaign file": "",
        "nothing is sent while a suppression list is in doubt": "nothing was changed",
    }
    what, remedy = problem.what, problem.remedy
    for old, new in words.items():
        what, remedy = what.replace(old, new), remedy.replace(old, new)
    return replace(problem, what=what, remedy=remedy)
