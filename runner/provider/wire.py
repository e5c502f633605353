"""HTTP/1.1 to one host: connections that each carry one request at a time, and nothing that sending doesn't need.

A request leaves with one call that doesn't wait, `Connection.exchange`, so that whoever makes it knows exactly from
when on bytes may have left. Nothing is ever sent twice here, no redirect is followed, and an answer's bytes are taken
as they come: no compression is asked for. The parsing is llhttp's (httptools), the race between a host's addresses
aiohappyeyeballs'. aiohttp does all that too, for more than twice the work per request (`python -m benchmarks.parts`).
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from socket import SOCK_STREAM, socket
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools
import python_socks
from python_socks.async_.asyncio import Proxy as AsyncioProxy

from runner.provider.endpoint import CONNECT_TIMEOUT_S, in_words
from runner.provider.proxy import Proxy

# The real answers have under 1 kB.
MAX_ANSWER_BYTES = 64 * 1024

# An idle connection is not used after that. Servers close theirs after 5 s and more, and a request that leaves in the
# moment in which the other side closes is `unknown`; a new connection costs a tenth of a second.
IDLE_S = 4.0

# Connections that are opened at a time: 3,000/s need 300 of them at 100 ms, and each takes three times that to stand.
# Not more, because each costs a TLS handshake; whichever is free first takes the request that waits longest.
MOST_OPENING = 200

# How long an address is remembered.
NAME_S = 10.0

HAPPY_EYEBALLS_DELAY_S = 0.25  # RFC 8305, 5


class NotHttpError(Exception):
    """What came back is no HTTP answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole HTTP response; `body` is cut at `MAX_ANSWER_BYTES`."""

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case names."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}


class Connection(asyncio.Protocol):
    """One connection. `exchange` needs one that `is_open` and carries nothing; `Wire.connection` gives such."""

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._response: asyncio.Future[Response] | None = None
        self.is_open = False
        self.idle_since = 0.0

    def exchange(self, request: bytes) -> asyncio.Future[Response]:
        """Send a whole request; some of it may have left when this returns.

        The future fails with NotHttpError or OSError when there is no answer. The connection goes back to its wire with
        the answer, if it can carry another request.
        """
        assert self.is_open
        assert self._response is None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._status = self._head_bytes = 0
        self._is_whole = self._is_cut = self._stays_open = False
        self._response = response = self._loop.create_future()
        self._transport.write(request)
        return response

    def abort(self, error: Exception | None = None) -> None:
        """Close at once; an answer that is still waited for fails with `error`."""
        self.is_open = False
        self._transport.abort()
        self._fail(error or ConnectionAbortedError("the connection was closed"))

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by their class
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            self.abort()  # said without being asked: what comes next would be taken for the answer
            return
        trouble = None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            trouble = NotHttpError(" ".join(str(error).split()))
        if self._head_bytes > MAX_ANSWER_BYTES:
            self.abort(NotHttpError("its headers have no end"))
        elif self._is_whole or self._is_cut:
            self._deliver(reusable=self._stays_open and trouble is None)
        elif trouble:
            self.abort(trouble)

    def eof_received(self) -> None:
        self.is_open = False  # it closes now, and what is written to it doesn't leave any more

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._wire.forget(self)
        if self._response is not None and error is None and self._ends_with_connection():
            self._deliver(reusable=False)
        else:
            self._fail(error or ConnectionResetError("the connection was closed without a whole answer"))

    # What the parser calls. After a whole answer, nothing that follows counts.

    def on_message_begin(self) -> None:
        if self._is_whole:
            self._stays_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_whole:
            self._headers.append((name, value))
            self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        if self._is_whole:
            return
        self._status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        if not self._is_whole:
            self._body += data
        self._is_cut = len(self._body) > MAX_ANSWER_BYTES

    def on_message_complete(self) -> None:
        if self._is_whole:
            return
        if self._status >= 200:
            self._is_whole = True
            self._stays_open = self._parser.should_keep_alive()  # it knows only now
        else:
            self._headers.clear()  # "100 Continue" and its like: the answer is still to come

    def _ends_with_connection(self) -> bool:
        """Whether the answer is whole with the end of the connection: its head is there, and tells no length."""
        names = {name.lower() for name, _ in self._headers}
        return self._status >= 200 and not names & {b"content-length", b"transfer-encoding"}

    def _deliver(self, *, reusable: bool) -> None:
        response, self._response = self._response, None
        assert response is not None
        if not response.done():
            response.set_result(Response(self._status, self._headers, self._body[:MAX_ANSWER_BYTES]))
        if reusable:
            self._wire.release(self)
        else:
            self.abort()

    def _fail(self, error: Exception) -> None:
        response, self._response = self._response, None
        if response is not None and not response.done():
            response.set_exception(error)


class Wire:
    """The connections to one host. Made and used in one event loop; `close` it.

    :param url: of the host; its path doesn't matter.
    :param limit: the most connections at a time.
    :param proxy: through which the host is reached; None: directly.
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
        self._idle: list[Connection] = []  # the newest last: it is the one that is least likely to be closed
        self._waiting: deque[asyncio.Future[Connection]] = deque()  # first come, first served
        self._opening: set[asyncio.Task[None]] = set()
        self._addresses: list[Any] = []
        self._addresses_until = 0.0

    def _take_idle(self) -> Connection | None:
        """A connection that is ready at this moment, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and self._loop.time() - connection.idle_since < IDLE_S:
                return connection
            connection.abort()
        return None

    async def connection(self) -> Connection:
        """A connection that carries nothing. Give it back by `release`, or let an exchange do that.

        Raises ConnectionError when none can be opened, also for what TLS or the look-up of the name has against it.
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
                self.release(turn.result())  # it came in the moment of giving up
            raise

    def release(self, connection: Connection) -> None:
        """Take back a connection that carries nothing any more: whoever waits longest gets it."""
        if not connection.is_open:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else it gave up meanwhile
                turn.set_result(connection)
                return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_more()

    async def close(self) -> None:
        """Close all connections; what is in flight fails."""
        self._fail_waiting(ConnectionAbortedError("nothing is sent any more"))
        for opening in self._opening:
            opening.cancel()
        for connection in self._all.copy():
            connection.abort()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _open_more(self) -> None:
        """Open as many as there are requests that wait, and no more at a time than is good."""
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
        except Exception as error:  # also a bug: who waits must hear of it
            # One that can't be opened stands for all that are waited for: they would only wait for the same.
            self._addresses_until = 0.0
            self._fail_waiting(error)
        else:
            self.release(connection)

    async def _opened_connection(self) -> Connection:
        """One more connection, which carries nothing. Raises ConnectionError, in words."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await self._connect(lambda: Connection(self))
        except TimeoutError as error:
            raise self._none(f"it took more than {CONNECT_TIMEOUT_S:g} s") from error
        except (ssl.SSLError, UnicodeError, python_socks.ProxyError) as error:  # UnicodeError: no name can be so
            raise self._none(in_words(error)) from error
        except OSError as error:  # a number below 0 is the look-up's, whose words are its own
            number = error.errno or 0
            raise self._none(os.strerror(number) if number > 0 else error.strerror or in_words(error)) from error
        if not connection.is_open:
            raise self._none("it was closed as soon as it stood")
        self._all.add(connection)
        return connection

    def _none(self, why: str) -> ConnectionError:
        through = f" through the proxy {self._proxy}" if self._proxy else ""
        return ConnectionError(f"no connection to {self._host}:{self._port}{through}: {why}")

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
        kind = python_socks.ProxyType[proxy.kind.upper()]
        door = AsyncioProxy(kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=True)
        return await door.connect(self._host, self._port)
