"""`campaign feedback`: matched, told once, journalled, continued."""

import csv
import json
import signal
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.provider import DEADLINE_S, Provider, Reply, Request, error, queued
from tests.cli.workplace import COMMAND, MINIMAL, Workplace, ended, people

FAST = ("--rate", "1000/s")


def taking(request: Request) -> Reply:
    """A provider that takes messages and feedback."""
    return Reply(200) if request.path.endswith("/feedback") else queued(request)


@pytest.fixture
def sent(campaign: Workplace, provider: Provider) -> Workplace:
    """A run of five that is done: k1 to k5, with the umids umid-0 to umid-4 in some order."""
    provider.script = taking
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    provider.forget()
    return campaign


def told(provider: Provider) -> Counter[tuple[str, str]]:
    """(umid, outcome) of every feedback that arrived."""
    return Counter(
        (request.path.split("/")[-2], request.body["outcome"])
        for request in provider.requests
        if request.path.endswith("/feedback")
    )


def umids(campaign: Workplace) -> dict[str, str]:
    return {row["key"]: row["umid"] for row in campaign.results()}


def write(campaign: Workplace, text: str, name: str = "c.csv") -> str:
    (campaign.folder / name).write_text(text)
    return name


def test_conversions_are_told_and_stand_in_the_results(sent: Workplace, provider: Provider) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=5)).isoformat(timespec="seconds")
    file = write(sent, f"key,outcome,timestamp\nk1,success,{at}\nk2,failure,\nk3,success,\n")
    done = sent("feedback", "hello", file, *FAST, "--json")

    assert 0 == done.exit_code, done.stderr
    of = umids(sent)
    assert {(of["k1"], "success"): 1, (of["k2"], "failure"): 1, (of["k3"], "success"): 1} == told(provider)
    expected: dict[str, Any] = {
        "rows": 3, "matched": {"failure": 1, "success": 2}, "late": 0, "told": 3, "refused": 0, "unmatched": 0,
        "unmatched_file": None, "stopped": None,
    }  # fmt: skip
    assert expected == {name: done.document[name] for name in expected}
    assert 0 == sent("report", "hello").exit_code
    rows = {row["key"]: (row["outcome"], row["converted_at"]) for row in sent.results()}
    assert ("success", datetime.fromisoformat(at)) == rows["k1"]
    assert [("failure", None), ("success", None), (None, None)] == [rows[key] for key in ("k2", "k3", "k4")]
    assert {"success": 2, "failure": 1} == sent.summary()["conversions"]


def test_the_same_again_posts_nothing_and_another_outcome_does(sent: Workplace, provider: Provider) -> None:
    file = write(sent, "key,outcome\nk1,success\nk2,failure\n")
    sent("feedback", "hello", file, *FAST)
    provider.forget()

    assert 0 == sent("feedback", "hello", file, *FAST).exit_code
    assert {} == told(provider)
    assert 0 == sent("feedback", "hello", write(sent, "key,outcome\nk2,success\n"), *FAST).exit_code
    assert {(umids(sent)["k2"], "success"): 1} == told(provider)


def test_a_message_may_be_named_in_three_ways(sent: Workplace, provider: Provider) -> None:
    rows = {row["key"]: row for row in sent.results()}
    lines = [f"{rows['k1']['umid']},,", f",{rows['k2']['client_message_id']},", ",,k3"]
    file = write(sent, "umid,clientMessageId,key,outcome\n" + "".join(f"{line},success\n" for line in lines))

    assert 0 == sent("feedback", "hello/main", file, *FAST).exit_code
    assert {(rows[key]["umid"], "success"): 1 for key in ("k1", "k2", "k3")} == told(provider)


def test_what_can_not_be_told_is_listed(sent: Workplace, provider: Provider) -> None:
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    rows = ("k1,success,", "=evil(),success,", "k2,perhaps,", f"k3,success,{future}", "k4,success,2020-01-01")
    text = "".join(f"{row}\n" for row in ("key,outcome,timestamp", *rows))
    done = sent("feedback", "hello", write(sent, text), *FAST, COLUMNS="80")

    assert 1 == done.exit_code
    assert {(umids(sent)["k1"], "success"): 1} == told(provider)
    path = sent.path("feedback-unmatched.csv")
    with path.open(newline="") as file:
        listed = [(row["row"], row["message"], row["why"]) for row in csv.DictReader(file)]
    assert [
        ("2", "'=evil()", "no message of this run is called so"),
        ("3", "k2", 'the outcome "perhaps" is neither success nor failure'),
        ("4", "k3", "its timestamp is in the future"),
        ("5", "k4", "its timestamp is before the message was sent"),
    ] == listed
    assert 0o600 == path.stat().st_mode & 0o777
    assert "row 2 (=evil()): no message of this run is called so" in done.stdout
    assert "4 could not be fed back" in done.stdout


def test_an_outcome_of_a_message_that_was_rejected_is_listed(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda _: error(400, 1002, "Invalid MSISDN")
    campaign("run", "hello.yaml", "--yes")
    done = campaign("feedback", "hello", write(campaign, "key,outcome\nk1,success\n"), *FAST)

    assert 1 == done.exit_code
    assert "its message is rejected, so the provider can't be told of it" in " ".join(done.stdout.split())


def test_feedback_that_comes_late_says_so(sent: Workplace, provider: Provider) -> None:
    """As if the messages had been sent an hour ago."""
    campaign = sent
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{campaign.folder / 'reports/ledger.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE messages SET sent_at = sent_at - 3600000000"))
    engine.dispose()
    done = campaign("feedback", "hello", write(campaign, "key,outcome\nk1,success\n"), *FAST)

    assert 0 == done.exit_code
    assert "1 happened, or were told, more than 15 minutes after the message" in " ".join(done.stdout.split())


def test_a_run_that_was_not_tracked_is_refused(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2), MINIMAL.replace('"Hi {{ name }}"', '"Hi {{ name }}", conversionTracking: false'))
    campaign("run", "hello.yaml", "--yes")
    done = campaign("feedback", "hello", write(campaign, "key,outcome\nk1,success\n"))

    assert 2 == done.exit_code
    assert "was sent with conversionTracking: false" in done.stderr


def test_a_fatal_answer_stops_and_the_same_command_continues(sent: Workplace, provider: Provider) -> None:
    provider.script = lambda _: error(401, 1200, "no such key")
    file = write(sent, "key,outcome\n" + "".join(f"k{n},success\n" for n in range(1, 6)))
    done = sent("feedback", "hello", file, *FAST)
    assert 3 == done.exit_code
    assert "check EIGHTXEIGHT_API_KEY" in " ".join(done.stdout.split())
    provider.script = taking
    provider.forget()

    assert 0 == sent("feedback", "hello", file, *FAST).exit_code
    assert {(umid, "success"): 1 for umid in umids(sent).values()} == told(provider)


def test_killed_in_the_middle_all_are_told_by_the_next(sent: Workplace, provider: Provider) -> None:
    file = write(sent, "key,outcome\n" + "".join(f"k{n},success\n" for n in range(1, 6)))
    provider.hold(after=0)
    with sent.started("feedback", "hello", file, *FAST) as process:
        provider.wait_for(2)
        process.send_signal(signal.SIGKILL)
        ended(process)
    provider.release()
    provider.forget()
    # What was noted is told also when the file is another one by now.
    assert 0 == sent("feedback", "hello", write(sent, "key,outcome\nk1,success\n"), *FAST).exit_code

    assert {(umid, "success") for umid in umids(sent).values()} == set(told(provider))


def test_standard_input_is_fed_back_as_it_comes(sent: Workplace, provider: Provider) -> None:
    of = umids(sent)
    with subprocess.Popen(
        [COMMAND, "feedback", "hello", "-", "--follow", *FAST],
        cwd=sent.folder, env=sent.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps({"key": "k1", "outcome": "success"}) + "\n")
        process.stdin.flush()
        provider.wait_for(1)
        assert {(of["k1"], "success"): 1} == told(provider)
        process.stdin.write(json.dumps({"umid": of["k2"], "outcome": "failure"}) + "\nno json\n")
        stdout, _ = process.communicate(timeout=DEADLINE_S)

    assert 1 == process.returncode
    assert {(of["k1"], "success"): 1, (of["k2"], "failure"): 1} == told(provider)
    assert "line 3: it is not a JSON object" in stdout


def test_following_a_file_ends_with_ctrl_c(sent: Workplace, provider: Provider) -> None:
    file = write(sent, json.dumps({"key": "k1", "outcome": "success"}) + "\n", "c.jsonl")
    with sent.started("feedback", "hello", file, "--follow", *FAST) as process:
        provider.wait_for(1)
        with (sent.folder / file).open("a") as growing:
            growing.write(json.dumps({"key": "k2", "outcome": "success"}) + "\n")
        provider.wait_for(2)
        process.send_signal(signal.SIGINT)
        done = ended(process)

    assert 0 == done.exit_code, done.stderr
    of = umids(sent)
    assert {(of["k1"], "success"): 1, (of["k2"], "success"): 1} == told(provider)
    assert [("told", 2)] == sent.ledger("SELECT status, count(*) FROM feedback GROUP BY status")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "c.csv"), "knows no run nobody"),
        (("hello", "-"), "add --follow"),
        (("hello", "missing.csv"), "missing.csv"),
        (("hello", "people.csv"), "has no column that says which message is meant"),
        (("hello", "c.csv", "--rate", "fast"), "--rate:"),
    ],
)
def test_mistakes_tell_nothing(sent: Workplace, provider: Provider, arguments: tuple[str, ...], words: str) -> None:
    write(sent, "key,outcome\nk1,success\n")
    done = sent("feedback", *arguments)

    assert 2 == done.exit_code
    assert words in done.stderr
    assert {} == told(provider)
