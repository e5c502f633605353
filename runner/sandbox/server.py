"""The stand-in's HTTP side: `POST …/messages`, and two pages of its own, `/sandbox/book` and `/sandbox/stats`.

A request is judged first (`Answer` is a value), and only then answered, so that whatever shall disturb the answering
has one place to do so.
"""

import asyncio
import hashlib
import hmac
import logging
import math
import os
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, time_ns
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import hdrs, web

from runner.errors import InputError
from runner.sandbox.answers import QUEUED, REJECTED, Answer, Refusal, error, taken
from runner.sandbox.book import Book, open_book
from runner.sandbox.checks import check
from runner.sandbox.codes import Code
from runner.sandbox.encoding import encoding_of
from runner.sandbox.options import SUB_ACCOUNT_ID, SandboxOptions
from runner.sandbox.window import SlidingWindow

# Ten segments are 1,530 characters; what is longer is taken too, but a body has an end.
BODY_LIMIT_BYTES = 64 * 1024
BACKLOG = 1024
SHUTDOWN_S = 2.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stats:
    """What happened since the start. `errors` counts error answers by their `code`, the throttled ones too."""

    requests: int = 0
    queued: int = 0
    rejected: int = 0
    throttled: int = 0
    duplicates: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Sandbox:
    """Judges requests, keeps the book and the counts."""

    def __init__(self, options: SandboxOptions, book: Book) -> None:
        self._options = options
        self._book = book
        self._window = SlidingWindow(options.rate_limit) if options.rate_limit else None
        self._stats = Stats()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[self._errors_as_json])
        app.router.add_post("/api/v1/subaccounts/{subAccountId}/messages", self._messages)
        app.router.add_get("/sandbox/book", self._show_book)
        app.router.add_get("/sandbox/stats", self._show_stats)
        return app

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        self._stats.requests += 1
        try:
            answer = self._judge(request, await request.read())
        except (web.RequestPayloadError, ConnectionError):  # a client that was killed while it sent: nothing is taken
            answer = self._refuse(Refusal(Code.INVALID_PARAMETER, "The body ended early or could not be decoded"))
        if self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        return _response(answer)

    def _judge(self, request: web.Request, body: bytes) -> Answer:
        refusal = self._refuse_caller(request)
        if refusal:
            return self._refuse(refusal)
        if request.content_type != "application/json":
            return self._refuse(Refusal(Code.INVALID_PARAMETER, "The body must be application/json", 415))
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self._refuse(Refusal(Code.INVALID_PARAMETER, "The body is not valid JSON"))
        refusal = check(message, datetime.now(UTC))
        return self._refuse(refusal) if refusal else self._take(message, request.match_info["subAccountId"])

    def _refuse_caller(self, request: web.Request) -> Refusal | None:
        """What is wrong with who asks, how and how often, before what is asked for."""
        tls = request.get_extra_info("ssl_object")
        if tls and tls.version() != "TLSv1.3":
            # The provider insists for Singapore only; the sandbox for all, because the runner promises it for all.
            words = f"TLS 1.3 or later is required, this is {tls.version()}"
            return Refusal(Code.INSECURE_PROTOCOL, words, 426, {hdrs.UPGRADE: "TLS/1.3"})
        if not _is_authorized(request, self._options.api_key):
            return Refusal(Code.UNAUTHORIZED, "The request carries no valid API key", 401)
        # 404, as the one example of this code in the document.
        sub_account_id = request.match_info["subAccountId"]
        if sub_account_id != (self._options.sub_account_id or sub_account_id):
            return Refusal(Code.ILLEGAL_SUB_ACCOUNT, "The sub-account does not belong to this API key", 404)
        if not SUB_ACCOUNT_ID.fullmatch(sub_account_id):
            return Refusal(Code.ILLEGAL_SUB_ACCOUNT, "This is not a sub-account id", 404)
        if self._window and (wait_s := self._window.wait_s(monotonic())):
            self._stats.throttled += 1
            retry_after = str(math.ceil(wait_s))
            words = f"More than {self._options.rate_limit} requests in a second; try again in {retry_after} s"
            return Refusal(Code.QUOTA_EXCEEDED, words, 429, {hdrs.RETRY_AFTER: retry_after})
        return None

    def _take(self, message: dict[str, Any], sub_account_id: str) -> Answer:
        rejected = is_rejected(message, share=self._options.reject_share, seed=self._options.seed)
        status = REJECTED if rejected else QUEUED
        umid = str(uuid4())
        now = time_ns() // 1000
        duplicate = self._book.add(message, time=now, sub_account_id=sub_account_id, umid=umid, status=status)
        self._stats.rejected += rejected
        self._stats.queued += not rejected
        self._stats.duplicates += duplicate
        return taken(message, umid=umid, encoding=encoding_of(message["text"], message.get("encoding")), status=status)

    def _refuse(self, refusal: Refusal) -> Answer:
        self._stats.errors[str(int(refusal.code))] += 1
        return error(refusal, error_id=uuid4(), now=datetime.now(UTC))

    async def _show_book(self, request: web.Request) -> web.StreamResponse:
        self._only_for_key_holders(request)
        headers = {hdrs.CONTENT_TYPE: "application/x-ndjson"}
        if self._options.book:
            return web.FileResponse(self._options.book, headers=headers)
        return web.Response(body=self._book.lines(), headers=headers)

    async def _show_stats(self, request: web.Request) -> web.StreamResponse:
        self._only_for_key_holders(request)
        return _response(Answer(200, orjson.dumps(self._stats)))

    def _only_for_key_holders(self, request: web.Request) -> None:
        """A sandbox with a key may listen beyond this computer, and its book holds numbers; one without is a toy."""
        if self._options.api_key and not _is_authorized(request, self._options.api_key):
            raise web.HTTPUnauthorized

    @web.middleware
    async def _errors_as_json(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """No path, wrong method, body too large, a bug of ours: an API answers these with JSON as well."""
        try:
            return await handler(request)
        except web.HTTPException as exception:
            code = HTTP_CODES.get(exception.status, Code.INVALID_PARAMETER)
            headers = {name: value for name, value in exception.headers.items() if name == hdrs.ALLOW}
            return _response(self._refuse(Refusal(code, exception.reason, exception.status, headers)))
        except Exception:
            log.exception("the sandbox failed on %s %s", request.method, request.path)
            return _response(self._refuse(Refusal(Code.INTERNAL_ERROR, "The sandbox itself failed", 500)))


HTTP_CODES = {401: Code.UNAUTHORIZED, 404: Code.NOT_FOUND}


def is_rejected(message: dict[str, Any], *, share: float, seed: int) -> bool:
    """Whether this message belongs to the share that is rejected: the same answer each time it is asked."""
    if not share:
        return False
    person = f"{seed} {message.get('clientMessageId') or ''} {message['destination']}"
    return int.from_bytes(hashlib.blake2b(person.encode(), digest_size=8).digest()) < share * 2**64


@asynccontextmanager
async def running(options: SandboxOptions) -> AsyncIterator[str]:
    """Serve in this event loop; yields the base URL, such as `http://127.0.0.1:40123`.

    Raises `InputError` when it cannot listen there, or cannot use the book or the certificate.
    """
    tls = _tls_context(options)
    with open_book(options.book) as book:
        runner = web.AppRunner(Sandbox(options, book).application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, options.host, options.port, ssl_context=tls, backlog=BACKLOG)
            try:
                await site.start()
            except OSError as exception:
                raise _cannot_listen(options, exception) from exception
            host = f"[{options.host}]" if ":" in options.host else options.host
            yield f"{'https' if tls else 'http'}://{host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def _response(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.http_status, headers=answer.headers, content_type="application/json"
    )


def _is_authorized(request: web.Request, api_key: str | None) -> bool:
    scheme, _, key = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return False
    return api_key is None or hmac.compare_digest(key.encode(errors="replace"), api_key.encode())


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


def _cannot_listen(options: SandboxOptions, exception: OSError) -> InputError:
    # The event loop's own words name addresses in Python's notation; a resolver's errors have negative numbers.
    number = exception.errno or 0
    why = os.strerror(number) if number > 0 else exception.strerror
    return InputError.of(
        f"the sandbox cannot listen on {options.host} port {options.port}: {why}",
        "choose another port, or 0 for any free one",
    )
