"""One message, by its umid: its details, its cancelling, the feedback about it."""

from datetime import UTC, datetime
from time import monotonic

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import Answer, Refusal, RefusedError
from runner.sandbox.checks import moment_of
from runner.sandbox.codes import Code
from runner.sandbox.desk import Desk, json_of, uuid_in_path
from runner.sandbox.fate import Entry
from runner.sandbox.records import details_of, is_waiting
from runner.sandbox.window import SlidingWindow
from runner.sandbox.wire import response

MESSAGE = "/api/v1/subaccounts/{subAccountId}/messages/{umid}"
OUTCOMES = ("success", "failure")


class Details:
    """Answers about single messages. `cancelled` holds the umids of those that will not be sent."""

    def __init__(self, desk: Desk, cancelled: set[str]) -> None:
        self._desk = desk
        self._cancelled = cancelled
        self._windows: dict[str, SlidingWindow] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(MESSAGE, self._show, allow_head=False),
            web.delete(MESSAGE, self._cancel),
            web.post(f"{MESSAGE}/feedback", self._feedback),
        ]

    async def _show(self, request: web.Request) -> web.StreamResponse:
        self._desk.admit(request)
        self._throttle(request.match_info["subAccountId"])
        entry, now = self._find(request), datetime.now(UTC)
        details = details_of(entry, cancelled=self._cancelled, fates=self._desk.fates, now=now)
        return response(Answer(200, orjson.dumps(details)))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        self._desk.admit(request)
        entry = self._find(request)
        if entry["umid"] in self._cancelled or not is_waiting(entry, datetime.now(UTC)):
            raise RefusedError(Refusal(Code.NOT_FOUND, "There is no such message that waits for its time", 404))
        self._cancelled.add(entry["umid"])
        return response(Answer(200, orjson.dumps({"cancelledCount": 1})))

    async def _feedback(self, request: web.Request) -> web.StreamResponse:
        """The document knows no 404 here: feedback about an unknown message is taken, too."""
        self._desk.admit(request)
        umid = uuid_in_path(request, "umid")
        body = await json_of(request)
        outcome = body.get("outcome") if isinstance(body, dict) else None
        if not isinstance(body, dict) or outcome not in OUTCOMES:
            raise RefusedError(Refusal(Code.INVALID_PARAMETER, f"Field 'outcome' is none of {', '.join(OUTCOMES)}"))
        if body.get("timestamp") is not None and moment_of(body["timestamp"]) is None:
            raise RefusedError(Refusal(Code.INVALID_PARAMETER, "Field 'timestamp' is not an ISO 8601 time with offset"))
        self._desk.note_feedback(umid, body)
        return web.Response()

    def _throttle(self, sub_account_id: str) -> None:
        """One request per second and sub-account, says the document."""
        window = self._windows.setdefault(sub_account_id, SlidingWindow(1))
        if window.wait_s(monotonic()):
            words = "Quota exceeded. Please try again in 1 second(s)."
            raise RefusedError(Refusal(Code.QUOTA_EXCEEDED, words, 429, {hdrs.RETRY_AFTER: "1"}))

    def _find(self, request: web.Request) -> Entry:
        umid = uuid_in_path(request, "umid")
        entry = self._desk.book.find(umid, request.match_info["subAccountId"])
        if entry is None:
            raise RefusedError(Refusal(Code.NOT_FOUND, "There is no such message", 404))
        return entry
