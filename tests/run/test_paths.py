"""Where a run keeps its files: in the project of its campaign, wherever the command is started."""

from contextlib import chdir
from pathlib import Path

import pytest

from runner.campaign import check_run_id
from runner.run.paths import (
    SANDBOX_RUN,
    RunOptions,
    current_project,
    ledger_url,
    paths_of,
    project_of,
    reports_folder,
)

ENVIRONMENT = {"CAMPAIGN_REPORTS": "env-reports", "CAMPAIGN_LEDGER": "env.sqlite3"}
CASES: dict[str, tuple[dict[str, str], RunOptions, str, str]] = {
    "nothing said": ({}, RunOptions(), "reports", "reports/ledger.sqlite3"),
    "the environment": (ENVIRONMENT, RunOptions(), "env-reports", "env.sqlite3"),
    "an empty environment": ({"CAMPAIGN_REPORTS": "", "CAMPAIGN_LEDGER": ""}, RunOptions(), "reports",
                             "reports/ledger.sqlite3"),
    "options before the environment": (ENVIRONMENT, RunOptions(ledger="o.sqlite3", reports=Path("o")), "o",
                                       "o.sqlite3"),
    "options before the project": ({}, RunOptions(ledger="o.sqlite3", reports=Path("o"), project=Path("p")), "o",
                                   "o.sqlite3"),
    "the environment before the project": (ENVIRONMENT, RunOptions(project=Path("p")), "env-reports", "env.sqlite3"),
    "the project of the file": ({}, RunOptions(project=Path("p")), "p/reports", "p/reports/ledger.sqlite3"),
    "the ledger follows the reports": ({}, RunOptions(reports=Path("o")), "o", "o/ledger.sqlite3"),
}  # fmt: skip


@pytest.mark.parametrize(("environment", "options", "folder", "ledger"), CASES.values(), ids=CASES)
def test_folder_and_ledger(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: dict[str, str],
    options: RunOptions,
    folder: str,
    ledger: str,
) -> None:
    monkeypatch.chdir(tmp_path)
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


# What is in a folder, a campaign file, and the folder of its project.
PROJECTS: dict[str, tuple[list[str], str, str]] = {
    "a project file": (["p/project.yaml"], "p/a/b/c.yaml", "p"),
    "the nearest project file": (["p/project.yaml", "p/a/project.yaml"], "p/a/b/c.yaml", "p/a"),
    "a project file beside the campaign": (["p/project.yaml"], "p/c.yaml", "p"),
    "campaigns": ([], "p/campaigns/2026/c.yaml", "p"),
    "the nearest campaigns": ([], "p/campaigns/q/campaigns/c.yaml", "p/campaigns/q"),
    "a project file before campaigns": (["p/project.yaml"], "p/q/campaigns/c.yaml", "p"),
    "neither": ([], "p/a/c.yaml", "p/a"),
    "campaigns beside the file": (["p/campaigns/d.yaml"], "p/a/c.yaml", "p/a"),
}


@pytest.mark.parametrize(("files", "campaign", "project"), PROJECTS.values(), ids=PROJECTS)
def test_the_project_is_the_same_from_everywhere(tmp_path: Path, files: list[str], campaign: str, project: str) -> None:
    for name in (*files, campaign):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    file, expected = tmp_path / campaign, tmp_path / project
    (tmp_path / "else/where").mkdir(parents=True)
    for start in (tmp_path, expected, file.parent, tmp_path / "else/where"):
        with chdir(start):
            assert expected == project_of(file).absolute()
            assert expected == project_of(Path("../" * 10 + str(file)[1:])).absolute()
    # A run makes the ledger. From then on, a command without a file finds it in every folder of the project.
    (expected / "reports").mkdir(exist_ok=True)
    (expected / "reports/ledger.sqlite3").touch()
    for start in (expected, file.parent, expected / "reports"):
        with chdir(start):
            assert expected == current_project().absolute()


def test_links_are_followed(tmp_path: Path) -> None:
    """One campaign file has one project, whatever path leads to it."""
    (tmp_path / "p/campaigns").mkdir(parents=True)
    (tmp_path / "q/campaigns").mkdir(parents=True)
    (tmp_path / "p/campaigns/c.yaml").touch()
    (tmp_path / "q/campaigns/c.yaml").symlink_to("../../p/campaigns/c.yaml")
    (tmp_path / "linked").symlink_to("p/campaigns")
    with chdir(tmp_path):
        for file in ("p/campaigns/c.yaml", "q/campaigns/c.yaml", "linked/c.yaml"):
            assert Path("p") == project_of(Path(file))


def test_a_broken_project_file_still_marks_the_project(tmp_path: Path) -> None:
    (tmp_path / "p/campaigns").mkdir(parents=True)
    (tmp_path / "project.yaml").symlink_to("nowhere")
    assert tmp_path == project_of(tmp_path / "p/campaigns/c.yaml").absolute()


def test_paths_are_short_in_the_project_and_absolute_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "p/campaigns/c.yaml"
    file.parent.mkdir(parents=True)
    with chdir(tmp_path / "p"):
        assert "reports/ledger.sqlite3" == ledger_url(RunOptions(project=project_of(file)))
    with chdir(tmp_path):
        assert "p/reports/ledger.sqlite3" == ledger_url(RunOptions(project=project_of(file)))
    with chdir(file.parent):
        assert f"{tmp_path}/p/reports/ledger.sqlite3" == ledger_url(RunOptions(project=project_of(file)))
