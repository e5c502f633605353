"""The opt-outs of a ledger: in words, changed by hand or from a file, and exported as a suppression list."""

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, groupby, islice
from pathlib import Path

from runner.base.clock import iso, now_us
from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import all_optouts, newest_by_number, note_optouts

# Of an exported list. `recipients.suppress` finds the first by its name, and ignores the others.
COLUMNS = ("destination", "since", "how")

# What is said of a campaign file's list, and what of one that is given to a command.
_COMMAND_WORDS = {
    "set recipients.country": "add --country",
    "recipients.country": "--country",
    "; it is relative to the campaign file": "",
    "nothing is sent while a suppression list is in doubt": "nothing was changed",
}

# Numbers in one transaction: so few that a run that is being sent hardly waits to claim.
AT_A_TIME = 5_000


def how(optout: OptOut) -> str:
    """How it came into the ledger: `replied STOP`, `campaign optouts add`."""
    if optout.source is OptOutSource.REPLY:
        return f"replied {' '.join((optout.word or '').split())}".rstrip()
    return "campaign optouts add --file" if optout.source is OptOutSource.FILE else "campaign optouts add"


def exclusion_of(optout: OptOut) -> Exclusion:
    """Why a plan leaves this number out."""
    day = datetime.fromtimestamp(optout.at / 1e6, UTC)
    return Exclusion(ExclusionReason.SUPPRESSED, f"opted out on {day:%Y-%m-%d} ({how(optout)})")


def read_numbers(written: Sequence[str], country: str | None) -> list[str]:
    """The numbers (E.164), each once, that somebody wrote. `country` is where those without a plus are at home.

    Raises InputError that names each one that can't be read.
    """
    from runner.numbers.phone import Number, is_country, normalise, not_a_country

    if country is not None and not is_country(country.upper()):
        raise InputError.of(f"--country: {not_a_country(country)}")
    found = [normalise(cell, country) for cell in written]
    if wrong := [number for number in found if not isinstance(number, Number)]:
        raise InputError(_for_the_command(Problem(number.detail)) for number in wrong)
    return list(dict.fromkeys(number.destination for number in found if isinstance(number, Number)))


def read_file(path: Path, country: str | None) -> "array[int]":
    """The numbers in a suppression list, each once, in their order, without the plus: ten million take 80 MB.

    Raises InputError with everything in it that is in doubt.
    """
    from runner.audience.spec import SuppressionList
    from runner.audience.suppression import read_list

    try:
        with closing(read_list(SuppressionList(path), country=country)) as entries:
            found = array("Q", (int(number[1:]) for number, _ in entries if number))
    except InputError as error:
        raise InputError(map(_for_the_command, error.problems)) from error
    return array("Q", (number for number, _ in groupby(sorted(found))))


def add(ledger: Ledger, numbers: Sequence[str], listed: Sequence[int] = ()) -> tuple[int, int]:
    """Note `numbers` (E.164), given as arguments, and those `listed` in a file, as opted out from now on.

    Returns how many different numbers were given, and for how many of them something changed.
    """
    changed = len(_note(ledger, numbers, OptOutSource.COMMAND, is_out=True))
    for first in range(0, len(listed), AT_A_TIME):
        part = [f"+{number}" for number in listed[first : first + AT_A_TIME]]
        changed += len(_note(ledger, part, OptOutSource.FILE, is_out=True))
    arguments = {int(number[1:]) for number in numbers}
    return len(arguments) + sum(number not in arguments for number in listed), changed


def remove(ledger: Ledger, numbers: Sequence[str]) -> list[str]:
    """Take back the opt-outs of these numbers. Returns those of them that had one."""
    return _note(ledger, numbers, OptOutSource.COMMAND, is_out=False)


def _note(ledger: Ledger, numbers: Sequence[str], source: OptOutSource, *, is_out: bool) -> list[str]:
    """Note that these numbers are out, or no longer are. Returns those of them that this changes."""
    before = newest_by_number(ledger, numbers)
    changed = [number for number in numbers if (number in before and before[number].is_out) != is_out]
    # A list that is given every day must not make everybody's opt-out a new one; what is typed now is the newest word.
    noted = numbers if is_out and source is OptOutSource.COMMAND else changed
    now = now_us()
    # Newer than the word before, also when the clock that wrote that was ahead.
    at = {number: max(now, before[number].at + 1) if number in before else now for number in noted}
    note_optouts(ledger, [OptOut(number, is_out, at[number], source) for number in noted])
    return changed


def as_csv(ledger: Ledger) -> Iterator[str]:
    """Everybody who is out, as the parts of a CSV file that `recipients.suppress` and `add --file` take.

    No cell of it is a formula to a spreadsheet: a plain signed number is only a number, and a reply comes after a word.
    """
    rows = chain([COLUMNS], ((optout.destination, iso(optout.at), how(optout)) for optout in all_optouts(ledger)))
    while part := list(islice(rows, AT_A_TIME)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(part)
        yield text.getvalue()


def _for_the_command(problem: Problem) -> Problem:
    """The words of a campaign file's list, for a list that is given to a command."""
    what, remedy = problem.what, problem.remedy
    for old, new in _COMMAND_WORDS.items():
        what, remedy = what.replace(old, new), remedy.replace(old, new)
    return replace(problem, what=what, remedy=remedy)
