"""Delivery receipts and replies: what the provider posts about a message, and the sender that posts it.

Sources: the provider's pages "Delivery receipts for outbound SMS", "Inbound SMS" and "Message status reference".

The receipts of a message come in their order unless disorder is asked for. As the provider does, the sender tries again
after a connection error, a 4xx or a 5xx; the next states don't wait for that. By default nothing is posted beyond this
computer: campaign files name real URLs.
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

# A virtual number, from the United Kingdom's range for fiction, for replies to a message without a sender id.
OUR_NUMBER = "+447700900999"
# The reference shows two digits of a second, the examples three, and some platforms write seven.
FRACTION_DIGITS = (2, 7)
PEOPLE_ARE_SLOWER = 3
# More than the coarsest timestamp cuts off: a START must not seem older than the STOP before it.
STEP_US = 20_000

CONNECTIONS = 32
POST_TIMEOUT_S = 10.0
# How long the sandbox goes on posting when it is told to end. `process` waits for it.
DRAIN_S = 10.0
# Messages and other tries, about 3 KB each; what is more is not posted, and counted.
WAITING_LIMIT = 100_000

log = logging.getLogger(__name__)


# A receipt of a status, or the text of a reply.
Step = DeliveryStatus | str


@dataclass(frozen=True, slots=True)
class PostPlan:
    """What is posted about a message, step by step."""

    sent: Mapping[str, Any]
    steps: tuple[Step, ...]
    receipts_url: URL | None
    replies_url: URL | None

    def comes_twice(self, position: int, options: SandboxOptions) -> bool:
        """Whether the step is a receipt that is posted twice."""
        is_receipt = isinstance(self.steps[position], DeliveryStatus)
        return is_receipt and self._chance("twice", position, options) < options.receipt_duplicates

    def delay_s(self, position: int, options: SandboxOptions) -> float:
        """How long after the step before it this one comes."""
        slower = PEOPLE_ARE_SLOWER if isinstance(self.steps[position], str) else 1
        return options.receipt_delay_s * slower * (0.5 + self._chance("delay", position, options))

    def _chance(self, what: str, position: int, options: SandboxOptions) -> float:
        return chance(options.seed, what, *identity_of(self.sent), position)


def plan_posts(message: Entry, options: SandboxOptions) -> tuple[PostPlan | None, int]:
    """What is posted about a queued message (None: nothing), and how many steps would go beyond this computer."""
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
    """An URL as the client reads it; None for one that it cannot read, or must not call."""
    try:
        target = URL(url) if url else None
    except ValueError:
        return None
    return target if target and (beyond_loopback or is_loopback(target.host)) else None


def sent_of(entry: Entry) -> dict[str, Any]:
    """What receipts say of a message in each of its states. Without the text: a hundred thousand of these may wait."""
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
    """The statuses that a message goes through to its last one, with a receipt for each."""
    return (WAITING, SENT, final) if final.detail == "rejected_by_operator" else (WAITING, SENT, AT_OPERATOR, final)


def disordered(steps: Sequence[DeliveryStatus], share: float) -> tuple[DeliveryStatus, ...]:
    """The steps in another order than theirs; `share` (0 to 1) chooses which."""
    _, *others = itertools.permutations(steps)
    return others[int(share * len(others))]


def receipt_of(sent: Mapping[str, Any], status: DeliveryStatus, at: int) -> bytes:
    """A delivery receipt. `at` is in microseconds since the epoch. Only the last state's is billed, and has a price."""
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
    """UTC with a Z, and as many digits of a second as chance will have it: no reader may count on a number of them."""
    least, most = FRACTION_DIGITS
    digits = least + int(chance(*about) * (most - least + 1))
    whole = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{f'{at % 1_000_000:06}0'[:digits]}Z"


def _event(kind: str, description: str, payload: Mapping[str, Any]) -> bytes:
    event = {"namespace": "SMS", "eventType": kind, "description": description, "payload": payload}
    return orjson.dumps(event)


class WebhookSender:
    """Posts what is planned about messages, in a task for each message, on at most `CONNECTIONS` connections at a time.

    A message's next step waits for the post of the one before it, but not for other tries of that.
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
        """Post about a message that was queued."""
        plan, left_out = plan_posts(message, self._options)
        self._stats.receipts_not_sent += Counter(beyond_loopback=left_out)  # which adds no zero
        if plan is not None:
            moment = moment_of(message.get("scheduled"))
            wait_s = (moment - datetime.now(UTC)).total_seconds() if moment else 0.0
            self._start(self._post_steps(plan, self._loop.time() + max(wait_s, 0.0)), posts=len(plan.steps))

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
                self._ending.set()
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=DRAIN_S)
                if self._stats.receipts_waiting:
                    words = "the sandbox ended before all receipts were sent; something is left of %d message(s)"
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
        """Post a message's steps, the first when the event loop's time is `due`."""
        await self._sleep_until(due)
        if plan.sent["umid"] in self._state.cancelled:  # which is possible before its time alone
            return
        if self._ending.is_set() and due > self._loop.time():  # the message's time won't be seen
            self._stats.receipts_not_sent["scheduled"] += len(plan.steps)
            return
        at = 0
        for position in range(len(plan.steps)):
            if position:
                due += plan.delay_s(position, self._options)  # not from now: being late must not add up
                await self._sleep_until(due)
            at = max(time_ns() // 1000, at + STEP_US)
            await self._post(plan, position, at)

    async def _post(self, plan: PostPlan, position: int, at: int, tries: int = 0) -> None:
        """Post a step. What fails is tried again, in a task of its own."""
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
            else:  # of delivered, the detail says how far
                self._stats.receipts[(step.state == "delivered" and step.detail) or step.state] += 1
        elif status >= 400 and tries < len(self._options.receipt_retry_s) and not self._ending.is_set():
            self._start(self._post(plan, position, at, tries + 1), posts=1)
        else:
            self._stats.receipts_not_sent["given_up"] += 1

    async def _status_of(self, url: URL, body: bytes) -> int:
        """Post, and return the answer's HTTP status; 599 when there is none."""
        try:
            # A redirect could lead beyond this computer.
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                status = response.status
        # A timeout is an OSError, a host that is no name a ValueError.
        except (aiohttp.ClientError, OSError, ValueError):
            status = 599
        self._stats.failed_posts += status >= 300
        return status

    async def _sleep_until(self, due: float) -> None:
        """Wait until the event loop's time is `due`, or the sandbox ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._ending.wait()
