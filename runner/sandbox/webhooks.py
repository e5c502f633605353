"""Delivery receipts and replies: plans what to post about each message, and posts it.

Sources: the provider's pages "Delivery receipts for outbound SMS", "Inbound SMS" and "Message status reference".

The receipts of a message are posted in order, unless `receipt_disorder` is set. Like the provider, the sender retries
after a connection error, a 4xx or a 5xx; later receipts don't wait for these retries. By default, nothing is posted to
other computers, because campaign files contain real URLs.
"""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time_ns
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import aiohttp
import orjson
from aiohttp import hdrs
from yarl import URL

from runner.base.net import is_loopback
from runner.sandbox.book import Entry
from runner.sandbox.checks import moment_of
from runner.sandbox.delivery import (
    AT_OPERATOR,
    DELIVERED,
    SENT,
    WAITING,
    DeliveryStatus,
    chance,
    encoding_of,
    final_status,
    identity_of,
    price_of,
    replies_to,
    segments_of,
    without_nulls,
)
from runner.sandbox.options import SandboxOptions
from runner.sandbox.state import SandboxState

# The recipient of replies to a message without a sender ID: a number from the UK's range for fiction.
OUR_NUMBER = "+447700900999"
# The number of digits after the second: the reference has two, the examples have three, and some platforms write seven.
FRACTION_DIGITS = (2, 7)
# People take this many times longer to reply than the network takes between two receipts.
PEOPLE_ARE_SLOWER = 3
# The shortest time between two steps. It is larger than the rounding of the shortest timestamp, so that a START never
# looks older than the STOP before it.
STEP_US = 20_000

CONNECTIONS = 32
POST_TIMEOUT_S = 10.0
# How long the sandbox continues to post when it ends. `process` waits for it.
DRAIN_S = 10.0
# The most messages and retries to keep in memory, about 3 kB each. Beyond that, posts are dropped and counted.
WAITING_LIMIT = 100_000

log = logging.getLogger(__name__)


# A receipt of a status, or the text of a reply.
Step = DeliveryStatus | str


@dataclass(frozen=True, slots=True)
class PostPlan:
    """The posts about a message, in order."""

    sent: Mapping[str, Any]
    steps: tuple[Step, ...]
    receipts_url: URL | None
    replies_url: URL | None

    def comes_twice(self, position: int, options: SandboxOptions) -> bool:
        """Whether the step is a receipt that is posted twice."""
        is_receipt = isinstance(self.steps[position], DeliveryStatus)
        return is_receipt and self._chance("twice", position, options) < options.receipt_duplicates

    def delay_s(self, position: int, options: SandboxOptions) -> float:
        """How long this step comes after the one before it."""
        slower = PEOPLE_ARE_SLOWER if isinstance(self.steps[position], str) else 1
        return options.receipt_delay_s * slower * (0.5 + self._chance("delay", position, options))

    def _chance(self, what: str, position: int, options: SandboxOptions) -> float:
        return chance(options.seed, what, *identity_of(self.sent), position)


def plan_posts(message: Entry, options: SandboxOptions) -> tuple[PostPlan | None, int]:
    """The posts about a queued message (None: nothing), and how many were left out, as they go to other computers."""
    callback = message.get("dlrCallbackUrl")
    inbound = options.inbound_url or callback
    if inbound is None:
        return None, 0
    status = final_status(message, options)
    receipts = statuses_to(status) if callback else ()
    replies = replies_to(message, options) if status is DELIVERED else ()
    receipts_url, replies_url = (_target(url, options.receipts_beyond_loopback) for url in (callback, inbound))
    if receipts and chance(options.seed, "disorder", *identity_of(message)) < options.receipt_disorder:
        receipts = disordered(receipts, chance(options.seed, "order", *identity_of(message)))
    steps: tuple[Step, ...] = (*(receipts if receipts_url else ()), *(replies if replies_url else ()))
    left_out = len(receipts) + len(replies) - len(steps)
    return PostPlan(sent_of(message), steps, receipts_url, replies_url) if steps else None, left_out


def _target(url: str | None, beyond_loopback: bool) -> URL | None:
    """A URL as the HTTP client parses it; None if it isn't valid or leads to another computer without permission."""
    try:
        target = URL(url) if url else None
    except ValueError:
        return None
    return target if target and (beyond_loopback or is_loopback(target.host)) else None


def sent_of(entry: Entry) -> dict[str, Any]:
    """The fields that all receipts of a message have. Without the text, because 100,000 of these may wait in memory."""
    sent = {
        "umid": entry["umid"],
        "clientMessageId": entry.get("clientMessageId"),
        "subAccountId": entry["subAccountId"],
        "source": entry.get("source"),
        "destination": f"+{entry['destination'].removeprefix('+')}",
        "smsCount": segments_of(entry["text"], encoding_of(entry["text"], entry.get("encoding"))),
    }
    return without_nulls(sent)


def statuses_to(final: DeliveryStatus) -> tuple[DeliveryStatus, ...]:
    """The statuses that a message goes through, up to `final`, each with a receipt."""
    return (WAITING, SENT, final) if final.detail == "rejected_by_operator" else (WAITING, SENT, AT_OPERATOR, final)


def disordered(steps: Sequence[DeliveryStatus], share: float) -> tuple[DeliveryStatus, ...]:
    """The steps in a different order; `share` (0 to 1) chooses which."""
    _, *others = itertools.permutations(steps)
    return others[int(share * len(others))]


def receipt_of(sent: Mapping[str, Any], status: DeliveryStatus, at: int) -> bytes:
    """A delivery receipt. `at` is in microseconds since the epoch. Only the receipt of the last state has a price."""
    payload = {**sent, "status": status.as_json(timestamp_of(at, sent["umid"], status))}
    if status not in (WAITING, SENT, AT_OPERATOR):
        payload["price"] = price_of(status, sent["smsCount"])
    return _event("outbound_message_status_changed", "a delivery receipt of the sandbox", payload)


def reply_of(sent: Mapping[str, Any], text: str, at: int) -> bytes:
    """An inbound message. `at` is in microseconds since the epoch."""
    encoding = encoding_of(text, None)
    payload = {
        "umid": str(uuid5(NAMESPACE_OID, f"{sent['umid']} {at} {text}")),
        "subAccountId": sent["subAccountId"],
        "timestamp": timestamp_of(at, sent["umid"], text),
        "source": sent["destination"],
        "destination": sent.get("source") or OUR_NUMBER,
        "body": text,
        "encoding": encoding,
        "smsCount": segments_of(text, encoding),
    }
    return _event("inbound_message_received", "an inbound message of the sandbox", payload)


def timestamp_of(at: int, *about: object) -> str:
    """UTC with a Z, and a varying number of digits after the second, because readers must accept any number."""
    least, most = FRACTION_DIGITS
    digits = least + int(chance(*about) * (most - least + 1))
    whole = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{f'{at % 1_000_000:06}0'[:digits]}Z"


def _event(kind: str, description: str, payload: Mapping[str, Any]) -> bytes:
    event = {"namespace": "SMS", "eventType": kind, "description": description, "payload": payload}
    return orjson.dumps(event)


class WebhookSender:
    """Makes the planned posts: one task per message, at most `CONNECTIONS` connections at a time.

    Each step of a message waits for the post of the step before it, but not for its retries.
    """

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._options = state.options
        self._stats = state.stats
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._ending = asyncio.Event()

    def take(self, message: Entry) -> None:
        """Start posting about a queued message."""
        plan, left_out = plan_posts(message, self._options)
        self._stats.receipts_not_sent += Counter(beyond_loopback=left_out)  # adding Counters drops zeros
        if plan is not None:
            moment = moment_of(message.get("scheduled"))
            wait_s = (moment - datetime.now(UTC)).total_seconds() if moment else 0.0
            self._start(self._post_steps(plan, self._loop.time() + max(wait_s, 0.0)), posts=len(plan.steps))

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """Post while the block runs. If it ends without an error, the outstanding posts are then made at once."""
        headers = {hdrs.CONTENT_TYPE: "application/json", hdrs.USER_AGENT: "campaign-sandbox"}
        if self._options.receipt_authorization:
            headers[hdrs.AUTHORIZATION] = self._options.receipt_authorization
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # a proxy could be another computer, and the posts contain phone numbers
        ) as self._session:
            try:
                yield
                self._ending.set()
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=DRAIN_S)
                if self._stats.receipts_waiting:
                    words = "the sandbox ended before all receipts were sent; %d message(s) have receipts left"
                    log.warning(words, self._stats.receipts_waiting)
            finally:
                self._ending.set()
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, posting: Coroutine[Any, Any, None], *, posts: int) -> None:
        if len(self._tasks) >= WAITING_LIMIT:
            posting.close()
            self._stats.receipts_not_sent["too_many"] += posts
            return
        task = asyncio.create_task(posting)
        self._tasks.add(task)
        self._stats.receipts_waiting = len(self._tasks)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._stats.receipts_waiting = len(self._tasks)
        if not task.cancelled() and (error := task.exception()):
            log.error("the sandbox failed to post about a message", exc_info=error)

    async def _post_steps(self, plan: PostPlan, due: float) -> None:
        """Post a message's steps, the first at `due` (the event loop's time)."""
        await self._sleep_until(due)
        if plan.sent["umid"] in self._state.cancelled:  # only a scheduled message can be cancelled
            return
        if self._ending.is_set() and due > self._loop.time():  # the sandbox ends before the scheduled time
            self._stats.receipts_not_sent["scheduled"] += len(plan.steps)
            return
        at = 0
        for position in range(len(plan.steps)):
            if position:
                due += plan.delay_s(position, self._options)  # not counted from now, so that delays don't add up
                await self._sleep_until(due)
            at = max(time_ns() // 1000, at + STEP_US)
            await self._post(plan, position, at)

    async def _post(self, plan: PostPlan, position: int, at: int, tries: int = 0) -> None:
        """Post a step. If it fails, a separate task retries it."""
        if tries:
            await self._sleep_until(self._loop.time() + self._options.receipt_retry_s[tries - 1])
        step = plan.steps[position]
        async with self._connections:
            if isinstance(step, str):
                url, body = plan.replies_url, reply_of(plan.sent, step, at)
            else:
                url, body = plan.receipts_url, receipt_of(plan.sent, step, at)
            assert url is not None
            status = await self._status_of(url, body)
            if not tries and plan.comes_twice(position, self._options) and await self._status_of(url, body) < 300:
                self._stats.receipt_duplicates += 1
        if status < 300:
            if isinstance(step, str):
                self._stats.inbound += 1
            else:  # for delivered, count by detail: to the operator or to the phone
                self._stats.receipts[(step.state == "delivered" and step.detail) or step.state] += 1
        elif status >= 400 and tries < len(self._options.receipt_retry_s) and not self._ending.is_set():
            self._start(self._post(plan, position, at, tries + 1), posts=1)
        else:
            self._stats.receipts_not_sent["given_up"] += 1

    async def _status_of(self, url: URL, body: bytes) -> int:
        """Post, and return the HTTP status of the answer, or 599 if there is none."""
        try:
            # Redirects are not followed, because they could lead to another computer.
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                status = response.status
        # A timeout is an OSError, an invalid host name is a ValueError.
        except (aiohttp.ClientError, OSError, ValueError):
            status = 599
        self._stats.failed_posts += status >= 300
        return status

    async def _sleep_until(self, due: float) -> None:
        """Wait until `due` (the event loop's time), or until the sandbox ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._ending.wait()
