"""Where a run keeps its files, from the command line and the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

# The run ID that `--sandbox` uses; campaigns can't use it.
SANDBOX_RUN = "sandbox"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of the command line. None means: use the campaign file, the environment or the default."""

    run: str | None = None
    sandbox: bool = False
    limit: int | None = None
    ledger: str | None = None
    reports: Path | None = None
    accept_ledger: bool = False
    accept_clock: bool = False


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
    # Says that nothing in the folder of a sandbox run reached a phone.
    sandbox_notice = _InFolder("SANDBOX.txt")
    # The messages that a sandbox received.
    sandbox_book = _InFolder("book.jsonl")


def reports_folder(options: RunOptions) -> Path:
    return options.reports or Path(os.environ.get("CAMPAIGN_REPORTS") or "reports")


def ledger_url(options: RunOptions) -> str:
    return options.ledger or os.environ.get("CAMPAIGN_LEDGER") or str(reports_folder(options) / "ledger.sqlite3")


def paths_of(name: str, run: str, options: RunOptions) -> RunPaths:
    """The paths of the run NAME/RUN. A sandbox run always has a separate ledger, whatever the options say."""
    folder = reports_folder(options) / name / run
    return RunPaths(folder, str(folder / "ledger.sqlite3") if run == SANDBOX_RUN else ledger_url(options))
