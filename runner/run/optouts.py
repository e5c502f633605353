"""The opt-outs of a ledger: describe, add, remove, review, and export them as a suppression list."""

import csv
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain, groupby, islice
from pathlib import Path

from runner.base.clock import iso, now_us, utc
from runner.base.errors import InputError, Problem
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.optouts import OptOut, OptOutSource
from runner.base.wording import counted
from runner.ledger.database import give_way
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import all_optouts, newest_by_number, note_optouts
from runner.ledger.replies import decide, waiting_replies
from runner.run.paths import SANDBOX_RUN

# The columns of an exported list. `recipients.suppress` finds the first by its name, and ignores the others.
COLUMNS = ("destination", "since", "how")

# Words of errors about a list in a campaign file, and what to write instead for a list given to a command.
_COMMAND_WORDS = {
    "set recipients.country": "add --country",
    "recipients.country": "--country",
    "; it is relative to the campaign file": "",
    "nothing is sent while a suppression list is in doubt": "nothing was changed",
    "nothing is sent until every suppression list is valid": "nothing was changed",
}

# How a campaign file names the column of numbers: `use {file: stops.csv, phone: From} in recipients.suppress`.
_NAMED_COLUMN = re.compile(r"\{file: [^{}]*, phone: ([^{}]*)\}(?: in recipients\.suppress)?")

# Numbers per transaction; small, so that a running campaign hardly waits to claim messages.
AT_A_TIME = 2_000


def how(optout: OptOut) -> str:
    """How the person opted out: `replied stop`, `campaign optouts add`."""
    if optout.source is OptOutSource.REPLY:
        return f"replied {' '.join((optout.word or '').split())}".rstrip()
    if optout.source is OptOutSource.REVIEW:
        return f"replied {optout.word}, accepted in a review"
    return "campaign optouts add --file" if optout.source is OptOutSource.FILE else "campaign optouts add"


def exclusion_of(optout: OptOut) -> Exclusion:
    """Why a plan excludes this number."""
    return Exclusion(ExclusionReason.SUPPRESSED, f"opted out on {utc(optout.at):%Y-%m-%d} ({how(optout)})")


def read_numbers(written: Sequence[str], country: str | None) -> list[str]:
    """Parse numbers into E.164, without duplicates. `country` is the country of numbers without a plus.

    Raises InputError with every number that can't be read.
    """
    from runner.numbers.countries import country_code
    from runner.numbers.phone import Number, normalise, not_a_country

    if country is not None and country_code(country) is None:
        raise InputError.of(f"--country: {not_a_country(country)}")
    found = [normalise(cell, country) for cell in written]
    if wrong := [number for number in found if not isinstance(number, Number)]:
        raise InputError(_for_the_command(Problem(number.detail)) for number in wrong)
    return list(dict.fromkeys(number.destination for number in found if isinstance(number, Number)))


def read_file(path: Path, country: str | None, phone: str | None = None) -> "array[int]":
    """Read the numbers of a suppression list, sorted, without duplicates and without the plus: ten million take 80 MB.

    `phone` is the column with the numbers; None: find it by its name. Raises InputError with every entry that can't be
    read.
    """
    from runner.audience.spec import SuppressionList
    from runner.audience.suppression import read_list

    try:
        with closing(read_list(SuppressionList(path, phone), country=country)) as entries:
            found = array("Q", (int(number[1:]) for number, _ in entries if number))
    except InputError as error:
        raise InputError(map(_for_the_command, error.problems)) from error
    return array("Q", (number for number, _ in groupby(sorted(found))))


def add(ledger: Ledger, numbers: Sequence[str], listed: Sequence[int] = ()) -> tuple[int, int]:
    """Record opt-outs for `numbers` (E.164, given as arguments) and for those `listed` in a file.

    Returns how many different numbers were given, and how many of them were not opted out before.
    """
    changed = len(_note(ledger, numbers, OptOutSource.COMMAND, is_out=True))
    for first in range(0, len(listed), AT_A_TIME):
        give_way()
        part = [f"+{number}" for number in listed[first : first + AT_A_TIME]]
        changed += len(_note(ledger, part, OptOutSource.FILE, is_out=True))
    arguments = {int(number[1:]) for number in numbers}
    return len(arguments) + sum(number not in arguments for number in listed), changed


def remove(ledger: Ledger, numbers: Sequence[str]) -> list[str]:
    """Remove the opt-outs of these numbers. Returns the numbers that had one."""
    return _note(ledger, numbers, OptOutSource.COMMAND, is_out=False)


def _note(ledger: Ledger, numbers: Sequence[str], source: OptOutSource, *, is_out: bool) -> list[str]:
    """Record that these numbers are opted out, or no longer are. Returns the numbers that changed."""
    before = newest_by_number(ledger, numbers)
    changed = [number for number in numbers if (number in before and before[number].is_out) != is_out]
    # A list that is imported every day must not renew every opt-out. A typed number is always recorded as the newest.
    noted = numbers if is_out and source is OptOutSource.COMMAND else changed
    now = now_us()
    # Later than the previous entry, even if the clock was ahead when that was written.
    at = {number: max(now, before[number].at + 1) if number in before else now for number in noted}
    note_optouts(ledger, [OptOut(number, is_out, at[number], source) for number in noted])
    return changed


def review_replies(ledger: Ledger, accept: Sequence[str], dismiss: Sequence[str]) -> tuple[list[int], list[int]]:
    """Accept and dismiss replies that wait for review, each given by its id; "all" means all that wait.

    Returns the ids of the accepted and of the dismissed replies. Raises InputError if a reply doesn't wait, or is in
    both lists; then nothing is changed.
    """
    if not accept and not dismiss:
        return [], []
    waiting = {str(each.id): each.id for each in waiting_replies(ledger)}
    chosen = [list(waiting) if "all" in given else list(dict.fromkeys(given)) for given in (accept, dismiss)]
    options = ("--accept", "--dismiss")
    remedy = "`campaign optouts review` lists the replies that wait"
    problems = [
        Problem(f"{option}: there is no reply {name} to review", remedy)
        for option, names in zip(options, chosen, strict=True)
        for name in names
        if name not in waiting
    ]
    both = [name for name in chosen[0] if name in chosen[1]]
    problems += [Problem(f"reply {name} is both accepted and dismissed", "choose one of them") for name in both]
    if problems:
        raise InputError(problems)
    accepted, dismissed = ([waiting[name] for name in names] for names in chosen)
    decide(ledger, accepted, dismissed, now_us())
    return accepted, dismissed


def review_words(count: int, name: str, run: str) -> str:
    """That so many replies in the ledger of NAME/RUN wait for review, and how to read them; "" if none does."""
    command = "`campaign optouts review" + (f" --sandbox {name}`" if run == SANDBOX_RUN else "`")
    return f"{counted(count, 'reply may be an opt-out', 'replies may be opt-outs')}; see {command}" if count else ""


def as_csv(ledger: Ledger) -> Iterator[str]:
    """All opt-outs, as parts of a CSV file that `recipients.suppress` and `add --file` can read.

    No cell is a formula in a spreadsheet: a signed number is only a number, and a reply follows the word "replied".
    """
    rows = chain([COLUMNS], ((optout.destination, iso(optout.at), how(optout)) for optout in all_optouts(ledger)))
    while part := list(islice(rows, AT_A_TIME)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(part)
        yield text.getvalue()


def _for_the_command(problem: Problem) -> Problem:
    """Reword an error about a campaign file's list for a list given to a command."""
    what, remedy = problem.what, _NAMED_COLUMN.sub(r"--phone \1", problem.remedy)
    for old, new in _COMMAND_WORDS.items():
        what, remedy = what.replace(old, new), remedy.replace(old, new)
    return replace(problem, what=what, remedy=remedy)
