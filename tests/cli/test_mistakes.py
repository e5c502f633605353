"""A mistake costs nothing: it is told, with what to do, and nothing is sent. And the key is never told."""

import os
from pathlib import Path

import pytest

from tests.cli.provider import Provider, Reply, Request
from tests.cli.terminal import Terminal
from tests.cli.workplace import KEY, MINIMAL, Workplace, people

RUN = ("run", "hello.yaml", "--yes")


def test_without_a_key(offline: Workplace) -> None:
    done = offline(*RUN)
    assert (2, "") == (done.exit_code, done.stdout)
    assert "EIGHTXEIGHT_API_KEY" in done.stderr
    assert "--sandbox" in done.stderr


WRONG = MINIMAL.replace("key: id", "key: idd").replace("{{ name }}", "{{ nam }}").replace("200/s", "fast")


@pytest.mark.parametrize("command", ["check", "plan", "preview", "run"])
def test_a_wrong_campaign_is_told_whole(offline: Workplace, command: str) -> None:
    offline.write(people(5), WRONG)
    done = offline.here(command, "hello.yaml", "--json", EIGHTXEIGHT_API_KEY=KEY)
    assert 2 == done.exit_code
    for place in ("hello.yaml:3:37: recipients.key: ", "hello.yaml:4:17: message.text: ", "hello.yaml:5:7: rate: "):
        assert place in done.stderr
    assert 'did you mean "id"?' in done.stderr
    assert 'did you mean "name"?' in done.stderr
    told = done.document["files"][0]["problems"] if command == "check" else done.document["errors"]
    assert done.stderr.splitlines() == told
    assert not (offline.folder / "reports").exists()


ERRORS = {
    "a file that is not there": ("run", "nowhere.yaml"),
    "a run that is not there": ("report", "hello/nowhere"),
    "no ledger": ("status",),
    "an option that does not exist": ("run", "hello.yaml", "--no-such-option"),
    "an argument that is missing": ("run",),
    "a command that does not exist": ("walk",),
    "a limit that is none": ("run", "hello.yaml", "--limit", "0"),
    "a row that is not there": ("preview", "hello.yaml", "--row", "9"),
    "a number that is not there": ("preview", "hello.yaml", "--to", "+4477"),
    "a run id that is none": ("plan", "hello.yaml", "--run", "a/b"),
    "a ledger of another kind": ("plan", "hello.yaml", "--ledger", "postgresql://me:secret@db/x"),
}


@pytest.mark.parametrize("arguments", ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_json_document(offline: Workplace, arguments: tuple[str, ...]) -> None:
    done = offline.here(*arguments, "--json")
    assert 2 == done.exit_code
    assert (2, True) == (done.document["exit_code"], len(done.document["errors"]) > 0)
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_http_to_another_computer_is_refused(offline: Workplace) -> None:
    done = offline.here(*RUN, EIGHTXEIGHT_API_KEY=KEY, EIGHTXEIGHT_BASE_URL="http://sms.8x8.com")
    assert 2 == done.exit_code
    assert "http:// would send the API key unencrypted" in done.stderr


def test_without_a_terminal_nobody_can_be_asked(campaign: Workplace, provider: Provider) -> None:
    done = campaign("run", "hello.yaml")
    assert (2, []) == (done.exit_code, provider.requests)
    assert "--yes" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
@pytest.mark.parametrize(("answer", "exit_code", "sent"), [("y\n", 0, 5), ("n\n", 3, 0)])
def test_a_person_is_asked(campaign: Workplace, provider: Provider, answer: str, exit_code: int, sent: int) -> None:
    with Terminal(campaign, "run", "hello.yaml") as terminal:
        terminal.read_until("[y/N]")
        assert [] == provider.requests
        terminal.type(answer)
        assert exit_code == terminal.wait()
    assert sent == len(provider.requests)
    assert "Send 5 messages from acme_hq" in terminal.seen
    assert KEY not in terminal.seen
    if sent:
        assert "5/5" in terminal.seen


def echoing(request: Request) -> Reply:
    """A provider (or a proxy before it) that says the request's headers again, in every place there is."""
    echo = request.headers["Authorization"]
    paths = [
        lambda: Reply(400, {"code": 1002, "message": f"wrong header {echo}", "errorId": "e"}),
        lambda: Reply(400, {"code": 1002, "message": "wrong", "errorId": echo}),
        lambda: Reply(400, {"code": 1002, "message": f"{'x' * 275} {echo}", "errorId": "e"}),
        lambda: Reply(200, {"umid": "u", "status": {"code": "REJECTED", "description": echo}}),
        lambda: Reply(200, {"umid": "u", "status": {"code": f"{'x' * 100}{echo}"}}),
        lambda: Reply(200, {"umid": echo, "status": {"code": "QUEUED"}}),
        lambda: Reply(200, {"umid": "u", "clientMessageId": f"{'x' * 100}{echo}", "status": {"code": "QUEUED"}}),
        lambda: Reply(502, {"page": f"{'x' * 85} {echo}"}),
        lambda: Reply(302, {}, {"Location": f"https://example.com/?{echo}"}),
    ]  # fmt: skip
    return paths[int(str(request.body["text"]).removeprefix("Hi N")) - 1]()


def test_the_key_is_never_told(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(9))
    provider.script = echoing
    done = campaign(*RUN)
    assert (5, 9) == (done.exit_code, len(provider.requests))  # the last answer is a redirection, which stops all
    beginning = KEY[:10]  # of which nothing may be left, either, where words were cut
    assert [] == [row["row"] for row in campaign.results() if beginning in str(row)]  # Parquet is compressed
    assert beginning not in done.stdout + done.stderr
    files = [path for path in campaign.folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [] == [path.name for path in files if beginning.encode() in path.read_bytes()]


def test_what_a_file_or_the_provider_says_cannot_drive_the_terminal(campaign: Workplace, provider: Provider) -> None:
    campaign.write("k1,\x1b]0;owned\x07,N1\nk2,+6581230002,N2\n")
    provider.script = lambda _: Reply(400, {"code": 1002, "message": "\x1b[2Jgone\x07", "errorId": "\x1b[1m"})
    done = campaign(*RUN)
    assert 1 == done.exit_code
    said = (done.stdout + done.stderr).replace("\n", "")
    assert [] == [character for character in said if not character.isprintable()]


def test_a_ledger_that_cannot_be_written(campaign: Workplace, provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    done = campaign(*RUN, "--json")
    assert (5, []) == (done.exit_code, provider.requests)
    assert 5 == done.document["exit_code"]
    assert "Traceback" not in done.stderr


def test_ctrl_c_at_the_question_ends_it_at_once(campaign: Workplace, provider: Provider) -> None:
    with Terminal(campaign, "run", "hello.yaml") as terminal:
        terminal.read_until("[y/N]")
        terminal.press_ctrl_c()
        assert 3 == terminal.wait()
    assert [] == provider.requests
