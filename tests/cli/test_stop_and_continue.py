"""A run that stops, however it stops, and starts again: nobody twice, nobody lost."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.terminal import Terminal
from tests.cli.workplace import Done, Workplace, ended, people

RUN = ("run", "hello.yaml", "--yes")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def assert_nobody_twice(provider: Provider) -> None:
    assert {1} == set(provider.message_ids.values())
    assert {1} == set(provider.sent.values())


def stopped_with_three_of(campaign: Workplace, provider: Provider, count: int, number: signal.Signals) -> Done:
    """Start a run of `count`, and signal it once two have their answers and a third has none; then that answers."""
    campaign.write(people(count), SLOW)
    provider.hold(after=2)
    with campaign.started(*RUN) as process:
        provider.wait_for(3)
        process.send_signal(number)
        if number is not signal.SIGKILL:
            provider.release()
        done = ended(process)
    provider.release()
    return done


SLOW = """\
name: hello
subAccountId: acme_hq
recipients: {file: people.csv, key: id, country: SG}
message: {text: "Hi {{ name }}"}
rate: 10/s
"""
FAST = SLOW.replace("10/s", "200/s")


def test_ctrl_c_stops_gently_and_the_same_command_continues(campaign: Workplace, provider: Provider) -> None:
    done = stopped_with_three_of(campaign, provider, 40, signal.SIGINT)
    sent = len(provider.requests)
    assert 3 == done.exit_code
    assert {("accepted", "queued"): sent, ("unsent", "interrupted"): 40 - sent} == campaign.statuses()
    assert 3 <= sent < 40
    assert "campaign run hello.yaml --yes" in done.stdout
    assert f"{40 - sent} messages not sent" in done.stdout
    assert "interrupted" == campaign.summary()["stopped"]["reason"]

    campaign.write(people(40), FAST)
    again = campaign(*RUN)
    assert (0, {("accepted", "queued"): 40}) == (again.exit_code, campaign.statuses())
    assert f"accepted {sent}" in again.stdout
    assert_nobody_twice(provider)

    third = campaign(*RUN)
    assert (0, 40) == (third.exit_code, len(provider.requests))
    assert "nothing left to send" in third.stdout
    assert {("accepted", "queued"): 40} == campaign.statuses()


def test_a_closed_terminal_is_a_gentle_end_too(campaign: Workplace, provider: Provider) -> None:
    done = stopped_with_three_of(campaign, provider, 40, signal.SIGHUP)
    sent = len(provider.requests)

    assert 3 == done.exit_code
    assert {("accepted", "queued"): sent, ("unsent", "interrupted"): 40 - sent} == campaign.statuses()


def test_a_second_signal_does_not_wait_for_answers(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(40), SLOW)
    provider.hold(after=2)
    with campaign.started(*RUN) as process:
        provider.wait_for(3)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)  # another one: two of a kind may arrive as one
        done = ended(process)
    provider.release()
    sent = len(provider.requests)
    assert 3 == done.exit_code
    expected = {("accepted", "queued"): 2, ("unknown", "abandoned"): sent - 2, ("unsent", "interrupted"): 40 - sent}
    assert expected == campaign.statuses()
    campaign.write(people(40), FAST)
    assert 1 == campaign(*RUN).exit_code
    assert_nobody_twice(provider)


def test_after_a_kill_what_was_in_flight_is_unknown_for_ever(campaign: Workplace, provider: Provider) -> None:
    killed = stopped_with_three_of(campaign, provider, 40, signal.SIGKILL)
    assert -signal.SIGKILL == killed.exit_code
    [status] = campaign("status", "hello", "--json").document["runs"]
    claimed = status["sending"]
    assert ("killed", 2) == (status["state"], status["accepted"])
    assert claimed >= 1

    campaign.write(people(40), FAST)
    again = campaign(*RUN)
    assert 1 == again.exit_code
    assert {("accepted", "queued"): 40 - claimed, ("unknown", "process_died"): claimed} == campaign.statuses()
    assert "not sent again" in again.stdout
    assert 1 == campaign(*RUN).exit_code
    assert_nobody_twice(provider)
    unknown = {row["client_message_id"] for row in campaign.results() if row["status"] == "unknown"}
    assert {request.message_id for request in provider.requests[:3]} & unknown


def test_the_second_process_on_a_run_is_sent_away(campaign: Workplace, provider: Provider) -> None:
    provider.hold(after=0)
    with campaign.started(*RUN) as process:
        provider.wait_for(1)
        second = campaign(*RUN, "--json")
        assert 4 == second.exit_code
        assert f"process {process.pid} " in second.stderr
        assert 4 == second.document["exit_code"]
        [status] = campaign("status", "hello/main", "--json").document["runs"]
        assert ("sending", 0) == (status["state"], status["accepted"])
        assert status["sending"] >= 1
        provider.release()
        assert 0 == ended(process).exit_code
    assert_nobody_twice(provider)
    assert "finished" == campaign("status", "--json").document["runs"][0]["state"]


def test_a_fatal_answer_stops_everything_at_once(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(400), FAST)  # which would take two seconds
    provider.script = lambda _: error(401, 1200, "Invalid credentials")
    done = campaign(*RUN)
    assert 5 == done.exit_code
    assert len(provider.requests) < 400
    assert {("unsent", "unauthorized"): 400} == campaign.statuses()
    for words in ("EIGHTXEIGHT_API_KEY", "error-1200", "unauthorized", "campaign run hello.yaml --yes"):
        assert words in done.stdout

    provider.script = queued
    provider.forget()
    campaign.write(people(100), FAST)
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"): 100} == campaign.statuses()
    assert 100 == len(provider.requests)
    assert_nobody_twice(provider)


def test_a_fatal_answer_leaves_what_support_asks_for(campaign: Workplace, provider: Provider) -> None:
    def script(request: Request) -> Reply:
        return error(403, 1201, "Not allowed for +6581230004") if request.before >= 3 else queued(request)

    provider.script = script
    campaign.write(people(6), SLOW)
    done = campaign(*RUN, "--json", "--unmask")

    [fatal, *_] = provider.requests[3:]
    summary = campaign.summary()
    assert summary == done.document
    stopped = summary["stopped"]
    assert {
        "reason": "forbidden", "detail": "Not allowed for +6581230004", "http_status": 403, "error_code": 1201,
        "error_message": "Not allowed for +6581230004", "error_id": "error-1201", "message_id": fatal.message_id,
    }.items() <= stopped.items()  # fmt: skip
    assert {"1201": 1} == summary["error_codes"]
    rows = {row["client_message_id"]: row for row in campaign.results()}
    row = rows.pop(fatal.message_id)
    assert ("unsent", "forbidden", 1, 403, 1201, "error-1201") == tuple(
        row[name] for name in ("status", "reason", "attempts", "http_status", "error_code", "error_id")
    )
    assert row["sent_at"] <= row["answered_at"]
    assert f"{row['answered_at']:%Y-%m-%dT%H:%M:%S}" == stopped["at"].partition(".")[0]
    assert {("accepted", 1), ("unsent", 0)} == {(other["status"], other["attempts"]) for other in rows.values()}
    assert (fatal.message_id,) not in campaign.ledger("SELECT message_id FROM messages")
    assert "quote error ID error-1201 to the provider's support" in done.stderr
    page = campaign.path("report.html").read_text(encoding="utf-8")
    assert "HTTP 403, error code 1201" in page
    assert "Quote error ID error-1201" in page
    assert "81230004" not in page
    [status] = campaign("status", "hello", "--json", "--unmask").document["runs"]
    assert stopped == status["stopped"]

    provider.script = queued
    assert 0 == campaign(*RUN).exit_code
    assert campaign.summary()["stopped"] is None
    assert {("accepted", 1)} == {(row["status"], row["attempts"]) for row in campaign.results()}
    assert {1: 5, 2: 1} == Counter(provider.message_ids.values())


def test_starting_a_finished_run_again_changes_nothing(campaign: Workplace, provider: Provider) -> None:
    """Neither figures nor times nor files, and the page's rate stays the one it was sent at."""
    campaign.write(people(5))
    first = campaign(*RUN, "--json")
    before = {path.name: path.read_bytes() for path in campaign.path("").iterdir() if not path.name.startswith("plan.")}
    ledger = campaign.ledger("SELECT * FROM events"), campaign.ledger("SELECT * FROM messages")
    assert {"summary.json", "run.json", "report.html", "results.csv", "results.parquet"} <= before.keys()

    campaign.write(people(5), FAST.replace("200/s", "1/h"))
    again = campaign(*RUN, "--json")

    assert (0, first.document) == (again.exit_code, again.document)
    assert before == {name: campaign.path(name).read_bytes() for name in before}
    assert ledger == (campaign.ledger("SELECT * FROM events"), campaign.ledger("SELECT * FROM messages"))
    assert 5 == len(provider.requests)

    campaign.write(people(6), FAST)
    assert 3 != campaign(*RUN, "--accept-changes").exit_code
    sessions = campaign.summary()["sessions"]
    assert [("finished", 5), ("finished", 1)] == [(each["state"], each["sent"]) for each in sessions]
    assert [first.document[name] for name in ("started_at", "created_at")] == [sessions[0]["started_at"]] * 2


def test_every_session_is_in_the_summary(campaign: Workplace, provider: Provider) -> None:
    """One is killed, one belongs to a cancelled job, which is a gentle end, and one finishes."""
    stopped_with_three_of(campaign, provider, 40, signal.SIGKILL)
    killed = campaign("report", "hello", "--json").document
    [session] = killed["sessions"]
    assert ("killed", None, None) == (session["state"], session["ended_at"], killed["ended_at"])
    claimed = session["sent"]

    provider.hold(after=len(provider.requests) + 2)
    with campaign.started(*RUN) as process:
        provider.wait_for(len(provider.requests) + 3)
        sending = campaign("report", "hello", "--json").document["sessions"][-1]
        process.send_signal(signal.SIGTERM)
        provider.release()
        assert 3 == ended(process).exit_code
    unsent = campaign.statuses()["unsent", "interrupted"]
    campaign.write(people(40), FAST)
    campaign(*RUN)

    summary = campaign.summary()
    first, second, third = summary["sessions"]
    assert "sending" == sending["state"]
    assert session == first
    assert ("stopped", "interrupted", "stopped by SIGTERM") == (second["state"], second["reason"], second["detail"])
    assert ("finished", None, None) == (third["state"], third["reason"], third["detail"])
    assert [claimed, 40 - claimed - unsent, unsent] == [first["sent"], second["sent"], third["sent"]]
    assert first["started_at"] == summary["started_at"] == summary["created_at"] < second["started_at"]
    assert second["ended_at"] <= third["started_at"] <= third["ended_at"] == summary["ended_at"]
    assert "Sessions" in campaign.path("report.html").read_text(encoding="utf-8")


def test_a_rate_limit_is_waited_for(campaign: Workplace, provider: Provider) -> None:
    def script(request: Request) -> Reply:
        return error(429, 1429, "Too many requests", {"Retry-After": "1"}) if request.before == 3 else queued(request)

    provider.script = script
    campaign.write(people(8), FAST)
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"): 8} == campaign.statuses()
    throttled = provider.requests[3]
    assert {throttled.message_id} == {key for key, times in provider.message_ids.items() if times > 1}
    attempts = {row["client_message_id"]: row["attempts"] for row in campaign.results()}
    assert {key: 2 if key == throttled.message_id else 1 for key in attempts} == attempts
    again = next(request for request in provider.requests[4:] if request.message_id == throttled.message_id)
    assert again.at - throttled.at >= 1


@pytest.mark.parametrize(("count", "exit_code", "reason"), [(3, 1, None), (60, 5, "fuse")])
def test_server_errors_are_unknown_and_never_sent_again(
    campaign: Workplace, provider: Provider, count: int, exit_code: int, reason: str | None
) -> None:
    campaign.write(people(count), FAST)
    provider.script = lambda _: error(500, 5000, "Internal")
    assert exit_code == campaign(*RUN).exit_code
    sent = len(provider.requests)
    assert reason == (campaign.summary()["stopped"] or {}).get("reason")
    assert sent == campaign.statuses()["unknown", "server_error"]
    provider.script = queued
    assert 1 == campaign(*RUN).exit_code
    expected = Counter({("unknown", "server_error"): sent, ("accepted", "queued"): count - sent})
    assert +expected == campaign.statuses()
    assert_nobody_twice(provider)


@contextmanager
def dead_port() -> Iterator[str]:
    """A port that refuses connections: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_dead_provider_is_waited_for_and_costs_nothing(campaign: Workplace) -> None:
    with dead_port() as url, Terminal(campaign, *RUN, EIGHTXEIGHT_BASE_URL=url) as terminal:
        terminal.read_until("waiting for a connection")
        terminal.press_ctrl_c()
        assert 3 == terminal.wait()
    assert {("unsent", "interrupted"): 5} == campaign.statuses()
    assert [] == campaign.ledger("SELECT * FROM messages")
    why = f"stopped by Ctrl-C while waiting for a connection (can't connect to {url[7:]}: connection refused)"
    assert {why} == {row["detail"] for row in campaign.results()}
    assert why in " ".join(campaign("status").stdout.split())


def test_the_ledger_alone_keeps_people_from_being_texted_twice(campaign: Workplace, provider: Provider) -> None:
    assert 0 == campaign(*RUN).exit_code
    for path in campaign.path("").iterdir():
        path.unlink()
    assert 0 == campaign(*RUN).exit_code
    assert_nobody_twice(provider)
    assert {("accepted", "queued"): 5} == campaign.statuses()
