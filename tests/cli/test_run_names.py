"""Which run a start means when `run:` has a placeholder: midnight doesn't text anybody again."""

import os
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from tests.cli.clock import at, set_clock
from tests.cli.provider import Provider, Reply, Request, Script, error, queued
from tests.cli.terminal import answered
from tests.cli.workplace import MINIMAL, Workplace, people

RUN = ("run", "hello.yaml", "--yes")
DAILY = f'{MINIMAL}run: "{{date}}"\n'
# The commands' clock is set to it, because midnight may pass while the tests run.
NOW = datetime(2026, 12, 2, 0, 30, tzinfo=UTC)
TODAY, YESTERDAY = "2026-12-02", "2026-12-01"


@pytest.fixture(autouse=True)
def daily(campaign: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(NOW, monkeypatch)
    campaign.write(people(5), DAILY)


def key_expires_after(count: int) -> Script:
    def script(request: Request) -> Reply:
        return queued(request) if request.before < count else error(401, 1200, "Unauthorized")

    return script


def began_hours_ago(campaign: Workplace, run: str, hours: float) -> None:
    began = int((NOW - timedelta(hours=hours)).timestamp() * 1e6)
    engine = create_engine(f"sqlite:///{campaign.folder / 'reports/ledger.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET created_at = :began WHERE run = :run"), {"began": began, "run": run})
    engine.dispose()


def stopped_yesterday(campaign: Workplace, provider: Provider, *, hours: float) -> int:
    """A run of yesterday that stopped because of its key, with messages left. Returns how many were accepted."""
    campaign.write(people(5), DAILY.replace("200/s", "5/s"))
    provider.script = key_expires_after(2)
    assert 5 == campaign(*RUN, "--run", YESTERDAY).exit_code
    began_hours_ago(campaign, YESTERDAY, hours)
    campaign.write(people(5), DAILY)
    provider.script = queued
    provider.forget()
    return campaign.statuses(YESTERDAY)["accepted", "queued"]


def test_after_midnight_a_start_continues_the_unfinished_run(campaign: Workplace, provider: Provider) -> None:
    accepted = stopped_yesterday(campaign, provider, hours=24.9)
    words = f"warning: this continues hello/{YESTERDAY}, which is unfinished; to begin hello/{TODAY}, add --new-run"

    plan = campaign("plan", "hello.yaml", "--format", "markdown")
    assert f"campaign run hello.yaml --run {YESTERDAY} --approve" in plan.stdout
    done = campaign(*RUN)

    assert 0 == done.exit_code
    assert words in " ".join(done.stdout.split())
    assert words in " ".join(plan.stderr.split())
    assert 5 - accepted == len(provider.requests)
    assert {("accepted", "queued"): 5} == campaign.statuses(YESTERDAY)
    assert [(YESTERDAY,)] == campaign.ledger("SELECT run FROM runs")

    provider.forget()
    assert 0 == campaign(*RUN).exit_code  # that run is finished, so this is today's
    assert {("accepted", "queued"): 5} == campaign.statuses(TODAY)


def test_a_new_run_beside_an_unfinished_one_is_a_decision(campaign: Workplace, provider: Provider) -> None:
    stopped_yesterday(campaign, provider, hours=25.1)

    refused, asked = campaign(*RUN), campaign("run", "hello.yaml")

    assert (2, 2, []) == (refused.exit_code, asked.exit_code, provider.requests)
    assert f"hello/{YESTERDAY} is unfinished" in refused.stderr
    assert f"continue the earlier one with --run {YESTERDAY}, or add --new-run" in refused.stderr
    assert "add --new-run to begin it" in asked.stderr
    assert f"hello/{YESTERDAY} is unfinished" in " ".join(campaign("plan", "hello.yaml").stdout.split())

    assert 0 == campaign(*RUN, "--new-run").exit_code
    assert 5 == len(provider.requests)
    assert "--new-run" in campaign("audit", "--json").stdout
    assert 0 == campaign(*RUN).exit_code  # today's run is the newest, and finished
    assert 5 == len(provider.requests)


def test_the_command_that_continues_names_the_run(campaign: Workplace, provider: Provider) -> None:
    provider.script = key_expires_after(0)
    done = campaign(*RUN, "--new-run")
    assert 5 == done.exit_code
    assert f"campaign run hello.yaml --yes --run {TODAY}\n" in done.stdout


def test_unknown_messages_do_not_make_a_run_unfinished(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda request: queued(request) if request.before else Reply(500)
    assert 1 == campaign(*RUN, "--run", YESTERDAY).exit_code
    began_hours_ago(campaign, YESTERDAY, 1)
    assert {("accepted", "queued"): 4, ("unknown", "server_error"): 1} == campaign.statuses(YESTERDAY)
    provider.script = queued
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"): 5} == campaign.statuses(TODAY)


def test_a_clock_that_was_set_back_begins_no_new_run(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN, "--run", YESTERDAY).exit_code
    began_hours_ago(campaign, YESTERDAY, -0.5)
    done = campaign(*RUN)
    assert (0, 5) == (done.exit_code, len(provider.requests))
    assert "the clock was set back since" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("pattern", "run", "hours"), [("{week}", "2020-W01", 168), ("m-{month}", "m-2020-01", 744)])
def test_other_periods(campaign: Workplace, provider: Provider, pattern: str, run: str, hours: float) -> None:
    campaign.write(people(5), f'{MINIMAL}run: "{pattern}"\n')
    provider.script = key_expires_after(0)
    for name in (run, "by-hand"):  # the pattern can't give the other one
        assert 5 == campaign(*RUN, "--run", name).exit_code
    began_hours_ago(campaign, run, hours + 0.9)
    provider.script = queued
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"): 5} == campaign.statuses(run)


def started(campaign: Workplace, now: datetime) -> subprocess.Popen[bytes]:
    environment, quiet = campaign.environment, subprocess.DEVNULL
    return subprocess.Popen(at(now, *RUN), cwd=campaign.folder, env=environment, stdin=quiet, stdout=quiet)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_before_midnight_and_started_twice_after_it(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(20), DAILY.replace("200/s", "20/s"))
    provider.hold(2)
    with started(campaign, NOW - timedelta(hours=1)) as killed:
        provider.wait_for(4)
        killed.kill()
    provider.release()
    before = len(provider.requests)
    provider.hold(before)
    with started(campaign, NOW) as first, started(campaign, NOW) as second:
        provider.wait_for(before + 1)
        while (early := [process for process in (first, second) if process.poll() is not None]) == []:
            time.sleep(0.02)  # between looks
        assert [4] == [process.returncode for process in early]
        provider.release()

    assert {1, 4} == {first.returncode, second.returncode}  # 1: those in flight at the kill are unknown
    assert {1} == set(provider.sent.values())
    assert [(YESTERDAY,)] == campaign.ledger("SELECT run FROM runs")
    statuses = campaign.statuses(YESTERDAY)
    assert 20 == sum(statuses.values())
    assert {("accepted", "queued"), ("unknown", "process_died")} == set(statuses)
    assert 20 - statuses["unknown", "process_died"] == statuses["accepted", "queued"] >= 10


def test_an_approval_over_midnight(campaign: Workplace, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(NOW - timedelta(hours=1), monkeypatch)
    approve = ("--approve", str(campaign("plan", "hello.yaml", "--json").document["fingerprint"]))

    set_clock(NOW, monkeypatch)

    refused = campaign("run", "hello.yaml", *approve)
    assert (2, 0) == (refused.exit_code, len(provider.requests))

    assert 0 == campaign("run", "hello.yaml", "--run", YESTERDAY, *approve).exit_code
    assert [1] * 5 == list(provider.sent.values())
    assert {("accepted", "queued"): 5} == campaign.statuses(YESTERDAY)


def test_a_run_that_began_while_another_was_planned_is_not_repeated(
    campaign: Workplace, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start before midnight and one after it, and neither found the other in the ledger."""

    def answer_late(*_: object) -> None:
        set_clock(NOW, monkeypatch)
        provider.script = key_expires_after(2)
        began.append(campaign(*RUN).exit_code)
        provider.script = queued

    began: list[int] = []
    set_clock(NOW - timedelta(hours=1), monkeypatch)
    monkeypatch.setattr("runner.cli.run._confirm_sending", answer_late)
    refused = campaign("run", "hello.yaml")

    assert ([5], 3) == (began, refused.exit_code)
    words = f"nothing was sent: hello/{TODAY} began while hello/{YESTERDAY} was being planned; run the same command "
    assert f"{words}again, which continues hello/{TODAY}" in refused.stderr
    assert [(TODAY,)] == campaign.ledger("SELECT run FROM runs")
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"): 5} == campaign.statuses(TODAY)


@pytest.mark.parametrize(("typed", "exit_code", "sent"), [("n\n", 3, 0), ("y\ny\n", 0, 5)])
def test_at_a_terminal_a_new_run_is_a_question(
    campaign: Workplace, provider: Provider, typed: str, exit_code: int, sent: int
) -> None:
    stopped_yesterday(campaign, provider, hours=25.1)
    done = answered(campaign, typed, "run", "hello.yaml")
    assert (exit_code, sent) == (done.exit_code, len(provider.requests))
    assert f"Begin hello/{TODAY} although hello/{YESTERDAY} is unfinished?" in " ".join(
        (done.stdout + done.stderr).split()
    )


def test_a_lost_ledger_begins_no_new_run_beside_an_unfinished_one(campaign: Workplace, provider: Provider) -> None:
    stopped_yesterday(campaign, provider, hours=1)
    for path in (campaign.folder / "reports").glob("ledger.sqlite3*"):
        if path.is_file():
            path.unlink()

    refused = campaign(*RUN)
    assert (2, []) == (refused.exit_code, provider.requests)
    assert f"`campaign ledger rebuild hello/{YESTERDAY} --since TIME`" in " ".join(refused.stderr.split())
    assert 0 == campaign(*RUN, "--new-run").exit_code
    provider.forget()
    assert (0, []) == (campaign(*RUN).exit_code, provider.requests)  # today's run is the newest


def test_a_ledger_that_a_kill_left_without_tables(campaign: Workplace, provider: Provider) -> None:
    (campaign.folder / "reports").mkdir(exist_ok=True)
    connection = sqlite3.connect(campaign.folder / "reports/ledger.sqlite3")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert 0 == campaign(*RUN).exit_code
    assert 5 == len(provider.requests)
