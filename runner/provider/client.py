"""The one HTTP client that talks to the provider.

What matters here is knowing whether a byte of the request left. aiohttp gets a connection from its connector, TLS
included, and then writes the first byte, with nothing to wait for between the two. So the connector's `connect` ends
with the request's departure: it waits there for its place in the pace, and may still be called off, and then the
connection goes back unused. A failure before the departure is `unsent`, after it `unknown`.

The client never sends a request twice: aiohttp repeats only idempotent methods on a dropped keep-alive connection, and
redirects aren't followed.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp

from runner.errors import InputError
from runner.models import Outcome, OutcomeReason, Status, Then
from runner.provider.answer import classify
from runner.provider.endpoint import Endpoint

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 45.0
"""From departure to the whole answer. Longer than any answer worth waiting for: what is cut off here is `unknown`."""

MAX_ANSWER_BYTES = 64 * 1024
"""The real answers have under 1 kB."""


class HeldBackError(Exception):
    """Raised by a departure hook to call the request off while no byte of it has left."""


class Client:
    """Posts messages to one sub-account. An async context manager.

    :param limit: the most connections at a time; the caller keeps its requests in flight below it.
    """

    def __init__(self, endpoint: Endpoint, api_key: str, *, limit: int) -> None:
        self._endpoint = endpoint
        self._api_key = api_key
        self._headers = {
            "Authorization": f"Bearer {header_safe(api_key)}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "campaign-runner",
        }
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = _Departures(limit=self._limit, ssl=tls_context() if self._endpoint.tls else True)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def send(self, body: bytes, message_id: str, departure: Callable[[], Awaitable[None]]) -> Outcome:
        """Post one message and say what became of it. Never raises for what the network or the provider does.

        `departure` is awaited when the connection is ready and before the first byte leaves; it may raise
        `HeldBackError`. Cancelling is safe: it raises `asyncio.CancelledError` only while nothing has left; later it
        is the outcome `unknown`.
        """
        assert self._session is not None, "use the client as a context manager"
        request = _Request(departure)
        _departing.set(request)  # for this task alone
        try:
            async with asyncio.timeout(None) as request.deadline:
                outcome = await self._post(body, message_id)
        except HeldBackError:
            outcome = Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
        except asyncio.CancelledError:
            if request.sent_at is None:
                raise
            outcome = Outcome(Status.UNKNOWN, OutcomeReason.ABANDONED, "the answer was no longer waited for")
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            outcome = of_failure(error, departed=request.sent_at is not None)
        return replace(outcome, sent_at=request.sent_at)

    async def _post(self, body: bytes, message_id: str) -> Outcome:
        assert self._session is not None
        async with self._session.post(self._endpoint.messages_url, data=body, allow_redirects=False) as response:
            answer = await _read(response)
            outcome = classify(
                response.status,
                response.headers,
                answer,
                message_id=message_id,
                now=datetime.now(UTC),
                secret=self._api_key,
            )
            return replace(outcome, answered_at=time.time_ns() // 1000)


class _Request:
    """Where one request stands: `sent_at` (microseconds UTC) is set when it departs, and then its deadline runs."""

    __slots__ = ("_departure", "deadline", "sent_at")

    def __init__(self, departure: Callable[[], Awaitable[None]]) -> None:
        self._departure = departure
        self.deadline: asyncio.Timeout
        self.sent_at: int | None = None

    async def depart(self) -> None:
        await self._departure()
        self.deadline.reschedule(asyncio.get_running_loop().time() + ANSWER_TIMEOUT_S)
        self.sent_at = time.time_ns() // 1000


_departing: ContextVar[_Request] = ContextVar("departing")


class _Departures(aiohttp.TCPConnector):
    """Hands out a connection when its request departs."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list["Trace"],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (aiohttp's signature)
    ) -> "Connection":
        connection = await super().connect(req, traces, timeout)
        try:
            await _departing.get().depart()
        except BaseException:
            connection.release()  # nothing was written to it
            raise
        return connection


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut at `MAX_ANSWER_BYTES`: what is longer is no answer of the provider's, whatever it says."""
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            return body[:MAX_ANSWER_BYTES]
    return body


def of_failure(error: Exception, *, departed: bool) -> Outcome:
    """The outcome of a request that got no answer. Pure: all that counts is whether a byte had left."""
    words = _words(error)
    if not departed:
        return Outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, words, then=Then.BACK_OFF)
    if isinstance(error, TimeoutError):
        return Outcome(Status.UNKNOWN, OutcomeReason.TIMEOUT, f"no answer within {ANSWER_TIMEOUT_S:g} s")
    if isinstance(error, aiohttp.ClientResponseError):
        return Outcome(Status.UNKNOWN, OutcomeReason.INVALID_ANSWER, words)
    return Outcome(Status.UNKNOWN, OutcomeReason.DISCONNECTED, words)


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text[:200]}" if text else name


def tls_context() -> ssl.SSLContext:
    """Certificates verified against the system's store or SSL_CERT_FILE; TLS 1.3 at least, as Singapore demands."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def header_safe(api_key: str) -> str:
    """A key that cannot be a header value is refused here, because an error further down would print it."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise InputError.of(
            "EIGHTXEIGHT_API_KEY holds a space, a line break or another character that no API key has",
            "copy it again from the provider's portal",
        )
    return api_key
