"""Processes that send: real ones, against a real socket, also when they are killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from runner.children import Child
from runner.models import Outcome, OutcomeReason, Status, Then
from runner.provider import workers as workers_module
from runner.provider.client import HeldBackError
from runner.provider.endpoint import Endpoint
from runner.provider.workers import Workers
from tests.provider.test_client import at_once


class Server:
    """Accepts every message, or holds all answers back. `bodies` are what came, `most` the most at one time."""

    def __init__(self, extra: bytes = b"") -> None:
        self.extra = extra
        self.writers: list[asyncio.StreamWriter] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.arrived = asyncio.Condition()
        self.base_url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                async with self.arrived:
                    self.bodies.append(body)
                    umid = f"u-{len(self.bodies)}"
                    self.arrived.notify_all()
                await self.answers.wait()
                answer = orjson.dumps({"umid": umid, "status": {"code": "QUEUED", "description": "ok"}})
                head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (self.extra, len(answer))
                writer.write(head + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def until(self, count: int) -> None:
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.bodies) >= count)


@asynccontextmanager
async def working(count: int = 2, *, extra: bytes = b"") -> AsyncIterator[tuple[Workers, Server, list[str]]]:
    server = Server(extra)
    deaths: list[str] = []
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with (
        listener,
        asyncio.timeout(60),
        Workers(Endpoint(server.base_url, "acme"), "key", limit=100, count=count, on_death=deaths.append) as workers,
    ):
        yield workers, server, deaths


async def sent(workers: Workers, count: int, *, first: int = 0) -> list[Outcome]:
    numbers = range(first, first + count)
    return await asyncio.gather(*(workers.send(b"%d" % number, f"a.b.{number}", at_once) for number in numbers))


def test_each_message_is_sent_once_whoever_sends_it() -> None:
    async def scenario() -> None:
        async with working() as (workers, server, deaths):
            outcomes = [outcome for first in range(0, 500, 50) for outcome in await sent(workers, 50, first=first)]
            # On a busy machine some stay, rather than to be late.
            late = [number for number, outcome in enumerate(outcomes) if outcome.status is Status.UNSENT]
            assert {OutcomeReason.HELD_BACK} >= {outcomes[number].reason for number in late}
            for number in late:
                while outcomes[number].status is Status.UNSENT:
                    (outcomes[number],) = await sent(workers, 1, first=number)

            assert {(Status.ACCEPTED, OutcomeReason.QUEUED, "ok")} == {(o.status, o.reason, o.detail) for o in outcomes}
            assert 500 == len({outcome.umid for outcome in outcomes})
            assert all(o.sent_at and o.answered_at and o.sent_at <= o.answered_at for o in outcomes)
            assert sorted(b"%d" % number for number in range(500)) == sorted(server.bodies)
            assert [0, 0] == [len(worker.in_flight) for worker in workers._workers]
            assert server.connections > 1
        assert [] == deaths

    asyncio.run(scenario())


def test_what_is_held_back_never_leaves_and_its_connection_is_used() -> None:
    async def scenario() -> None:
        async def hold() -> None:
            raise HeldBackError

        async with working(1) as (workers, server, _):
            for departure in (at_once, hold, hold, at_once):
                await workers.send(b"x", "a.b.c", departure)
            assert (2, 1) == (len(server.bodies), server.connections)

    asyncio.run(scenario())


def test_without_a_connection_all_who_wait_are_unsent() -> None:
    async def scenario() -> None:
        async with working() as (_, server, _):
            base_url = server.base_url
        async with Workers(Endpoint(base_url, "a"), "key", limit=100, count=2, on_death=print) as workers:
            outcomes = await sent(workers, 50)
        assert {(Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF, None)} == {
            (o.status, o.reason, o.then, o.sent_at) for o in outcomes
        }

    asyncio.run(scenario())


def test_what_a_killed_one_had_in_flight_is_unknown() -> None:
    async def scenario() -> None:
        async with working(1) as (workers, server, deaths):
            server.answers.clear()
            sending = asyncio.ensure_future(sent(workers, 20))
            await server.until(20)
            workers._workers[0].child.process.kill()

            outcomes = await sending
            assert {(Status.UNKNOWN, OutcomeReason.DISCONNECTED)} == {(o.status, o.reason) for o in outcomes}
            assert all(outcome.sent_at for outcome in outcomes)
            assert ["a process that sends ended by SIGKILL"] == deaths
            (after,) = await sent(workers, 1)
            assert (Status.UNSENT, 20) == (after.status, len(server.bodies))

    asyncio.run(scenario())


def test_cancelling_before_departure_raises_and_after_it_is_unknown() -> None:
    async def scenario() -> None:
        async with working(1) as (workers, server, _):
            waiting = asyncio.Event()

            async def wait() -> None:
                waiting.set()
                await asyncio.Event().wait()

            before = asyncio.ensure_future(workers.send(b"x", "a.b.c", wait))
            await waiting.wait()
            before.cancel()
            with pytest.raises(asyncio.CancelledError):
                await before

            server.answers.clear()
            after = asyncio.ensure_future(workers.send(b"x", "a.b.c", at_once))
            await server.until(1)
            after.cancel()
            outcome = await after
            assert (Status.UNKNOWN, OutcomeReason.ABANDONED) == (outcome.status, outcome.reason)
            assert outcome.sent_at is not None

    asyncio.run(scenario())


def test_what_comes_to_a_worker_late_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been stopped for hours, and somebody else has the run by now."""
    monkeypatch.setattr(workers_module, "shared_clock", lambda: 0.0)

    async def scenario() -> None:
        async with working(1) as (workers, server, _):
            (outcome,) = await sent(workers, 1)
            assert (Status.UNSENT, OutcomeReason.HELD_BACK, None) == (outcome.status, outcome.reason, outcome.sent_at)
            assert [] == server.bodies

    asyncio.run(scenario())


def test_a_connection_that_is_gone_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with working(1) as (workers, server, _):
            await sent(workers, 1)
            workers._workers[0].ready.append(asyncio.get_running_loop().time())  # one that the worker doesn't have
            outcomes = [*await sent(workers, 2), *await sent(workers, 2)]
            assert [OutcomeReason.HELD_BACK] == [o.reason for o in outcomes if o.status is not Status.ACCEPTED]
            assert 4 == len(server.bodies)

    asyncio.run(scenario())


def test_all_are_sent_also_when_no_connection_carries_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """And more wait than connections may be opened at a time."""
    monkeypatch.setattr(workers_module, "MOST_OPENING", 1)

    async def scenario() -> None:
        async with working(2, extra=b"Connection: close\r\n") as (workers, server, _):
            outcomes = await sent(workers, 6)
            assert (6, 6) == (len(server.bodies), server.connections)
            assert {Status.ACCEPTED} == {outcome.status for outcome in outcomes}

    asyncio.run(scenario())


def test_a_signal_to_all_processes_loses_no_answer() -> None:
    async def scenario() -> None:
        async with working() as (workers, server, deaths):
            server.answers.clear()
            sending = asyncio.ensure_future(sent(workers, 10))
            await server.until(10)
            for worker in workers._workers:
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    worker.child.process.send_signal(number)
            server.answers.set()
            assert {Status.ACCEPTED} == {outcome.status for outcome in await sending}
        assert [] == deaths

    asyncio.run(scenario())


def test_one_that_stalls_is_killed_when_its_own_deadline_is_long_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with working(1) as (workers, _, deaths):
            await sent(workers, 1)
            monkeypatch.setattr(workers_module, "ANSWER_TIMEOUT_S", 0.0)
            monkeypatch.setattr(workers_module, "PATIENCE_S", 0.1)
            workers._workers[0].child.process.send_signal(signal.SIGSTOP)
            (outcome,) = await sent(workers, 1)
            assert (Status.UNKNOWN, ["a process that sends ended by SIGKILL"]) == (outcome.status, deaths)

    asyncio.run(scenario())


def test_a_connection_that_the_other_side_closed_is_not_counted_on() -> None:
    async def scenario() -> None:
        async with working(1) as (workers, server, _):
            await sent(workers, 1)
            assert 1 == len(workers._workers[0].ready)
            server.writers[0].close()
            while workers._workers[0].ready:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0)
            assert [Status.ACCEPTED] == [outcome.status for outcome in await sent(workers, 1)]

    asyncio.run(scenario())


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """Killed, so that it could tell nobody."""
    script = tmp_path / "parent.py"
    script.write_text(
        "from runner.children import Child\n"
        "import time\n"
        "print(Child('runner.provider.worker').process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.kill()
    deadline = time.monotonic() + 20
    while is_running(worker):
        assert time.monotonic() < deadline


def is_running(process: int) -> bool:
    """Whether it is there and is no zombie, which nobody has asked for its exit code yet."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(listed.stdout.strip()) and not listed.stdout.startswith("Z")


def test_how_a_child_ended_in_words() -> None:
    child = Child("runner.provider.worker")
    os.kill(child.process.pid, signal.SIGKILL)

    assert "by SIGKILL" == child.how_it_ended()
    child.end()
