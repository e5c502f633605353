"""A minimal HTTP/1.1 client for one host, with only what sending needs. Each connection carries one request at a time.

A request leaves in a single call that doesn't wait, `Connection.exchange`, so the caller knows exactly when bytes may
have left. Requests are never retried here, redirects are not followed, and compression is not requested. httptools
(llhttp) parses the answers; aiohappyeyeballs chooses among a host's addresses. aiohttp can do all of this, but needs
more than twice the work per request (`python -m benchmarks.parts`).
"""

import asyncio
import select
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from socket import SOCK_STREAM, socket
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools

from runner.provider.endpoint import CONNECT_TIMEOUT_S
from runner.provider.network_errors import is_lasting, network_error_text, no_connection_text, proxy_error_text
from runner.provider.proxy import Proxy

# Real answers are smaller than 1 kB.
MAX_ANSWER_BYTES = 64 * 1024

# The most bytes of an answer, with what isn't kept: a header, trailer or chunk line of any length, or 1xx answers.
MAX_RECEIVED_BYTES = 1024 * 1024

# How long an idle connection may be reused. Servers close idle connections after 5 s or more. If a request leaves just
# when the server closes, its outcome is `unknown`, while a new connection costs only a tenth of a second.
IDLE_S = 4.0

# How long to wait whether another answer follows one that isn't a 200: as long as the slowest answer on this connection
# took, but within these limits.
LEAST_LINGER_S, MOST_LINGER_S = 0.05, 1.0

# How many connections are opened at the same time. At 3,000/s and 100 ms per answer, 300 are needed, and opening one
# takes 300 ms. The number is limited, because each needs a TLS handshake. The first connection that is free takes the
# request that has waited longest.
MOST_OPENING = 200

# How long the addresses from a DNS look-up are reused.
NAME_S = 10.0

# How long the first connections wait at least for a server's refusal, because a loopback's round trip is shorter than a
# busy server's reaction.
LEAST_REFUSAL_S = 0.1

HAPPY_EYEBALLS_DELAY_S = 0.25  # RFC 8305, 5


class NotHttpError(Exception):
    """The data received is not an HTTP answer."""


class LastingTlsError(ConnectionError):
    """No connection, for a reason in TLS that trying again doesn't change."""


_TWO_ANSWERS = NotHttpError("another answer follows it, so one of them belongs to another request")


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response. `body` is cut off after `MAX_ANSWER_BYTES`."""

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}


class Connection(asyncio.Protocol):
    """One connection. `Wire.connection` returns one that is open and unused, which `exchange` needs.

    HTTP/1.1 doesn't say which request an answer belongs to: the order decides. A server may send an answer that nobody
    asked for, for example a 429 before a 200, and then each answer would count for the next request. So nothing is sent
    on a connection with unread data (`read_all`). An answer that isn't a 200 proves that a message was not taken, so it
    counts only if it is whole and no other answer follows: the real one would.
    """

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._response: asyncio.Future[Response] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._slowest_s = 0.0  # of the answers on this connection
        self.is_open = False
        self.idle_since = 0.0
        self.lost: asyncio.Future[Exception | None] = self._loop.create_future()

    async def read_all(self) -> None:
        """Let the event loop read what has arrived: the connection's end, or data that nobody asked for, closes it."""
        while self.is_open and self._has_data():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)

    def exchange(self, request: bytes) -> asyncio.Future[Response]:
        """Send a whole request. Some of it may have left when this returns.

        The future fails with NotHttpError or OSError if no answer comes. After the answer, the connection returns to
        its wire if it can carry another request.
        """
        assert self.is_open
        assert self._response is None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._status = self._head_bytes = self._received_bytes = 0
        self._is_whole = self._is_followed = self._stays_open = False
        self._left_at = self._loop.time()
        self._response = response = self._loop.create_future()
        self._transport.write(request)
        return response

    def abort(self, error: Exception | None = None) -> None:
        """Close at once. If an answer is still awaited, it fails with `error`."""
        self.is_open = False
        self._transport.abort()
        self._fail(error or ConnectionAbortedError("the connection was closed"))

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's classes don't derive from it
        self._file = transport.get_extra_info("socket").fileno()
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            self.abort()  # unexpected data: it would be taken for the answer to the next request
            return
        if self._linger:
            self.abort(_TWO_ANSWERS)
            return
        trouble = None
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            trouble = NotHttpError(" ".join(str(error).split()))
        if self._head_bytes > MAX_ANSWER_BYTES:
            self.abort(NotHttpError("its headers are too long"))
        elif self._is_whole or (self._status == 200 and len(self._body) > MAX_ANSWER_BYTES):
            self._end(goes_on=self._is_followed or trouble is not None)
        elif trouble:
            self.abort(trouble)
        elif self._received_bytes > MAX_RECEIVED_BYTES:
            self.abort(NotHttpError("it is too long"))

    def eof_received(self) -> None:
        self.is_open = False  # the connection is closing; a request written now would be lost

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if not self.lost.done():
            self.lost.set_result(error)
        self._wire.forget(self)
        if self._linger or (self._response is not None and error is None and self._ends_with_connection()):
            self._deliver(reusable=False)
        else:
            self._fail(error or ConnectionResetError("the connection was closed before the answer was complete"))

    # Called by the parser. Everything after a complete answer is ignored.

    def on_message_begin(self) -> None:
        self._is_followed = self._is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_whole:
            self._headers.append((name, value))
            self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        if self._is_whole:
            return
        self._status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        if not self._is_whole and len(self._body) <= MAX_ANSWER_BYTES:
            self._body += data

    def on_message_complete(self) -> None:
        if self._is_whole:
            return
        if self._status >= 200:
            self._is_whole = True
            self._stays_open = self._parser.should_keep_alive()  # only known at the end
        else:
            self._headers.clear()  # for example "100 Continue": the answer comes after it

    def _ends_with_connection(self) -> bool:
        """Whether the end of the connection completes the answer: its headers are complete and give no length."""
        names = {name.lower() for name, _ in self._headers}
        return self._status >= 200 and not names & {b"content-length", b"transfer-encoding"}

    def _has_data(self) -> bool:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._file, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([self._file], [], [], 0)[0])  # Windows

    def _end(self, *, goes_on: bool) -> None:
        """The answer is complete. `goes_on`: more data came with it."""
        self._slowest_s = max(self._slowest_s, self._loop.time() - self._left_at)
        if self._status == 200:
            self._deliver(reusable=self._stays_open and not goes_on)
        elif goes_on:
            self.abort(_TWO_ANSWERS)
        else:
            linger_s = min(max(self._slowest_s, LEAST_LINGER_S), MOST_LINGER_S)
            self._linger = self._loop.call_later(linger_s, lambda: self._deliver(reusable=self._stays_open))

    def _deliver(self, *, reusable: bool) -> None:
        response, self._response = self._response, None
        assert response is not None
        self._stop_lingering()
        self._wire.is_proven = True
        if not response.done():
            response.set_result(Response(self._status, self._headers, self._body[:MAX_ANSWER_BYTES]))
        if reusable:
            self._wire.release(self)
        else:
            self.abort()

    def _fail(self, error: Exception) -> None:
        self._stop_lingering()
        response, self._response = self._response, None
        if response is not None and not response.done():
            response.set_exception(error)

    def _stop_lingering(self) -> None:
        if self._linger:
            self._linger.cancel()
            self._linger = None


class Wire:
    """The connections to one host. Create and use it in one event loop, and `close` it.

    :param url: the URL of the host; its path is ignored.
    :param limit: the most connections at a time.
    :param proxy: the proxy to use; None: connect directly.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext | None, limit: int, proxy: Proxy | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._host: Final = parts.hostname
        self._port: Final = parts.port or (443 if tls else 80)
        self._tls = tls
        self._limit = limit
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._all: set[Connection] = set()
        self._idle: list[Connection] = []  # the newest last, because it is the least likely to be closed soon
        self._waiting: deque[asyncio.Future[Connection]] = deque()  # first come, first served
        self._opening: set[asyncio.Task[None]] = set()
        self._addresses: list[Any] = []
        self._addresses_until = 0.0
        # Whether an answer came. Before, a server may still refuse this client's certificate; see `_refusal`.
        self.is_proven = False

    def _take_idle(self) -> Connection | None:
        """An idle connection that can be used now, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and self._loop.time() - connection.idle_since < IDLE_S:
                return connection
            connection.abort()
        return None

    async def connection(self) -> Connection:
        """An unused connection. Return it with `release`, or make an exchange, which does so.

        Raises ConnectionError if none can be opened, also if DNS, the proxy or TLS is the cause.
        """
        if connection := self._take_idle():
            return connection
        turn: asyncio.Future[Connection] = self._loop.create_future()
        self._waiting.append(turn)
        self._open_more()
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and not turn.exception():
                self.release(turn.result())  # the connection was ready just when the caller was cancelled
            raise

    def release(self, connection: Connection) -> None:
        """Take back a connection that is unused again. The request that has waited longest gets it."""
        if not connection.is_open:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # otherwise the caller was cancelled
                turn.set_result(connection)
                return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Remove a connection that is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_more()

    async def close(self) -> None:
        """Close all connections. Requests in flight fail."""
        self._fail_waiting(ConnectionAbortedError("sending has ended"))
        for opening in self._opening:
            opening.cancel()
        for connection in self._all.copy():
            connection.abort()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _open_more(self) -> None:
        """Open a connection for each waiting request, within the limits."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        most = min(len(self._waiting), MOST_OPENING, self._limit - len(self._all))
        while len(self._opening) < most:
            opening = self._loop.create_task(self._open())
            self._opening.add(opening)
            opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[None]) -> None:
        self._opening.discard(opening)
        self._open_more()

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(error)

    async def _open(self) -> None:
        try:
            connection = await self._opened_connection()
        except Exception as error:  # also for a bug: otherwise the waiting requests would wait forever
            # If one can't be opened, all waiting requests fail: they would get the same error.
            self._addresses_until = 0.0
            self._fail_waiting(error)
        else:
            self.release(connection)

    async def _opened_connection(self) -> Connection:
        """Open a new connection. Raises ConnectionError with a text for people."""
        began = self._loop.time()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await self._connect(lambda: Connection(self))
                if self._tls and not self.is_proven:
                    await self._refusal(connection, self._loop.time() - began)
        except TimeoutError as error:
            raise self._none(f"timed out after {CONNECT_TIMEOUT_S:g} s") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: the host name has characters that DNS doesn't allow
            kind = LastingTlsError if is_lasting(error) else ConnectionError
            raise self._none(network_error_text(error), kind) from error
        if not connection.is_open:
            raise self._none("the other side closed it at once")
        self._all.add(connection)
        return connection

    async def _refusal(self, connection: Connection, connecting_s: float) -> None:
        """Wait until a server that demands a client certificate would have refused this one. Raises its error.

        In TLS 1.3 a client is connected before the server has seen its certificate, so a request would leave and become
        unknown. The refusal takes one round trip, and connecting took at least two. Once an answer has come, connecting
        doesn't wait.
        """
        done, _ = await asyncio.wait([connection.lost], timeout=max(connecting_s, LEAST_REFUSAL_S))
        if done and (error := connection.lost.result()):
            raise error

    def _none(self, why: str, kind: type[ConnectionError] = ConnectionError) -> ConnectionError:
        return kind(no_connection_text(f"{self._host}:{self._port}", self._proxy, why))

    async def _connect(self, protocol: Callable[[], Connection]) -> tuple[asyncio.Transport, Connection]:
        sock = await (self._direct_socket() if self._proxy is None else self._socket_through(self._proxy))
        try:
            name = self._host if self._tls else None
            return await self._loop.create_connection(protocol, sock=sock, ssl=self._tls, server_hostname=name)
        except BaseException:
            sock.close()
            raise

    async def _direct_socket(self) -> socket:
        if self._loop.time() >= self._addresses_until:
            found = await self._loop.getaddrinfo(self._host, self._port, type=SOCK_STREAM)
            self._addresses, self._addresses_until = found, self._loop.time() + NAME_S
        return await aiohappyeyeballs.start_connection(
            self._addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_S, interleave=1, loop=self._loop
        )

    async def _socket_through(self, proxy: Proxy) -> socket:
        import python_socks
        from python_socks.async_.asyncio import Proxy as AsyncioProxy

        kind = python_socks.ProxyType[proxy.kind.upper()]
        tunnel = AsyncioProxy(kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=True)
        try:
            return await tunnel.connect(self._host, self._port)
        except (python_socks.ProxyConnectionError, python_socks.ProxyError) as error:
            raise OSError(proxy_error_text(error)) from error
