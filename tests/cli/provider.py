"""A provider of the test's own: a plain aiohttp server on a real socket, in a thread, that is not the sandbox.

It remembers every request and answers as its script says. A held answer waits until it is released, so that no test
has to guess how long something takes.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import orjson
from aiohttp import web

from tests.deadline import DEADLINE_S


@dataclass(frozen=True)
class Request:
    """What arrived. `at` is seconds on the monotonic clock, `before` how many requests came earlier."""

    at: float
    before: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def message_id(self) -> str:
        return str(self.body["clientMessageId"])


@dataclass(frozen=True)
class Reply:
    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[Request], Reply]


def queued(request: Request) -> Reply:
    state = {"code": "QUEUED", "description": "SMS is accepted and queued for processing"}
    return Reply(200, {"umid": f"umid-{request.before}", "clientMessageId": request.message_id, "status": state})


def error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    body = {"code": code, "message": message, "errorId": f"error-{code}", "timestamp": "2026-12-01T02:00:00Z"}
    return Reply(status, body, headers or {})


class Provider:
    """Use `serving` to get one. `script` may be changed between two runs."""

    def __init__(self) -> None:
        self.script: Script = queued
        self.requests: list[Request] = []
        self.base_url = ""
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._held_from: int | None = None
        self._released = asyncio.Event()

    @property
    def sent(self) -> Counter[str]:
        """How often each destination was posted to."""
        return Counter(str(request.body["destination"]) for request in self.requests)

    @property
    def message_ids(self) -> Counter[str]:
        return Counter(request.message_id for request in self.requests)

    def forget(self) -> None:
        self.requests = []

    def hold(self, after: int) -> None:
        """Answer so many requests of all, and let the others wait until `release`."""
        self._released = asyncio.Event()
        self._held_from = after

    def release(self) -> None:
        self._held_from = None
        self._loop.call_soon_threadsafe(self._released.set)

    def wait_for(self, count: int) -> None:
        """Return when so many requests have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, DEADLINE_S), len(self.requests)

    async def _answer(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        body = orjson.loads(await request.read() or b"{}")
        with self._arrived:
            seen = Request(at, len(self.requests), request.method, request.raw_path, request.headers.copy(), body)
            self.requests.append(seen)
            self._arrived.notify_all()
        if self._held_from is not None and seen.before >= self._held_from:
            await self._released.wait()
        reply = self.script(seen)
        return web.Response(
            status=reply.status, body=orjson.dumps(reply.body), headers=reply.headers, content_type="application/json"
        )

    async def _start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


class Startable(Protocol):
    """A server that runs on an event loop of its own."""

    _loop: asyncio.AbstractEventLoop

    async def _start(self) -> web.AppRunner: ...

    def release(self) -> None: ...


S = TypeVar("S", bound=Startable)


@contextmanager
def in_a_thread(server: S) -> Iterator[S]:
    """Run a server beside the test."""
    loop = server._loop
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(server._start(), loop).result(DEADLINE_S)
    try:
        yield server
    finally:
        server.release()
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(DEADLINE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()


def serving() -> AbstractContextManager[Provider]:
    return in_a_thread(Provider())
