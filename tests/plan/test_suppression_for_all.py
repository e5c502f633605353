"""What the environment adds to a campaign: suppression lists for everybody."""

import os
from pathlib import Path

import pytest

from runner.base.errors import InputError
from runner.plan.inputs import SUPPRESS_VARIABLE, load_inputs, suppression_lists_for_all
from tests.plan.folder import CAMPAIGN, write_folder


def test_lists_are_parted_as_in_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out.txt").write_text("+6591234567\n")
    Path("of 2025").mkdir()
    Path("of 2025/out.txt").write_text("+6591234567\n")
    monkeypatch.setenv(SUPPRESS_VARIABLE, os.pathsep.join(["out.txt", "", "of 2025/out.txt"]))
    lists = (Path("out.txt"), Path("of 2025/out.txt"))
    assert (list(lists), []) == suppression_lists_for_all()
    suppress = load_inputs(write_folder(tmp_path / "campaigns")).audience.suppress
    assert lists == tuple(one.path for one in suppress)


@pytest.mark.parametrize("value", ["", " ", os.pathsep])
def test_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(SUPPRESS_VARIABLE, value)
    assert ([], []) == suppression_lists_for_all()


def test_a_missing_list_is_named_with_all_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv(SUPPRESS_VARIABLE, os.pathsep.join([" out.txt", "folder"]))
    file = write_folder(Path(), campaign=CAMPAIGN.replace("key: id", "key: idd"))
    with pytest.raises(InputError) as error:
        load_inputs(file)
    remedy = f"correct the path; separate several paths with {os.pathsep}"
    assert [
        f'{SUPPRESS_VARIABLE}: no such file: " out.txt"; {remedy}',
        f'{SUPPRESS_VARIABLE}: no such file: "folder"; {remedy}',
    ] == [str(problem) for problem in error.value.problems[:2]]
    assert ["recipients.key"] == [problem.path for problem in error.value.problems[2:]]
