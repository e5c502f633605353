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

from runner.base.loops import loop_factory
from runner.sandbox.answers import Code
from runner.sandbox.faults import OTHER_MESSAGE_ID, RETRY_AFTER, FaultName
from runner.sandbox.options import SandboxOptions
from runner.sandbox.server import running
from tests.deadline import DEADLINE_S
from tests.sandbox import document
from tests.sandbox.client import HEADERS, HELLO, MESSAGES, Request, ask, faults_in, get

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
MESSAGE = HELLO | {"clientMessageId": "welcome-1"}
# The command serves on uvloop where there is one, which has transports and sockets of its own.
LOOPS = [asyncio.new_event_loop, loop_factory() or asyncio.new_event_loop]


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
        """The body, which must be one that the document has for the status."""
        assert self.status is not None
        document.check_answer("post", MESSAGES, self.status, self.body)
        return orjson.loads(self.body)


def meet(
    tmp_path: Path, fault: str, loop: LoopFactory | None = None, is_silent: bool = False, **parameters: object
) -> Met:
    """Send one message that meets this fault. A second one proves that the sandbox goes on.

    :param is_silent: no answer is expected.
    """
    options = SandboxOptions(faults=faults_in(tmp_path, {"fault": fault, "requests": [1], **parameters}))

    async def session() -> Met:
        async with running(options) as base_url, aiohttp.ClientSession(base_url, headers=HEADERS) as client:
            met = await silence(client, is_booked=fault == "never_answer") if is_silent else await post(client)
            booked = await (await client.get("/sandbox/book")).read()
            stats = await (await client.get("/sandbox/stats")).json()
            assert stats["faults"] == {fault: 1}
            assert (await post(client)).status == 200
            return Met(b"welcome-1" in booked, met.status, met.headers, met.body, met.failure)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(session())


async def silence(client: aiohttp.ClientSession, *, is_booked: bool) -> Met:
    """Send one message, and wait for its answer a moment longer than until the fault is met and the message booked."""
    waiting = asyncio.create_task(post(client))
    met = booked = False
    while not met or (is_booked and not booked):
        met = bool((await (await client.get("/sandbox/stats")).json())["faults"])
        booked = bool(await (await client.get("/sandbox/book")).read())
    await asyncio.wait([waiting], timeout=0.1)
    waiting.cancel()
    [answer] = await asyncio.gather(waiting, return_exceptions=True)
    return answer if isinstance(answer, Met) else Met(False, failure=TimeoutError)


async def post(client: aiohttp.ClientSession) -> Met:
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    try:
        async with client.post(MESSAGES, json=MESSAGE, timeout=timeout, auto_decompress=False) as response:
            return Met(False, response.status, dict(response.headers), await response.read())
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        return Met(False, failure=type(error))


def is_page(words: str) -> Callable[[Met], bool]:
    return lambda met: met.headers["Content-Type"] == "text/html" and f"<h1>{words}</h1>".encode() in met.body


def is_half(met: Met) -> bool:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(met.body)
    return met.body.startswith(b'{"umid":"')


def has_code(code: int) -> Callable[[Met], bool]:
    return lambda met: bool(met.json["code"] == code)


def is_usual(met: Met) -> bool:
    return bool(met.json["clientMessageId"] == "welcome-1")


# Fault, its parameters, whether the message is in the book, then the status or the failure, and what else holds.
Row = tuple[str, dict[str, object], bool, int | type[Exception], Callable[[Met], bool]]
MET: list[Row] = [
    ("latency", {"seconds": 0.01}, True, 200, is_usual),
    ("latency", {"seconds": 60}, True, TimeoutError, bool),
    ("throttle", {}, False, 429, has_code(429)),
    ("error", {"code": 1014}, False, 426, lambda met: met.headers["Upgrade"] == "TLS/1.3"),
    ("error", {"code": 1004, "status": 422}, False, 422, has_code(1004)),
    ("server_error", {}, False, 500, has_code(2000)),
    ("server_error", {"body": False}, False, 500, lambda met: met.body == b""),
    ("server_error", {"status": 502}, False, 502, is_page("502 Bad Gateway")),
    ("server_error", {"status": 503}, False, 503, is_page("503 Service Unavailable")),
    ("server_error", {"status": 504}, False, 504, is_page("504 Gateway Timeout")),
    ("web_page", {}, False, 400, is_page("400 Bad Request")),
    ("web_page", {"status": 413}, False, 413, is_page("413 Request Entity Too Large")),
    ("accepted_error_500", {}, True, 500, has_code(2000)),
    ("broken_json", {}, True, 200, is_half),
    ("missing_umid", {}, True, 200,
     lambda met: orjson.loads(met.body).keys() == {"destination", "encoding", "status", "clientMessageId"}),
    ("wrong_client_message_id", {}, True, 200, lambda met: met.json["clientMessageId"] == OTHER_MESSAGE_ID),
    ("other_destination", {}, True, 200,
     lambda met: is_usual(met) and met.json["destination"] not in (MESSAGE["destination"], None)),
    ("other_encoding", {}, True, 200, lambda met: is_usual(met) and met.json["encoding"] == "UCS2"),
    ("wrong_content_type", {}, True, 200, lambda met: met.headers["Content-Type"] == "text/html" and is_usual(met)),
    ("wrong_encoding", {}, True, 200, lambda met: met.headers["Content-Encoding"] == "gzip" and is_usual(met)),
    ("accepted_then_reset", {}, True, aiohttp.ClientOSError, bool),
    ("half_response", {}, True, aiohttp.ClientPayloadError, bool),
    ("never_answer", {}, True, TimeoutError, bool),
    ("close_idle", {}, True, 200, is_usual),
    ("reset_before_reading", {}, False, aiohttp.ClientOSError, bool),
    ("never_answer_unbooked", {}, False, TimeoutError, bool),
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "row", MET, ids=[f"{name} {orjson.dumps(parameters).decode()}" for name, parameters, *_ in MET]
)
def test_what_a_client_meets(row: Row, loop: LoopFactory, tmp_path: Path) -> None:
    fault, parameters, booked, expected, holds = row
    met = meet(tmp_path, fault, loop, is_silent=expected is TimeoutError, **parameters)
    assert booked == met.booked
    if isinstance(expected, int):
        assert (expected, None) == (met.status, met.failure)
    else:
        assert (None, True) == (met.status, met.failure is not None and issubclass(met.failure, expected))
    assert holds(met)


def test_no_fault_of_messages_is_left_out() -> None:
    assert {name.value for name in FaultName if not name.is_of_exports} == {fault for fault, *_ in MET}


STATUSES = {429: 429, 1014: 426, 1200: 401, 1201: 403, 1300: 404, 1400: 422, 2000: 500, 2002: 410, 4018: 404}


@pytest.mark.parametrize("code", list(Code))
def test_every_documented_error(code: Code, tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=int(code))
    assert (False, STATUSES.get(code, 400), int(code)) == (met.booked, met.status, met.json["code"])


@pytest.mark.parametrize("form", RETRY_AFTER)
def test_retry_after(form: str, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    header = meet(tmp_path, "throttle", retry_after=form, seconds=7).headers.get("Retry-After")
    if form == "date":
        assert header is not None
        assert header.endswith(" GMT")
        answered = parsedate_to_datetime(header) - timedelta(seconds=7)
        assert before <= answered <= datetime.now(UTC) + timedelta(seconds=1)
    else:
        assert {"seconds": "7", "absent": None, "garbage": "soon"}[form] == header


def test_a_message_that_is_refused_is_not_booked_by_a_fault(tmp_path: Path) -> None:
    options = SandboxOptions(faults=faults_in(tmp_path, {"fault": "missing_umid", "share": 1}))
    reply, book = ask(options, Request({"destination": "+1"}), get("/sandbox/book"))
    assert (400, 3005, b"") == (reply.status, reply.code, book.raw)


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
                return await asyncio.wait_for(reader.read(), DEADLINE_S)  # until the end, which must come by itself
            finally:
                writer.close()

    answered = asyncio.run(session())
    assert answered.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" not in answered.lower()
    assert answered.endswith(b"}")


def test_a_failure_repeats_with_its_seed(tmp_path: Path) -> None:
    rules = [{"fault": "throttle", "share": 0.3}, {"fault": "server_error", "share": 0.2}]
    faults = faults_in(tmp_path, *rules)

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

    failure = asyncio.run(asyncio.wait_for(session(), DEADLINE_S))
    assert isinstance(failure, aiohttp.ClientError)
