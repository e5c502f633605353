"""The connections that sending uses, against real sockets: which of them is used, and when an answer is one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runner.provider import wire as wire_module
from runner.provider.wire import (
    MAX_ANSWER_BYTES,
    MAX_RECEIVED_BYTES,
    MOST_OPENING,
    Connection,
    NotHttpError,
    Response,
    Wire,
)
from tests.deadline import DEADLINE_S

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = 2 * MAX_RECEIVED_BYTES
OK = Response(200, [(b"Content-Length", b"2")], b"ok")


class Server:
    """Answers each request with what `script` says for its number; b"" closes the connection instead."""

    def __init__(self, script: Callable[[int], bytes]) -> None:
        self.script = script
        self.requests = 0
        self.connections: list[asyncio.StreamWriter] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                answer = self.script(self.requests)
                self.requests += 1
                if not answer:
                    return
                writer.write(answer)
                if answer.endswith(b"\n\nend"):  # it has no length: it ends with the connection
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wired(script: Callable[[int], bytes] = lambda _: YES, limit: int = 4) -> AsyncIterator[tuple[Wire, Server]]:
    server = Server(script)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    wire = Wire(f"http://127.0.0.1:{server.port}", tls=None, limit=limit)
    async with listener:
        try:
            yield wire, server
        finally:
            await wire.close()


async def ask(wire: Wire) -> Response:
    return await (await wire.connection()).exchange(REQUEST)


async def closed(connection: Connection) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while connection.is_open:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0)


def test_a_connection_is_used_again() -> None:
    async def scenario() -> None:
        async with wired() as (wire, server):
            assert [OK] * 3 == [await ask(wire) for _ in range(3)]
            assert (3, 1) == (server.requests, len(server.connections))

    asyncio.run(scenario())


def test_who_waits_longest_gets_the_connection_that_is_free_first() -> None:
    async def scenario() -> None:
        async with wired(limit=1) as (wire, server):
            order: list[int] = []

            async def one(number: int) -> None:
                await ask(wire)
                order.append(number)

            await asyncio.gather(*(one(number) for number in range(5)))
            assert (list(range(5)), 1) == (order, len(server.connections))

    asyncio.run(scenario())


def test_a_start_opens_few_at_a_time() -> None:
    async def scenario() -> None:
        async with wired(limit=800) as (wire, server):
            opening = 0

            async def one() -> None:
                nonlocal opening
                connection = await wire.connection()
                opening = max(opening, len(wire._opening))
                await connection.exchange(REQUEST)

            await asyncio.gather(*(one() for _ in range(400)))
            assert 400 == server.requests
            assert 0 < opening <= MOST_OPENING

    asyncio.run(scenario())


def test_all_who_wait_get_a_connection_although_few_are_opened_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "MOST_OPENING", 2)

    async def scenario() -> None:
        async with wired(limit=8) as (wire, _), asyncio.timeout(60):
            held = await asyncio.gather(*(wire.connection() for _ in range(7)))
            assert 7 == len(set(held))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + YES, OK, id="after a hint that it is coming"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            Response(200, [(b"Transfer-Encoding", b"chunked")], b"ok"),
            id="in chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\nok\n\nend", Response(200, [], b"ok\n\nend"), id="to the connection's end"
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", Response(204, [], b""), id="without a body"),
    ],
)
def test_an_answer_however_it_comes(answer: bytes, expected: Response) -> None:
    async def scenario() -> None:
        async with wired(lambda _: answer) as (wire, _):
            assert expected == await ask(wire)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", b"ok", id="it says so"),
        pytest.param(YES + YES, b"ok", id="it says more than it was asked"),
        pytest.param(YES + b"220 mail.example", b"ok", id="it goes on with something else"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", id="it is HTTP/1.0"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b" " * (MAX_ANSWER_BYTES + 1),
            b" " * MAX_ANSWER_BYTES,
            id="it has no end",
        ),
    ],
)
def test_the_next_request_has_another_connection(answer: bytes, body: bytes) -> None:
    async def scenario() -> None:
        async with wired(lambda number: YES if number else answer) as (wire, server):
            first = await ask(wire)
            assert (200, body) == (first.status, first.body)
            assert OK == await ask(wire)
            assert 2 == len(server.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionResetError),
        (b"220 mail.example ESMTP\r\n", NotHttpError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n", NotHttpError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * ENDLESS, NotHttpError),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (ENDLESS // 25), NotHttpError),
        (CHUNKED + b"2;" + b"x" * ENDLESS, NotHttpError),
        (CHUNKED + b"0\r\nX: " + b"y" * ENDLESS, NotHttpError),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", NotHttpError),
    ],
)
def test_what_is_no_answer(answer: bytes, error: type[Exception]) -> None:
    async def scenario() -> None:
        async with wired(lambda _: answer) as (wire, _):
            with pytest.raises(error):
                await ask(wire)

    asyncio.run(scenario())


def test_what_comes_without_being_asked_for_is_never_an_answer() -> None:
    async def scenario() -> None:
        bugs: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
        async with wired() as (wire, server):
            for number in range(2):  # before its first request, and after it
                connection = await wire.connection()
                if number:
                    assert OK == await connection.exchange(REQUEST)
                else:
                    wire.release(connection)
                server.connections[-1].write(YES)  # such as a 408 to somebody who is slow
                await closed(connection)
            assert OK == await ask(wire)
            assert (3, []) == (len(server.connections), bugs)

    asyncio.run(scenario())


def test_an_idle_connection_is_not_used_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "IDLE_S", 0.0)

    async def scenario() -> None:
        async with wired(limit=1) as (wire, server), asyncio.timeout(60):  # it is closed: there is room for another
            assert [OK, OK] == [await ask(wire), await ask(wire)]
            assert 2 == len(server.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name_s", "is_listening", "expected"),
    [
        pytest.param(60.0, True, 1, id="it is remembered"),
        pytest.param(0.0, True, 3, id="but not for ever"),
        pytest.param(60.0, False, 3, id="nor when nobody is there"),
    ],
)
def test_how_often_an_address_is_looked_up(
    name_s: float, is_listening: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "NAME_S", name_s)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        look_up, ports = loop.getaddrinfo, []

        async def counted(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 (as asyncio has it)
            ports.append(port)
            return await look_up(host, port, **options)

        monkeypatch.setattr(loop, "getaddrinfo", counted)
        async with wired() as (wire, _):
            if not is_listening:
                wire._port = 1  # type: ignore[misc]
            found = [isinstance(await one, Connection) for one in [settled(wire) for _ in range(3)]]
            assert [is_listening] * 3 == found
        assert expected == len(ports)

    asyncio.run(scenario())


async def settled(wire: Wire) -> Connection | ConnectionError:
    try:
        return await wire.connection()
    except ConnectionError as error:
        return error


def test_a_connection_that_does_not_come_is_told_to_all_who_wait() -> None:
    async def scenario() -> None:
        async with wired(limit=800) as (_, server):
            port = server.port
        wire = Wire(f"http://127.0.0.1:{port}", tls=None, limit=800)
        found = await asyncio.gather(*(wire.connection() for _ in range(100)), return_exceptions=True)
        await wire.close()
        assert {f"can't connect to 127.0.0.1:{port}: connection refused"} == {str(error) for error in found}

    asyncio.run(scenario())


def test_a_connection_that_is_closed_as_soon_as_it_stands_is_none() -> None:
    async def scenario() -> None:
        async with wired() as (wire, _):

            async def connect(protocol: Callable[[], Connection]) -> tuple[None, Connection]:
                connection = protocol()
                assert not connection.is_open
                return None, connection

            wire._connect = connect  # type: ignore[assignment, method-assign]
            with pytest.raises(ConnectionError, match="the other side closed it at once"):
                async with asyncio.timeout(60):
                    await wire.connection()

    asyncio.run(scenario())


def test_a_connection_that_takes_too_long_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "CONNECT_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        async with wired() as (_, server):  # which never speaks TLS
            wire = Wire(f"https://127.0.0.1:{server.port}", tls=ssl.create_default_context(), limit=1)
            with pytest.raises(ConnectionError, match=r"can't connect to 127\.0\.0\.1:\d+: timed out after 0\.05 s"):
                await wire.connection()
            await wire.close()

    asyncio.run(scenario())


def test_closing_waits_for_no_connection_that_is_being_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "CONNECT_TIMEOUT_S", 3600.0)

    async def scenario() -> None:
        async with wired() as (_, server):  # which never speaks TLS
            wire = Wire(f"https://127.0.0.1:{server.port}", tls=ssl.create_default_context(), limit=1)
            waiting = asyncio.ensure_future(wire.connection())
            async with asyncio.timeout(60):
                while not server.connections:  # noqa: ASYNC110 (nothing tells of it)
                    await asyncio.sleep(0)
                await wire.close()
            with pytest.raises(ConnectionAbortedError):
                await waiting
            assert not wire._opening

    asyncio.run(scenario())


def test_who_no_longer_waits_takes_no_connection() -> None:
    async def scenario() -> None:
        async with wired(limit=1) as (wire, server):
            first = await wire.connection()
            waiting = [asyncio.ensure_future(wire.connection()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
            last = asyncio.ensure_future(wire.connection())
            await asyncio.sleep(0)
            wire.release(first)  # to the second
            waiting[1].cancel()  # which has it already, and gives it to the third
            assert first is await waiting[2]
            wire.release(first)
            assert first is await last
            assert 1 == len(server.connections)

    asyncio.run(scenario())


def test_a_connection_that_was_closed_is_given_to_nobody() -> None:
    async def scenario() -> None:
        async with wired(limit=1) as (wire, _):
            connection = await wire.connection()
            waiting = asyncio.ensure_future(wire.connection())
            await asyncio.sleep(0)
            connection.eof_received()  # the other side closes it while its request waits for the departure
            wire.release(connection)
            await asyncio.sleep(0)
            assert not waiting.done()
            connection.abort()
            assert not connection.is_open
            assert connection is not await waiting

    asyncio.run(scenario())


def test_who_gives_up_in_the_moment_of_a_failure_is_cancelled() -> None:
    async def scenario() -> None:
        async with wired(limit=1) as (wire, _):
            await wire.connection()
            waiting = asyncio.ensure_future(wire.connection())
            await asyncio.sleep(0)
            wire._fail_waiting(ConnectionError("nobody is there"))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(scenario())


NO = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno"


@pytest.mark.parametrize("used", [True, False], ids=["a used connection", "a fresh connection"])
@pytest.mark.parametrize("late", [False, True], ids=["together", "one after the other"])
def test_an_error_that_another_answer_follows_proves_nothing(
    late: bool, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 429 belongs to no request: it arrives when the request has left, and the request's own answer follows."""
    monkeypatch.setattr(wire_module, "LEAST_LINGER_S", DEADLINE_S)
    monkeypatch.setattr(wire_module, "MOST_LINGER_S", DEADLINE_S)

    async def scenario() -> None:
        async with wired(lambda number: YES if used and number == 0 else NO if late else NO + YES) as (wire, server):
            if used:
                assert OK == await ask(wire)
            connection = await wire.connection()
            response = connection.exchange(REQUEST)
            if late:
                async with asyncio.timeout(DEADLINE_S):
                    while connection._linger is None:  # noqa: ASYNC110 (it tells nobody)
                        await asyncio.sleep(0)
                server.connections[0].write(YES)
            with pytest.raises(NotHttpError, match="another answer follows"):
                await response

    asyncio.run(scenario())


def test_a_long_error_counts_when_it_is_whole() -> None:
    """Otherwise the answer that follows it would not be seen."""
    page = b" " * (4 * MAX_ANSWER_BYTES)
    long_no = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)

    async def scenario() -> None:
        async with wired(lambda number: long_no if number == 0 else long_no + YES) as (wire, _):
            answer = await ask(wire)
            assert (429, MAX_ANSWER_BYTES) == (answer.status, len(answer.body))
            with pytest.raises(NotHttpError, match="another answer follows"):
                await ask(wire)

    asyncio.run(scenario())


@pytest.mark.parametrize("ends", [False, True], ids=["it stays open", "it ends"])
def test_an_error_that_nothing_follows_is_the_answer(ends: bool) -> None:
    answer = NO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") if ends else NO

    async def scenario() -> None:
        async with wired(lambda number: YES if number == 0 else answer) as (wire, _):
            assert OK == await ask(wire)
            assert 429 == (await ask(wire)).status

    asyncio.run(scenario())


def test_nothing_leaves_on_a_connection_with_unread_data() -> None:
    async def scenario() -> None:
        async with wired() as (wire, server):
            connection = await wire.connection()
            assert OK == await connection.exchange(REQUEST)
            connection = await wire.connection()
            server.connections[0].get_extra_info("socket")._sock.send(NO)  # at once: the event loop has no turn
            assert connection.is_open
            await connection.read_all()
            assert not connection.is_open

    asyncio.run(scenario())
