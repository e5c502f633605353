"""The stand-in's HTTP side: its routes put together, on their sockets, with pages of its own.

`/sandbox/book` shows the messages it took, `/sandbox/feedback` what it was told of them, `/sandbox/stats` its counts.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
from aiohttp import hdrs, web

from runner.base.errors import InputError
from runner.base.net import listen_failure
from runner.sandbox.account import Account
from runner.sandbox.answers import Answer, Code, RefusedError
from runner.sandbox.book import open_book
from runner.sandbox.exports import Exports
from runner.sandbox.fault_effects import CLOSING, response
from runner.sandbox.faults import FaultSchedule, read_faults
from runner.sandbox.messages import Messages
from runner.sandbox.options import SandboxOptions
from runner.sandbox.state import SandboxState
from runner.sandbox.webhook_sender import WebhookSender

# Ten segments are 1,530 characters; what is longer is taken too, but a body has an end.
BODY_LIMIT_BYTES = 64 * 1024
HOST = "127.0.0.1"
BACKLOG = 1024
SHUTDOWN_S = 2.0
LINES = {hdrs.CONTENT_TYPE: "application/x-ndjson"}
HTTP_CODES = {401: Code.UNAUTHORIZED, 404: Code.NOT_FOUND}

log = logging.getLogger(__name__)


@asynccontextmanager
async def running(options: SandboxOptions) -> AsyncIterator[str]:
    """Serve in this event loop; yields the base URL, such as `http://127.0.0.1:40123`. When the block ends, the sockets
    close first, and then the receipts are sent that are outstanding, which takes `webhook_sender.DRAIN_S` at most.

    Raises `InputError` when it cannot listen there, or cannot use the faults, the book or the certificate.
    """
    tls = _tls_context(options)
    rules = read_faults(options.faults) if options.faults else ()
    async with AsyncExitStack() as stack:
        state = SandboxState(options, stack.enter_context(open_book(options.book)))
        exports = Exports(state, FaultSchedule(rules, seed=options.seed, of_exports=True))
        webhooks = WebhookSender(state)
        await stack.enter_async_context(webhooks.posting())
        routes = [
            # The exports first: their paths would do for a message's, too.
            *exports.routes(),
            *Messages(state, FaultSchedule(rules, seed=options.seed), webhooks).routes(),
            *Account(state).routes(),
            *_own_pages(state),
        ]
        if options.download_port is not None:
            elsewhere = _application(state, exports.routes_elsewhere())
            exports.origin = await stack.enter_async_context(_listening(elsewhere, options.download_port, tls))
        yield await stack.enter_async_context(_listening(_application(state, routes), options.port, tls))


def _application(state: SandboxState, routes: list[web.RouteDef]) -> web.Application:
    @web.middleware
    async def errors_as_json(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """No path, wrong method, body too large, a bug of ours: an API answers these with JSON as well."""
        try:
            return await handler(request)
        except RefusedError as refusal:
            return response(state.refuse(refusal))
        except web.HTTPException as exception:
            code = HTTP_CODES.get(exception.status, Code.INVALID_PARAMETER)
            headers = {name: value for name, value in exception.headers.items() if name == hdrs.ALLOW}
            return response(state.refuse(RefusedError(code, exception.reason, exception.status, headers)))
        except Exception:
            log.exception("the sandbox failed on %s %s", request.method, request.path)
            return response(state.refuse(RefusedError(Code.INTERNAL_ERROR, "The sandbox itself failed")))

    async def close(app: web.Application) -> None:
        app[CLOSING].set()

    app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[errors_as_json])
    app[CLOSING] = asyncio.Event()
    app.on_shutdown.append(close)
    app.add_routes(routes)
    return app


def _own_pages(state: SandboxState) -> list[web.RouteDef]:
    async def book(request: web.Request) -> web.StreamResponse:
        only_for_key_holders(request)
        if state.options.book:
            return web.FileResponse(state.options.book, headers=LINES)
        return web.Response(body=b"".join(state.book.lines()), headers=LINES)

    async def feedback(request: web.Request) -> web.StreamResponse:
        only_for_key_holders(request)
        lines = (orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE) for told in state.feedback.values())
        return web.Response(body=b"".join(lines), headers=LINES)

    async def stats(request: web.Request) -> web.StreamResponse:
        only_for_key_holders(request)
        return response(Answer(200, orjson.dumps(state.stats)))

    def only_for_key_holders(request: web.Request) -> None:
        """Other users of this computer may ask too, and the book holds numbers."""
        if state.options.api_key and not state.holds_key(request):
            raise web.HTTPUnauthorized

    return [
        web.get("/sandbox/book", book),
        web.get("/sandbox/feedback", feedback),
        web.get("/sandbox/stats", stats),
    ]


@asynccontextmanager
async def _listening(app: web.Application, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serve the application on a port of its own; yields its origin."""
    # A handler ends with its client: one that never answers would otherwise stay until the sandbox ends.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port, ssl_context=tls, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as exception:
            words = f"the sandbox cannot listen on {HOST} port {port}: {listen_failure(exception)}"
            raise InputError.of(words, "choose another port, or 0 for any free one") from exception
        yield f"{'https' if tls else 'http'}://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _tls_context(options: SandboxOptions) -> ssl.SSLContext | None:
    if options.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # to be able to answer 426 rather than break the handshake
    try:
        context.load_cert_chain(options.tls_certificate, options.tls_key)
    except OSError as exception:  # ssl.SSLError is one
        raise InputError.of(
            f"the certificate {options.tls_certificate} with its key cannot be used: {exception.strerror or exception}",
            "give two PEM files that belong together",
        ) from exception
    return context
