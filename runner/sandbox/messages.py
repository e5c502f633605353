"""`POST …/messages`: send one message, or suffer what the fault file has for it.

A request is judged first (`Answer` is a value) and booked, and only then answered, so that whatever disturbs the
answering leaves a message that was taken and whose sender doesn't know.
"""

import asyncio
import math
from datetime import UTC, datetime
from time import monotonic, time_ns
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import QUEUED, REJECTED, Answer, Refusal, RefusedError, taken
from runner.sandbox.chance import chance
from runner.sandbox.checks import check
from runner.sandbox.codes import Code
from runner.sandbox.courier import Courier
from runner.sandbox.desk import Desk
from runner.sandbox.encoding import encoding_of
from runner.sandbox.fate import words_of
from runner.sandbox.faults import Fault, Faults
from runner.sandbox.faulty import instead, spoiled
from runner.sandbox.window import SlidingWindow
from runner.sandbox.wire import BEFORE_READING, transmit


class Messages:
    """Takes messages."""

    def __init__(self, desk: Desk, faults: Faults, courier: Courier) -> None:
        self._desk = desk
        self._options = desk.options
        self._faults = faults
        self._courier = courier
        self._window = SlidingWindow(desk.options.rate_limit) if desk.options.rate_limit else None

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/subaccounts/{subAccountId}/messages", self._send)]

    async def _send(self, request: web.Request) -> web.StreamResponse:
        number = self._desk.count()
        fault = self._faults.of(number)
        if fault is None:
            answer = await self._judge(request)
            await self._rest(self._options.latency_s)
            return await transmit(request, answer)
        self._desk.stats.faults[fault.name.value] += 1
        if fault.name in BEFORE_READING:
            return await BEFORE_READING[fault.name](request)
        answer = await self._disturbed(fault, request)
        await self._rest(self._options.latency_s + self._faults.delay_s(fault, number))
        return await transmit(request, answer, fault.name)

    async def _disturbed(self, fault: Fault, request: web.Request) -> Answer:
        answer = instead(fault, datetime.now(UTC)) or spoiled(await self._judge(request), fault)
        return self._desk.refuse(answer) if isinstance(answer, Refusal) else answer

    async def _judge(self, request: web.Request) -> Answer:
        try:
            body = await request.read()
            self._desk.admit(request)
            self._throttle()
            return self._take(_decoded(request, body), request.match_info["subAccountId"])
        except RefusedError as error:
            return self._desk.refuse(error.refusal)
        except (web.RequestPayloadError, ConnectionError):  # a client that was killed while it sent: nothing is taken
            return self._desk.refuse(Refusal(Code.INVALID_PARAMETER, "The body ended early or could not be decoded"))

    def _throttle(self) -> None:
        if self._window and (wait_s := self._window.wait_s(monotonic())):
            self._desk.stats.throttled += 1
            retry_after = str(math.ceil(wait_s))
            words = f"More than {self._options.rate_limit} requests in a second; try again in {retry_after} s"
            raise RefusedError(Refusal(Code.QUOTA_EXCEEDED, words, 429, {hdrs.RETRY_AFTER: retry_after}))

    def _take(self, message: dict[str, Any], sub_account_id: str) -> Answer:
        rejected = is_rejected(message, share=self._options.reject_share, seed=self._options.seed)
        status = REJECTED if rejected else QUEUED
        umid = str(uuid4())
        now = time_ns() // 1000
        stats, book = self._desk.stats, self._desk.book
        stats.duplicates += book.add(message, time=now, sub_account_id=sub_account_id, umid=umid, status=status)
        stats.rejected += rejected
        stats.queued += not rejected
        if not rejected:  # also when the answer gets lost: that is how an unknown one is settled
            self._courier.take(message, umid=umid, sub_account_id=sub_account_id)
        return taken(message, umid=umid, encoding=encoding_of(message["text"], message.get("encoding")), status=status)

    async def _rest(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)


def is_rejected(message: dict[str, Any], *, share: float, seed: int) -> bool:
    """Whether this message belongs to the share that is rejected: the same answer each time it is asked."""
    return share > 0 and chance(seed, *words_of(message)) < share


def _decoded(request: web.Request, body: bytes) -> dict[str, Any]:
    """The message in a request's body. Raises `RefusedError`."""
    if request.content_type != "application/json":
        raise RefusedError(Refusal(Code.INVALID_PARAMETER, "The body must be application/json", 415))
    try:
        message: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedError(Refusal(Code.INVALID_PARAMETER, "The body is not valid JSON")) from None
    refusal = check(message, datetime.now(UTC))
    if refusal:
        raise RefusedError(refusal)
    return message
