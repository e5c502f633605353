"""The same campaign started from anywhere: one ledger, and nobody is texted twice, as the provider counts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.workplace import Done
from tests.faults.arena import MESSAGES, Arena, arena


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Arena]:
    """The campaign is `p/campaigns/hello.yaml`; other folders are beside `p`."""
    (tmp_path / "p").mkdir()
    with arena(tmp_path / "p") as run:
        campaigns = tmp_path / "p/campaigns"
        campaigns.mkdir()
        for name in ("hello.yaml", "people.csv"):
            (tmp_path / "p" / name).rename(campaigns / name)
        (tmp_path / "beside/deep").mkdir(parents=True)
        yield run


def command(run: Arena, folder: str, *words: str) -> Done:
    """A command in a folder beside the project."""
    return run.place.started_in(run.place.folder.parent / folder)(*words)


def start(run: Arena, folder: str, file: str, *options: str) -> Done:
    return command(run, folder, "run", file, "--yes", *options)


def test_from_every_folder(run: Arena) -> None:
    top = run.place.folder.parent
    (top / "link").symlink_to("p/campaigns")
    (top / "beside/hello.yaml").symlink_to("../p/campaigns/hello.yaml")
    (top / "beside/people.csv").symlink_to("../p/campaigns/people.csv")
    assert 0 == start(run, "p", "campaigns/hello.yaml", "--limit", "20").exit_code
    for folder, file in (
        ("p/campaigns", "hello.yaml"),
        ("beside", "../p/campaigns/hello.yaml"),
        ("beside/deep", str(run.place.folder / "campaigns/hello.yaml")),
        ("link", "hello.yaml"),
        ("beside", "../link/hello.yaml"),
        ("beside", "hello.yaml"),
        (".", "p/campaigns/hello.yaml"),
    ):
        done = start(run, folder, file)
        assert 0 == done.exit_code, (folder, file, done.stderr)
    assert [1] * MESSAGES == [*run.received().values()]
    assert [run.place.folder / "reports/ledger.sqlite3"] == [*top.rglob("ledger.sqlite3")]


@pytest.mark.parametrize("folder", ["beside", "p/campaigns"])
def test_an_older_ledger_stops_the_run(run: Arena, folder: str) -> None:
    """The ledger of an earlier version lies where the command was started."""
    assert 0 == start(run, "p", "campaigns/hello.yaml", "--limit", "20").exit_code
    new, old = run.place.folder / "reports", run.place.folder.parent / folder / "reports"
    new.rename(old)
    file = os.path.relpath(run.place.folder / "campaigns/hello.yaml", old.parent)

    for words in ((), ("--require-ledger",)):
        refused = start(run, folder, file, *words)
        assert (2, "") == (refused.exit_code, refused.stdout)
        shown = [f"{new}/ledger.sqlite3", "there is an older ledger at reports/ledger.sqlite3"]
        assert shown == [words for words in shown if words in refused.stderr]
        assert f"move the folder reports to {new} while nothing is sent" in refused.stderr
    assert 20 == len(run.received())
    assert not new.exists()

    if folder == "p/campaigns":  # found from elsewhere too, because it is inside the project
        assert 2 == start(run, "beside", "../p/campaigns/hello.yaml").exit_code
    # The old reports have the plan that was sent; without it, somebody must say that the texts are the same.
    options = ("--ledger", "reports/ledger.sqlite3", "--accept-changes")
    assert 0 == start(run, folder, file, *options).exit_code
    assert [1] * MESSAGES == [*run.received().values()]


@pytest.mark.parametrize("way", ["move", "copy"])
def test_what_the_refusal_says_to_do_helps(run: Arena, way: str) -> None:
    assert 0 == start(run, "p", "campaigns/hello.yaml", "--limit", "20").exit_code
    new, old = run.place.folder / "reports", run.place.folder.parent / "beside/reports"
    new.rename(old)
    if way == "copy":
        (new / "hello").mkdir(parents=True)
    refused = start(run, "beside", "../p/campaigns/hello.yaml")
    if way == "move":
        assert f"move the folder reports to {new}" in refused.stderr
        old.rename(new)
    else:
        copy = f"campaign ledger backup --ledger reports/ledger.sqlite3 {new}/ledger.sqlite3"
        assert f"copy it there with `{copy}`, then rename reports/ledger.sqlite3" in refused.stderr
        assert 0 == command(run, "beside", *copy.split()[1:]).exit_code
        assert "rename reports/ledger.sqlite3" in start(run, "beside", "../p/campaigns/hello.yaml").stderr
        (old / "ledger.sqlite3").rename(old / "old.sqlite3")
    assert 0 == start(run, "beside", "../p/campaigns/hello.yaml", "--accept-changes").exit_code
    assert [1] * MESSAGES == [*run.received().values()]


def test_the_ledger_of_another_project_stops_only_what_it_knows(run: Arena) -> None:
    """Somebody who works in one project starts a campaign of another one."""
    other = run.place.folder.parent / "beside"
    (other / "campaigns").mkdir()
    for name in ("hello.yaml", "people.csv"):
        shutil.copy(run.place.folder / "campaigns" / name, other / "campaigns" / name)
    mine = other / "campaigns/hello.yaml"
    mine.write_text(mine.read_text().replace("name: hello", "name: other"))
    assert 0 == start(run, "beside", "campaigns/hello.yaml", "--limit", "5").exit_code
    assert 0 == start(run, "beside", "../p/campaigns/hello.yaml").exit_code
    assert 0 == start(run, "p", "campaigns/hello.yaml").exit_code

    mine.write_text(mine.read_text().replace("name: other", "name: hello"))
    assert 0 == start(run, "beside", "campaigns/hello.yaml", "--limit", "5", "--run", "mine").exit_code
    refused = start(run, "beside", "../p/campaigns/hello.yaml")
    assert 2 == refused.exit_code
    assert "there is an older ledger at reports/ledger.sqlite3" in refused.stderr
    assert MESSAGES + 5 + 5 == sum(run.received().values())


def test_a_backup_while_a_run_is_sending(run: Arena) -> None:
    """Every message that the provider had when the backup began is in the copy."""
    place = run.place
    campaign = place.folder / "campaigns/hello.yaml"
    campaign.write_text(campaign.read_text().replace("200/s", "20/s"))
    with place.started("run", "campaigns/hello.yaml", "--yes", EIGHTXEIGHT_BASE_URL=run.base_url) as process:
        assert process.stdout is not None
        run.wait_for(20, process)
        before = set(run.received())
        assert 0 == place.here("ledger", "backup", "copy.sqlite3").exit_code
        assert process.poll() is None, "the run ended before the backup: make it longer"
        process.communicate()
    assert 0 == process.returncode
    copied = {row[0] for row in place.ledger("SELECT message_id FROM messages", "copy.sqlite3")}
    assert before <= copied
    assert [1] * MESSAGES == [*run.received().values()]
    assert 0 == place.here("ledger", "verify", "--ledger", "copy.sqlite3").exit_code
