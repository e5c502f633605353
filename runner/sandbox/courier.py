"""Playing the other side: posts the receipts of each message to its `dlrCallbackUrl`, and the replies of recipients.

A message is one entry in one heap, whatever is still to be told of it, and its next step is planned when the one before
was posted. So there is one timer for all of them, a message that waits for days costs nothing, and the receipts of a
message come in their order unless disorder is asked for. As the provider does, it tries again after a connection error,
a 4xx or a 5xx; the next states don't wait for that.

By default nothing is posted beyond this computer: campaign files name real URLs.
"""

import asyncio
import heapq
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from time import time_ns
from typing import Any

import aiohttp
from aiohttp import hdrs

from runner.sandbox.checks import moment_of
from runner.sandbox.desk import Desk
from runner.sandbox.stories import INBOUND, Parcel, Story, Teller

CONNECTIONS = 32
POST_TIMEOUT_S = 10.0
DRAIN_S = 10.0
"""How long the sandbox goes on posting when it is told to end. `process` waits for it."""
# About 0.7 KB each; what is more is not told, and counted.
WAITING_LIMIT = 100_000

log = logging.getLogger(__name__)


class Courier:
    """Plans what is told of messages, and tells it. `cancelled` holds the umids of those that will not be sent."""

    def __init__(self, desk: Desk, cancelled: set[str]) -> None:
        self._options = desk.options
        self._stats = desk.stats
        self._teller = Teller(desk.options, desk.fates)
        self._cancelled = cancelled
        self._waiting: list[tuple[float, int, Story | Parcel]] = []
        self._numbers = count()
        self._ready: asyncio.Queue[Story | Parcel] = asyncio.Queue(maxsize=CONNECTIONS)
        self._sooner = asyncio.Event()
        self._all_told = asyncio.Event()
        self._all_told.set()
        self._ending = False

    def take(self, message: Mapping[str, Any], *, umid: str, sub_account_id: str) -> None:
        """Plan what is told of a message that was queued."""
        story, left_out = self._teller.story_of(message, umid=umid, sub_account_id=sub_account_id)
        self._give_up("beyond_loopback", left_out)
        if story is None:
            return
        if self._stats.receipts_waiting >= WAITING_LIMIT:
            self._give_up("too_many", story.left)
            return
        story.due = self._now() + _seconds_to(message)
        self._plan(story, story.due)

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """Post while the block runs; when it ends well, what is due in the usual course of things at once."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            headers=self._headers(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # a proxy would carry numbers beyond this computer
        ) as session:
            tasks = [
                asyncio.create_task(self._watch_clock()),
                *(asyncio.create_task(self._work(session)) for _ in range(CONNECTIONS)),
            ]
            try:
                yield
                await self._end()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self) -> None:
        self._ending = True
        now, planned, self._waiting = self._now(), self._waiting, []
        for due, number, item in planned:
            # Before its first step a message waits for the time it is scheduled for, and this sandbox won't see it.
            if isinstance(item, Story) and not item.position and due > now:
                self._give_up("scheduled", item.left)
                self._open(-1)
            else:
                self._waiting.append((due, number, item))
        heapq.heapify(self._waiting)
        self._sooner.set()
        try:
            await asyncio.wait_for(self._all_told.wait(), DRAIN_S)
        except TimeoutError:
            words = "the sandbox ended before all receipts were sent; something is left of %d message(s)"
            log.warning(words, self._stats.receipts_waiting)

    async def _watch_clock(self) -> None:
        """Hand over what is due. The queue is short, so that what waits stays in its order."""
        while True:
            self._sooner.clear()
            wait_s = self._waiting[0][0] - self._now() if self._waiting else None
            if wait_s is not None and (wait_s <= 0 or self._ending):
                await self._ready.put(heapq.heappop(self._waiting)[2])
                continue
            loop = asyncio.get_running_loop()
            timer = loop.call_later(wait_s, self._sooner.set) if wait_s is not None else None
            await self._sooner.wait()
            if timer:
                timer.cancel()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            item = await self._ready.get()
            try:
                if isinstance(item, Parcel):
                    await self._post(session, item)
                else:
                    await self._go_on(session, item)
            except Exception:  # a bug of ours with one message must not be the end of all receipts
                log.exception("the sandbox failed to tell of a message")
            finally:
                self._open(-1)  # after the next step was planned, so that it never looks as if all were told

    async def _go_on(self, session: aiohttp.ClientSession, story: Story) -> None:
        """Tell the next step of a message."""
        if not story.position and story.sent.umid in self._cancelled:
            return
        comes_twice = story.comes_twice(self._options)
        parcel = story.parcel(time_ns() // 1000)
        await self._post(session, parcel)
        if comes_twice:
            await self._post(session, parcel, is_again=True)
        story.position += 1
        if story.left:
            story.due += story.delay_s(self._options)  # not from now: being late must not add up
            self._plan(story, story.due)

    async def _post(self, session: aiohttp.ClientSession, parcel: Parcel, *, is_again: bool = False) -> None:
        try:
            # A redirect could lead beyond this computer.
            async with session.post(parcel.url, data=parcel.body, allow_redirects=False) as response:
                status = response.status
        except (
            aiohttp.ClientError,
            OSError,
            ValueError,
        ):  # a timeout is an OSError, a host that is no name a ValueError
            status = None
        if status is not None and status < 300:
            if is_again:
                self._stats.receipt_duplicates += 1
            elif parcel.label == INBOUND:
                self._stats.inbound += 1
            else:
                self._stats.receipts[parcel.label] += 1
            return
        self._stats.failed_posts += 1
        if not is_again:
            self._try_again(parcel, will_help=status is None or status >= 400)

    def _try_again(self, parcel: Parcel, *, will_help: bool) -> None:
        """After the next of the provider's pauses. When the sandbox ends there are none, and so no other try."""
        if self._ending or not will_help or parcel.attempt >= len(self._options.receipt_retry_s):
            self._give_up("given_up", 1)
        elif self._stats.receipts_waiting >= WAITING_LIMIT:
            self._give_up("too_many", 1)
        else:
            pause_s = self._options.receipt_retry_s[parcel.attempt]
            self._plan(replace(parcel, attempt=parcel.attempt + 1), self._now() + pause_s)

    def _plan(self, item: Story | Parcel, due: float) -> None:
        self._open(1)
        entry = (due, next(self._numbers), item)
        heapq.heappush(self._waiting, entry)
        if self._waiting[0] is entry:
            self._sooner.set()

    def _open(self, change: int) -> None:
        self._stats.receipts_waiting += change
        if self._stats.receipts_waiting:
            self._all_told.clear()
        else:
            self._all_told.set()

    def _give_up(self, reason: str, number: int) -> None:
        if number:
            self._stats.receipts_not_sent[reason] += number

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: "application/json", hdrs.USER_AGENT: "campaign-sandbox"}
        authorization = self._options.receipt_authorization
        return headers | ({hdrs.AUTHORIZATION: authorization} if authorization else {})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _seconds_to(message: Mapping[str, Any]) -> float:
    """How long a message waits for the time it is scheduled for."""
    moment = moment_of(message.get("scheduled"))
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0) if moment else 0.0
