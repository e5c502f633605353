"""`campaign audit`: every decision is in the trail, once, with who made it; and nothing starts without it."""

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from runner.ledger.audit import broken_link
from runner.ledger.ledger import open_ledger
from runner.run.notice import SANDBOX
from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.terminal import Terminal
from tests.cli.workplace import MINIMAL, Workplace, people

RUN = ("run", "hello.yaml", "--yes")
NO_ENTRIES = """CREATE TRIGGER no_entries BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no entries'); END"""


def change_ledger(place: Workplace, statement: str) -> None:
    connection = sqlite3.connect(place.folder / "reports/ledger.sqlite3", timeout=60)
    connection.execute(statement)
    connection.commit()
    connection.close()


def entries(place: Workplace, *target: str, **environment: str) -> list[dict[str, Any]]:
    """The trail, without the plans and approvals of other parts."""
    found: list[dict[str, Any]] = place.here("audit", *target, "--json", **environment).document["entries"]
    return [entry for entry in found if entry["action"] not in ("ledger_made", "planned", "approved")]


def actions(place: Workplace, *target: str) -> list[str]:
    return [entry["action"] for entry in entries(place, *target)]


def overrides(place: Workplace) -> dict[str, list[str]]:
    found = [entry["detail"] for entry in entries(place) if entry["action"] == "overrode"]
    return {detail["option"]: detail["let_through"] for detail in found}


def is_whole(place: Workplace) -> bool:
    with open_ledger(str(place.folder / "reports/ledger.sqlite3"), create=False) as ledger:
        return broken_link(ledger) is None


def test_a_run_from_start_to_end(campaign: Workplace, provider: Provider) -> None:
    campaign(*RUN, CAMPAIGN_ACTOR="Ana")

    started, finished = entries(campaign, "hello/main")
    assert ("started", "hello/main", "Ana", 5) == (
        started["action"],
        started["run"],
        started["actor"],
        started["detail"]["to_send"],
    )
    assert ("finished", "Ana", {"accepted": 5}) == (finished["action"], finished["actor"], finished["detail"])
    assert re.fullmatch("[0-9a-f]{64}", finished["hash"])
    assert {started["machine"], finished["machine"]} != {""}
    assert entries(campaign) == entries(campaign, "hello")
    assert "Ana@" in (line := next(each for each in campaign("audit").stdout.splitlines() if "approved" in each))
    assert "hello/main: with --yes" in line
    assert is_whole(campaign)
    assert 5 == len(provider.requests)


def test_a_stop_says_why_without_the_numbers_in_the_providers_words(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda request: error(401, 1200, f"no access for {request.body['destination']} ('Ann')")
    campaign(*RUN)

    stopped = entries(campaign)[-1]
    assert ("stopped", "unauthorized") == (stopped["action"], stopped["detail"]["reason"])
    assert "no access for" in stopped["detail"]["detail"]
    assert not re.search(r"8123|Ann", json.dumps(stopped))


def test_a_killed_session_is_noted_once_by_the_next(campaign: Workplace, provider: Provider) -> None:
    provider.hold(2)
    with campaign.started(*RUN) as process:
        provider.wait_for(3)
        process.kill()
        process.wait()
    assert ["started"] == actions(campaign)
    provider.release()

    campaign("plan", "hello.yaml")
    campaign("plan", "hello.yaml")
    campaign(*RUN)

    assert ["started", "stopped", "started"] == actions(campaign)[:3]
    assert 1 == actions(campaign).count("stopped")
    assert "process_died" == entries(campaign)[1]["detail"]["reason"]
    assert entries(campaign)[0]["at"] in entries(campaign)[1]["detail"]["detail"]


def test_each_override_that_let_something_through(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda request: error(401, 1200, "no") if request.before > 2 else queued(request)
    campaign(*RUN, "--accept-changes", "--accept-ledger", "--accept-clock", "--accept-balance")
    assert {} == overrides(campaign), "there was nothing to let through"

    provider.script = queued
    campaign.write(people(6).replace("N1", "Ann").replace("k3,+6581230003", "k9,+6581230003"), MINIMAL)
    campaign(*RUN, "--accept-changes", "--ignore-fuse", "unknownShare")

    found = overrides(campaign)
    assert ["unknownShare"] == found.pop("--ignore-fuse")
    [(option, words)] = found.items()
    assert "--accept-changes" == option
    assert "1 recipient with another text or number" in words
    assert "k1" not in json.dumps(entries(campaign)), "a key may be a number"
    change_ledger(campaign, "UPDATE runs SET started_at = started_at + 7200000000")
    campaign.write(people(7).replace("N1", "Ann").replace("k3,+6581230003", "k9,+6581230003"), MINIMAL)

    campaign(*RUN, "--accept-changes", "--accept-clock")

    [clock] = overrides(campaign)["--accept-clock"]
    assert clock.startswith("this computer's clock says 2")
    assert is_whole(campaign)


def test_another_ledger_that_is_accepted(campaign: Workplace, provider: Provider) -> None:
    campaign(*RUN)
    for path in (campaign.folder / "reports").glob("ledger.sqlite3*"):
        if path.is_file():
            path.unlink()
    assert 2 == campaign(*RUN).exit_code

    assert 0 == campaign(*RUN, "--accept-ledger").exit_code

    assert ["overrode", "started", "finished"] == actions(campaign)
    [words] = overrides(campaign)["--accept-ledger"]
    assert "started with another ledger" in words


def test_a_start_that_cant_be_recorded_sends_nothing(campaign: Workplace, provider: Provider) -> None:
    campaign.here("optouts", "add", "+12025550142")
    change_ledger(campaign, NO_ENTRIES)

    done = campaign(*RUN)

    assert done.exit_code in (3, 5)
    assert "no entries" in done.stderr
    assert [] == provider.requests
    assert [(0,)] == campaign.ledger("SELECT count(*) FROM runs"), "the start is written with its entry, or not at all"


def test_an_override_that_cant_be_recorded_is_needed_again(campaign: Workplace, provider: Provider) -> None:
    campaign(*RUN)
    campaign(*RUN, "--reports", "elsewhere", "--limit", "2")
    shutil.copy(campaign.folder / "elsewhere/ledger.sqlite3", campaign.folder / "reports/ledger.sqlite3")
    change_ledger(campaign, NO_ENTRIES)
    assert campaign(*RUN, "--accept-ledger").exit_code in (3, 5)
    change_ledger(campaign, "DROP TRIGGER no_entries")

    assert 2 == campaign(*RUN).exit_code
    assert {} == overrides(campaign)


def test_sending_goes_on_when_entries_cant_be_written(campaign: Workplace, provider: Provider) -> None:
    def failing(request: Request) -> Reply:
        if request.before == 0:
            change_ledger(campaign, NO_ENTRIES)
        return queued(request)

    provider.script = failing

    campaign(*RUN)

    assert [1] * 5 == list(provider.sent.values())
    assert {("accepted", "queued"): 5} == campaign.statuses()
    change_ledger(campaign, "DROP TRIGGER no_entries")
    assert ["started"] == actions(campaign)


def test_opt_outs_have_a_history(offline: Workplace) -> None:
    number = "+6581230001"
    offline.here("optouts", "add", "8123 0001", "--country", "SG", CAMPAIGN_ACTOR="Ana")
    offline.here("optouts", "add", number)
    offline.here("optouts", "remove", number)
    (offline.folder / "list.csv").write_text(f"phone\n{number}\n+6581230002\n+6581230003\n")
    offline.here("optouts", "add", "--file", "list.csv")
    offline.here("optouts", "add", "--file", "list.csv")

    shown = offline.here("optouts", "show", "81230001", "--country", "SG", "--json").document

    assert (True, "campaign optouts add --file") == (shown["opted_out"], shown["how"])
    assert [("opted_out", "command"), ("opted_in", "command"), ("opted_out", "file")] == [
        (entry["action"], entry["detail"]["source"]) for entry in shown["history"]
    ]
    assert 5 == len(entries(offline)), "only what changed is an entry"
    whole = offline.here("audit").stdout
    assert "opted out  3 numbers by file" in whole
    assert number not in whole, "standard output is not a terminal"
    assert number not in json.dumps(entries(offline))
    never = offline.here("optouts", "show", "+6581230009")
    assert "+6581••••09 is not opted out\n" == never.stdout


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_a_terminal_shows_the_numbers(offline: Workplace) -> None:
    offline.here("optouts", "add", "+6581230001")

    with Terminal(offline, "audit") as terminal:
        terminal.read_until("opted out  +6581230001 by command")
        assert 0 == terminal.wait()


def test_a_purge_is_an_entry_and_leaves_no_number(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda request: (
        error(400, 1002, f"no {request.body['destination']}") if request.before % 2 else queued(request)
    )
    campaign.write(people(60), MINIMAL + "stopWhen: {rejectedShare: 10%}\n")
    campaign(*RUN)
    assert "fuse" == entries(campaign)[-1]["detail"]["reason"]
    campaign.write(people(60).replace("N1", "Ann"))
    campaign(*RUN, "--accept-changes", "--ignore-fuse", "rejectedShare")

    campaign.here("purge", "hello/main", "--yes", CAMPAIGN_ACTOR="Ben")

    assert [("purged", "Ben")] == [(entry["action"], entry["actor"]) for entry in entries(campaign)][-1:]
    assert ["overrode"] * 2 == [action for action in actions(campaign) if action == "overrode"]
    assert is_whole(campaign)
    for path in (campaign.folder / "reports").glob("ledger.sqlite3*"):
        if path.is_file():
            assert not re.search(rb"8123\d{4}|\bk[0-9]+\b|Ann", path.read_bytes()), path
    assert "Audit trail" in campaign.path("report.html").read_text()


def test_it_fits_a_narrow_terminal(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda _: error(403, 1200, "this sub-account may not send to that country at all, sorry")
    campaign(*RUN, CAMPAIGN_ACTOR="Ana Example (scheduled job)")

    lines = campaign.here("audit", "hello").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  Ana Example \(scheduled job\)@", lines[0])
    assert re.fullmatch(r"\d entries; times are UTC", lines[-1])


def test_a_sandbox_run_has_its_own(campaign: Workplace) -> None:
    campaign("run", "hello.yaml", "--sandbox", "--yes")

    assert ["started", "finished"] == actions(campaign, "hello", "--sandbox")
    assert actions(campaign, "hello/sandbox") == actions(campaign, "hello", "--sandbox")
    for arguments in (("hello/sandbox",), ("hello", "--sandbox")):
        lines = campaign.here("audit", *arguments).stdout.splitlines()
        assert [SANDBOX] * 2 == [lines[0], lines[-1]]
    assert 2 == campaign.here("audit").exit_code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("helo",), "the ledger reports/ledger.sqlite3 has no entries about helo; `campaign audit` shows all"),
        (("hello/nope",), "has no entries about hello/nope"),
        (("--sandbox",), "--sandbox: no campaign given; write `campaign audit NAME --sandbox`"),
        (("--ledger", "nope.sqlite3"), "there is no ledger at nope.sqlite3"),
    ],
)
def test_mistakes(offline: Workplace, arguments: tuple[str, ...], words: str) -> None:
    offline.here("optouts", "add", "+12025550142")

    done = offline.here("audit", *arguments)

    assert (2, True) == (done.exit_code, words in done.stderr), done.stderr


def test_the_page_has_the_runs_entries_as_text_only(campaign: Workplace, tmp_path: Path) -> None:
    campaign(*RUN, CAMPAIGN_ACTOR="<b>Ana</b>")

    page = campaign.path("report.html").read_text()

    assert "Audit trail" in page
    assert "&lt;b&gt;Ana&lt;/b&gt;@" in page
    assert "<b>Ana" not in page
