"""Posts the receipts of each message to its `dlrCallbackUrl`, and the replies of recipients.

A message is one task, which posts step by step, so that the receipts of a message come in their order unless disorder
is asked for. As the provider does, the sender tries again after a connection error, a 4xx or a 5xx; the next states
don't wait for that.

By default nothing is posted beyond this computer: campaign files name real URLs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import time_ns

import aiohttp
from aiohttp import hdrs

from runner.sandbox.book import Entry
from runner.sandbox.checks import moment_of
from runner.sandbox.state import SandboxState
from runner.sandbox.webhooks import INBOUND, STEP_US, Post, PostPlan, plan_posts

CONNECTIONS = 32
POST_TIMEOUT_S = 10.0
# How long the sandbox goes on posting when it is told to end. `process` waits for it.
DRAIN_S = 10.0
# About 2.5 KB each; what is more is not posted, and counted.
WAITING_LIMIT = 100_000

log = logging.getLogger(__name__)


class WebhookSender:
    """Plans what is posted about messages, and posts it."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._options = state.options
        self._stats = state.stats
        self._tasks: set[asyncio.Task[None]] = set()
        self._sleepers: set[asyncio.Future[None]] = set()
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._ending = False

    def take(self, message: Entry, *, umid: str, sub_account_id: str) -> None:
        """Plan what is posted about a message that was queued."""
        plan, left_out = plan_posts(
            message, self._options, self._state.delivery, umid=umid, sub_account_id=sub_account_id
        )
        self._give_up("beyond_loopback", left_out)
        if plan is not None:
            moment = moment_of(message.get("scheduled"))
            wait_s = (moment - datetime.now(UTC)).total_seconds() if moment else 0.0
            self._start(self._post_all(plan, self._now() + max(wait_s, 0.0)), posts=len(plan.steps))

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """Post while the block runs; when it ends well, what is due in the usual course of things at once."""
        headers = {hdrs.CONTENT_TYPE: "application/json", hdrs.USER_AGENT: "campaign-sandbox"}
        if self._options.receipt_authorization:
            headers[hdrs.AUTHORIZATION] = self._options.receipt_authorization
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # a proxy would carry numbers beyond this computer
        ) as self._session:
            try:
                yield
                await self._end()
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _end(self) -> None:
        self._ending = True
        for sleeper in self._sleepers:
            _wake(sleeper)
        pending = (await asyncio.wait(self._tasks, timeout=DRAIN_S))[1] if self._tasks else ()
        if pending:
            words = "the sandbox ended before all receipts were sent; something is left of %d message(s)"
            log.warning(words, len(pending))

    async def _post_all(self, plan: PostPlan, due: float) -> None:
        """Post the steps of a message, the first at `due` (loop time, s)."""
        await self._sleep_until(due)
        if self._ending and self._now() < due:  # the time that the message is scheduled for won't be seen
            self._give_up("scheduled", len(plan.steps))
            return
        if plan.sent["umid"] in self._state.cancelled:
            return
        at = 0
        for position in range(len(plan.steps)):
            if position:
                due += plan.delay_s(position, self._options)  # not from now: being late must not add up
                await self._sleep_until(due)
            at = max(time_ns() // 1000, at + STEP_US)
            post = plan.post(position, at)
            status = await self._status_of(post)
            if status < 300:
                self._count(post)
            elif status >= 400 and self._options.receipt_retry_s and not self._ending:
                self._start(self._try_again(post), posts=1)
            else:
                self._give_up("given_up", 1)
            if plan.comes_twice(position, self._options) and await self._status_of(post) < 300:
                self._stats.receipt_duplicates += 1

    async def _try_again(self, post: Post) -> None:
        """After each of the provider's pauses. When the sandbox ends, once more at once."""
        for pause_s in self._options.receipt_retry_s:
            await self._sleep_until(self._now() + pause_s)
            status = await self._status_of(post)
            if status < 300:
                self._count(post)
                return
            if status < 400 or self._ending:
                break
        self._give_up("given_up", 1)

    async def _status_of(self, post: Post) -> int:
        """Post, and return the answer's HTTP status; 599 when there is none."""
        try:
            # A redirect could lead beyond this computer.
            async with (
                self._connections,
                self._session.post(post.url, data=post.body, allow_redirects=False) as response,
            ):
                status = response.status
        except (
            aiohttp.ClientError,
            OSError,
            ValueError,
        ):  # OSError: also a timeout; ValueError: a host that is no name
            status = 599
        self._stats.failed_posts += status >= 300
        return status

    def _count(self, post: Post) -> None:
        if post.label == INBOUND:
            self._stats.inbound += 1
        else:
            self._stats.receipts[post.label] += 1

    def _give_up(self, reason: str, posts: int) -> None:
        if posts:
            self._stats.receipts_not_sent[reason] += posts

    def _start(self, posting: Coroutine[None, None, None], *, posts: int) -> None:
        if len(self._tasks) >= WAITING_LIMIT:
            posting.close()
            self._give_up("too_many", posts)
            return
        task = asyncio.get_running_loop().create_task(posting)
        self._tasks.add(task)
        self._stats.receipts_waiting = len(self._tasks)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._stats.receipts_waiting = len(self._tasks)
        if not task.cancelled() and (error := task.exception()):  # a bug of ours must not be the end of all receipts
            log.error("the sandbox failed to post about a message", exc_info=error)

    async def _sleep_until(self, due: float) -> None:
        """Sleep until the loop's time is `due`, or the sandbox ends."""
        if self._ending or due <= self._now():
            return
        loop = asyncio.get_running_loop()
        sleeper = loop.create_future()
        timer = loop.call_at(due, _wake, sleeper)
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            self._sleepers.discard(sleeper)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
