"""Purging a run: its people's numbers, keys and texts go from ledger, plan and reports; the counts stay."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.base.clock import now_us
from runner.base.errors import InputError, RunLockedError, StoppedError
from runner.base.outcomes import Status
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import is_locked, run_lock
from runner.ledger.purge import compact, note_purge, purge_messages, purged_at
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import is_readable, purge_plan
from runner.report.run_settings import RunSettings
from runner.run.open import taken_over
from runner.run.paths import RunOptions, RunPaths, paths_of


@dataclass(frozen=True, slots=True)
class PurgeScope:
    """What the ledger has of a run before it is purged. `unsent` messages of its plan haven't been sent."""

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
def purging(name: str, run: str, options: RunOptions) -> Iterator[tuple[Ledger, RunRecord, RunPaths]]:
    """A run that is nobody else's for the length of the block, with what a dead process left open settled.

    Raises InputError when the ledger doesn't know it, RunLockedError when another process has it, or sends another run
    of the same ledger.
    """
    paths = paths_of(name, run, options)
    with open_ledger(paths.ledger, create=False) as ledger:
        found = ledger.runs(name, run)
        if not found:
            raise _not_known(ledger, name, run, paths)
        with run_lock(ledger.path, name, run), taken_over(ledger, found[0].id):
            yield ledger, found[0], paths


def scope_of(ledger: Ledger, record: RunRecord) -> PurgeScope:
    counts = ledger.counts(record.id)
    total = sum(counts.values())
    unknown = counts.get(Status.UNKNOWN, 0)
    return PurgeScope(total, unknown, max(record.to_send - total, 0), purged_at(ledger, record.id))


def purge(ledger: Ledger, record: RunRecord, paths: RunPaths) -> Purged:
    """Take the people out of a run, for good. Write its report again afterwards.

    The plan goes first, because the ledger tells what of it was sent; a purge that was killed is finished by the next
    one. Raises RunLockedError while another run of the ledger is being sent, StoppedError when something can't be
    written.
    """
    _refuse_while_sending(ledger, record)
    note_purge(ledger, record.id, now_us())
    _purge_plans(ledger, record, paths)
    _purge_settings(paths)
    removed, left = _remove_files(ledger, paths)
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


def _purge_plans(ledger: Ledger, record: RunRecord, paths: RunPaths) -> None:
    ids = MessageIds(record.name, record.run)

    def sent_to(message_ids: Sequence[str]) -> Mapping[str, str]:
        found = ledger.records(record.id, message_ids)
        return {message_id: message.destination for message_id, message in found.items()}

    for plan in (paths.plan, paths.sent_plan):
        if is_readable(plan):
            purge_plan(plan, ids, sent_to)
        else:
            _remove(plan)  # damaged, and its bytes may hold numbers


def _purge_settings(paths: RunPaths) -> None:
    """What the report says of the campaign stays, but for the example of a text."""
    settings = RunSettings.read(paths.run_settings)
    if settings is None:
        _remove(paths.run_settings)
    elif settings.example is not None or settings.example_masked is not None:
        replace(settings, example=None, example_masked=None).write(paths.run_settings)


def _remove_files(ledger: Ledger, paths: RunPaths) -> tuple[list[Path], list[Path]]:
    """Remove what is made of the plan and the ledger, and what a killed process left half written."""
    made = {
        paths.results_parquet,
        paths.results_csv,
        paths.results_xlsx,
        paths.page,
        paths.removals,
        paths.unmatched,
        paths.sandbox_book,
        paths.kept_plan,
    }
    kept = {paths.plan, paths.sent_plan, paths.run_settings, paths.summary, paths.ledger_id}
    removed, left = [], []
    for path in sorted(paths.folder.iterdir()) if paths.folder.is_dir() else ():
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


def _not_known(ledger: Ledger, name: str, run: str, paths: RunPaths) -> InputError:
    what = f"the ledger {ledger.path} knows no run {name}/{run}"
    if paths.folder.is_dir():
        return InputError.of(f"{what}, so nothing was sent", f"delete the folder {paths.folder}, there is a plan in it")
    return InputError.of(what, "`campaign status` shows all of them")
