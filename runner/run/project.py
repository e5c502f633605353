"""The project's rules about its ledger: whether a command may make a new one, and which old one could be meant.

A new ledger doesn't know who was texted. So a run must not get one by mistake: because its folder is another one, or
because a job starts on a clean disk.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.base.errors import CampaignError, InputError
from runner.base.options import Rate
from runner.campaign.project import LedgerRule, read_project
from runner.ledger.database import ledger_path
from runner.ledger.ledger import open_ledger
from runner.run.paths import (
    DEFAULT_LEDGER,
    PROJECT_FILE,
    RunOptions,
    current_folder,
    current_project,
    is_another_project,
    ledger_url,
    project_of,
    shown,
)

Warn = Callable[[str], object]


def may_make_ledger(url: str, options: RunOptions, *, warn: Warn | None = None) -> bool:
    """Whether a command may make a new ledger at `url`.

    Raises InputError if there is none and the project requires one. In CI, `warn` is told that there is none.
    """
    project_file = (options.project or current_project()) / PROJECT_FILE
    is_required_by_file = read_project(project_file).ledger is LedgerRule.REQUIRED
    is_required = options.require_ledger or is_required_by_file
    path = ledger_path(url)
    if path.exists() and path.stat().st_size:  # an empty file is left by a process that was killed while it made one
        return not is_required
    if is_required:
        demanded_by = f"{project_file} says `ledger: required`" if is_required_by_file else "--require-ledger"
        raise InputError.of(
            f"there is no ledger at {path}, and none is made ({demanded_by}); without the ledger, nobody knows who was "
            "texted",
            "restore it from a backup, name it with --ledger, or make it again from the provider's log with `campaign "
            f"ledger rebuild`; only if nothing was ever sent, make a new one with `{_command('init', path)}`",
        )
    if warn and os.environ.get("CI", "").lower() not in ("", "0", "false"):
        warn(
            f"there is no ledger at {path}, so a new one is made, and people who were texted before can be texted "
            "again: keep the ledger between jobs, and add --require-ledger or `ledger: required` in "
            f"{project_file}"
        )
    return True


def account_rate(file: Path) -> Rate | None:
    """The rate of each sub-account in the project of a campaign file; None: the project sets none."""
    return read_project(project_of(file) / PROJECT_FILE).account.rate


def refuse_forgotten_ledger(file: Path, name: str, options: RunOptions) -> None:
    """Refuse to plan or send a campaign while an older ledger is where an earlier version kept it.

    Before there were projects, the default ledger was in the folder in which the command was started. `options` has the
    campaign's project. Raises InputError if both could be meant.
    """
    named = (options.ledger, options.reports, os.environ.get("CAMPAIGN_LEDGER"), os.environ.get("CAMPAIGN_REPORTS"))
    if options.sandbox or any(named) or options.project is None:
        return
    ledger = Path(ledger_url(options))
    for folder in _earlier_folders(file, options.project):
        old = shown(folder / DEFAULT_LEDGER)
        if not old.exists() or (ledger.exists() and old.samefile(ledger)):
            continue
        is_here = folder == current_folder()
        if is_here and is_another_project(folder, options.project) and not _knows(old, name):
            continue
        if ledger.exists():
            remedy = f"name the one that knows who was texted with --ledger; if that is {ledger}, rename {old}"
        elif not ledger.parent.exists():
            remedy = (
                f"move the folder {old.parent} to {ledger.parent} while nothing is sent, or name a ledger with --ledger"
            )
        else:
            copy = f"campaign ledger backup --ledger {shlex.quote(str(old))} {shlex.quote(str(ledger))}"
            remedy = f"copy it there with `{copy}`, then rename {old}; or name a ledger with --ledger"
        raise InputError.of(
            f"there is an older ledger at {old}, but this campaign's ledger is now {ledger}, in its project; with the "
            "wrong one, people could be texted again",
            remedy,
        )


def _earlier_folders(file: Path, project: Path) -> Iterator[Path]:
    """The folders in which the command was probably started: the current one, and those from the campaign file up."""
    here, top = current_folder(), project.resolve()
    yield here
    for folder in Path(os.path.realpath(file)).parents:
        if folder == top:
            return
        if folder != here:
            yield folder


def _knows(ledger: Path, name: str) -> bool:
    """Whether a ledger has runs of this campaign, or can't be read."""
    try:
        with open_ledger(str(ledger), create=False) as opened:
            return bool(opened.runs(name))
    except CampaignError:
        return True


def _command(name: str, ledger: Path) -> str:
    """A `campaign ledger` command for this ledger, as short as it can be here."""
    chosen = "" if str(ledger) == ledger_url(RunOptions()) else f" --ledger {shlex.quote(str(ledger))}"
    return f"campaign ledger {name}{chosen}"
