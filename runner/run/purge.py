"""Purge a run: delete numbers, keys and texts from the ledger, the plan and the reports; keep the counts."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.base.clock import now_us
from runner.base.errors import BlockedError, RunLockedError
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.lock import is_locked
from runner.ledger.purge import compact, note_purge, purge_messages
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import is_readable, purge_plan
from runner.report.run_settings import RunSettings
from runner.run.open import RecordedRun
from runner.run.paths import RunPaths


def purge(run: RecordedRun) -> tuple[int, list[Path]]:
    """Delete the personal data of a run for good. The caller then writes its report again.

    Returns how many messages were purged, and the files in the run's folder that don't belong to the run and were not
    deleted.

    The plan is purged first, because the ledger knows which of its messages were sent. If a purge is killed, the next
    one finishes it. Raises RunLockedError while another run of the ledger is being sent, StoppedError if a file can't
    be written.
    """
    ledger, record, paths = run.ledger, run.record, run.paths
    # The ledger file is rewritten; no message can be claimed during that time.
    for other in ledger.runs():
        if other.id != record.id and is_locked(ledger.path, other.name, other.run):
            raise RunLockedError(
                f"{other.name}/{other.run} uses the same ledger, and purging would delay it; wait until it has ended"
            )
    note_purge(ledger, record, now_us())
    _purge_plans(ledger, record, paths)
    _purge_settings(paths)
    left = _remove_files(ledger, paths)
    messages = purge_messages(ledger, record)
    compact(ledger)
    return messages, left


def _purge_plans(ledger: Ledger, record: RunRecord, paths: RunPaths) -> None:
    def sent_to(message_ids: Sequence[str]) -> Mapping[str, str]:
        return {name: message.destination for name, message in ledger.records(record.id, message_ids).items()}

    for plan in (paths.plan, paths.sent_plan):
        if is_readable(plan):
            purge_plan(plan, MessageIds(record.name, record.run), sent_to)
        else:
            _remove(plan)  # damaged, and its bytes may hold numbers


def _purge_settings(paths: RunPaths) -> None:
    """Keep the campaign's settings for the report, except the example of a text."""
    settings = RunSettings.read(paths.run_settings)
    if settings is None:
        _remove(paths.run_settings)
    else:
        replace(settings, example=None, example_masked=None).write(paths.run_settings)


def _remove_files(ledger: Ledger, paths: RunPaths) -> list[Path]:
    """Remove generated files and the partial files of a killed process. Returns the files that are not the run's."""
    made = {paths.results_parquet, paths.results_csv, paths.results_xlsx, paths.page, paths.removals}
    made |= {paths.unmatched, paths.sandbox_book, paths.plan_cache}
    stays = {paths.plan, paths.sent_plan, paths.run_settings, paths.summary, paths.ledger_id}
    stays |= {paths.sandbox_notice}
    real_ledger, left = ledger.path.resolve(), []
    for path in sorted(paths.folder.iterdir()) if paths.folder.is_dir() else ():
        # The ledger of a sandbox run, with its lock files, is in the run's folder.
        is_of_ledger = path.resolve().parent == real_ledger.parent and path.name.startswith(real_ledger.name)
        if path in made or (path.name.startswith(".") and path.name.endswith(".part")):
            _remove(path)
        elif path not in stays and not is_of_ledger:
            left.append(path)
    return left


def _remove(path: Path) -> None:
    try:
        if path.name.endswith(".part") and path.is_dir():  # a partial spreadsheet of a killed process
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BlockedError(
            f"{path} can't be deleted: {error.strerror}; close the program that uses it, then purge again"
        ) from error
