"""Sending messages; details, cancelling and feedback of one."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from runner.sandbox.messages import is_rejected
from runner.sandbox.options import SandboxOptions
from tests.sandbox.client import HELLO, MESSAGES, Client, Reply, Request, ask, get, run_client

ANY = SandboxOptions()
STATS = get("/sandbox/stats")


def about(fields: dict[str, object], *requests: tuple[str, str, object], **options: Any) -> list[Reply]:  # noqa: ANN401
    """Send a message, then these about it: method, what follows the umid in the path, body."""

    async def script(client: Client) -> list[Reply]:
        umid = await client.send("welcome-1", **fields)
        replies = [await client.do(method, f"{MESSAGES}/{umid}{path}", body) for method, path, body in requests]
        return [*replies, await client.do("GET", "/sandbox/stats")]

    return run_client(script, SandboxOptions(**options))


def later() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_taken_message() -> None:
    body = HELLO | {"clientMessageId": "welcome-1", "text": "Hi 👋", "encoding": "AUTO"}
    first, second = ask(ANY, Request(body), Request(HELLO))
    assert {
        "umid": str(UUID(first.body["umid"])),
        "destination": "12025550123",
        "encoding": "UCS2",
        "status": {"code": "QUEUED", "description": "queued by the sandbox; no phone will receive it"},
        "clientMessageId": "welcome-1",
    } == first.body
    assert "clientMessageId" not in second.body
    assert "GSM7" == second.body["encoding"]
    assert first.body["umid"] != second.body["umid"]


def test_over_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.5, 10.75, 11.0])
    monkeypatch.setattr("runner.sandbox.messages.monotonic", lambda: next(times))
    *replies, stats = ask(SandboxOptions(rate_limit=2), *[Request()] * 4, STATS)
    assert [200, 200, 429, 200] == [reply.status for reply in replies]
    assert (429, "1") == (replies[2].code, replies[2].headers["Retry-After"])
    assert (1, {"429": 1}) == (stats.body["throttled"], stats.body["errors"])


def test_those_without_a_key_take_no_place_in_the_rate() -> None:
    replies = ask(SandboxOptions(rate_limit=1), Request(key=None), Request(key=None), Request())
    assert [401, 401, 200] == [reply.status for reply in replies]


def test_the_same_messages_are_rejected_every_time() -> None:
    requests = [Request(HELLO | {"clientMessageId": f"welcome-{n}"}) for n in range(60)]
    options = SandboxOptions(reject_share=0.3, seed=7)
    first, second = (
        {reply.body["clientMessageId"]: reply.body["status"]["code"] for reply in ask(options, *order)}
        for order in (requests, requests[::-1])
    )
    assert first == second
    assert {"QUEUED", "REJECTED"} == set(first.values())


def test_the_share_of_rejections_is_kept() -> None:
    messages = [HELLO | {"clientMessageId": str(n)} for n in range(10_000)]
    options = [SandboxOptions(reject_share=0.2, seed=seed) for seed in (0, 1)]
    rejected = [[is_rejected(message, each) for message in messages] for each in options]
    assert all(abs(sum(each) - 2_000) < 150 for each in rejected)
    assert rejected[0] != rejected[1]
    assert all(is_rejected(message, SandboxOptions(reject_share=1)) for message in messages[:100])


def test_latency_is_waited_before_every_answer() -> None:
    started = time.monotonic()
    ask(SandboxOptions(latency_s=0.05), Request(), Request({}))
    assert time.monotonic() - started >= 0.1


def test_details() -> None:
    reply, _ = about({"text": "Hi 👋", "source": "ACME"}, ("GET", "", None))
    body = reply.body
    assert {
        "umid": body["umid"],
        "subAccountId": "acme_hq",
        "direction": "outbound",
        "status": {"state": "delivered", "detail": "delivered_to_recipient", "timestamp": body["createdAt"]},
        "msisdn": "+1202555xxxx",
        "source": "ACME",
        "body": "**MASKED**",
        "encoding": "UCS2",
        "createdAt": body["createdAt"],
        "smsCount": 1,
        "price": {"total": 0.01, "perSms": 0.01, "currency": "USD"},
        "clientMessageId": "welcome-1",
    } == body


@pytest.mark.parametrize(
    ("fields", "options", "state"), [({}, {"reject_share": 1}, "failed"), ({"scheduled": later()}, {}, "queued")]
)
def test_details_of_what_was_not_sent(fields: dict[str, object], options: dict[str, Any], state: str) -> None:
    reply, _ = about(fields, ("GET", "", None), **options)
    assert state == reply.body["status"]["state"]


def test_details_are_given_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.9, 11.0])
    monkeypatch.setattr("runner.sandbox.messages.monotonic", lambda: next(times))
    *replies, stats = about({}, *[("GET", "", None)] * 3)
    assert [200, 429, 200] == [reply.status for reply in replies]
    assert (429, "1") == (replies[1].code, replies[1].headers["Retry-After"])
    assert 0 == stats.body["throttled"]


def test_a_scheduled_message_is_cancelled_once() -> None:
    asked = [("DELETE", "", None), ("DELETE", "", None), ("GET", "", None)]
    first, second, details, _ = about({"scheduled": later()}, *asked)
    assert (200, {"cancelledCount": 1}) == (first.status, first.body)
    assert (404, 1300) == (second.status, second.code)
    assert "failed" == details.body["status"]["state"]


@pytest.mark.parametrize("fields", [{}, {"scheduled": "2020-01-01T00:00:00Z"}])
def test_a_message_that_is_gone_is_not_cancelled(fields: dict[str, object]) -> None:
    reply, _ = about(fields, ("DELETE", "", None))
    assert (404, 1300) == (reply.status, reply.code)


def test_feedback() -> None:
    good = [{"outcome": "success"}, {"outcome": "failure", "timestamp": "2026-12-01T10:00:00.5Z"}]
    *replies, stats = about({}, *[("POST", "/feedback", body) for body in (*good, good[1])])
    assert [(200, b"")] * 3 == [(reply.status, reply.raw) for reply in replies]
    assert {"success": 1, "failure": 2} == stats.body["feedback"]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"outcome": "done"}, {"outcome": []}, {"outcome": "success", "timestamp": "yesterday"}]
)
def test_feedback_that_makes_no_sense(body: object) -> None:
    reply, stats = about({}, ("POST", "/feedback", body))
    assert (400, 1000, {}) == (reply.status, reply.code, stats.body["feedback"])


def test_the_last_feedback_about_a_message_can_be_read() -> None:
    first, second = [str(uuid4()) for _ in range(2)]
    feedback = [
        (first, {"outcome": "failure"}),
        (second, {"outcome": "success"}),
        (first, {"outcome": "success", "timestamp": "2026-12-01T10:00:00.5Z"}),
    ]
    posted = [Request(body, path=f"{MESSAGES}/{umid.upper()}/feedback") for umid, body in feedback]
    *_, page = ask(ANY, *posted, get("/sandbox/feedback"))
    assert [
        {"umid": second, "outcome": "success", "times": 1},
        {"umid": first, "outcome": "success", "timestamp": "2026-12-01T10:00:00.5Z", "times": 2},
    ] == page.lines


def test_of_much_feedback_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sandbox.state.MEMORY_LIMIT", 2)
    umids = [str(uuid4()) for _ in range(3)]
    posted = [Request({"outcome": "success"}, path=f"{MESSAGES}/{umid}/feedback") for umid in umids]
    *_, page = ask(ANY, *posted, get("/sandbox/feedback"))
    assert umids[1:] == [line["umid"] for line in page.lines]
