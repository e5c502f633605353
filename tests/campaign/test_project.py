"""The project file: read and refused as a campaign file is, with every problem at its place."""

from pathlib import Path

import pytest

from runner.base.errors import InputError
from runner.base.options import Rate
from runner.campaign.project import LedgerRule, read_project


@pytest.mark.parametrize(
    ("content", "ledger"),
    [("", None), ("# nothing yet\n", None), ("ledger: required\n", LedgerRule.REQUIRED)],
)
def test_all_keys_are_optional(tmp_path: Path, content: str, ledger: LedgerRule | None) -> None:
    (tmp_path / "project.yaml").write_text(content)
    assert ledger is read_project(tmp_path / "project.yaml").ledger


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("leger: required\n", ['1:1: leger: unknown key; did you mean "ledger"?']),
        ("ledger: require\n", ['1:9: ledger: unknown value "require"; did you mean "required"?']),
        ("ledger: yes\n", ['1:9: ledger: unknown value "yes"; write required']),
        ("ledger:\n", ['1:8: ledger: is empty; write "ledger: required", or remove the key']),
        (
            "rate: 10/s\nledger: [required]\n",
            [
                '1:1: rate: unknown key; write "rate" under account:',
                "2:9: ledger: must be text, not a list; write required without brackets",
            ],
        ),
        ("from: ACME\n", ["1:1: from: unknown key; the keys at the top level are ledger, account"]),
        ("ledger: required\nledger: required\n", ["2:1: ledger: duplicate key, already on line 1; remove one of them"]),
        (
            "apiKey: x\n",
            [
                "1:1: apiKey: secrets are not allowed in the file; remove it, and set EIGHTXEIGHT_API_KEY in the "
                "environment"
            ],
        ),
        ("required\n", ['1:1: the file has no keys; write one key per line, such as "name: welcome"']),
    ],
)
def test_problems_have_a_place_and_a_remedy(tmp_path: Path, content: str, problems: list[str]) -> None:
    file = tmp_path / "project.yaml"
    file.write_text(content)
    with pytest.raises(InputError) as error:
        read_project(file)
    assert [f"{file}:{problem}" for problem in problems] == str(error.value).splitlines()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.symlink_to("nowhere")
    with pytest.raises(InputError, match="no such file"):
        read_project(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match="is a folder"):
        read_project(file)


def test_the_rate_of_each_sub_account(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    assert read_project(file).account.rate is None
    file.write_text("account: {rate: 200/s}\n")
    assert read_project(file).account.rate == Rate(200, 1)
    file.write_text("account: {rate: fast}\n")
    with pytest.raises(InputError, match=r"1:17: account\.rate: .*rate such as 10/s"):
        read_project(file)
