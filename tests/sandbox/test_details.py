"""Details, cancelling and feedback of one message; prices and balance."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest

from runner.sandbox import SandboxOptions
from runner.sandbox.server import running
from tests.sandbox.client import HELLO, MESSAGES, Reply, Request, ask

ACCOUNT = f"/api/v1/accounts/{uuid4()}"
HEADERS = {"Authorization": "Bearer any"}


def about(fields: dict[str, Any], *requests: tuple[str, str, object], **options: Any) -> list[Reply]:  # noqa: ANN401
    """Send a message, then these about it: method, what follows the umid in the path, body."""

    async def session() -> list[Reply]:
        async with (
            running(SandboxOptions(**options)) as base_url,
            aiohttp.ClientSession(base_url, headers=HEADERS) as client,
        ):
            async with client.post(MESSAGES, json=HELLO | fields) as response:
                umid = (await response.json())["umid"]
            replies = []
            for method, path, body in requests:
                async with client.request(method, f"{MESSAGES}/{umid}{path}", json=body) as response:
                    replies.append(Reply(response.status, dict(response.headers), await response.read()))
            async with client.get("/sandbox/stats") as response:
                return [*replies, Reply(response.status, dict(response.headers), await response.read())]

    return asyncio.run(session())


def later() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_details() -> None:
    reply, _ = about({"clientMessageId": "welcome-1", "text": "Hi 👋", "source": "ACME"}, ("GET", "", None))
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


def test_details_of_a_rejected_message() -> None:
    reply, _ = about({}, ("GET", "", None), reject_share=1)
    assert reply.body["status"]["state"] == "failed"


def test_details_are_given_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.9, 11.0])
    monkeypatch.setattr("runner.sandbox.details.monotonic", lambda: next(times))
    *replies, stats = about({}, *[("GET", "", None)] * 3)
    assert [reply.status for reply in replies] == [200, 429, 200]
    assert (replies[1].code, replies[1].headers["Retry-After"]) == (429, "1")
    assert stats.body["throttled"] == 0


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(("umid", "status", "code"), [(str(uuid4()), 404, 1300), ("nothing", 400, 1000)])
def test_a_message_that_is_not_there(method: str, umid: str, status: int, code: int) -> None:
    [reply] = ask(SandboxOptions(), Request(method=method, path=f"{MESSAGES}/{umid}"))
    assert (status, code) == (reply.status, reply.code)


def test_a_scheduled_message_is_cancelled_once() -> None:
    first, second, details, _ = about(
        {"scheduled": later()}, ("DELETE", "", None), ("DELETE", "", None), ("GET", "", None)
    )
    assert (first.status, first.body) == (200, {"cancelledCount": 1})
    assert (second.status, second.code) == (404, 1300)
    assert details.body["status"]["state"] == "failed"


@pytest.mark.parametrize("fields", [{}, {"scheduled": "2020-01-01T00:00:00Z"}])
def test_a_message_that_is_gone_is_not_cancelled(fields: dict[str, Any]) -> None:
    reply, _ = about(fields, ("DELETE", "", None))
    assert (reply.status, reply.code) == (404, 1300)


def test_feedback() -> None:
    good = [
        {"outcome": "success"},
        {"outcome": "failure", "timestamp": "2026-12-01T10:00:00.5Z"},
        {"outcome": "failure"},
    ]
    *replies, stats = about({}, *[("POST", "/feedback", body) for body in good])
    assert [(reply.status, reply.raw) for reply in replies] == [(200, b"")] * 3
    assert stats.body["feedback"] == {"success": 1, "failure": 2}


def test_what_was_told_last_of_a_message_can_be_looked_at() -> None:
    umids = [str(uuid4()) for _ in range(2)]
    told = [
        (umids[0], {"outcome": "failure"}),
        (umids[1], {"outcome": "success", "timestamp": None}),
        (umids[0], {"outcome": "success", "timestamp": "2026-12-01T10:00:00.5Z"}),
    ]
    *_, page = ask(
        SandboxOptions(),
        *[Request(body, path=f"{MESSAGES}/{umid.upper()}/feedback") for umid, body in told],
        Request(method="GET", path="/sandbox/feedback"),
    )
    assert [
        {"umid": umids[1], "outcome": "success", "times": 1},
        {"umid": umids[0], "outcome": "success", "timestamp": "2026-12-01T10:00:00.5Z", "times": 2},
    ] == [orjson.loads(line) for line in page.raw.splitlines()]


def test_of_much_feedback_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sandbox.desk.MEMORY_LIMIT", 2)
    umids = [str(uuid4()) for _ in range(3)]
    *_, page = ask(
        SandboxOptions(),
        *[Request({"outcome": "success"}, path=f"{MESSAGES}/{umid}/feedback") for umid in umids],
        Request(method="GET", path="/sandbox/feedback"),
    )
    assert umids[1:] == [orjson.loads(line)["umid"] for line in page.raw.splitlines()]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"outcome": "done"}, {"outcome": []}, {"outcome": "success", "timestamp": "yesterday"}]
)
def test_feedback_that_makes_no_sense(body: object) -> None:
    reply, stats = about({}, ("POST", "/feedback", body))
    assert (reply.status, reply.code, stats.body["feedback"]) == (400, 1000, {})


def test_prices() -> None:
    [reply] = ask(SandboxOptions(), Request(method="GET", path=f"{ACCOUNT}/prices?country=SG&subAccountId=acme_hq"))
    [account] = reply.body["subAccounts"]
    assert account["subAccountId"] == "acme_hq"
    [country] = account["outbound"]["countries"]
    assert country["alpha2Code"] == "SG"
    assert country["operators"][0]["price"] == {"amount": 0.01, "currency": "USD"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"GB", "MY", "SG", "US"}),
        ("?country=sg", {"SG"}),
        ("?country=FR", set()),
        ("?mcc=525&mnc=01", {"SG"}),
        ("?mcc=525&mnc=99", set()),
    ],
)
def test_prices_of_some(query: str, expected: set[str]) -> None:
    [reply] = ask(SandboxOptions(), Request(method="GET", path=f"{ACCOUNT}/prices{query}"))
    [account] = reply.body["subAccounts"]
    assert expected == {country["alpha2Code"] for country in account["outbound"]["countries"]}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{ACCOUNT}/prices?country=SGP", 1009),
        (f"{ACCOUNT}/prices?mcc=525", 1000),
        (f"{ACCOUNT}/prices?direction=up", 1000),
        ("/api/v1/accounts/acme/prices", 1000),
        ("/api/v1/accounts/acme/balance", 1000),
    ],
)
def test_prices_of_what_makes_no_sense(path: str, code: int) -> None:
    [reply] = ask(SandboxOptions(), Request(method="GET", path=path))
    assert (400, code) == (reply.status, reply.code)


def test_balance() -> None:
    [reply] = ask(SandboxOptions(), Request(method="GET", path=f"{ACCOUNT}/balance"))
    assert (reply.status, reply.body) == (200, {"balance": 1000.0, "currency": "USD"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{MESSAGES}/exports"),
        ("GET", f"{MESSAGES}/exports/1"),
        ("DELETE", f"{MESSAGES}/exports/1"),
        ("GET", f"{MESSAGES}/{uuid4()}"),
        ("DELETE", f"{MESSAGES}/{uuid4()}"),
        ("POST", f"{MESSAGES}/{uuid4()}/feedback"),
        ("GET", f"{ACCOUNT}/prices"),
        ("GET", f"{ACCOUNT}/balance"),
    ],
)
def test_nothing_is_told_without_a_key(method: str, path: str) -> None:
    [reply] = ask(SandboxOptions(), Request(method=method, path=path, key=None))
    assert (reply.status, reply.code) == (401, 1200)
