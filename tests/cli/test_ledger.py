"""`campaign ledger`, a project that requires its ledger, and a job that starts without one."""

import shutil
from pathlib import Path

import pytest

from tests.cli.provider import Provider
from tests.cli.workplace import Workplace

LEDGER = "reports/ledger.sqlite3"


def test_init_info_verify_and_backup(campaign: Workplace) -> None:
    made = campaign("ledger", "init", "--json")
    assert (0, LEDGER) == (made.exit_code, made.document["path"])
    again = campaign("ledger", "init")
    assert (2, f"error: there is a ledger at {LEDGER} already; `campaign ledger info` shows what is in it\n") == (
        again.exit_code,
        again.stderr,
    )
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code

    info = campaign("ledger", "info", "--json").document
    assert (made.document["id"], 1, {"accepted": 5}, 0) == (info["id"], info["runs"], info["messages"], info["optouts"])
    assert {"path", "id", "schema", "version", "size", "runs", "messages", "optouts", "audit"} == set(info)
    assert "messages  5 (accepted 5)" in campaign("ledger", "info").stdout
    assert {"path": LEDGER, "ok": True, "problems": []} == campaign("ledger", "verify", "--json").document

    done = campaign("ledger", "backup", "copies/today.sqlite3")
    assert (0, "copied and checked: copies/today.sqlite3 (1 run, 5 messages)\n") == (done.exit_code, done.stdout)
    assert 2 == campaign("ledger", "backup", "copies/today.sqlite3").exit_code
    copied = campaign("ledger", "info", "--ledger", "copies/today.sqlite3", "--json").document
    assert [info[name] for name in ("id", "messages", "audit")] == [
        copied[name] for name in ("id", "messages", "audit")
    ]


def test_verify_blocks_a_damaged_ledger(campaign: Workplace) -> None:
    campaign("run", "hello.yaml", "--yes")
    campaign.ledger("SELECT 1")  # closes the -wal file
    path = campaign.folder / LEDGER
    shutil.copy(path, campaign.folder / "torn.sqlite3")
    with (campaign.folder / "torn.sqlite3").open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xff" * 30_000)
    (campaign.folder / "other.sqlite3").write_bytes(b"no database " * 1_000)

    for name in ("torn.sqlite3", "other.sqlite3"):
        done = campaign("ledger", "verify", "--ledger", name, "--json")
        assert (5, False) == (done.exit_code, done.document["ok"]), done
        assert done.document["problems"]
        assert "restore it from a backup" in done.stderr
    assert 2 == campaign("ledger", "verify", "--ledger", "nowhere.sqlite3").exit_code
    assert 0 == campaign("ledger", "verify").exit_code


@pytest.mark.parametrize("by", ["file", "option"])
def test_a_required_ledger_is_never_made_by_the_way(campaign: Workplace, provider: Provider, by: str) -> None:
    """Somebody deleted the ledger, or the job starts on a clean disk: the next run would text everybody again."""
    option = ["--require-ledger"] if by == "option" else []
    if by == "file":
        (campaign.folder / "project.yaml").write_text("ledger: required\n")
        (campaign.folder / "reply.json").write_text("{}\n")
        for words in (["optouts", "add", "+6581230001"], ["receipts", "--load", "reply.json"]):
            assert 2 == campaign(*words).exit_code
    for words in (["plan", "hello.yaml"], ["run", "hello.yaml", "--yes"]):
        done = campaign(*words, *option)
        assert (2, "") == (done.exit_code, done.stdout)
        assert f"error: there is no ledger at {LEDGER}, and none is made" in done.stderr
        assert ("project.yaml says `ledger: required`" if by == "file" else "--require-ledger") in done.stderr
        assert "make a new one with `campaign ledger init`" in done.stderr
    assert not (campaign.folder / "reports").exists()
    assert [] == provider.requests

    assert 0 == campaign("ledger", "init").exit_code
    assert 0 == campaign("run", "hello.yaml", "--yes", *option).exit_code
    assert 5 == len(provider.requests)


def test_the_sandbox_needs_no_ledger(campaign: Workplace) -> None:
    (campaign.folder / "project.yaml").write_text("ledger: required\n")
    assert 0 == campaign("run", "hello.yaml", "--sandbox", "--yes").exit_code
    assert 0 == campaign("plan", "hello.yaml", "--sandbox", "--require-ledger").exit_code


def test_the_command_that_makes_a_ledger_elsewhere_is_named(campaign: Workplace) -> None:
    done = campaign("run", "hello.yaml", "--yes", "--require-ledger", "--ledger", "my ledger.sqlite3")
    assert "make a new one with `campaign ledger init --ledger 'my ledger.sqlite3'`" in done.stderr


def test_in_ci_a_new_ledger_is_a_warning_before_everything_else(campaign: Workplace) -> None:
    words = f"warning: there is no ledger at {LEDGER}, so a new one is made"
    plain = campaign("plan", "hello.yaml", CI="false")
    assert words not in plain.stdout + plain.stderr
    for arguments in (["plan"], ["plan", "--format=markdown"], ["plan", "--json"], ["run", "--yes"]):
        shutil.rmtree(campaign.folder / "reports")
        done = campaign(*arguments, "hello.yaml", CI="true")
        assert 0 == done.exit_code
        if arguments == ["plan", "--json"]:
            assert done.document["warnings"][0].startswith("there is no ledger")
        elif "--format=markdown" in arguments:
            assert done.stdout.startswith("**warning: there is no ledger at")
        else:
            assert " ".join(done.stdout.split()).startswith(words)
    again = campaign("run", "hello.yaml", "--yes", CI="true")
    assert words not in again.stdout
    shutil.rmtree(campaign.folder / "reports")
    assert words not in campaign("run", "hello.yaml", "--sandbox", "--yes", CI="true").stdout


def test_check_reads_the_project_file_too(campaign: Workplace) -> None:
    (campaign.folder / "project.yaml").write_text("leger: required\n")
    (campaign.folder / "hello.yaml").write_text("name: hello\n")
    done = campaign("check", "hello.yaml")
    assert 2 == done.exit_code
    assert 'project.yaml:1:1: leger: unknown key; did you mean "ledger"?' in done.stderr
    assert "hello.yaml:1:1: rate: is missing" in done.stderr
    several = campaign("check", "hello.yaml", "hello.yaml", "--json")
    assert 1 == several.stderr.count("leger: unknown key")
    campaign.write("")
    for words in (["plan", "hello.yaml"], ["optouts", "add", "+6581230001"]):
        assert 'project.yaml:1:1: leger: unknown key; did you mean "ledger"?' in campaign(*words).stderr


def test_commands_without_a_file_find_the_project(campaign: Workplace) -> None:
    campaign("run", "hello.yaml", "--yes")
    inside = campaign.started_in(campaign.folder / "reports/hello/main")
    [run] = inside("status", "--json").document["runs"]
    assert ("hello", "main", 5) == (run["campaign"], run["run"], run["accepted"])
    assert {"accepted": 5} == inside("ledger", "info", "--json").document["messages"]
    assert 0 == inside("report", "hello").exit_code
    assert 0 == inside("optouts", "add", "+6581230001").exit_code
    assert [(1,)] == campaign.ledger("SELECT count(*) FROM optouts")
    assert [campaign.folder / LEDGER] == [*Path(campaign.folder).rglob("ledger.sqlite3")]
