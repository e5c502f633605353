import os
import re
import stat
import time
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from runner.errors import InputError
from runner.sandbox import SandboxOptions
from runner.sandbox.book import Book
from runner.sandbox.messages import is_rejected
from tests.sandbox.client import HELLO, MESSAGES, Reply, Request, ask

ANY = SandboxOptions()
STRICT = SandboxOptions(api_key="right", sub_account_id="acme_hq")

ANSWERS: list[tuple[str, SandboxOptions, Request, int, int | None]] = [
    ("any key", ANY, Request(), 200, None),
    ("no key", ANY, Request(key=None), 401, 1200),
    ("empty key", ANY, Request(key=""), 401, 1200),
    ("right key", STRICT, Request(key="right"), 200, None),
    ("wrong key", STRICT, Request(key="wrong"), 401, 1200),
    ("key beyond ASCII", STRICT, Request(key="réght"), 401, 1200),
    ("another sub-account", STRICT, Request(key="right", path=MESSAGES.replace("hq", "uk")), 404, 1001),
    ("no sub-account id", ANY, Request(path=MESSAGES.replace("acme_hq", "a%20b")), 404, 1001),
    ("sub-account with all characters", ANY, Request(path=MESSAGES.replace("acme_hq", "A-c.m_e%26")), 200, None),
    ("wrong key before wrong body", STRICT, Request(b"{", key="wrong"), 401, 1200),
    ("broken JSON", ANY, Request(b'{"text": '), 400, 1000),
    ("empty body", ANY, Request(b""), 400, 1000),
    ("half a surrogate pair", ANY, Request(rb'{"destination": "+12025550123", "text": "\ud83d"}'), 400, 1000),
    ("not UTF-8", ANY, Request(b'{"destination": "+12025550123", "text": "\xe9"}'), 400, 1000),
    ("a wrong field", ANY, Request(HELLO | {"destination": "+1"}), 400, 1002),
    ("form", ANY, Request(b"text=Hello", content_type="application/x-www-form-urlencoded"), 415, 1000),
    ("JSON with charset", ANY, Request(content_type="application/json; charset=utf-8"), 200, None),
    ("too large", ANY, Request(HELLO | {"text": "x" * 70_000}), 413, 1000),
    ("no such path", ANY, Request(path="/api/v1/nowhere"), 404, 1300),
    ("no such method", ANY, Request(method="PUT"), 405, 1000),
]


@pytest.mark.parametrize(
    ("label", "options", "request_", "status", "code"), ANSWERS, ids=[label for label, *_ in ANSWERS]
)
def test_answers(label: str, options: SandboxOptions, request_: Request, status: int, code: int | None) -> None:
    [reply] = ask(options, request_)
    assert (status, code) == (reply.status, reply.code)


def test_a_taken_message() -> None:
    body = HELLO | {"clientMessageId": "welcome-1", "text": "Hi 👋", "encoding": "AUTO"}
    first, second = ask(ANY, Request(body), Request(HELLO))
    assert {
        "umid": str(UUID(first.body["umid"])),
        "destination": "12025550123",
        "encoding": "UCS2",
        "status": {"code": "QUEUED", "description": "queued by the sandbox; it will reach no phone"},
        "clientMessageId": "welcome-1",
    } == first.body
    assert "clientMessageId" not in second.body
    assert second.body["encoding"] == "GSM7"
    assert first.body["umid"] != second.body["umid"]


def test_an_error_body() -> None:
    [reply] = ask(ANY, Request({}))
    assert list(reply.body) == ["code", "message", "errorId", "timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", reply.body["timestamp"])
    UUID(reply.body["errorId"])


def test_a_wrong_method_says_which_is_right() -> None:
    [reply] = ask(ANY, Request(method="PUT"))
    assert reply.headers["Allow"] == "POST"


def test_over_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.5, 10.75, 11.0])
    monkeypatch.setattr("runner.sandbox.messages.monotonic", lambda: next(times))
    *replies, stats = ask(SandboxOptions(rate_limit=2), *[Request()] * 4, Request(method="GET", path="/sandbox/stats"))
    assert [reply.status for reply in replies] == [200, 200, 429, 200]
    assert (replies[2].code, replies[2].headers["Retry-After"]) == (429, "1")
    assert (stats.body["throttled"], stats.body["errors"]) == (1, {"429": 1})


def test_those_without_a_key_take_no_place_in_the_rate() -> None:
    replies = ask(SandboxOptions(rate_limit=1), Request(key=None), Request(key=None), Request())
    assert [reply.status for reply in replies] == [401, 401, 200]


def test_the_same_messages_are_rejected_every_time() -> None:
    requests = [Request(HELLO | {"clientMessageId": f"welcome-{n}"}) for n in range(60)]
    options = SandboxOptions(reject_share=0.3, seed=7)
    first, second = (_codes(ask(options, *order)) for order in (requests, requests[::-1]))
    assert first == second
    assert {"QUEUED", "REJECTED"} == set(first.values())


def test_the_share_of_rejections_is_kept() -> None:
    messages = [HELLO | {"clientMessageId": str(n)} for n in range(10_000)]
    rejected = {seed: [is_rejected(message, share=0.2, seed=seed) for message in messages] for seed in (0, 1)}
    assert all(abs(sum(each) - 2_000) < 150 for each in rejected.values())
    assert rejected[0] != rejected[1]
    assert all(is_rejected(message, share=1.0, seed=0) for message in messages[:100])


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
    twice = Request(HELLO | {"clientMessageId": "welcome-1"})
    get = [Request(method="GET", path=f"/sandbox/{page}", key=None) for page in ("book", "stats")]
    *_, book, stats = ask(options, twice, twice, Request(), Request({}), *get)
    assert book.headers["Content-Type"] == "application/x-ndjson"
    ids = [orjson.loads(line).get("clientMessageId") for line in book.raw.splitlines()]
    assert ids == ["welcome-1", "welcome-1", None]
    expected = {
        "requests": 4, "queued": 3, "rejected": 0, "throttled": 0, "duplicates": 1, "max_per_second": 4,
        "errors": {"3002": 1}, "faults": {}, "feedback": {}, "duplicate_ids": {"welcome-1": 2},
        "foreign_authorizations": [], "receipts": {}, "receipt_duplicates": 0, "inbound": 0, "failed_posts": 0,
        "receipts_not_sent": {}, "receipts_waiting": 0,
    }  # fmt: skip
    assert expected == stats.body


def test_duplicates_show_across_a_restart(tmp_path: Path) -> None:
    options = SandboxOptions(book=tmp_path / "book.jsonl")
    request = Request(HELLO | {"clientMessageId": "welcome-1"})
    ask(options, request)
    assert ask(options, request, Request(method="GET", path="/sandbox/stats"))[1].body["duplicates"] == 1


def test_a_rejected_message_may_come_again() -> None:
    request = Request(HELLO | {"clientMessageId": "welcome-1"})
    replies = ask(SandboxOptions(reject_share=1), request, request, Request(method="GET", path="/sandbox/stats"))
    assert (replies[2].body["rejected"], replies[2].body["duplicates"]) == (2, 0)


def test_with_a_key_the_book_is_for_its_holder() -> None:
    names = ("book", "feedback", "stats")
    pages = [Request(method="GET", path=f"/sandbox/{page}", key=key) for page in names for key in "ab"]
    assert [reply.status for reply in ask(SandboxOptions(api_key="a"), *pages)] == [200, 401] * 3


@pytest.mark.parametrize("content", [b"name,mobile\nAnn,+12025550123\n", b'{"umid": "1", "status": "QUEUED"', b"[]\n"])
def test_a_file_that_is_no_book_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipients.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a book"):
        ask(SandboxOptions(book=path))
    assert content == path.read_bytes()


def test_a_book_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        ask(SandboxOptions(book=tmp_path / "nowhere" / "book.jsonl"))


def test_a_bug_of_the_sandbox_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise OSError("disk full")

    monkeypatch.setattr(Book, "add", fail)
    [reply] = ask(ANY, Request())
    assert (reply.status, reply.code) == (500, 2000)


def test_latency_is_waited_before_every_answer() -> None:
    started = time.monotonic()
    ask(SandboxOptions(latency_s=0.05), Request(), Request({}))
    assert time.monotonic() - started >= 0.1


def _codes(replies: list[Reply]) -> dict[str, str]:
    return {reply.body["clientMessageId"]: reply.body["status"]["code"] for reply in replies}
