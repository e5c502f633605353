"""The client against real sockets: what it says when the network and the server misbehave, and what it never does."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from runner.base.errors import InputError
from runner.base.loops import loop_factory
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.provider import client as client_module
from runner.provider.client import Client, HeldBackError
from runner.provider.endpoint import Endpoint, tls_context
from tests.deadline import DEADLINE_S

MESSAGE = Message(1, "C-1", "+12025550142", "US", "Hi", Encoding.GSM7, 1, "a.b.c")
BODY = b'{"destination": "+12025550142"}'
TAKEN = b'{"umid": "u-1", "clientMessageId": "a.b.c", "status": {"code": "QUEUED", "description": "ok"}}'


def http(body: bytes, status: str = "200 OK", *, length: int | None = None, extra: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length or len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


class Server:
    """Answers the n-th request with the n-th script: bytes to write, then `close`, `reset` or `keep` the connection."""

    def __init__(self, *scripts: tuple[bytes, str]) -> None:
        self.scripts = list(scripts)
        self.requests: list[bytes] = []
        self.base_url = ""
        self.hung = asyncio.Event()
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, length_on = head.lower().partition(b"content-length:")
                length = int(length_on.split(b"\r\n")[0] or 0)  # a GET has none
                self.requests.append(head + await reader.readexactly(length))
                answer, then = self.scripts.pop(0)
                writer.write(answer)
                if then == "reset":
                    writer.transport.abort()
                    return
                await writer.drain()
                if then == "close":
                    return
                if then == "hang":
                    self.hung.set()
                    await reader.read()
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*scripts: tuple[bytes, str], tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(*scripts)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    server.base_url = f"{scheme}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.001)


async def at_once() -> None:
    """A departure that waits for nothing."""


async def post(base_url: str, departure: Callable[[], Awaitable[None]] = at_once, key: str = "secret-key") -> Outcome:
    async with Client(Endpoint(base_url, "acme"), key, limit=4) as client:
        return await client.send(BODY, MESSAGE, departure)


def test_a_request_as_the_provider_wants_it() -> None:
    async def scenario() -> None:
        async with serving((http(TAKEN), "keep")) as server:
            before = time.time_ns() // 1000
            outcome = await post(server.base_url)
            after = time.time_ns() // 1000

        request = server.requests[0]
        assert request.startswith(b"POST /api/v1/subaccounts/acme/messages HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Bearer secret-key\r\n" in request
        assert b"\r\nContent-Type: application/json\r\n" in request
        assert request.endswith(BODY)
        assert (Status.ACCEPTED, "u-1") == (outcome.status, outcome.umid)
        assert outcome.sent_at is not None
        assert outcome.answered_at is not None
        assert before <= outcome.sent_at <= outcome.answered_at <= after

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param((b"", "close"), OutcomeReason.DISCONNECTED, id="closed without an answer"),
        pytest.param((b"", "reset"), OutcomeReason.DISCONNECTED, id="reset"),
        pytest.param((http(TAKEN, length=500), "close"), OutcomeReason.DISCONNECTED, id="half an answer"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-", "close"), OutcomeReason.DISCONNECTED, id="half a header"),
        pytest.param((b"220 mail.example ESMTP\r\n", "close"), OutcomeReason.INVALID_ANSWER, id="not HTTP at all"),
        pytest.param(
            (http(b"\x1f\x8bnot gzip", extra="Content-Encoding: gzip\r\n"), "keep"),
            OutcomeReason.INVALID_ANSWER,
            id="compressed without being asked for",
        ),
        pytest.param((http(b" " * 300_000), "close"), OutcomeReason.INVALID_ANSWER, id="an endless page"),
    ],
)
def test_no_proof_is_unknown_and_never_sent_twice(script: tuple[bytes, str], reason: OutcomeReason) -> None:
    async def scenario() -> None:
        async with serving(script, (http(TAKEN), "keep")) as server:
            outcome = await post(server.base_url)

        assert (Status.UNKNOWN, reason, Then.GO_ON) == (outcome.status, outcome.reason, outcome.then)
        assert outcome.sent_at is not None
        assert 1 == len(server.requests)

    asyncio.run(scenario())


def test_a_dropped_keep_alive_connection_is_not_tried_again() -> None:
    async def scenario() -> None:
        async with (
            serving((http(TAKEN), "keep"), (b"", "reset"), (http(TAKEN), "keep")) as server,
            Client(Endpoint(server.base_url, "acme"), "key", limit=1) as client,
        ):
            first = await client.send(BODY, MESSAGE, at_once)
            second = await client.send(BODY, MESSAGE, at_once)

            assert (Status.ACCEPTED, Status.UNKNOWN) == (first.status, second.status)
            assert 2 == len(server.requests)

    asyncio.run(scenario())


def test_no_answer_in_time_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        async with serving((b"", "hang")) as server:
            outcome = await post(server.base_url)

        assert (Status.UNKNOWN, OutcomeReason.TIMEOUT) == (outcome.status, outcome.reason)

    asyncio.run(scenario())


@pytest.mark.parametrize("factory", [None, loop_factory()], ids=["asyncio", "the fastest loop"])
def test_an_answer_that_arrived_while_the_process_was_frozen_counts(
    monkeypatch: pytest.MonkeyPatch, factory: Callable[[], asyncio.AbstractEventLoop] | None
) -> None:
    """The deadline passes while nothing runs, and the answer lies in the socket."""
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def scenario() -> Outcome:
            loop = asyncio.get_running_loop()

            def freeze() -> None:
                loop.remove_reader(woken)
                peer, _ = server.accept()
                peers.append(peer)
                peer.recv(65_536)
                peer.sendall(http(TAKEN))
                time.sleep(0.02)  # longer than the deadline: no callback of the loop runs meanwhile

            async def departure() -> None:
                # In a reader's turn: uvloop's timers come between it and the next look at the sockets.
                loop.add_reader(woken, freeze)
                waker.send(b"!")

            return await post(f"http://127.0.0.1:{server.getsockname()[1]}", departure)

        peers = [*socket.socketpair()]
        woken, waker = peers
        with asyncio.Runner(loop_factory=factory) as runner:
            outcome = runner.run(scenario())
        for peer in peers:
            peer.close()
    assert Status.ACCEPTED is outcome.status, outcome


def test_a_refused_connection_is_unsent() -> None:
    async def scenario() -> None:
        async with serving() as server:
            base_url = server.base_url
        outcome = await post(base_url)

        assert (Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF) == (
            outcome.status, outcome.reason, outcome.then,
        )  # fmt: skip
        assert outcome.sent_at is None

    asyncio.run(scenario())


def test_a_429_says_how_long_to_wait() -> None:
    async def scenario() -> None:
        answer = http(b"", "429 Too Many Requests", extra="Retry-After: 7\r\n")
        async with serving((answer, "keep")) as server:
            outcome = await post(server.base_url)

        assert (Status.UNSENT, Then.PAUSE, 7.0) == (outcome.status, outcome.then, outcome.retry_after_s)

    asyncio.run(scenario())


def test_a_redirect_is_not_followed() -> None:
    async def scenario() -> None:
        async with serving((http(b"", "307 Temporary Redirect", extra="Location: /elsewhere\r\n"), "keep")) as server:
            outcome = await post(server.base_url)

        assert (Status.UNSENT, Then.STOP) == (outcome.status, outcome.then)
        assert 1 == len(server.requests)

    asyncio.run(scenario())


def test_a_request_that_is_held_back_never_leaves() -> None:
    async def scenario() -> None:
        async def hold() -> None:
            raise HeldBackError

        async with serving((http(TAKEN), "keep")) as server:
            outcome = await post(server.base_url, hold)

        assert (Status.UNSENT, OutcomeReason.HELD_BACK, None) == (outcome.status, outcome.reason, outcome.sent_at)
        assert [] == server.requests

    asyncio.run(scenario())


def test_a_connection_that_closes_while_its_request_waits_for_departure() -> None:
    async def scenario() -> None:
        async with serving() as server:

            async def wait_until_it_closes() -> None:
                server.writers[0].transport.abort()
                await until(lambda: not client._wire._all)

            async with Client(Endpoint(server.base_url, "acme"), "secret-key", limit=1) as client:
                outcome = await client.send(BODY, MESSAGE, wait_until_it_closes)

        assert (Status.UNSENT, OutcomeReason.HELD_BACK, None) == (outcome.status, outcome.reason, outcome.sent_at)
        assert [] == server.requests

    asyncio.run(scenario())


def test_a_connection_that_was_held_back_is_used_again() -> None:
    async def scenario() -> None:
        async def hold() -> None:
            raise HeldBackError

        async with (
            serving((http(TAKEN), "keep"), (http(TAKEN), "keep")) as server,
            Client(Endpoint(server.base_url, "acme"), "key", limit=1) as client,
        ):
            for departure in (at_once, hold, hold, at_once):
                await client.send(BODY, MESSAGE, departure)

            assert (2, 1) == (len(server.requests), server.connections)

    asyncio.run(scenario())


def test_cancelling_before_departure_raises_and_after_it_is_unknown() -> None:
    async def scenario() -> None:
        async with serving((b"", "hang")) as server:
            waiting = asyncio.Event()

            async def wait() -> None:
                waiting.set()
                await asyncio.Event().wait()

            before = asyncio.create_task(post(server.base_url, wait))
            await waiting.wait()
            before.cancel()
            with pytest.raises(asyncio.CancelledError):
                await before

            after = asyncio.create_task(post(server.base_url))
            await server.hung.wait()
            after.cancel()
            outcome = await after

        assert (Status.UNKNOWN, OutcomeReason.ABANDONED) == (outcome.status, outcome.reason)
        assert 1 == len(server.requests)

    asyncio.run(scenario())


def test_an_answer_that_quotes_the_key_does_not_bring_it_here() -> None:
    async def scenario() -> None:
        body = b'{"code": 1200, "message": "Bearer secret-key is not valid"}'
        async with serving((http(body, "401 Unauthorized"), "keep")) as server:
            outcome = await post(server.base_url)

        assert "Bearer [API key] is not valid" == outcome.detail

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_is_no_header_value_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InputError) as caught:
        Client(Endpoint("https://a.example", "acme"), key, limit=1)

    assert key not in str(caught.value)


def test_tls_is_verified_and_at_least_1_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def context(issuer: trustme.CA, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert("127.0.0.1").configure_cert(made)
        made.maximum_version = newest
        return made

    async def scenario() -> None:
        for tls, status in (
            (context(authority), Status.ACCEPTED),
            (context(stranger), Status.UNSENT),
            (context(authority, ssl.TLSVersion.TLSv1_2), Status.UNSENT),
        ):
            async with serving((http(TAKEN), "keep"), tls=tls) as server:
                outcome = await post(server.base_url)
            assert status == outcome.status, outcome.detail

    asyncio.run(scenario())


def test_a_server_that_demands_a_client_certificate_gets_no_request_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED

    async def outcome_and_requests() -> tuple[Outcome, int]:
        async with serving((http(TAKEN), "keep"), tls=tls) as server:
            return await post(server.base_url), len(server.requests)

    # asyncio's server closes the connection without the alert that other servers send.
    outcome, requests = asyncio.run(outcome_and_requests())
    assert (Status.UNSENT, 0) == (outcome.status, requests)
    monkeypatch.setenv("EIGHTXEIGHT_CLIENT_CERT", str(tmp_path / "client.pem"))
    outcome, requests = asyncio.run(outcome_and_requests())
    assert (Status.ACCEPTED, 1) == (outcome.status, requests)


@pytest.mark.parametrize(
    ("host", "days", "words"),
    [
        ("other.example", 9, "the TLS certificate is for another host"),
        ("127.0.0.1", -1, "the TLS certificate has expired"),
    ],
)
def test_tls_that_stays_wrong_is_not_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, words: str
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, not_after=datetime.now(UTC) + timedelta(days=days)).configure_cert(tls)

    async def scenario() -> Outcome:
        async with serving((http(TAKEN), "keep"), tls=tls) as server:
            return await post(server.base_url)

    outcome = asyncio.run(scenario())
    assert (Status.UNSENT, OutcomeReason.TLS_FAILED, Then.STOP) == (outcome.status, outcome.reason, outcome.then)
    assert words in outcome.detail


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "EIGHTXEIGHT_CLIENT_CERT"])
def test_a_certificate_file_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "none.pem"))
    with pytest.raises(InputError, match=f"the environment variable {variable}, .*none.pem, can't be read"):
        tls_context()
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(InputError, match=f"the environment variable {variable}, .*none.pem, is not valid"):
        tls_context()
