"""The webhook server for delivery receipts and replies. Events are durable before they are answered.

    POST /…        an event, on any path: the address can have a secret path (`address.py`)
    GET /health    200 while the ledger can be written, else 503
    GET /metrics   counts for Prometheus

If the answer is 400 or above, the provider posts again after 1, 10, 30 and 90 s, then gives up. So events that can't be
written at the moment are answered with 503, and requests that aren't events with 4xx.
"""

import asyncio
import concurrent.futures
import contextlib
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web

from runner.base.errors import InputError, LedgerError
from runner.base.net import is_loopback, listen_failure
from runner.ledger.ledger import Ledger, open_ledger
from runner.provider.webhooks import Ignored, NotAnEventError, read_event
from runner.receipts.address import secret_path
from runner.receipts.intake import EVENT_LIMIT_BYTES, FullError, Intake, Metrics
from runner.receipts.optout_words import BUILT_IN, OptOutWords

# The longest time from the headers of a request to the end of its body.
READ_TIMEOUT_S = 10.0

# The longest time for complete headers on a connection. Longer than proxies keep an idle connection (nginx: 60 s), so
# that the proxy closes it first.
KEEP_ALIVE_S = 75.0

# How long the rest of a refused body is read, so that the client can read the answer.
LINGER_S = 5.0

SHUTDOWN_S = 10.0
BACKLOG = 1024

# The most open connections. The provider's need a few milliseconds each.
MOST_CONNECTIONS = 500

log = logging.getLogger(__name__)

# The HTTP library logs a stack trace for each invalid request, such as a scanner's. The answer is 400, and is counted.
_silent = logging.getLogger(f"{__name__}.http")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass(frozen=True, slots=True)
class Listening:
    """The server's URL, and its intake with the counts."""

    url: str
    intake: Intake


@contextlib.asynccontextmanager
async def listening(
    ledger: Ledger,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    authorization: str | None = None,
    words: OptOutWords = BUILT_IN,
) -> AsyncIterator[Listening]:
    """Serve in this event loop. When the block ends, all received events are durable and answered.

    `authorization` is the whole header that the provider sends. Raises InputError if the address is not available, or
    if other computers could post without authorization.
    """
    if authorization is None and not is_loopback(host):
        raise InputError.of(
            f"--host {host} would let anybody on the network write receipts and opt-outs",
            "add --auth-header-env NAME, the environment variable with the provider's Authorization header; or remove "
            "--host and put a TLS proxy in front",
        )
    async with Intake(ledger, words, Metrics(), authorized=authorization is not None) as intake:
        handlers = _Handlers(intake, authorization)
        runner = web.AppRunner(
            handlers.application(),
            access_log=None,
            logger=_silent,
            shutdown_timeout=SHUTDOWN_S,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )
        await runner.setup()
        assert runner.server is not None
        connections = handlers.connections = _Connections(runner.server, most_connections())
        listener: asyncio.Server | None = None
        try:
            try:
                loop = asyncio.get_running_loop()
                listener = await loop.create_server(connections.accept, host, port, backlog=BACKLOG)
            except OSError as error:
                raise InputError.of(
                    f"can't listen on {host} port {port}: {listen_failure(error)}",
                    "choose another port with --port",
                ) from error
            shown = f"[{host}]" if ":" in host else host
            yield Listening(f"http://{shown}:{listener.sockets[0].getsockname()[1]}", intake)
        finally:
            if listener is not None:
                listener.close()
            await runner.cleanup()


@contextlib.contextmanager
def receiving(ledger_url: str, *, authorization: str) -> Iterator[str]:
    """Serve in a thread with a separate event loop and ledger connection; yields the URL to post to.

    When the block has ended, all events answered with 200 are durable. Raises the errors of `listening` and
    `open_ledger`.
    """
    started: concurrent.futures.Future[tuple[str, Callable[[], object]]] = concurrent.futures.Future()

    async def serve() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        with open_ledger(ledger_url, create=True) as ledger:
            async with listening(ledger, authorization=authorization) as server:
                started.set_result((server.url, lambda: loop.call_soon_threadsafe(end.set)))
                await end.wait()

    with concurrent.futures.ThreadPoolExecutor(1, "receipts") as pool:
        ended = pool.submit(lambda: asyncio.run(serve()))
        futures: tuple[concurrent.futures.Future[Any], ...] = (started, ended)
        concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
        if not started.done():
            ended.result()  # raises the reason why it didn't start
        url, stop = started.result()
        try:
            yield url
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has already ended; `ended` has the reason
                stop()
        ended.result()


def most_connections() -> int:
    """The most connections at a time: half of the files that this process may open, at most MOST_CONNECTIONS."""
    try:
        import resource
    except ImportError:  # Windows
        return MOST_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MOST_CONNECTIONS, soft // 2) if soft > 0 else MOST_CONNECTIONS


class _Connections:
    """Bounds the open connections, so that idle and slow ones can't keep the provider out.

    When all are in use, a new connection closes the one whose last event is the oldest, if it had any. A connection
    whose event is being written is never closed.
    """

    def __init__(self, server: web.Server, most: int) -> None:
        self._server = server
        self._most = most
        self._writing = set[web.RequestHandler]()
        self._written = dict[web.RequestHandler, float]()

    def accept(self) -> web.RequestHandler:
        """A protocol for a new connection."""
        opened = [each for each in self._server.connections if each.transport is not None]
        self._written = {each: self._written[each] for each in opened if each in self._written}
        if (excess := len(opened) + 1 - self._most) > 0:
            idle = [each for each in opened if each not in self._writing]
            idle.sort(key=lambda each: self._written.get(each, 0.0))  # stable: the oldest first
            for each in idle[:excess]:
                each.force_close()
        return self._server()

    @contextlib.contextmanager
    def writing(self, connection: web.RequestHandler) -> Iterator[None]:
        """The connection's event is being written."""
        self._writing.add(connection)
        try:
            yield
        finally:
            self._writing.discard(connection)
            self._written[connection] = asyncio.get_running_loop().time()


@dataclass
class _Handlers:
    """The request handlers: events, health and metrics."""

    intake: Intake
    authorization: str | None
    connections: _Connections = field(init=False)

    def application(self) -> web.Application:
        @web.middleware
        async def errors_as_json(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:
                return self._refuse(error.status, error.reason)
            except (ConnectionError, asyncio.CancelledError):
                raise
            except Exception:  # a bug: the provider should post again
                log.exception("an event could not be processed")
                return self._refuse(500, "internal error; try again")

        app = web.Application(client_max_size=EVENT_LIMIT_BYTES, middlewares=[errors_as_json])
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_post("/{path:.*}", self._event)
        return app

    async def _event(self, request: web.Request) -> web.Response:
        if request.path in ("/health", "/metrics"):
            return self._refuse(405, "this path only supports GET; post events to another path")
        if not self._is_authorized(request):
            return self._refuse(401, "wrong Authorization header, and no secret path")
        if request.content_type != "application/json":
            return self._refuse(415, "events must be application/json")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                found = read_event(await request.read())
        except TimeoutError:
            return self._refuse(408, "the body took too long", closes=True)
        except web.RequestPayloadError:
            return self._refuse(400, "the encoding of the body doesn't match the headers", closes=True)
        except NotAnEventError as error:
            return self._refuse(400, str(error))
        if isinstance(found, Ignored):
            self.intake.metrics.event("ignored")
            return web.Response()
        try:
            with self.connections.writing(request.protocol):
                await self.intake.take(found)
        except FullError:
            return self._refuse(503, "too many events are waiting; try again", retry_after_s=5)
        except LedgerError:
            return self._refuse(503, "the ledger can't be written; try again", retry_after_s=10)
        return web.Response()

    def _is_authorized(self, request: web.Request) -> bool:
        """Whether the header or the secret path is right, or none is needed."""
        if self.authorization is None:
            return True
        header = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
        path = request.path.rpartition("/")[2].encode("utf-8", "surrogateescape")
        is_header = hmac.compare_digest(header, self.authorization.encode())
        return is_header or hmac.compare_digest(path, secret_path(self.authorization).encode())

    async def _health(self, _request: web.Request) -> web.Response:
        if self.intake.error is not None:
            return web.json_response({"status": "the ledger can't be written"}, status=503)
        return web.json_response({"status": "ok"})

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.intake.metrics.text(), headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4"})

    def _refuse(
        self, status: int, words: str, *, retry_after_s: int | None = None, closes: bool = False
    ) -> web.Response:
        """`closes`: close the connection, because the rest of its data is unusable."""
        self.intake.metrics.refused(status)
        headers = {hdrs.RETRY_AFTER: str(retry_after_s)} if retry_after_s is not None else {}
        answer = web.json_response({"error": words}, status=status, headers=headers)
        if closes:
            answer.force_close()
        return answer
