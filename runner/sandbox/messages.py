"""Messages: send one, look one up, cancel one, report feedback about one.

A message is checked and written to the book before the response leaves. So if the response fails, the message was
accepted, but its sender doesn't know.
"""

import asyncio
import math
from datetime import UTC, datetime
from time import monotonic, time_ns
from typing import Any
from uuid import uuid4

from aiohttp import hdrs, web

from runner.sandbox.answers import QUEUED, REJECTED, Code, RefusedError, json_response, sms_response
from runner.sandbox.book import Entry
from runner.sandbox.checks import check, moment_of
from runner.sandbox.delivery import chance, details_of, encoding_of, identity_of, is_scheduled
from runner.sandbox.faults import BEFORE_READING, FaultSchedule, early_response, spoiled, transmit
from runner.sandbox.options import SandboxOptions
from runner.sandbox.state import SandboxState, SlidingWindow, json_of, uuid_in_path
from runner.sandbox.webhooks import WebhookSender

MESSAGES = "/api/v1/subaccounts/{subAccountId}/messages"
# The id of a message is a UUID. "exports" is excluded, because it is the path of the log export.
MESSAGE = f"{MESSAGES}/{{umid:(?!exports$)[^/]+}}"
OUTCOMES = ("success", "failure")


class Messages:
    """Accepts messages, and answers requests about them."""

    def __init__(self, state: SandboxState, faults: FaultSchedule, webhooks: WebhookSender) -> None:
        self._state = state
        self._options = state.options
        self._faults = faults
        self._webhooks = webhooks
        self._window = SlidingWindow(state.options.rate_limit)
        self._windows_of_details: dict[str, SlidingWindow] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(MESSAGES, self._send),
            web.get(MESSAGE, self._show, allow_head=False),
            web.delete(MESSAGE, self._cancel),
            web.post(f"{MESSAGE}/feedback", self._feedback),
        ]

    async def _send(self, request: web.Request) -> web.StreamResponse:
        number = self._state.count()
        fault, delay_s = self._faults.of(number), self._options.latency_s
        if fault is None:
            response = await self._judge(request)
        else:
            self._state.stats.faults[fault.name.value] += 1
            if fault.name in BEFORE_READING:
                return await transmit(request, web.Response(), fault)
            try:
                early = early_response(fault, datetime.now(UTC))
                response = spoiled(await self._judge(request), fault) if early is None else early
            except RefusedError as refusal:
                response = self._state.refuse(refusal)
            delay_s += self._faults.delay_s(fault, number)
        if delay_s:
            await asyncio.sleep(delay_s)
        return await transmit(request, response, fault)

    async def _judge(self, request: web.Request) -> web.Response:
        try:
            await request.read()
            self._admit(request)
            message = check(await json_of(request, empty=None), datetime.now(UTC))
            return self._take(message, request.match_info["subAccountId"])
        except RefusedError as refusal:
            return self._state.refuse(refusal)
        except (web.RequestPayloadError, ConnectionError):  # for example, the client was killed while it was sending
            words = "The body is incomplete or can't be decoded"
            return self._state.refuse(RefusedError(Code.INVALID_PARAMETER, words))

    def _admit(self, request: web.Request) -> None:
        self._state.admit(request)
        if self._options.rate_limit and (wait_s := self._window.wait_s(monotonic())):
            self._state.stats.throttled += 1
            retry_after = str(math.ceil(wait_s))
            words = f"More than {self._options.rate_limit} requests per second; try again in {retry_after} s"
            raise RefusedError(Code.QUOTA_EXCEEDED, words, headers={hdrs.RETRY_AFTER: retry_after})
        if request.content_type != "application/json":
            raise RefusedError(Code.INVALID_PARAMETER, "The body must be application/json", 415)

    def _take(self, message: dict[str, Any], sub_account_id: str) -> web.Response:
        status = REJECTED if is_rejected(message, self._options) else QUEUED
        own = {"time": time_ns() // 1000, "subAccountId": sub_account_id, "umid": str(uuid4()), "status": status}
        entry = message | own
        self._state.stats.duplicates += self._state.book.add(entry)
        if status == REJECTED:
            self._state.stats.rejected += 1
        else:
            self._state.stats.queued += 1
            self._webhooks.take(entry)  # also if the answer gets lost: a receipt can settle an unknown message
        return sms_response(entry, encoding_of(entry["text"], entry.get("encoding")))

    async def _show(self, request: web.Request) -> web.StreamResponse:
        self._state.admit(request)
        window = self._windows_of_details.setdefault(request.match_info["subAccountId"], SlidingWindow(1))
        if window.wait_s(monotonic()):  # the document allows one request per second and sub-account
            raise RefusedError(Code.QUOTA_EXCEEDED, "Quota exceeded. Please try again in 1 second(s).")
        entry, cancelled = self._find(request), self._state.cancelled
        return json_response(details_of(entry, self._options, cancelled=cancelled, now=datetime.now(UTC)))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        self._state.admit(request)
        entry = self._find(request)
        if entry["umid"] in self._state.cancelled or not is_scheduled(entry, datetime.now(UTC)):
            raise RefusedError(Code.NOT_FOUND, "There is no scheduled message with this id")
        self._state.cancelled.add(entry["umid"])
        return json_response({"cancelledCount": 1})

    async def _feedback(self, request: web.Request) -> web.StreamResponse:
        """The document has no 404 for this request, so feedback about an unknown message is accepted."""
        self._state.admit(request)
        umid = uuid_in_path(request, "umid")
        body = await json_of(request, empty={})
        if not isinstance(body, dict) or body.get("outcome") not in OUTCOMES:
            raise RefusedError(Code.INVALID_PARAMETER, f"Field 'outcome' must be one of {', '.join(OUTCOMES)}")
        if "timestamp" in body and moment_of(body["timestamp"]) is None:
            raise RefusedError(Code.INVALID_PARAMETER, "Field 'timestamp' must be an ISO 8601 time with an offset")
        self._state.add_feedback(umid, body)
        return web.Response()

    def _find(self, request: web.Request) -> Entry:
        entry = self._state.book.find(uuid_in_path(request, "umid"), request.match_info["subAccountId"])
        if entry is None:
            raise RefusedError(Code.NOT_FOUND, "There is no message with this id")
        return entry


def is_rejected(message: Entry, options: SandboxOptions) -> bool:
    """Whether this message belongs to the share that is rejected. A message always gets the same answer."""
    return chance(options.seed, *identity_of(message)) < options.reject_share
