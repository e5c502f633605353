"""`campaign status`, with --watch on a real terminal and in a log, while a real run is going."""

import os
import re
from pathlib import Path

import pytest

from tests.cli.provider import Provider
from tests.cli.terminal import Terminal
from tests.cli.workplace import MINIMAL, Workplace, ended, people
from tests.ledger.filled import Filled

RUN = ("run", "hello.yaml", "--yes")
POSIX = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")


def filled(offline: Workplace) -> Filled:
    return Filled(offline.folder / "reports/ledger.sqlite3")


def test_one_line_for_each_run(offline: Workplace) -> None:
    with filled(offline) as ledger:
        first, second = ledger.run("welcome", to_send=3), ledger.run("a-campaign-with-a-very-long-name" * 2, to_send=1)
        ledger.messages(first, 2)
        ledger.messages(first, 1, status="rejected")
        ledger.end(first)
        ledger.end(second, reason="interrupted", detail="stopped by \x1b[31mCtrl-C")
    done = offline.here("status")
    assert (0, "") == (done.exit_code, done.stderr)
    lines = done.stdout.splitlines()
    assert ["run", "state", "to", "send", "accepted", "rejected", "unsent"] == lines[0].split()
    assert ["welcome/main", "finished", "3", "2", "1", "0"] == lines[1].split()
    assert 80 >= max(map(len, lines))
    assert "\x1b" not in done.stdout
    assert "receipt" not in done.stdout
    assert "delivered" not in done.stdout


def test_delivery_conversion_and_optouts(offline: Workplace) -> None:
    with filled(offline) as ledger:
        run = ledger.run(to_send=9)
        ledger.messages(run, 5, receipt={"state": "delivered"}, outcome="success")
        ledger.messages(run, 2, receipt={"state": "undelivered"}, outcome="failure")
        ledger.messages(run, 1, receipt={"state": "delivered", "detail": "delivered_to_operator"})
        ledger.messages(run, 1)
        ledger.end(run)
        ledger.opt_out("+12025550101")
    done = offline.here("status")
    _, delivery, conversion = (part.splitlines() for part in done.stdout.split("\n\n"))
    assert ["run", "delivered", "accepted", "delivered", "way", "receipt"] == delivery[1].split()
    assert ["welcome/main", "5", "55.6%", "2", "1", "1"] == delivery[2].split()
    assert ["welcome/main", "5", "2"] == conversion[2].split()
    assert "1 number opted out; see `campaign optouts list`" == conversion[3]
    assert 80 >= max(map(len, done.stdout.splitlines()))


def test_why_a_run_stopped(offline: Workplace) -> None:
    with filled(offline) as ledger:
        ledger.end(ledger.run(), reason="unauthorized", detail="The request has no valid API key")
    assert "welcome/main: stopped: unauthorized: The request has no valid API key" in offline.here("status").stdout


def test_optouts_of_sandbox_runs(offline: Workplace) -> None:
    """Each sandbox run has a ledger of its own, so the command that lists them needs the campaign's name."""
    for number, name in enumerate(("first", "second")):
        with Filled(offline.folder / f"reports/{name}/sandbox/ledger.sqlite3") as ledger:
            ledger.end(ledger.run(name, "sandbox"))
            ledger.opt_out(f"+1202555010{number}")
    one, both = offline.here("status", "first", "--sandbox"), offline.here("status", "--sandbox")
    assert "1 number opted out; see `campaign optouts list --sandbox first`" in one.stdout
    assert "2 numbers opted out; see `campaign optouts list --sandbox NAME`" in both.stdout
    assert "1 number opted out" in offline.here("optouts", "list", "--sandbox", "first").stdout


def test_ten_million_in_eighty_columns(offline: Workplace) -> None:
    """No figure is ever cut: what doesn't fit side by side stands below."""
    from runner.cli.console import Console
    from runner.cli.status import show_status
    from runner.run.status import StatusSnapshot

    count = 12_345_678
    states = ("delivered", "undelivered", "sent", "cancelled", "pending")
    run = {
        "campaign": "x" * 64, "run": "y" * 64, "state": "finished", "to_send": count, "accepted": count,
        "rejected": count, "unknown": 0, "sending": 0, "unsent": 0, "waiting_for": None, "held_up_by": None,
        "stopped": None, "sent_to": None, "sandbox": False,
        "delivery": dict.fromkeys(states, count), "delivered_share": 0.999999,
        "conversions": {"success": count, "failure": count},
    }  # fmt: skip
    console = Console()
    with console.rich.capture() as capture:
        show_status(console, StatusSnapshot([run], optouts=0, to_review=0))
    shown = capture.get()
    assert 3 + 5 + 2 == shown.count("12,345,678")
    assert 80 >= max(map(len, shown.splitlines()))
    assert "99.9%" in shown
    assert "…" not in shown


def test_a_narrow_terminal_breaks_no_figure(offline: Workplace) -> None:
    with filled(offline) as ledger:
        run = ledger.run(to_send=1_000_000)
        ledger.messages(run, 2, receipt={"state": "delivered"})
        ledger.messages(run, 1, status="rejected")
        ledger.end(run)
    done = offline.here("status", COLUMNS="40")
    words = " ".join(done.stdout.split())
    assert "welcome/main: state stopped, to send 1,000,000, accepted 2, rejected 1, unsent 999,997" in words
    assert 40 >= max(map(len, done.stdout.splitlines()))


def test_for_scripts(offline: Workplace) -> None:
    with filled(offline) as ledger:
        ledger.messages(ledger.run(), 1, receipt={"state": "delivered"})
    document = offline.here("status", "--json").document
    assert ({"delivered": 1}, 0) == (document["runs"][0]["delivery"], document["optouts"])
    assert {"runs": [], "optouts": 0, "replies_to_review": 0} == offline.here("status", "--sandbox", "--json").document


def test_one_document_is_not_watched(offline: Workplace) -> None:
    done = offline.here("status", "--watch", "--json")
    [words] = done.document["errors"]
    expected = "--watch can't be combined with --json; run `campaign status --json` repeatedly instead"
    assert (2, expected) == (done.exit_code, words)


def test_nothing_to_watch_ends_at_once(offline: Workplace) -> None:
    with filled(offline) as ledger:
        ledger.end(ledger.run(to_send=0))
    assert offline.here("status").stdout == offline.here("status", "--watch").stdout
    assert 2 == offline.here("status", "nobody", "--watch").exit_code


def test_without_a_ledger(offline: Workplace, tmp_path: Path) -> None:
    assert 2 == offline.here("status", "--watch", "--ledger", str(tmp_path / "none.sqlite3")).exit_code
    assert not (tmp_path / "none.sqlite3").exists()


@POSIX
def test_watching_a_run_until_it_ends(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(40), MINIMAL)
    provider.hold(after=10)
    with campaign.started(*RUN) as run:
        provider.wait_for(40)
        with Terminal(campaign, "status", "--watch") as terminal:
            terminal.read_until("10 of 40 (25%)")
            terminal.read_until("accepted 10, sending 30")
            provider.release()
            assert 0 == terminal.wait()
            assert "finished" in terminal.seen
            last = terminal.seen.splitlines()[-2]  # before the line about the server
        ended(run)
    assert ["hello/main", "finished", "40", "40"] == last.split()


@POSIX
def test_ctrl_c_ends_the_watch_and_not_the_run(campaign: Workplace, provider: Provider) -> None:
    provider.hold(after=2)
    with campaign.started(*RUN) as run:
        provider.wait_for(5)
        with Terminal(campaign, "status", "hello", "--watch") as terminal:
            terminal.read_until("2 of 5 (40%)")
            terminal.press_ctrl_c()
            assert 0 == terminal.wait()
            assert ["hello/main", "sending", "5", "2", "3"] == terminal.seen.splitlines()[-2].split()[:5]
            assert "Traceback" not in terminal.seen
            assert "\x1b[?25h" in terminal._raw.decode().rpartition("\x1b[?25l")[2]  # the cursor is there again
        assert None is run.poll()
        provider.release()
        ended(run)
    assert 5 == len(provider.requests)


def test_watching_in_a_log(campaign: Workplace, provider: Provider) -> None:
    provider.hold(after=2)
    with campaign.started(*RUN) as run:
        provider.wait_for(5)
        with campaign.started("status", "hello", "--watch") as watch:
            assert watch.stdout
            line = watch.stdout.readline()
            provider.release()
            done = ended(watch)
        ended(run)
    assert re.fullmatch(
        r"hello/main: 2 of 5 \(40%\) · [\d.,]+/(?:s|min|h) · accepted 2, sending 3 · NOT 8x8: messages go to .*\n", line
    )
    assert 0 == done.exit_code
    assert ["hello/main", "finished", "5", "5"] == done.stdout.splitlines()[-2].split()
