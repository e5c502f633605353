"""`campaign cancel`: what the provider has scheduled is taken back, and nothing else."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.workplace import MINIMAL, Workplace, ended, people

SCHEDULED = MINIMAL.replace('"Hi {{ name }}"', '"Hi {{ name }}", scheduled: 4h')
YES = ("--yes", "--rate", "1000/s")


def taking(request: Request) -> Reply:
    return Reply(200, {"cancelledCount": 1}) if request.method == "DELETE" else queued(request)


@pytest.fixture
def scheduled(campaign: Workplace, provider: Provider) -> Workplace:
    """A run of five that the provider sends in four hours."""
    provider.script = taking
    campaign.write(people(5), SCHEDULED)
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    provider.forget()
    return campaign


def deleted(provider: Provider) -> list[str]:
    return sorted(request.path.split("/")[-1] for request in provider.requests if request.method == "DELETE")


def umids(campaign: Workplace) -> list[str]:
    return sorted(row["umid"] for row in campaign.results())


def test_what_waits_is_cancelled_and_shown_so(scheduled: Workplace, provider: Provider) -> None:
    done = scheduled("cancel", "hello", *YES, "--json")

    assert 0 == done.exit_code, done.stderr
    assert umids(scheduled) == deleted(provider)
    assert (5, 5, 0) == tuple(done.document[name] for name in ("waiting", "cancelled", "refused"))
    assert 0 == scheduled("report", "hello").exit_code
    assert {"cancelled"} == {row["delivery_state"] for row in scheduled.results()}
    assert {"accepted"} == {row["status"] for row in scheduled.results()}


def test_cancelled_messages_are_never_sent_again_by_their_run(scheduled: Workplace, provider: Provider) -> None:
    scheduled("cancel", "hello", *YES)
    provider.forget()

    assert 0 == scheduled("run", "hello.yaml", "--yes").exit_code
    assert [] == provider.requests
    assert 0 == scheduled("cancel", "hello", *YES).exit_code
    assert [] == provider.requests


def test_what_could_not_be_cancelled_is_named(scheduled: Workplace, provider: Provider) -> None:
    [late] = [row for row in scheduled.results() if row["key"] == "k3"]

    def script(request: Request) -> Reply:
        return error(404, 1300, "Message not found.") if request.path.endswith(late["umid"]) else taking(request)

    provider.script = script
    done = scheduled("cancel", "hello", *YES)

    assert 1 == done.exit_code
    assert "hello/main: 4 of 5 messages cancelled" in done.stdout
    assert "k3: Message not found." in done.stdout
    scheduled("report", "hello")
    assert {"k3": None} == {row["key"]: None for row in scheduled.results() if row["delivery_state"] is None}


def test_killed_in_the_middle_the_same_command_continues(scheduled: Workplace, provider: Provider) -> None:
    provider.hold(after=0)
    with scheduled.started("cancel", "hello", *YES) as process:
        provider.wait_for(2)
        process.send_signal(signal.SIGKILL)
        ended(process)
    provider.release()
    provider.forget()

    assert 0 == scheduled("cancel", "hello", *YES).exit_code
    assert umids(scheduled) == deleted(provider)


def test_a_run_that_is_going_on_is_left_alone(campaign: Workplace, provider: Provider) -> None:
    provider.script = taking
    campaign.write(people(5), SCHEDULED)
    provider.hold(after=0)
    with campaign.started("run", "hello.yaml", "--yes") as process:
        provider.wait_for(1)
        done = campaign("cancel", "hello", *YES)
        provider.release()
        ended(process)

    assert 4 == done.exit_code
    assert [] == deleted(provider)


@pytest.mark.parametrize("scheduled_at", [None, "past"])
def test_what_was_sent_can_not_be_called_back(
    campaign: Workplace, provider: Provider, scheduled_at: str | None
) -> None:
    provider.script = taking
    if scheduled_at:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
        campaign.write(people(2), MINIMAL.replace('"Hi {{ name }}"', f'"Hi {{{{ name }}}}", scheduled: {soon}'))
    campaign("run", "hello.yaml", "--yes")
    if scheduled_at:
        from sqlalchemy import create_engine, text

        engine = create_engine(f"sqlite:///{campaign.folder / 'reports/ledger.sqlite3'}")
        with engine.begin() as connection:
            year = f"{datetime.now(UTC).year}-"
            connection.execute(text(f"UPDATE runs SET options = replace(options, '\"{year}', '\"2020-')"))  # noqa: S608
        engine.dispose()
    provider.forget()
    done = campaign("cancel", "hello", *YES)

    assert 2 == done.exit_code
    assert ("is past: its messages are sent" if scheduled_at else "its messages left at once") in done.stderr
    assert [] == provider.requests


def test_nobody_to_ask_changes_nothing(scheduled: Workplace, provider: Provider) -> None:
    done = scheduled("cancel", "hello")

    assert 2 == done.exit_code
    assert "there is no terminal to ask on" in done.stderr
    assert [] == provider.requests
