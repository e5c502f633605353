"""The sandbox's HTTP server: all routes and their sockets, the answers about the account, and the sandbox's own pages.

Prices and balance never change: sending doesn't lower the balance. `/sandbox/book` shows the received messages,
`/sandbox/feedback` the feedback about them, `/sandbox/stats` the counts. `/openapi.json` describes the API.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import hdrs, web

from runner.base.errors import InputError
from runner.base.net import listen_failure
from runner.sandbox.answers import Code, RefusedError, json_response
from runner.sandbox.book import open_book
from runner.sandbox.delivery import CURRENCY, PRICE_PER_SMS
from runner.sandbox.exports import Exports
from runner.sandbox.faults import CLOSING, FaultSchedule, read_faults
from runner.sandbox.messages import Messages
from runner.sandbox.options import SandboxOptions
from runner.sandbox.state import SandboxState, refuse_filters, uuid_in_path
from runner.sandbox.webhooks import WebhookSender

ACCOUNT = "/api/v1/accounts/{accountId}"
# Alpha-2 code, name, prefix, and the mobile country and network codes of its only operator. The price is the same as in
# the log export.
COUNTRIES = (
    ("GB", "United Kingdom", "+44", "234", "10"),
    ("MY", "Malaysia", "+60", "502", "12"),
    ("SG", "Singapore", "+65", "525", "01"),
    ("US", "United States", "+1", "310", "260"),
)

# The largest body. Ten segments are 1,530 characters; longer texts are accepted up to this size.
BODY_LIMIT_BYTES = 64 * 1024
# The part of the API that the runner uses, described in this project's own words.
DOCUMENT = Path(__file__).with_name("openapi.json")
HOST = "127.0.0.1"
BACKLOG = 1024
SHUTDOWN_S = 2.0
LINES = {hdrs.CONTENT_TYPE: "application/x-ndjson"}
HTTP_CODES = {401: Code.UNAUTHORIZED, 404: Code.NOT_FOUND}

log = logging.getLogger(__name__)


@asynccontextmanager
async def running(options: SandboxOptions) -> AsyncIterator[str]:
    """Serve in this event loop. Yields the base URL, such as `http://127.0.0.1:40123`. When the block ends, the sockets
    close, and then outstanding receipts are sent, which takes at most `webhooks.DRAIN_S`.

    Raises `InputError` if the port, the fault file, the book or the certificate can't be used.
    """
    tls = _tls_context(options)
    rules = read_faults(options.faults) if options.faults else ()
    async with AsyncExitStack() as stack:
        state = SandboxState(options, stack.enter_context(open_book(options.book)))
        exports = Exports(state, FaultSchedule(rules, seed=options.seed, of_exports=True))
        webhooks = WebhookSender(state)
        await stack.enter_async_context(webhooks.posting())
        routes = [
            *exports.routes(),
            *Messages(state, FaultSchedule(rules, seed=options.seed), webhooks).routes(),
            *_account_routes(state),
            _own_page(state),
            _document(),
        ]
        if options.download_port is not None:
            elsewhere = _application(state, [exports.download_route()])
            exports.origin = await stack.enter_async_context(_listening(elsewhere, options.download_port, tls))
        yield await stack.enter_async_context(_listening(_application(state, routes), options.port, tls))


def _application(state: SandboxState, routes: list[web.RouteDef]) -> web.Application:
    @web.middleware
    async def errors_as_json(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer with JSON also for an unknown path, a wrong method, a body that is too large, and a bug."""
        try:
            return await handler(request)
        except RefusedError as refusal:
            return state.refuse(refusal)
        except web.HTTPException as exception:
            code = HTTP_CODES.get(exception.status, Code.INVALID_PARAMETER)
            headers = {name: value for name, value in exception.headers.items() if name == hdrs.ALLOW}
            return state.refuse(RefusedError(code, exception.reason, exception.status, headers))
        except Exception:
            log.exception("the sandbox failed on %s %s", request.method, request.path)
            return state.refuse(RefusedError(Code.INTERNAL_ERROR, "The sandbox failed; this is a bug"))

    async def close(app: web.Application) -> None:
        app[CLOSING].set()

    app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[errors_as_json])
    app[CLOSING] = asyncio.Event()
    app.on_shutdown.append(close)
    app.add_routes(routes)
    return app


def _account_routes(state: SandboxState) -> list[web.RouteDef]:
    async def prices(request: web.Request) -> web.StreamResponse:
        state.admit(request)
        uuid_in_path(request, "accountId")
        refuse_filters(request.query)
        direction = request.query.get("direction")
        if direction not in (None, "outbound", "inbound"):
            raise RefusedError(Code.INVALID_PARAMETER, "'direction' must be outbound or inbound")
        name = request.query.get("subAccountId") or state.options.sub_account_id or "sandbox"
        # The document contradicts itself: `outbound` is an object in its examples, but a list of objects in its schema.
        sides = {"outbound": {"countries": [_country_of(*row) for row in COUNTRIES]}, "inbound": {"countries": []}}
        shown = {side: value for side, value in sides.items() if direction in (None, side)}
        return json_response({"subAccounts": [{"subAccountId": name, **shown}]})

    async def balance(request: web.Request) -> web.StreamResponse:
        state.admit(request)
        uuid_in_path(request, "accountId")
        if state.options.post_paid:
            raise RefusedError(Code.FORBIDDEN, "The account is not prepaid, so it has no balance")
        return json_response({"balance": state.options.balance, "currency": CURRENCY})

    return [
        web.get(f"{ACCOUNT}/prices", prices, allow_head=False),
        web.get(f"{ACCOUNT}/balance", balance, allow_head=False),
    ]


def _country_of(code: str, name: str, prefix: str, mcc: str, mnc: str) -> dict[str, Any]:
    operator = {
        "operatorName": "any",
        "operatorId": int(f"{mcc}0{mnc}"),
        "hni": [{"mcc": mcc, "mnc": mnc}],
        "price": {"amount": PRICE_PER_SMS, "currency": CURRENCY},
    }
    return {"alpha2Code": code, "countryName": name, "dialingPrefix": prefix, "operators": [operator]}


def _own_page(state: SandboxState) -> web.RouteDef:
    async def page(request: web.Request) -> web.StreamResponse:
        # Other users of this computer can request these pages, too, and the book contains phone numbers.
        if state.options.api_key and not state.holds_key(request):
            raise web.HTTPUnauthorized
        name = request.match_info["page"]
        if name == "stats":
            return json_response(state.stats)
        if name == "book" and state.options.book:
            return web.FileResponse(state.options.book, headers=LINES)
        feedback = (orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in state.feedback.values())
        return web.Response(body=b"".join(state.book.lines() if name == "book" else feedback), headers=LINES)

    return web.get("/sandbox/{page:book|feedback|stats}", page)


def _document() -> web.RouteDef:
    content = DOCUMENT.read_bytes()

    async def document(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type="application/json")

    return web.get("/openapi.json", document)


@asynccontextmanager
async def _listening(app: web.Application, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serve the application on this port. Yields its origin."""
    # Cancel a handler when its client disconnects: one that never answers would otherwise run until the sandbox ends.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port, ssl_context=tls, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as exception:
            words = f"the sandbox can't listen on {HOST} port {port}: {listen_failure(exception)}"
            raise InputError.of(words, "choose another port, or 0 for any free one") from exception
        yield f"{'https' if tls else 'http'}://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _tls_context(options: SandboxOptions) -> ssl.SSLContext | None:
    if options.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # so that clients with TLS 1.2 get a 426, not a failed handshake
    try:
        context.load_cert_chain(options.tls_certificate, options.tls_key)
    except OSError as exception:  # ssl.SSLError is one
        raise InputError.of(
            f"the certificate {options.tls_certificate} or its key can't be used: {exception.strerror or exception}",
            "give --tls-cert and --tls-key two PEM files that belong together",
        ) from exception
    return context
