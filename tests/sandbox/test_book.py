"""The book of the messages that the sandbox took."""

import os
import stat
from pathlib import Path

import orjson
import pytest

from runner.base.errors import InputError
from runner.sandbox.options import SandboxOptions
from tests.sandbox.client import HELLO, Request, ask, get

WELCOME = Request(HELLO | {"clientMessageId": "welcome-1"})
STATS = get("/sandbox/stats")


def test_the_book_holds_what_was_answered_200(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    taken = HELLO | {"clientMessageId": "welcome-1", "track": "None", "umid": "mine", "colour": "green"}
    replies = ask(SandboxOptions(book=path), Request(taken), Request({}), Request(key=None))
    [entry] = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    own = {"time": entry["time"], "subAccountId": "acme_hq", "umid": replies[0].body["umid"], "status": "QUEUED"}
    assert taken | own == entry
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name == "nt"


@pytest.mark.parametrize("in_file", [False, True])
def test_the_book_and_the_counts_can_be_read_while_serving(tmp_path: Path, in_file: bool) -> None:
    options = SandboxOptions(book=tmp_path / "book.jsonl" if in_file else None)
    *_, book, stats = ask(options, WELCOME, WELCOME, Request(), Request({}), get("/sandbox/book"), STATS)
    assert ["welcome-1", "welcome-1", None] == [entry.get("clientMessageId") for entry in book.lines]
    expected = {
        "requests": 4, "queued": 3, "rejected": 0, "throttled": 0, "duplicates": 1, "max_per_second": 4,
        "errors": {"3002": 1}, "faults": {}, "feedback": {}, "duplicate_ids": {"welcome-1": 2},
        "foreign_authorizations": [], "receipts": {}, "receipt_duplicates": 0, "inbound": 0, "failed_posts": 0,
        "receipts_not_sent": {}, "receipts_waiting": 0,
    }  # fmt: skip
    assert expected == stats.body


def test_duplicates_show_across_a_restart(tmp_path: Path) -> None:
    options = SandboxOptions(book=tmp_path / "book.jsonl")
    ask(options, WELCOME)
    stats = ask(options, WELCOME, STATS)[1].body
    assert (1, {"welcome-1": 2}) == (stats["duplicates"], stats["duplicate_ids"])


def test_a_rejected_message_may_come_again() -> None:
    *_, stats = ask(SandboxOptions(reject_share=1), WELCOME, WELCOME, STATS)
    assert (2, 0) == (stats.body["rejected"], stats.body["duplicates"])


@pytest.mark.parametrize("content", [b"name,mobile\nAnn,+12025550123\n", b'{"umid": "1", "status": "QUEUED"', b"[]\n"])
def test_a_file_that_is_no_book_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipients.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a book"):
        ask(SandboxOptions(book=path))
    assert content == path.read_bytes()


def test_a_book_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written: No such file or directory"):
        ask(SandboxOptions(book=tmp_path / "nowhere" / "book.jsonl"))
