"""`campaign test`: texts to numbers of one's own, and nothing else is touched."""

import re
import signal
from hashlib import sha256

import pytest

from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.terminal import Terminal
from tests.cli.workplace import KEY, MINIMAL, Done, Workplace, ended, people, person

MINE = "+12025550142"
OTHER = "+447700900001"
TEST = ("test", "hello.yaml", "--yes", "--unmask")


def files(campaign: Workplace) -> dict[str, str]:
    """Every file with a hash of its content, except where starts are noted: a test message counts for the rate."""
    paths = [path for path in campaign.folder.rglob("*") if path.is_file() and path.suffix != ".starts"]
    return {str(path.relative_to(campaign.folder)): sha256(path.read_bytes()).hexdigest() for path in paths}


def statuses(done: Done) -> list[tuple[str, str]]:
    return [(message["status"], message["reason"]) for message in done.document["messages"]]


def test_the_first_row_s_text_reaches_my_phone(campaign: Workplace, provider: Provider) -> None:
    before = files(campaign)
    done = campaign(*TEST, "--to", MINE)
    assert (0, "") == (done.exit_code, done.stderr)
    (request,) = provider.requests
    message_id = request.message_id
    assert re.fullmatch("hello:test:[a-z2-7]{24}", message_id)
    assert {
        "destination": MINE,
        "text": "Hi N1",
        "clientMessageId": message_id,
        "encoding": "AUTO",
        "country": "US",
    } == request.body
    for words in ("Hi N1", MINE, "accepted", "umid-0"):
        assert words in done.stdout
    assert before == files(campaign)


def test_each_chosen_row_goes_to_each_number_once(campaign: Workplace, provider: Provider) -> None:
    arguments = ("--row", "5", "--row", "3", "--row", "5", "--to", f"{MINE}, {OTHER},", "--to", "+1 (202) 555-0142")
    done = campaign(*TEST, *arguments, "--json")
    assert 0 == done.exit_code
    expected = [(MINE, "Hi N2"), (OTHER, "Hi N2"), (MINE, "Hi N4"), (OTHER, "Hi N4")]
    assert expected == [(request.body["destination"], request.body["text"]) for request in provider.requests]
    assert 4 == len(provider.message_ids)
    assert [
        {
            "row": row,
            "sheet_row": row + 1,
            "to": to,
            "text": f"Hi N{row}",
            "client_message_id": request.message_id,
            "status": "accepted",
            "reason": "queued",
            "detail": "SMS is accepted and queued for processing",
            "umid": f"umid-{request.before}",
            "http_status": 200,
            "error_code": None,
            "error_id": None,
        }
        for (row, to), request in zip([(2, MINE), (2, OTHER), (4, MINE), (4, OTHER)], provider.requests, strict=True)
    ] == done.document["messages"]
    assert "hello" == done.document["campaign"]


def test_an_answer_that_names_another_number_is_shown(campaign: Workplace, provider: Provider) -> None:
    def script(request: Request) -> Reply:
        reply = queued(request)
        return Reply(200, {**reply.body, "destination": "12025550143", "encoding": "GSM7"})

    provider.script = script
    done = campaign(*TEST, "--to", MINE)
    assert 0 == done.exit_code
    told = " ".join(done.stdout.split())
    assert "umid-0 (accepted, but the answer has the number +12025550143)" in told
    assert "other_destination: compare the numbers" in told


EVERY_OPTION = """\
name: hello
subAccountId: acme_hq
recipients: {file: people.csv, key: id, country: SG}
message:
  text: "Hi {{ name }}"
  source: ACME
  encoding: UCS2
  conversionTracking: true
  scheduled: 2h
  expiry: 2030-12-01T20:00:00+08:00
  dlrCallbackUrl: https://example.com/receipts
  clientIp: 203.0.113.7
rate: 200/s
notAfter: 2020-12-01T20:00:00+08:00
"""


def test_the_options_are_the_run_s_but_it_comes_now(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2), EVERY_OPTION)
    done = campaign(*TEST, "--to", OTHER)
    assert 0 == done.exit_code
    assert "message.scheduled is ignored: a test is sent immediately" in done.stdout
    (request,) = provider.requests
    assert {
        "destination": OTHER,
        "text": "Hi N1",
        "clientMessageId": request.message_id,
        "country": "GB",
        "source": "ACME",
        "encoding": "UCS2",
        "track": "Outcome",
        "expiry": "2030-12-01T20:00:00+08:00",
        "dlrCallbackUrl": "https://example.com/receipts",
        "clientIp": "203.0.113.7",
    } == request.body


def test_a_past_expiry_is_left_out_aloud(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(1), EVERY_OPTION.replace("  scheduled: 2h\n", "").replace("2030", "2020"))
    done = campaign(*TEST, "--to", OTHER)
    assert 0 == done.exit_code
    assert "message.expiry is ignored: it has passed" in done.stdout
    assert "expiry" not in provider.requests[0].body


def test_no_run_and_no_recipient_is_touched(campaign: Workplace, provider: Provider) -> None:
    """Also when my own number is a recipient's: the run has its own message for it still to send."""
    campaign.write(people(2) + f"mine,{MINE},Me\n")
    done = campaign("run", "hello.yaml", "--yes", "--limit", "2")
    assert 0 == done.exit_code
    before = files(campaign)
    provider.forget()
    assert 0 == campaign(*TEST, "--to", MINE, "--row", "2", "--row", "4").exit_code
    assert before == files(campaign)
    assert ["Hi N1", "Hi Me"] == [request.body["text"] for request in provider.requests]

    provider.forget()
    assert 0 == campaign("run", "hello.yaml", "--yes", "--accept-changes").exit_code
    assert [MINE] == list(provider.sent.elements())


def test_my_number_may_be_suppressed(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(1), MINIMAL.replace("country: SG", "country: SG, suppress: [out.csv]"))
    (campaign.folder / "out.csv").write_text(f"phone\n{MINE}\n")
    assert 0 == campaign(*TEST, "--to", MINE).exit_code
    assert 1 == len(provider.requests)


def test_the_default_is_the_first_row_that_would_be_sent(campaign: Workplace, provider: Provider) -> None:
    campaign.write("k1,12,Ann\n" + "k2,+6581230002,\n" + person(3, "Cy"))
    done = campaign(*TEST, "--to", MINE, "--json")
    assert [(3, "Hi Cy")] == [(message["row"], message["text"]) for message in done.document["messages"]]


def test_rejected_answers(campaign: Workplace, provider: Provider) -> None:
    def script(request: Request) -> Reply:
        if request.before == 0:
            return error(400, 1005, "Invalid source")
        if request.before == 1:
            state = {"code": "REJECTED", "description": "Blocked by operator"}
            return Reply(200, {"umid": "umid-1", "clientMessageId": request.message_id, "status": state})
        return queued(request)

    provider.script = script
    done = campaign(*TEST, "--to", MINE, "--row", "2", "--row", "3", "--row", "4")
    assert (1, 3) == (done.exit_code, len(provider.requests))
    said = " ".join(done.stdout.split())
    for words in (
        "invalid_source 1005: Invalid source (errorId error-1005)",
        "rejected_by_provider: Blocked by operator",
        "invalid_source: check message.source",
        "umid-2",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("answer", "exit_code", "reason", "words"),
    [
        (error(401, 1200, "Unauthorized"), 5, "unauthorized", "check that EIGHTXEIGHT_API_KEY"),
        (error(429, 0, "Too many", {"Retry-After": "7"}), 3, "throttled", "the provider asks you to wait 7 s"),
    ],
)
def test_what_would_stop_or_pause_a_run_ends_the_test(
    campaign: Workplace, provider: Provider, answer: Reply, exit_code: int, reason: str, words: str
) -> None:
    provider.script = lambda _: answer
    done = campaign(*TEST, "--to", f"{MINE},{OTHER}", "--row", "2", "--row", "3", "--json")
    assert (exit_code, 1) == (done.exit_code, len(provider.requests))
    assert [("unsent", reason)] + 3 * [("unsent", "not_reached")] == statuses(done)
    assert words in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_no_proof_is_never_sent_again(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda request: queued(request) if request.before else error(500, 2000, "Internal error")
    done = campaign(*TEST, "--to", f"{MINE},{OTHER}", "--json")
    assert 1 == done.exit_code
    assert [MINE, OTHER] == list(provider.sent.elements())
    assert [("unknown", "server_error"), ("accepted", "queued")] == statuses(done)
    assert "check the phone" in done.stderr


def test_without_a_connection(campaign: Workplace) -> None:
    done = campaign(*TEST, "--to", f"{MINE},{OTHER}", "--json", EIGHTXEIGHT_BASE_URL="http://127.0.0.1:1")
    assert 3 == done.exit_code
    assert [("unsent", "no_connection"), ("unsent", "not_reached")] == statuses(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_waits_for_the_answer_under_way(campaign: Workplace, provider: Provider, number: int) -> None:
    provider.hold(after=1)
    rows = ("--row", "2", "--row", "3", "--row", "4")
    with campaign.started(*TEST, "--to", MINE, *rows, "--json") as process:
        provider.wait_for(2)
        process.send_signal(number)
        assert process.stderr is not None
        while "waiting for 1 answer" not in process.stderr.readline():
            assert process.poll() is None
        provider.release()
        done = ended(process)
    assert (3, 2) == (done.exit_code, len(provider.requests))
    assert [("accepted", "queued"), ("accepted", "queued"), ("unsent", "interrupted")] == statuses(done)


def test_a_second_ctrl_c_does_not(campaign: Workplace, provider: Provider) -> None:
    provider.hold(after=0)
    with campaign.started(*TEST, "--to", f"{MINE},{OTHER}", "--json") as process:
        provider.wait_for(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "waiting for 1 answer" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert (3, 1) == (done.exit_code, len(provider.requests))
    assert [("unknown", "abandoned"), ("unsent", "interrupted")] == statuses(done)


def test_ctrl_c_while_the_pace_has_the_next_one_wait(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(2), MINIMAL.replace("200/s", "1/h"))
    with campaign.started(*TEST, "--to", f"{MINE},{OTHER}", "--json") as process:
        provider.wait_for(1)
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert (3, 1) == (done.exit_code, len(provider.requests))
    assert [("accepted", "queued"), ("unsent", "interrupted")] == statuses(done)


def test_it_asks_first(campaign: Workplace, provider: Provider) -> None:
    with Terminal(campaign, "test", "hello.yaml", "--to", f"{MINE},{OTHER}") as terminal:
        terminal.read_until("[y/N]")
        said = " ".join(terminal.seen.split())
        for words in ("Hi N1", f"to {MINE}, {OTHER}", "Send 2 test messages from acme_hq through http://127.0.0.1:"):
            assert words in said
        terminal.type("n\n")
        assert 3 == terminal.wait()
    assert [] == provider.requests
    with Terminal(campaign, "test", "hello.yaml", "--to", MINE) as terminal:
        terminal.read_until("[y/N]")
        terminal.type("y\n")
        assert 0 == terminal.wait()
    assert [MINE] == list(provider.sent.elements())


def test_ctrl_c_at_the_question(campaign: Workplace, provider: Provider) -> None:
    with Terminal(campaign, "test", "hello.yaml", "--to", MINE) as terminal:
        terminal.read_until("[y/N]")
        terminal.press_ctrl_c()
        assert 3 == terminal.wait()
    assert [] == provider.requests


def test_nobody_to_ask(campaign: Workplace, provider: Provider) -> None:
    done = campaign("test", "hello.yaml", "--to", MINE)
    assert (2, []) == (done.exit_code, provider.requests)
    assert "add --yes" in done.stderr


def test_without_a_key(offline: Workplace) -> None:
    done = offline(*TEST, "--to", MINE)
    assert (2, "") == (done.exit_code, done.stdout)
    assert "EIGHTXEIGHT_API_KEY" in done.stderr


def test_the_sandbox_needs_no_account_and_leaves_nothing(offline: Workplace) -> None:
    before = files(offline)
    done = offline(*TEST, "--to", MINE, "--sandbox", "--json")
    assert 0 == done.exit_code
    assert [("accepted", "queued")] == statuses(done)
    assert before == files(offline)


MISTAKES = {
    "a number that is too short": (("--to", "+120"), ['--to: "+120" is too short for a phone number']),
    "a national one where no country is fixed": (("--to", "0791 112345"), ["--to: ", "country code"]),
    "a word": (("--to", "me"), ['--to: "me"']),
    "nothing": (("--to", " , "), ["--to: no number given; write your own number"]),
    "a fixed line": (("--to", "+442079460000"), ["--to: +442079460000 is a fixed-line number", "recipients.types"]),
    "every wrong one of several": (("--to", f"{MINE},+120", "--to", "me"), ['--to: "+120"', '--to: "me"']),
    "a row beyond the file": (("--to", MINE, "--row", "9"), ["--row: people.csv has no data in row 9"]),
    "rows that would not be sent": (
        ("--to", MINE, "--row", "3", "--row", "4"),
        ["row 3 is excluded: invalid_number: ", "row 4 is excluded: missing_field: "],
    ),
    "numbers and rows": (("--to", "me", "--row", "9"), ['--to: "me"', "no data in row 9"]),
    "more than a test": (
        ("--to", ",".join(f"+1202555{number:04}" for number in range(100, 151))),
        ["too many test messages: 51 numbers × 1 rows = 51", "send at most 50"],
    ),
}


@pytest.mark.parametrize(("arguments", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_and_nothing_is_sent(
    offline: Workplace, arguments: tuple[str, ...], words: list[str]
) -> None:
    """With a column of countries, so that my own numbers have none."""
    offline.write("", MINIMAL.replace("country: SG", "country: {column: land}"))
    rows = "id,mobile,name,land\nk1,+6581230001,Ann,\nk2,12,Ben,SG\nk3,+6581230003,,\n"
    (offline.folder / "people.csv").write_text(rows)
    done = offline.here(*TEST, *arguments, "--json", EIGHTXEIGHT_API_KEY=KEY, EIGHTXEIGHT_BASE_URL="http://127.0.0.1:1")
    assert 2 == done.exit_code, done.stderr
    for word in words:
        assert word in done.stderr
    assert done.stderr.splitlines() == [f"error: {error}" for error in done.document["errors"]]


def test_a_file_of_which_no_row_would_be_sent(offline: Workplace) -> None:
    offline.write("k1,12,Ann\n")
    done = offline.here(*TEST, "--to", MINE)
    assert 2 == done.exit_code
    assert "every row of people.csv is excluded" in done.stderr


def test_it_cannot_drive_the_terminal(campaign: Workplace, provider: Provider) -> None:
    provider.script = lambda _: Reply(400, {"code": 1002, "message": "\x1b[2Jgone\x07", "errorId": "\x1b[1m"})
    done = campaign(*TEST, "--to", MINE)
    assert 1 == done.exit_code
    assert [] == [character for character in done.stdout.replace("\n", "") if not character.isprintable()]
