"""A run whose ledger is lost: its entries are made again from the provider's log, and nobody is texted twice."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.clock import set_clock
from tests.cli.workplace import MINIMAL, Done, person
from tests.faults.arena import MESSAGES, Arena, arena, quick

__all__ = ["quick"]

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Arena]:
    with arena(tmp_path) as run:
        yield run


def command(run: Arena, *words: str) -> Done:
    return run.place(*words, EIGHTXEIGHT_BASE_URL=run.base_url)


def rebuild(run: Arena, *options: str, settle: str = "0s") -> Done:
    return command(run, "ledger", "rebuild", "hello/main", "--since", "1d", "--settle", settle, *options)


def lose_ledger(run: Arena, *, reports_too: bool = False) -> None:
    shutil.rmtree(run.place.folder / "reports/ledger.sqlite3.locks")
    for path in (run.place.folder / "reports").glob("ledger.sqlite3*"):
        path.unlink()
    if reports_too:
        shutil.rmtree(run.place.folder / "reports")


def test_a_killed_run_without_its_ledger(run: Arena) -> None:
    campaign = run.place.folder / "hello.yaml"
    campaign.write_text(campaign.read_text().replace("200/s", "20/s"))
    with run.place.started("run", "hello.yaml", "--yes", EIGHTXEIGHT_BASE_URL=run.base_url) as process:
        run.wait_for(15, process)
        process.send_signal(signal.SIGKILL)
    lose_ledger(run)
    received = len(run.received())
    assert 15 <= received < MESSAGES
    # What is left of the run keeps it from being sent without its ledger.
    refused = command(run, "run", "hello.yaml", "--yes")
    assert 2 == refused.exit_code
    assert "`campaign ledger rebuild hello/main --since TIME`" in refused.stderr

    done = rebuild(run, "--json")
    expected = {"found": received, "added": received, "without_number": 0, "left": MESSAGES - received}
    assert (0, expected) == (done.exit_code, {name: done.document[name] for name in expected})
    assert f"{MESSAGES - received} messages are not in the log" in " ".join(done.stderr.split())
    assert [] == run.place.ledger("SELECT 1 FROM messages WHERE key = '' OR destination = '' OR umid IS NULL")
    assert [("interrupted",)] == run.place.ledger("SELECT stop_reason FROM runs")  # so a start after midnight continues

    campaign.write_text(MINIMAL)
    assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
    assert [1] * MESSAGES == [*run.received().values()]
    run.check_truth()
    assert {"queued": MESSAGES - received, "reconciled": received} == {
        reason: count for (_, reason), count in run.place.statuses().items()
    }
    actions = [row[0] for row in run.place.ledger("SELECT action FROM audit WHERE action LIKE 'ledger%'")]
    assert ["ledger_made", "ledger_rebuilt"] == actions
    assert 0 == command(run, "ledger", "verify").exit_code


def test_a_daily_run_goes_on_after_midnight(run: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    (run.place.folder / "hello.yaml").write_text(f'{MINIMAL}run: "{{date}}"\n')
    assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "20").exit_code
    began = run.place.ledger("SELECT run FROM runs")
    lose_ledger(run, reports_too=True)
    target = f"hello/{began[0][0]}"
    assert 0 == command(run, "ledger", "rebuild", target, "--since", "1d", "--settle", "0s").exit_code

    tomorrow = datetime.fromisoformat(began[0][0]).replace(tzinfo=UTC) + timedelta(days=1)
    set_clock(tomorrow, monkeypatch)
    assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
    assert began == run.place.ledger("SELECT run FROM runs")
    assert [1] * MESSAGES == [*run.received().values()]


def test_a_log_that_may_not_be_complete_yet(run: Arena) -> None:
    assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "20").exit_code
    lose_ledger(run)
    early = rebuild(run, settle="15min")
    assert 1 == early.exit_code
    assert "the log may lack the newest messages: run this command again after" in " ".join(early.stdout.split())
    refused = command(run, "run", "hello.yaml", "--yes")
    assert (2, 20) == (refused.exit_code, len(run.received()))
    assert "may lack messages of hello/main" in refused.stderr
    assert "run `campaign ledger rebuild hello/main --since TIME` again" in refused.stderr
    again = rebuild(run, "--json")
    assert (0, 20, 0) == (again.exit_code, again.document["found"], again.document["added"])
    assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
    assert [1] * MESSAGES == [*run.received().values()]


def test_a_whole_run_needs_no_waiting(run: Arena) -> None:
    assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
    lose_ledger(run, reports_too=True)
    done = rebuild(run, settle="15min")
    assert 0 == done.exit_code
    assert f"hello/main: {MESSAGES} messages in the provider's log" in done.stdout
    assert "this ledger has no opt-outs" in done.stdout
    assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
    assert [1] * MESSAGES == [*run.received().values()]


def test_an_older_copy_gets_what_it_lacks(run: Arena) -> None:
    """A backup was restored that was made in the middle of the run; one of its messages is unknown."""
    assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "20").exit_code
    copy, ledger = run.place.folder / "copy.sqlite3", run.place.folder / "reports/ledger.sqlite3"
    assert 0 == command(run, "ledger", "backup", "copy.sqlite3").exit_code
    assert 0 == command(run, "run", "hello.yaml", "--yes", "--accept-changes").exit_code
    lose_ledger(run)
    copy.rename(ledger)
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE messages SET status = 'unknown', umid = NULL, checksum = NULL WHERE key = 'k3'")
    connection.close()

    done = rebuild(run, "--json")
    assert (0, MESSAGES, MESSAGES - 20) == (done.exit_code, done.document["found"], done.document["added"])
    assert [("accepted", MESSAGES)] == run.place.ledger("SELECT status, count(*) FROM messages GROUP BY status")
    assert 0 == command(run, "run", "hello.yaml", "--yes", "--accept-changes").exit_code
    assert [1] * MESSAGES == [*run.received().values()]


def test_only_this_runs_messages_are_taken(run: Arena) -> None:
    """`hello.main.` also begins the IDs of the run `main.2`."""
    for options in (["--limit", "3"], ["--limit", "7", "--run", "main.2"]):
        assert 0 == command(run, "run", "hello.yaml", "--yes", *options).exit_code
    lose_ledger(run)
    assert 3 == rebuild(run, "--json").document["found"]
    done = command(run, "ledger", "rebuild", "hello/main.2", "--since", "1d", "--settle", "0s", "--json")
    assert 7 == done.document["found"]
    assert [(3,), (7,)] == run.place.ledger("SELECT count(*) FROM messages GROUP BY run_id ORDER BY 1")


def test_another_text_since_then_needs_a_decision(run: Arena) -> None:
    assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "20").exit_code
    lose_ledger(run)
    campaign = run.place.folder / "hello.yaml"
    campaign.write_text(campaign.read_text().replace("Hi ", "Hello "))
    assert 0 == rebuild(run).exit_code
    refused = command(run, "run", "hello.yaml", "--yes")
    assert 2 == refused.exit_code
    assert "20 recipients with another text or number" in refused.stderr
    assert 20 == len(run.received())


def test_recipients_who_are_gone_stay_without_a_number(run: Arena) -> None:
    assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
    lose_ledger(run, reports_too=True)
    run.place.write("".join(person(n) for n in range(1, MESSAGES - 9)), MINIMAL)
    done = rebuild(run, "--json")
    assert (MESSAGES, 10) == (done.document["found"], done.document["without_number"])
    # The keys may have changed: somebody must look before anything is sent.
    assert "--accept-changes" in command(run, "run", "hello.yaml", "--yes").stderr


def test_a_failed_export_changes_nothing(tmp_path: Path) -> None:
    with arena(tmp_path, faults=[{"fault": "export_failed", "requests": [1]}]) as run:
        assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "9").exit_code
        lose_ledger(run)
        done = rebuild(run)
        assert (3, False) == (done.exit_code, (tmp_path / "reports/ledger.sqlite3").exists())
        assert 0 == rebuild(run).exit_code


def test_an_interrupted_rebuild_keeps_the_run_from_being_sent(tmp_path: Path) -> None:
    """The export is cut off in its last file. What it had is known, but the run doesn't go on with a part of it."""
    cut_off = {"fault": "export_cut_off", "requests": [1]}
    with arena(tmp_path, faults=[cut_off], export_rows=5) as run:
        assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "20").exit_code
        lose_ledger(run, reports_too=True)
        assert 3 == rebuild(run).exit_code
        refused = command(run, "run", "hello.yaml", "--yes")
        assert 2 == refused.exit_code
        assert "may lack messages of hello/main" in refused.stderr
        assert 0 == rebuild(run).exit_code
        assert 0 == command(run, "run", "hello.yaml", "--yes").exit_code
        assert [1] * MESSAGES == [*run.received().values()]


def test_what_is_refused(run: Arena) -> None:
    def refusal(*words: str) -> str:
        done = command(run, "ledger", "rebuild", *words)
        assert 2 == done.exit_code, done
        return done.stderr

    assert "is not NAME/RUN" in refusal("hello", "--since", "1d")
    assert "a sandbox run can't be rebuilt" in refusal("hello/sandbox", "--since", "1d")
    assert "is called other; name the file with --file" in refusal("other/main", "--since", "1d")
    named = refusal("other/main", "--since", "1d", "--file", "hello.yaml")
    assert "hello.yaml is called hello, not other; name another file with --file" in named
    assert "the provider's log has no message of hello/main since" in refusal("hello/main", "--since", "1d")
    assert not (run.place.folder / "reports").exists() or not [*(run.place.folder / "reports").glob("*.sqlite3")]

    shutil.copy(run.place.folder / "hello.yaml", run.place.folder / "again.yaml")
    assert "several campaign files are called hello: again.yaml, hello.yaml" in refusal("hello/main", "--since", "1d")
    (run.place.folder / "again.yaml").unlink()

    assert 0 == command(run, "run", "hello.yaml", "--yes", "--limit", "5").exit_code
    summary = run.place.path("summary.json")
    earlier = datetime.now(UTC) - timedelta(days=40)
    summary.write_text(f'{{"created_at": "{earlier.isoformat()}"}}')
    assert f"use --since {earlier:%Y-%m-%d}" in refusal("hello/main", "--since", "1d")

    campaign = run.place.folder / "hello.yaml"
    campaign.write_text(MINIMAL.replace("acme_hq", "acme_other"))
    assert 0 != command(run, "ledger", "rebuild", "hello/main", "--since", "60d").exit_code
    campaign.write_text(MINIMAL)
    assert 0 == command(run, "purge", "hello/main", "--yes").exit_code
    assert "was purged" in refusal("hello/main", "--since", "60d")
