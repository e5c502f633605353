"""The only client that sends messages.

It must always know whether a byte of the request has left. So it connects first, including TLS. Then the request waits
for its departure, and can still be called off. Then it leaves in a single call that doesn't wait. A failure before
that call is `unsent`, a failure after it is `unknown`. Nothing is ever sent twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlsplit

from runner.base.messages import Message
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.provider.answer import classify
from runner.provider.endpoint import Endpoint, header_safe, tls_context
from runner.provider.network_errors import is_lasting, network_error_text
from runner.provider.wire import Connection, LastingTlsError, NotHttpError, Response, Wire

# From departure to the complete answer. This is long, because a message without an answer becomes `unknown`.
ANSWER_TIMEOUT_S = 45.0

# After the deadline, what has already arrived is still read. A process that was frozen (Ctrl-Z, a paused machine) finds
# its timers expired and its answers in the sockets, and uvloop runs timers before it reads.
LAST_LOOK_S = 0.1


class HeldBackError(Exception):
    """Raised by a departure hook to call the request off before any byte has left."""


class Client:
    """Posts messages to one sub-account. An async context manager.

    :param limit: the most connections at a time. The caller must not have more requests in flight.
    """

    def __init__(self, endpoint: Endpoint, api_key: str, *, limit: int) -> None:
        self._endpoint = endpoint
        self._api_key = api_key
        self._head = _head(endpoint.messages_url, header_safe(api_key))
        self._limit = limit
        self._wire: Wire

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        tls = tls_context() if self._endpoint.tls else None
        self._wire = Wire(self._endpoint.base_url, tls=tls, limit=self._limit, proxy=self._endpoint.proxy())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._wire.close()

    async def send(self, body: bytes, message: Message, departure: Callable[[], Awaitable[None]]) -> Outcome:
        """Post the body of one message and return its outcome. Never raises for errors of the network or the provider.

        `departure` is awaited when the connection is ready, before the first byte leaves; it may raise `HeldBackError`.
        Cancelling is safe: it raises `asyncio.CancelledError` only while nothing has left. After that, the outcome is
        `unknown`.
        """
        try:
            connection = await self._wire.connection()
        except LastingTlsError as error:
            return Outcome(Status.UNSENT, OutcomeReason.TLS_FAILED, str(error), then=Then.STOP)
        except ConnectionError as error:
            return Outcome(Status.UNSENT, OutcomeReason.NO_CONNECTION, str(error), then=Then.BACK_OFF)
        try:
            await departure()
            await connection.read_all()
        except HeldBackError:
            self._wire.release(connection)
            return Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
        except BaseException:
            self._wire.release(connection)
            raise
        if not connection.is_open:  # the other side closed it, or wrote something, while the request waited
            return Outcome(Status.UNSENT, OutcomeReason.HELD_BACK)
        return await self._exchange(connection, body, message)

    def _look_once_more(self, connection: Connection, pending: asyncio.Future[Response]) -> None:
        """The deadline has passed: give up once the event loop has read what is there."""
        self._loop.call_later(LAST_LOOK_S, _give_up, connection, pending)

    async def _exchange(self, connection: Connection, body: bytes, message: Message) -> Outcome:
        """Send a message on a connection that is ready. Everything that happens from now on is an outcome."""
        sent_at = time.time_ns() // 1000
        pending = connection.exchange(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        deadline = self._loop.call_later(ANSWER_TIMEOUT_S, self._look_once_more, connection, pending)
        try:
            response = await pending
        except asyncio.CancelledError:
            connection.abort()
            words = "the run stopped waiting for the answer"
            return Outcome(Status.UNKNOWN, OutcomeReason.ABANDONED, words, sent_at=sent_at)
        except (NotHttpError, OSError) as error:
            return _no_answer(error, sent_at)
        finally:
            deadline.cancel()
        return classify(
            response.status,
            {} if response.status == 200 else response.headers,  # for a 200, only the body matters
            response.body,
            message=message,
            now=datetime.now(UTC),
            secret=self._api_key,
            sent_at=sent_at,
            answered_at=time.time_ns() // 1000,
        )


def _head(url: str, api_key: str) -> bytes:
    """The part that is the same in all requests, up to the length of the body."""
    parts = urlsplit(url)
    lines = (
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Authorization: Bearer {api_key}",
        "Content-Type: application/json",
        "Accept: application/json",
        "User-Agent: campaign-runner",
        "Content-Length: ",
    )
    return "\r\n".join(lines).encode("ascii")


def _give_up(connection: Connection, pending: asyncio.Future[Response]) -> None:
    if not pending.done():  # otherwise the connection may carry another request by now
        connection.abort(TimeoutError())


def _no_answer(error: Exception, sent_at: int) -> Outcome:
    """The outcome of a request that left but got no answer."""
    if isinstance(error, TimeoutError):
        reason, words = OutcomeReason.TIMEOUT, f"no answer within {ANSWER_TIMEOUT_S:g} s"
    elif isinstance(error, NotHttpError):
        reason, words = OutcomeReason.INVALID_ANSWER, f"the answer is not HTTP: {error}"
    else:
        reason, words = OutcomeReason.DISCONNECTED, network_error_text(error)
    then = Then.STOP if is_lasting(error) else Then.GO_ON
    return Outcome(Status.UNKNOWN, reason, words, then, sent_at=sent_at)
