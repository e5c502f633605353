"""Every fault of messages, as a client meets it: over a real socket."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from runner.loops import loop_factory
from runner.sandbox.answers import Code
from runner.sandbox.fault_effects import OTHER_MESSAGE_ID
from runner.sandbox.faults import RETRY_AFTER, FaultName
from runner.sandbox.options import SandboxOptions
from runner.sandbox.server import running
from tests.sandbox import document
from tests.sandbox.client import HEADERS, HELLO, MESSAGES, Request, ask, faults_in, get

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
MESSAGE = HELLO | {"clientMessageId": "welcome-1"}
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Met:
    """What a client saw: an answer, or the failure in its place; and whether the message is in the book."""

    booked: bool
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: type[Exception] | None = None

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return orjson.loads(self.body)


def meet(
    tmp_path: Path, fault: str, loop: LoopFactory | None = None, patience_s: float = PATIENCE_S, **parameters: object
) -> Met:
    """Send one message that meets this fault. A second one proves that the sandbox goes on."""
    options = SandboxOptions(faults=faults_in(tmp_path, {"fault": fault, "requests": [1], **parameters}))

    async def session() -> Met:
        async with running(options) as base_url, aiohttp.ClientSession(base_url, headers=HEADERS) as client:
            met = await post(client, patience_s)
            booked = await (await client.get("/sandbox/book")).read()
            stats = await (await client.get("/sandbox/stats")).json()
            assert stats["faults"] == {fault: 1}
            assert (await post(client)).status == 200
            return Met(b"welcome-1" in booked, met.status, met.headers, met.body, met.failure)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(session())


async def post(client: aiohttp.ClientSession, patience_s: float = PATIENCE_S) -> Met:
    request = client.post(
        MESSAGES, json=MESSAGE, timeout=aiohttp.ClientTimeout(total=patience_s), auto_decompress=False
    )
    try:
        async with request as response:
            return Met(False, response.status, dict(response.headers), await response.read())
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        return Met(False, failure=type(error))


def held_against_document(met: Met) -> None:
    if document.PATH.exists():
        assert met.status is not None
        document.check_answer("post", MESSAGES, met.status, met.body)


# The command serves on uvloop where there is one, which has transports and sockets of its own.
LOOPS = [asyncio.new_event_loop, loop_factory() or asyncio.new_event_loop]

SPOILED: list[tuple[str, dict[str, object], bool, int | None, type[Exception] | None]] = [
    ("latency", {"seconds": 0.01}, True, 200, None),
    ("latency", {"seconds": 60}, True, None, TimeoutError),
    ("throttle", {}, False, 429, None),
    ("server_error", {}, False, 500, None),
    ("server_error", {"body": False}, False, 500, None),
    ("server_error", {"status": 502}, False, 502, None),
    ("server_error", {"status": 503}, False, 503, None),
    ("server_error", {"status": 504}, False, 504, None),
    ("accepted_error_500", {}, True, 500, None),
    ("broken_json", {}, True, 200, None),
    ("missing_umid", {}, True, 200, None),
    ("wrong_client_message_id", {}, True, 200, None),
    ("wrong_content_type", {}, True, 200, None),
    ("wrong_encoding", {}, True, 200, None),
    ("accepted_then_reset", {}, True, None, aiohttp.ClientOSError),
    ("half_response", {}, True, None, aiohttp.ClientPayloadError),
    ("never_answer", {}, True, None, TimeoutError),
    ("close_idle", {}, True, 200, None),
    ("reset_before_reading", {}, False, None, aiohttp.ClientOSError),
    ("never_answer_unbooked", {}, False, None, TimeoutError),
]


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("fault", "parameters", "booked", "status", "failure"),
    SPOILED,
    ids=[f"{name} {orjson.dumps(parameters).decode()}" for name, parameters, *_ in SPOILED],
)
def test_what_a_client_meets(
    fault: str,
    parameters: dict[str, object],
    booked: bool,
    status: int | None,
    failure: type[Exception] | None,
    loop: LoopFactory,
    tmp_path: Path,
) -> None:
    # Long enough for a busy machine to book the message, and then there is nothing to wait for.
    patience_s = 0.5 if failure is TimeoutError else PATIENCE_S
    met = meet(tmp_path, fault, loop, patience_s, **parameters)
    assert (booked, status) == (met.booked, met.status)
    assert failure is met.failure or (
        failure is not None and met.failure is not None and issubclass(met.failure, failure)
    )


def test_no_fault_of_messages_is_left_out() -> None:
    expected = {name.value for name in FaultName if not name.is_of_exports}
    assert expected == {fault for fault, *_ in SPOILED} | {"error"}


def test_the_connection_is_closed_after_an_answer_that_promised_to_keep_it(tmp_path: Path) -> None:
    options = SandboxOptions(faults=faults_in(tmp_path, {"fault": "close_idle", "share": 1}))
    body = orjson.dumps(MESSAGE)
    head = (
        f"POST {MESSAGES} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer any\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    async def session() -> bytes:
        async with running(options) as base_url:
            port = int(base_url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + body)
            try:
                return await asyncio.wait_for(reader.read(), 5)  # until the end, which must come by itself
            finally:
                writer.close()

    answered = asyncio.run(session())
    assert answered.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" not in answered.lower()
    assert answered.endswith(b"}")


def test_a_failure_repeats_with_its_seed(tmp_path: Path) -> None:
    faults = faults_in(
        tmp_path,
        {"fault": "throttle", "share": 0.3},
        {"fault": "server_error", "share": 0.3, "times": 4},
        {"fault": "accepted_error_500", "requests": [2, 30]},
    )

    def statuses(seed: int) -> list[int]:
        return [reply.status for reply in ask(SandboxOptions(faults=faults, seed=seed), *[Request()] * 40)]

    assert statuses(1) == statuses(1)
    assert statuses(1) != statuses(2)
    assert {200, 429, 500} == set(statuses(1))


def test_an_endless_wait_ends_with_the_sandbox(tmp_path: Path) -> None:
    options = SandboxOptions(faults=faults_in(tmp_path, {"fault": "never_answer", "share": 1}))

    async def session() -> object:
        async with aiohttp.ClientSession(headers=HEADERS) as client:
            async with running(options) as base_url:
                waiting = asyncio.create_task(client.post(f"{base_url}{MESSAGES}", json=MESSAGE))
                while not await (await client.get(f"{base_url}/sandbox/book")).read():
                    pass
            [result] = await asyncio.gather(waiting, return_exceptions=True)
            return result

    failure = asyncio.run(asyncio.wait_for(session(), 5))
    assert isinstance(failure, aiohttp.ClientError)


STATUSES = {429: 429, 1001: 404, 1014: 426, 1200: 401, 1201: 403, 1300: 404, 1400: 422, 2000: 500, 2002: 410, 4018: 404}


@pytest.mark.parametrize("code", list(Code))
def test_every_documented_error(code: Code, tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=int(code))
    held_against_document(met)
    assert not met.booked
    assert (STATUSES.get(code, 400), int(code)) == (met.status, met.json["code"])


def test_an_error_with_another_status(tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=1004, status=422)
    assert (met.status, met.json["code"]) == (422, 1004)


def test_426_names_the_protocol(tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=1014)
    assert met.headers["Upgrade"] == "TLS/1.3"


@pytest.mark.parametrize("form", RETRY_AFTER)
def test_retry_after(form: str, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    met = meet(tmp_path, "throttle", retry_after=form, seconds=7)
    held_against_document(met)
    assert 429 == met.json["code"]
    header = met.headers.get("Retry-After")
    if form == "date":
        assert header is not None
        assert header.endswith(" GMT")
        assert timedelta(seconds=7) <= parsedate_to_datetime(header) - before <= timedelta(seconds=9)
    else:
        assert {"seconds": "7", "absent": None, "garbage": "soon"}[form] == header


def test_a_500_with_body_and_without(tmp_path: Path) -> None:
    met = meet(tmp_path, "server_error")
    held_against_document(met)
    assert 2000 == met.json["code"]
    assert b"" == meet(tmp_path, "server_error", body=False).body


def test_a_page_of_something_in_between(tmp_path: Path) -> None:
    met = meet(tmp_path, "server_error", status=502)
    assert met.headers["Content-Type"] == "text/html"
    assert b"<h1>502 Bad Gateway</h1>" in met.body


def test_broken_json(tmp_path: Path) -> None:
    body = meet(tmp_path, "broken_json").body
    assert body.startswith(b'{"umid":"')
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)


def test_missing_umid(tmp_path: Path) -> None:
    assert set(meet(tmp_path, "missing_umid").json) == {"destination", "encoding", "status", "clientMessageId"}


def test_wrong_client_message_id(tmp_path: Path) -> None:
    met = meet(tmp_path, "wrong_client_message_id")
    held_against_document(met)
    assert OTHER_MESSAGE_ID == met.json["clientMessageId"]


def test_wrong_content_type(tmp_path: Path) -> None:
    met = meet(tmp_path, "wrong_content_type")
    assert met.headers["Content-Type"] == "text/html"
    assert met.json["clientMessageId"] == "welcome-1"


def test_wrong_encoding(tmp_path: Path) -> None:
    met = meet(tmp_path, "wrong_encoding")
    assert met.headers["Content-Encoding"] == "gzip"
    assert met.json["clientMessageId"] == "welcome-1"


def test_a_message_that_is_refused_is_not_booked_by_a_fault(tmp_path: Path) -> None:
    faults = faults_in(tmp_path, {"fault": "missing_umid", "share": 1})
    options = SandboxOptions(faults=faults)
    reply, book = ask(options, Request({"destination": "+1"}), get("/sandbox/book"))
    assert (reply.status, reply.code, book.raw) == (400, 3005, b"")
