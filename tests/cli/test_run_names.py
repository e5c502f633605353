"""Which run a start means when `run:` has a placeholder: midnight doesn't text anybody again."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from tests.cli.provider import Provider, Reply, Request, Script, error, queued
from tests.cli.workplace import MINIMAL, Workplace, people

RUN = ("run", "hello.yaml", "--yes")
DAILY = f'{MINIMAL}run: "{{date}}"\n'
TODAY, YESTERDAY = (f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}" for days in (0, 1))


@pytest.fixture(autouse=True)
def daily(campaign: Workplace) -> None:
    campaign.write(people(5), DAILY)


def key_expires_after(count: int) -> Script:
    def script(request: Request) -> Reply:
        return queued(request) if request.before < count else error(401, 1200, "Unauthorized")

    return script


def began_hours_ago(campaign: Workplace, run: str, hours: float) -> None:
    began = int((datetime.now(UTC) - timedelta(hours=hours)).timestamp() * 1e6)
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
