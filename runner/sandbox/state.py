"""What all routes share: options, book, counts, the check of the API key, and error answers."""

import hmac
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import Code, RefusedError, json_response
from runner.sandbox.book import MEMORY_LIMIT, Book
from runner.sandbox.options import SUB_ACCOUNT_ID, SandboxOptions

# Filters of log exports and prices that the sandbox doesn't support.
NOT_OFFERED = {"phoneNumber", "countries", "country", "mcc", "mnc"}


class SlidingWindow:
    """Admits at most `limit` requests (None: no limit) in any `period_s` seconds, by a monotonic clock. `admitted` has
    their times. Two requests that are exactly one period apart are not in the same window.
    """

    def __init__(self, limit: int | None = None, period_s: float = 1.0) -> None:
        self._limit = limit
        self._period_s = period_s
        self.admitted: deque[float] = deque()

    def wait_s(self, now: float) -> float:
        """0 if a request at `now` is admitted, else how long to wait."""
        while self.admitted and self.admitted[0] + self._period_s <= now:
            self.admitted.popleft()
        if self._limit is not None and len(self.admitted) >= self._limit:
            return self.admitted[0] + self._period_s - now
        self.admitted.append(now)
        return 0.0


@dataclass(slots=True)
class Stats:
    """Counts since the start, as `/sandbox/stats` shows them. docs/reference/sandbox.md explains each."""

    requests: int = 0
    queued: int = 0
    rejected: int = 0
    throttled: int = 0
    duplicates: int = 0
    max_per_second: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)
    receipts: Counter[str] = field(default_factory=Counter)
    receipt_duplicates: int = 0
    inbound: int = 0
    failed_posts: int = 0
    receipts_not_sent: Counter[str] = field(default_factory=Counter)
    receipts_waiting: int = 0
    # Includes messages that an earlier sandbox wrote into the same book.
    duplicate_ids: dict[str, int] = field(default_factory=dict)
    foreign_authorizations: list[str] = field(default_factory=list)


class SandboxState:
    """The state of a running sandbox. `cancelled` contains the umids of cancelled messages; `feedback` has the last
    feedback about each of the newest messages, by umid.
    """

    def __init__(self, options: SandboxOptions, book: Book) -> None:
        self.options = options
        self.book = book
        self.stats = Stats(duplicate_ids=book.duplicate_ids)
        self.cancelled: set[str] = set()
        self.feedback: dict[str, dict[str, Any]] = {}
        self._recent = SlidingWindow()

    def add_feedback(self, umid: str, body: dict[str, Any]) -> None:
        self.stats.feedback[body["outcome"]] += 1
        earlier = self.feedback.pop(umid, None)
        fields = {name: body[name] for name in ("outcome", "timestamp") if body.get(name) is not None}
        self.feedback[umid] = {"umid": umid, **fields, "times": earlier["times"] + 1 if earlier else 1}
        if len(self.feedback) > MEMORY_LIMIT:
            del self.feedback[next(iter(self.feedback))]

    def count(self) -> int:
        """Count a request to send a message. Returns its number, from 1."""
        self._recent.wait_s(monotonic())
        self.stats.max_per_second = max(self.stats.max_per_second, len(self._recent.admitted))
        self.stats.requests += 1
        return self.stats.requests

    def admit(self, request: web.Request) -> None:
        """Check TLS, API key and sub-account, before anything else. Raises `RefusedError`."""
        tls = request.get_extra_info("ssl_object")
        if tls and tls.version() != "TLSv1.3":
            # The provider requires it only for Singapore. The sandbox always does, because the runner always uses it.
            raise RefusedError(Code.INSECURE_PROTOCOL, f"TLS 1.3 or later is required, but this is {tls.version()}")
        if not self.holds_key(request):
            raise RefusedError(Code.UNAUTHORIZED, "The request has no valid API key")
        name = request.match_info.get("subAccountId")
        if name is not None and (name != (self.options.sub_account_id or name) or not SUB_ACCOUNT_ID.fullmatch(name)):
            raise RefusedError(Code.ILLEGAL_SUB_ACCOUNT, "The sub-account does not belong to this API key")

    def holds_key(self, request: web.Request) -> bool:
        scheme, _, key = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return False
        expected = self.options.api_key
        return expected is None or hmac.compare_digest(key.encode(errors="replace"), expected.encode())

    def refuse(self, refusal: RefusedError) -> web.Response:
        """The document's ErrorResponse. Counts the error."""
        self.stats.errors[str(int(refusal.code))] += 1
        code, now = int(refusal.code), datetime.now(UTC)
        body = {"code": code, "message": str(refusal), "errorId": uuid4(), "timestamp": now}
        return json_response(body, refusal.http_status, refusal.headers)


async def json_of(request: web.Request, *, empty: object) -> object:
    """The decoded body, or `empty` if there is none. Raises `RefusedError`."""
    body = await request.read()
    try:
        return orjson.loads(body) if body else empty
    except orjson.JSONDecodeError:
        raise RefusedError(Code.INVALID_PARAMETER, "The body is not valid JSON") from None


def uuid_in_path(request: web.Request, name: str) -> str:
    """A path parameter that is a UUID, in its usual form. Raises `RefusedError`."""
    try:
        return str(UUID(request.match_info[name]))
    except ValueError:
        raise RefusedError(Code.INVALID_PARAMETER, f"'{name}' must be a UUID") from None


def refuse_filters(given: Iterable[str]) -> None:
    """Raise `RefusedError` for a filter that the sandbox doesn't support, because ignoring it would be wrong."""
    if not_offered := NOT_OFFERED.intersection(given):
        raise RefusedError(Code.NOT_IMPLEMENTED, f"The sandbox does not support: {', '.join(sorted(not_offered))}")
