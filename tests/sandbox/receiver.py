"""A receiver of receipts on loopback, that collects what is posted to it and answers as a test wants."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.deadline import DEADLINE_S


@dataclass(frozen=True, slots=True)
class Post:
    path: str
    authorization: str | None
    body: dict[str, Any]

    @property
    def payload(self) -> dict[str, Any]:
        payload = self.body["payload"]
        assert isinstance(payload, dict)
        return payload

    @property
    def label(self) -> str:
        """In a word: the body of a reply; or the state, and of delivered its detail."""
        if self.body["eventType"] == "inbound_message_received":
            return str(self.payload["body"])
        status = self.payload["status"]
        return str(status["detail"] if status["state"] == "delivered" else status["state"])


@dataclass(slots=True)
class Receiver:
    """`url` is what a message's dlrCallbackUrl would be. The first answers come from `statuses`, all others are 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    hangs: bool = False
    posts: list[Post] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        post = Post(request.path, request.headers.get("Authorization"), orjson.loads(await request.read()))
        assert request.content_type == "application/json"
        self.posts.append(post)
        self.more.set()
        if self.hangs:
            await asyncio.Event().wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else None)

    async def until(self, holds: Callable[[list[Post]], bool]) -> list[Post]:
        async with asyncio.timeout(DEADLINE_S):
            while not holds(self.posts):
                self.more.clear()
                await self.more.wait()
        return self.posts

    async def count(self, number: int) -> list[Post]:
        return await self.until(lambda posts: len(posts) >= number)

    @property
    def labels(self) -> list[str]:
        return [post.label for post in self.posts]

    @property
    def by_message(self) -> dict[str, list[str]]:
        """The labels of the posts, by clientMessageId."""
        labels: dict[str, list[str]] = {}
        for post in self.posts:
            labels.setdefault(post.payload["clientMessageId"], []).append(post.label)
        return labels


@asynccontextmanager
async def receiving(statuses: Iterable[int] = (), *, hangs: bool = False) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses=list(statuses), hangs=hangs)
    app = web.Application()
    app.add_routes([web.post("/{path:.*}", receiver.take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/receipts"
        yield receiver
    finally:
        await runner.cleanup()


@contextmanager
def receiving_in_thread() -> Iterator[tuple[Receiver, Callable[[int], None]]]:
    """For tests of whole processes: a receiver, and what waits until that has so many posts."""
    ready: queue.SimpleQueue[Receiver] = queue.SimpleQueue()
    loop, end = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with receiving() as receiver:
            ready.put(receiver)
            await end.wait()

    def count(number: int) -> None:
        asyncio.run_coroutine_threadsafe(receiver.count(number), loop).result()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        receiver = ready.get(timeout=DEADLINE_S)
        yield receiver, count
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
