"""Purging a run: its people's numbers, keys and texts go from ledger, plan and reports; the counts stay."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import InputError, RunLockedError, StoppedError
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import is_locked, run_lock
from runner.ledger.purge import compact, note_purge, purge_messages, purged_at
from runner.models import Status
from runner.plan.identity import MessageIds
from runner.plan.parquet import replacing
from runner.plan.saved import is_readable, purge_plan
from runner.run.facts import kept_facts
from runner.run.job import taken_over
from runner.run.places import Options, Places, places_of
from runner.run.times import now_us


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run has in the ledger before it is purged. `unsent` are the messages that it hasn't come to."""

    messages: int
    unknown: int
    unsent: int
    purged_at: int | None


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did. `left` are files of the run's folder that aren't the run's own, and were not touched."""

    messages: int
    removed: tuple[Path, ...]
    left: tuple[Path, ...]


@contextlib.contextmanager
def purging(name: str, run: str, options: Options) -> Iterator[tuple[Ledger, RunRecord, Places]]:
    """A run that is nobody else's for the length of the block, with what a dead process left open settled.

    Raises InputError when the ledger doesn't know it, RunLockedError when another process has it, or sends another run
    of the same ledger.
    """
    places = places_of(name, run, options)
    with open_ledger(places.ledger, create=False) as ledger:
        found = ledger.runs(name, run)
        if not found:
            raise _not_known(ledger, name, run, places)
        with run_lock(ledger.path, name, run), taken_over(ledger, found[0].id):
            yield ledger, found[0], places


def standing_of(ledger: Ledger, record: RunRecord) -> Standing:
    counts = ledger.counts(record.id)
    total = sum(counts.values())
    unknown = counts.get(Status.UNKNOWN, 0)
    return Standing(total, unknown, max(record.to_send - total, 0), purged_at(ledger, record.id))


def purge(ledger: Ledger, record: RunRecord, places: Places) -> Purged:
    """Take the people out of a run, for good. Write its report again afterwards.

    The plan goes first, because the ledger tells what of it was sent; a purge that was killed is finished by the next
    one. Raises RunLockedError while another run of the ledger is being sent, StoppedError when something can't be
    written.
    """
    _refuse_while_sending(ledger, record)
    note_purge(ledger, record.id, now_us())
    _purge_plans(ledger, record, places)
    _purge_facts(places)
    removed, left = _remove_files(ledger, places)
    messages = purge_messages(ledger, record.id)
    compact(ledger)
    return Purged(messages, tuple(removed), tuple(left))


def _refuse_while_sending(ledger: Ledger, record: RunRecord) -> None:
    """The ledger's file is written anew, and meanwhile no message could be claimed."""
    for other in ledger.runs():
        if other.id != record.id and is_locked(ledger.path, other.name, other.run):
            raise RunLockedError(
                f"{other.name}/{other.run} is being worked on, and purging would hold it up; wait until it has ended"
            )


def _purge_plans(ledger: Ledger, record: RunRecord, places: Places) -> None:
    ids = MessageIds(record.name, record.run)

    def sent_to(message_ids: Sequence[str]) -> Mapping[str, str]:
        found = ledger.records(record.id, message_ids)
        return {message_id: message.destination for message_id, message in found.items()}

    for plan in (places.plan, places.sent_plan):
        if is_readable(plan):
            purge_plan(plan, ids, sent_to)
        else:
            _remove(plan)  # damaged, and its bytes may hold numbers


def _purge_facts(places: Places) -> None:
    """What the report says of the campaign stays, but for the example of a text."""
    facts = kept_facts(places)
    if facts is None:
        _remove(places.facts)
    elif facts.example is not None or facts.example_masked is not None:
        with replacing(places.facts) as file:
            file.write(replace(facts, example=None, example_masked=None).as_bytes())


def _remove_files(ledger: Ledger, places: Places) -> tuple[list[Path], list[Path]]:
    """Remove what is made of the plan and the ledger, and what a killed process left half written."""
    made = {
        places.results_parquet,
        places.results_csv,
        places.results_xlsx,
        places.page,
        places.removals,
        places.unmatched,
        places.sandbox_book,
        places.kept_plan,
    }
    kept = {places.plan, places.sent_plan, places.facts, places.summary, places.ledger_id}
    removed, left = [], []
    for path in sorted(places.folder.iterdir()) if places.folder.is_dir() else ():
        if path in made or (path.name.startswith(".") and path.name.endswith(".part")):
            _remove(path)
            removed.append(path)
        elif path not in kept and not _is_of_ledger(path, ledger):
            left.append(path)
    return removed, left


def _is_of_ledger(path: Path, ledger: Ledger) -> bool:
    """The ledger itself, and what stands beside it: of a sandbox's run they are in its own folder."""
    real = ledger.path.resolve()
    return path.resolve().parent == real.parent and path.name.startswith(real.name)


def _remove(path: Path) -> None:
    try:
        if path.name.endswith(".part") and path.is_dir():  # what a killed process left of a spreadsheet
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoppedError(
            f"{path} could not be removed: {error.strerror}; close what has it open, and purge again"
        ) from error


def _not_known(ledger: Ledger, name: str, run: str, places: Places) -> InputError:
    what = f"the ledger {ledger.path} knows no run {name}/{run}"
    if places.folder.is_dir():
        return InputError.of(
            f"{what}, so nothing was sent", f"delete the folder {places.folder}, there is a plan in it"
        )
    return InputError.of(what, "`campaign status` shows all of them")
