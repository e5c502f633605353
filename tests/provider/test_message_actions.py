"""Feedback and cancelling: what is asked, and what an answer means."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
import pytest
from aiohttp import web

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.errors import InputError
from runner.base.outcomes import Outcome, Status, Then
from runner.provider.answer import Answer, read_answer
from runner.provider.endpoint import Endpoint
from runner.provider.message_actions import (
    NOTHING_TO_CANCEL,
    MessageActions,
    cancel_ended,
    feedback_body,
    feedback_ended,
)

KEY = "sk-very-secret"
SUCCESS = Conversion(ConversionOutcome.SUCCESS)
DONE, REFUSED, STOP = (Status.ACCEPTED, Then.GO_ON), (Status.REJECTED, Then.GO_ON), (Status.UNSENT, Then.STOP)
PAUSE, BACK_OFF = (Status.UNSENT, Then.PAUSE), (Status.UNKNOWN, Then.BACK_OFF)
UMID = "bda3d56f-2ff2-4b5c-9d4b-1f7dcd4aa1a7"


def reply(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return read_answer(status, headers or {}, content, now=datetime.now(UTC), secret=KEY)


def error(code: int, message: str = "words of the provider's") -> dict[str, object]:
    return {"code": code, "message": message, "errorId": "e", "timestamp": "2026-12-01T02:00:00Z"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(200), DONE, id="the documented yes"),
        pytest.param(reply(200, {}), DONE, id="a yes that says something"),
        pytest.param(reply(202), DONE, id="taken for later"),
        pytest.param(reply(200, error(1200)), STOP, id="a 200 that holds a fatal error"),
        pytest.param(reply(200, b"\n<html>Log in</html>"), STOP, id="a web page in between"),
        pytest.param(reply(400, error(1000)), REFUSED, id="something about this message"),
        pytest.param(reply(422, error(9999)), REFUSED, id="an unlisted code about this message"),
        pytest.param(reply(404, error(1300)), REFUSED, id="no such message"),
        pytest.param(reply(404, error(1001)), STOP, id="no such sub-account"),
        pytest.param(reply(404), STOP, id="a 404 of who knows whom"),
        pytest.param(reply(401, error(1200)), STOP, id="a wrong key"),
        pytest.param(reply(403, error(1201)), STOP, id="forbidden"),
        pytest.param(reply(403, error(1300)), STOP, id="forbidden, whatever it says besides"),
        pytest.param(reply(426, error(1014)), STOP, id="TLS too old"),
        pytest.param(reply(500, error(2001)), STOP, id="not implemented"),
        pytest.param(reply(302, None, {"Location": "https://example.com"}), STOP, id="a redirect"),
        pytest.param(reply(407), STOP, id="a proxy in between"),
        pytest.param(reply(429), PAUSE, id="too fast"),
        pytest.param(reply(304), STOP, id="a status that the provider doesn't give"),
        pytest.param(reply(408), BACK_OFF, id="too slow"),
        pytest.param(reply(500, error(2000)), BACK_OFF, id="an internal error"),
        pytest.param(reply(502, b"<html>Bad gateway</html>"), BACK_OFF, id="a gateway"),
    ],
)
def test_answers_to_feedback(answer: Answer, expected: tuple[Status, Then]) -> None:
    found = feedback_ended(answer)
    assert expected == (found.status, found.then)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(200, {"cancelledCount": 1}), (*DONE, "", 200), id="cancelled"),
        pytest.param(reply(200, {"cancelledCount": 0}), (*REFUSED, NOTHING_TO_CANCEL, 200), id="none"),
        pytest.param(reply(404, error(1300)), (*REFUSED, NOTHING_TO_CANCEL, 404), id="not there"),
        pytest.param(reply(400, error(1300)), (*REFUSED, NOTHING_TO_CANCEL, 400), id="not there, with a 400"),
        pytest.param(reply(422, error(1300)), (*REFUSED, NOTHING_TO_CANCEL, 422), id="not there, with a 422"),
        pytest.param(reply(400, error(1000, "Invalid umid.")), (*REFUSED, "Invalid umid.", 400), id="invalid"),
    ],
)
def test_answers_to_cancelling(answer: Answer, expected: tuple[Status, Then, str, int]) -> None:
    found = cancel_ended(answer)
    assert expected == (found.status, found.then, found.detail, found.http_status)


@pytest.mark.parametrize("body", [None, {}, {"cancelledCount": "1"}, {"cancelledCount": True}, [1]])
def test_without_a_count_nothing_counts_as_cancelled_or_as_refused(body: object) -> None:
    found = cancel_ended(reply(200, body))
    assert Then.STOP is found.then
    assert "not from the SMS API" in found.detail


def test_the_pause_is_the_providers() -> None:
    assert 7.0 == feedback_ended(reply(429, None, {"retry-after": "7"})).retry_after_s
    assert 1.0 == feedback_ended(reply(429)).retry_after_s
    assert feedback_ended(reply(500)).retry_after_s is None


def test_words_are_short_and_without_the_key() -> None:
    found = feedback_ended(reply(400, error(1000, f"Bearer {KEY}\n was {'very ' * 100} wrong")))
    assert KEY not in found.detail
    assert "\n" not in found.detail
    assert len(found.detail) <= 300
    assert "EIGHTXEIGHT_API_KEY" in feedback_ended(reply(401)).detail


@pytest.mark.parametrize(
    ("conversion", "expected"),
    [
        (SUCCESS, {"outcome": "success"}),
        (
            Conversion(ConversionOutcome.FAILURE, 1_796_090_400_123_456),
            {"outcome": "failure", "timestamp": "2026-12-01T02:00:00.123Z"},
        ),
    ],
)
def test_the_body(conversion: Conversion, expected: dict[str, str]) -> None:
    assert expected == orjson.loads(feedback_body(conversion))


@dataclass
class Arrived:
    """What a server got."""

    requests: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)


Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


def asked(answer: Script, ask: Callable[[MessageActions], Awaitable[Outcome]]) -> tuple[Outcome, Arrived]:
    """Ask a real server once."""

    async def main() -> tuple[Outcome, Arrived]:
        arrived = Arrived()

        async def handle(request: web.Request) -> web.StreamResponse:
            authorization = request.headers.get("Authorization")
            arrived.requests.append((request.method, request.raw_path, authorization, await request.read()))
            return await answer(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with MessageActions(
                Endpoint(f"http://127.0.0.1:{runner.addresses[0][1]}", "a&b"), KEY, limit=2
            ) as one:
                return await ask(one), arrived
        finally:
            await runner.cleanup()

    return asyncio.run(main())


async def yes(_: web.Request) -> web.StreamResponse:
    return web.Response()


def test_feedback_is_posted() -> None:
    found, arrived = asked(yes, lambda provider: provider.send_feedback(UMID, SUCCESS))
    assert (*DONE, "", 200) == (found.status, found.then, found.detail, found.http_status)
    [(method, path, authorization, body)] = arrived.requests
    assert ("POST", f"/api/v1/subaccounts/a&b/messages/{UMID}/feedback") == (method, path)
    assert (f"Bearer {KEY}", {"outcome": "success"}) == (authorization, orjson.loads(body))


def test_a_cancelling_is_a_delete_whose_answer_may_come_in_pieces() -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for piece in (b'{"cancelled', b'Count"', b": 1}"):
            await response.write(piece)
        await response.write_eof()
        return response

    found, arrived = asked(slowly, lambda provider: provider.cancel(UMID))
    assert DONE == (found.status, found.then)
    assert [("DELETE", f"/api/v1/subaccounts/a&b/messages/{UMID}", b"")] == [
        (method, path, body) for method, path, _, body in arrived.requests
    ]


@pytest.mark.parametrize(("umid", "path"), [("..", "../feedback"), ("a/b?c#d", "a%2Fb%3Fc%23d/feedback")])
def test_no_umid_leads_out_of_its_place(umid: str, path: str) -> None:
    _, arrived = asked(yes, lambda provider: provider.send_feedback(umid, SUCCESS))
    assert [f"/api/v1/subaccounts/a&b/messages/{path}"] == [path for _, path, _, _ in arrived.requests]


def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    found, arrived = asked(elsewhere, lambda provider: provider.send_feedback(UMID, SUCCESS))
    assert (Then.STOP, 1) == (found.then, len(arrived.requests))


def test_an_answer_without_an_end_is_cut_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * MessageActions.max_answer_bytes)
        except ConnectionError:
            return response

    found, _ = asked(endless, lambda provider: provider.cancel(UMID))
    assert Then.STOP is found.then


def test_a_large_page_of_a_proxy_counts_by_its_status() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=503, text="<html>" + " " * 2 * MessageActions.max_answer_bytes)

    found, _ = asked(page, lambda provider: provider.cancel(UMID))
    assert (Then.BACK_OFF, 503) == (found.then, found.http_status)


def test_a_connection_that_breaks_is_no_answer() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    found, _ = asked(broken, lambda provider: provider.cancel(UMID))
    assert (Then.BACK_OFF, None, None) == (found.then, found.http_status, found.retry_after_s)


def test_nobody_there_is_no_answer() -> None:
    async def main() -> Outcome:
        async with MessageActions(Endpoint("http://127.0.0.1:1", "a"), KEY, limit=1) as provider:
            return await provider.send_feedback(UMID, SUCCESS)

    found = asyncio.run(main())
    assert Then.BACK_OFF is found.then
    assert found.detail


def test_a_key_that_is_no_header_is_refused() -> None:
    with pytest.raises(InputError):
        MessageActions(Endpoint("http://127.0.0.1:1", "a"), "a\nb", limit=1)
