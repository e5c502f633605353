"""Where a run keeps its files."""

from pathlib import Path

import pytest

from runner.campaign import check_run_id
from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url, paths_of, reports_folder

ENVIRONMENT = {"CAMPAIGN_REPORTS": "env-reports", "CAMPAIGN_LEDGER": "env.sqlite3"}
CASES: dict[str, tuple[dict[str, str], RunOptions, str, str]] = {
    "nothing said": ({}, RunOptions(), "reports", "reports/ledger.sqlite3"),
    "the environment": (ENVIRONMENT, RunOptions(), "env-reports", "env.sqlite3"),
    "an empty environment": ({"CAMPAIGN_REPORTS": "", "CAMPAIGN_LEDGER": ""}, RunOptions(), "reports",
                             "reports/ledger.sqlite3"),
    "options before the environment": (ENVIRONMENT, RunOptions(ledger="o.sqlite3", reports=Path("o")), "o",
                                       "o.sqlite3"),
    "the ledger follows the reports": ({}, RunOptions(reports=Path("o")), "o", "o/ledger.sqlite3"),
}  # fmt: skip


@pytest.mark.parametrize(("environment", "options", "folder", "ledger"), CASES.values(), ids=CASES)
def test_folder_and_ledger(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], options: RunOptions, folder: str, ledger: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (Path(folder), ledger) == (reports_folder(options), ledger_url(options))
    paths = paths_of("welcome", "main", options)
    assert (Path(folder, "welcome/main"), ledger) == (paths.folder, paths.ledger)


def test_the_sandbox_has_a_ledger_of_its_own_whatever_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPAIGN_LEDGER", "env.sqlite3")
    paths = paths_of("welcome", SANDBOX_RUN, RunOptions(sandbox=True, ledger="option.sqlite3", reports=Path("r")))
    assert "r/welcome/sandbox/ledger.sqlite3" == paths.ledger
    assert Path("r/welcome/sandbox/book.jsonl") == paths.sandbox_book


def test_no_run_of_a_campaign_can_be_the_sandboxs() -> None:
    assert check_run_id(SANDBOX_RUN)
    assert check_run_id("main") is None
