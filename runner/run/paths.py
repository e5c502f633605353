"""Where a run keeps its files, by what the command line and the environment say."""

import os
from dataclasses import dataclass
from pathlib import Path

SANDBOX_RUN = "sandbox"
"""The run that `--sandbox` sends; no campaign can name its own so."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says beyond the campaign file. None: the environment or the default decides."""

    run: str | None = None
    sandbox: bool = False
    limit: int | None = None
    ledger: str | None = None
    reports: Path | None = None
    accept_ledger: bool = False
    accept_clock: bool = False


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Where a run keeps its files."""

    folder: Path
    ledger: str

    @property
    def plan(self) -> Path:
        """The newest plan, for people."""
        return self.folder / "plan.parquet"

    @property
    def kept_plan(self) -> Path:
        """What the newest plan was made of, and its summary."""
        return self.folder / "plan.kept.json"

    @property
    def sent_plan(self) -> Path:
        """The plan that the run sends, for the sender and the results: a later `campaign plan` doesn't touch it."""
        return self.folder / "plan.sent.parquet"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.json"

    @property
    def results_parquet(self) -> Path:
        return self.folder / "results.parquet"

    @property
    def results_csv(self) -> Path:
        return self.folder / "results.csv"

    @property
    def results_xlsx(self) -> Path:
        return self.folder / "results.xlsx"

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    @property
    def removals(self) -> Path:
        """The numbers that the receipts call dead: a suppression file."""
        return self.folder / "numbers-to-remove.csv"

    @property
    def unmatched(self) -> Path:
        """What `campaign feedback` was told and could not match."""
        return self.folder / "feedback-unmatched.csv"

    @property
    def run_settings(self) -> Path:
        """What the campaign asked for when the newest session began, for the report."""
        return self.folder / "run.json"

    @property
    def ledger_id(self) -> Path:
        """Holds the id of the ledger that this folder's run was sent with."""
        return self.folder / ".ledger"

    @property
    def sandbox_book(self) -> Path:
        return self.folder / "book.jsonl"


def reports_folder(options: RunOptions) -> Path:
    return options.reports or Path(os.environ.get("CAMPAIGN_REPORTS") or "reports")


def ledger_url(options: RunOptions) -> str:
    return options.ledger or os.environ.get("CAMPAIGN_LEDGER") or str(reports_folder(options) / "ledger.sqlite3")


def paths_of(name: str, run: str, options: RunOptions) -> RunPaths:
    """Where the run NAME/RUN keeps its files. The sandbox has its own ledger, whatever the options say."""
    folder = reports_folder(options) / name / run
    return RunPaths(folder, str(folder / "ledger.sqlite3") if run == SANDBOX_RUN else ledger_url(options))
