"""Where a run keeps its files, from its project, the command line and the environment.

A project is the folder that campaigns, ledger and reports belong to. For a campaign file it is the nearest folder above
the file with a `project.yaml`, else the parent of the nearest `campaigns` folder, else the file's own folder. So the
same campaign always has the same ledger, wherever the command is started. A link is followed first: one file has one
project, whatever path leads to it.

A command that names no campaign file uses the project around the current folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from runner.base.errors import InputError

# The run ID that `--sandbox` uses; campaigns can't use it.
SANDBOX_RUN = "sandbox"

# The file that marks a project.
PROJECT_FILE = "project.yaml"

# In a project without that file, the folder with its campaigns.
CAMPAIGNS = "campaigns"

# Where a project keeps its ledger. Its reports are in the same folder.
DEFAULT_LEDGER = Path("reports/ledger.sqlite3")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of the command line. None means: use the campaign file, the environment or the default.

    `project` is the project of the campaign file; None: the one around the current folder.
    """

    run: str | None = None
    new_run: bool = False
    sandbox: bool = False
    limit: int | None = None
    ledger: str | None = None
    reports: Path | None = None
    accept_ledger: bool = False
    accept_clock: bool = False
    require_ledger: bool = False
    project: Path | None = None


class _InFolder:
    """An attribute of RunPaths: the file with this name in the run's folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, paths: "RunPaths", owner: object = None) -> Path:
        return paths.folder / self._name


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Where a run keeps its files. `ledger` is a database URL or a path."""

    folder: Path
    ledger: str

    # The newest plan; and what it was made from, with its summary.
    plan = _InFolder("plan.parquet")
    plan_cache = _InFolder("plan.kept.json")
    # The plan that the run sends, used for sending and for results; a later `campaign plan` doesn't change it.
    sent_plan = _InFolder("plan.sent.parquet")
    # The campaign's settings when the newest session started, for the report.
    run_settings = _InFolder("run.json")
    # The ID of the ledger that the run was sent with.
    ledger_id = _InFolder(".ledger")

    summary = _InFolder("summary.json")
    results_parquet = _InFolder("results.parquet")
    results_csv = _InFolder("results.csv")
    results_xlsx = _InFolder("results.xlsx")
    page = _InFolder("report.html")
    # The numbers that receipts report as dead, as a suppression list.
    removals = _InFolder("numbers-to-remove.csv")
    # The rows that `campaign feedback` could not report.
    unmatched = _InFolder("feedback-unmatched.csv")
    # The files of the last sandbox run, until the next one begins to send.
    earlier_sandbox = _InFolder(".earlier")
    # Says that nothing in the folder of a sandbox run reached a phone.
    sandbox_notice = _InFolder("SANDBOX.txt")
    # The messages that a sandbox received.
    sandbox_book = _InFolder("book.jsonl")


def project_of(file: Path) -> Path:
    """The project of a campaign file: its folder, as `shown`."""
    # Unlike `Path.resolve`, this doesn't fail on a link that leads to itself. Reading the file reports that.
    folder = Path(os.path.realpath(file)).parent
    in_campaigns = (above.parent for above in _at_or_above(folder) if above.name == CAMPAIGNS)
    return shown(_with_project_file(folder) or next(in_campaigns, folder))


def current_project() -> Path:
    """The project around the current folder, as `shown`: the nearest with a project file, else the nearest with
    campaigns or a ledger, else the current folder.
    """
    folder = current_folder()
    found = (each for each in _at_or_above(folder) if (each / CAMPAIGNS).is_dir() or (each / DEFAULT_LEDGER).exists())
    return shown(_with_project_file(folder) or next(found, folder))


def is_another_project(folder: Path, project: Path) -> bool:
    """Whether a folder has a project file or campaigns, and is not a part of the project."""
    around = _with_project_file(folder)
    is_project = around == folder or (around is None and (folder / CAMPAIGNS).is_dir())
    return is_project and folder != project.resolve()


def current_folder() -> Path:
    """The folder in which the command was started. Raises InputError if it was deleted meanwhile."""
    try:
        return Path.cwd()
    except OSError:
        raise InputError.of("the current folder no longer exists", "change to another folder") from None


def shown(path: Path) -> Path:
    """The absolute path as people read it: relative to the current folder if it is in there."""
    here = current_folder()
    return path.relative_to(here) if path.is_relative_to(here) else path


def reports_folder(options: RunOptions) -> Path:
    given = options.reports or os.environ.get("CAMPAIGN_REPORTS")
    return Path(given) if given else (options.project or current_project()) / DEFAULT_LEDGER.parent


def ledger_url(options: RunOptions) -> str:
    return options.ledger or os.environ.get("CAMPAIGN_LEDGER") or str(reports_folder(options) / DEFAULT_LEDGER.name)


def _at_or_above(folder: Path) -> tuple[Path, ...]:
    return folder, *folder.parents


def _with_project_file(folder: Path) -> Path | None:
    # A broken link counts too: ignoring it would make another folder the project, with another ledger.
    return next((each for each in _at_or_above(folder) if os.path.lexists(each / PROJECT_FILE)), None)


def paths_of(name: str, run: str, options: RunOptions) -> RunPaths:
    """The paths of the run NAME/RUN. A sandbox run always has a separate ledger, whatever the options say."""
    folder = reports_folder(options) / name / run
    return RunPaths(folder, str(folder / "ledger.sqlite3") if run == SANDBOX_RUN else ledger_url(options))
