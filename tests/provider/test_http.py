"""Asking over real sockets, by prices and balance: the sandbox, servers that misbehave, and where the key goes."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest

from runner.base.errors import InputError, StoppedError
from runner.provider import http as http_module
from runner.provider.endpoint import Endpoint
from runner.provider.http import HttpClient, UnreachableError
from runner.provider.prices import Balance, fetch_balance, fetch_price_list
from runner.sandbox.options import SandboxOptions
from runner.sandbox.server import running
from tests.provider.test_client import http, serving

ACCOUNT = "c388daa9-980e-4b11-81f8-0433c2195dfb"
KEY = "secret-key"
LIST = (
    b'{"subAccounts": [{"subAccountId": "acme_hq", "outbound": {"countries": [{"alpha2Code": "SG", "operators": '
    b'[{"operatorName": "any", "price": {"amount": 0.01, "currency": "USD"}}]}]}}]}'
)


def error(status: str, code: int, message: str = "no", extra: str = "") -> bytes:
    body = f'{{"code": {code}, "message": "{message}", "errorId": "e", "timestamp": "2026-12-01T02:00:00Z"}}'
    return http(body.encode(), status, extra=extra)


def prices_from(script: tuple[bytes, str]) -> list[bytes]:
    """Ask a server that gives this answer for prices; returns the requests it saw."""

    async def scenario() -> list[bytes]:
        async with serving(script) as server:
            await fetch_price_list(Endpoint(server.base_url, "acme"), ACCOUNT, KEY, sub_account_id="acme_hq")
            return server.requests

    return asyncio.run(scenario())


def with_sandbox(options: SandboxOptions, question: Any) -> Any:  # noqa: ANN401 (what the question returns)
    async def scenario() -> Any:  # noqa: ANN401
        async with running(options) as base_url:
            coroutine: Coroutine[Any, Any, Any] = question(Endpoint(base_url, "acme"), ACCOUNT, KEY)
            return await coroutine

    return asyncio.run(scenario())


def test_the_request() -> None:
    [request] = prices_from((http(LIST), "keep"))

    path = f"GET /api/v1/accounts/{ACCOUNT}/prices?direction=outbound&subAccountId=acme_hq HTTP/1.1\r\n"
    assert request.startswith(path.encode())
    assert b"\r\nAuthorization: Bearer secret-key\r\n" in request


def test_the_sandbox_has_prices() -> None:
    listed = with_sandbox(SandboxOptions(api_key=KEY, sub_account_id="acme_hq"), fetch_price_list)

    assert ["GB", "MY", "SG", "US"] == [price.country for price in listed.prices]
    assert {(Decimal("0.01"), "USD", "acme_hq")} == {(p.price, p.currency, p.sub_account) for p in listed.prices}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (SandboxOptions(), Balance(Decimal(1000), "USD")),
        (SandboxOptions(balance=12.5), Balance(Decimal("12.5"), "USD")),
        (SandboxOptions(balance=-0.01), Balance(Decimal("-0.01"), "USD")),
        (SandboxOptions(post_paid=True), None),
    ],
)
def test_the_sandbox_has_a_balance(options: SandboxOptions, expected: Balance | None) -> None:
    assert expected == with_sandbox(options, fetch_balance)


def test_a_wrong_key_is_no_post_paid_account() -> None:
    with pytest.raises(StoppedError, match=r"HTTP 401 Unauthorized.*check that EIGHTXEIGHT_API_KEY"):
        with_sandbox(SandboxOptions(api_key="another"), fetch_balance)


REFUSALS: list[Any] = [
    pytest.param(
        error("401 Unauthorized", 1200), "HTTP 401 Unauthorized .no.; check that EIGHTXEIGHT_API_KEY", id="401"
    ),
    pytest.param(
        error("403 Forbidden", 1201),
        "HTTP 403 Forbidden .no.; check that the API key belongs to this account",
        id="403",
    ),
    pytest.param(
        error("404 Not Found", 1300), "HTTP 404 Not Found .no.; check the account ID and the region", id="404"
    ),
    pytest.param(error("400 Bad Request", 1000, "not an UUID"), "HTTP 400 Bad Request .not an UUID.$", id="400"),
    pytest.param(
        error("400 Bad Request", 1200), "check that EIGHTXEIGHT_API_KEY", id="the code says more than the status"
    ),
    pytest.param(error("426 Upgrade Required", 1014), "TLS 1.3", id="426"),
    pytest.param(http(b"<html>", "403 Forbidden"), "HTTP 403 Forbidden; check", id="a proxy's page"),
    pytest.param(
        http(b"", "302 Found", extra="Location: /x\r\n"),
        r"\(redirected to /x\); the answer is not from the SMS API",
        id="a redirect",
    ),
    pytest.param(http(b"", "304 Not Modified"), "HTTP 304 Not Modified$", id="a status that the provider doesn't give"),
    pytest.param(error("400 Bad Request", 1002), "HTTP 400 Bad Request .no.$", id="a code that is about a message"),
    pytest.param(error("500 Internal Server Error", 2003), "upgrade campaign-runner", id="a fatal code"),
    pytest.param(http(b"<html>"), "not a JSON object", id="a portal page"),
]


@pytest.mark.parametrize(("answer", "words"), REFUSALS)
def test_refusals(answer: bytes, words: str) -> None:
    with pytest.raises(StoppedError, match=words) as caught:
        prices_from((answer, "keep"))
    assert not isinstance(caught.value, UnreachableError)


PASSING: list[Any] = [
    pytest.param(
        (error("429 Too Many Requests", 429, extra="Retry-After: 7\r\n"), "keep"), "try again in 7 s", id="429"
    ),
    pytest.param((error("429 Too Many", 429, extra="Retry-After: soon\r\n"), "keep"), "429 .* .no.$", id="429 garbage"),
    pytest.param((error("500 Internal Server Error", 2000), "keep"), "HTTP 500", id="500"),
    pytest.param(
        (http(b"<html>", "503 Service Unavailable"), "keep"),
        "price list failed: HTTP 503 Service Unavailable$",
        id="503",
    ),
    pytest.param((http(b"", "408 Request Timeout"), "keep"), "price list failed: HTTP 408 Request Timeout$", id="408"),
    pytest.param((b"", "close"), "closed before the answer was complete", id="closed"),
    pytest.param((b"", "reset"), "failed: the connection was closed", id="reset"),
    pytest.param((http(LIST, length=5000), "close"), "closed before the answer was complete$", id="half an answer"),
    pytest.param(
        (b"220 mail.example ESMTP\r\n", "close"), "failed: the answer is not HTTP .Bad status line.$", id="not HTTP"
    ),
]


@pytest.mark.parametrize(("script", "words"), PASSING)
def test_passing_faults(script: tuple[bytes, str], words: str) -> None:
    with pytest.raises(UnreachableError, match=words):
        prices_from(script)


@pytest.mark.parametrize(("where", "timeout"), [(HttpClient, "answer_timeout_s"), (http_module, "SILENCE_TIMEOUT_S")])
def test_an_answer_that_never_comes(where: object, timeout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, timeout, 0.05)
    with pytest.raises(UnreachableError, match="price list failed: timed out waiting for the answer"):
        prices_from((b"HTTP/1.1 200 OK\r\n", "hang"))


def test_an_answer_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpClient, "max_answer_bytes", 1000)
    with pytest.raises(StoppedError, match="is too large"):
        prices_from((http(b" " * 5000), "close"))


def test_nobody_listens() -> None:
    with pytest.raises(UnreachableError, match=r"failed: can't connect to 127\.0\.0\.1:1: connection refused"):
        asyncio.run(fetch_balance(Endpoint("http://127.0.0.1:1", "acme"), ACCOUNT, KEY))


def test_a_redirect_does_not_take_the_key_along() -> None:
    async def scenario() -> list[bytes]:
        async with serving((http(LIST), "keep")) as other:
            moved = http(b"", "307 Temporary Redirect", extra=f"Location: {other.base_url}/\r\n")
            async with serving((moved, "keep")) as server:
                with pytest.raises(StoppedError):
                    await fetch_balance(Endpoint(server.base_url, "acme"), ACCOUNT, KEY)
            return other.requests

    assert [] == asyncio.run(scenario())


def test_a_server_that_quotes_the_key() -> None:
    with pytest.raises(StoppedError) as caught:
        prices_from((error("400 Bad Request", 1000, f"what is {KEY}?"), "keep"))
    assert "what is [API key]?" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_key_that_is_none() -> None:
    with pytest.raises(InputError, match="EIGHTXEIGHT_API_KEY contains"):
        asyncio.run(fetch_balance(Endpoint("http://127.0.0.1:1", "acme"), ACCOUNT, "two words"))
