"""Every fault of messages, as a client meets it: over a real socket."""

import asyncio
from pathlib import Path

import aiohttp
import orjson
import pytest

from runner.sandbox import SandboxOptions
from runner.sandbox.faults import FaultName
from runner.sandbox.process import _loop_factory
from runner.sandbox.server import running
from tests.sandbox.client import MESSAGES, Request, ask
from tests.sandbox.disturbed import HEADERS, MESSAGE, PATIENCE_S, LoopFactory, faults_in, meet

# The command serves on uvloop where there is one, which has transports and sockets of its own.
LOOPS = [asyncio.new_event_loop, _loop_factory() or asyncio.new_event_loop]

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


def test_the_busiest_second_and_duplicates_are_told(tmp_path: Path) -> None:
    faults = faults_in(tmp_path, {"fault": "accepted_error_500", "requests": [1]})
    twice = Request(MESSAGE)
    stats = ask(SandboxOptions(faults=faults), twice, twice, twice, Request(method="GET", path="/sandbox/stats"))[-1]
    assert (stats.body["max_per_second"], stats.body["duplicate_ids"]) == (3, {"welcome-1": 3})
