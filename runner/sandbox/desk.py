"""What all routes have in common: the options, the book, the counts, who is let in, and how a refusal reads."""

import hmac
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import Answer, Refusal, RefusedError, error
from runner.sandbox.book import MEMORY_LIMIT, Book
from runner.sandbox.codes import Code
from runner.sandbox.fate import Fates
from runner.sandbox.options import SUB_ACCOUNT_ID, SandboxOptions
from runner.sandbox.window import Busiest

NOTHING_TOLD = {"times": 0}


@dataclass(slots=True)
class Stats:
    """What happened since the start; `duplicate_ids` also knows what an earlier sandbox wrote into the same book.

    `requests` and `max_per_second` (the most in any sliding second) count requests to send a message, whatever became
    of them; `throttled` those beyond the rate limit. `errors` counts error answers by their `code`, `faults` by name
    what was done on purpose. `duplicate_ids` tells how often a clientMessageId was queued, for those queued more than
    once. `foreign_authorizations` holds every Authorization header that came to the origin of the downloads.

    `receipts` counts what a callback URL has taken, by state (of delivered: by its detail), `receipt_duplicates` what
    it took once more, `inbound` the replies that were taken. `failed_posts` counts every try of any of these that
    failed, `receipts_not_sent` what will never be told, by reason. `receipts_waiting` is of how many messages something
    is still to be told.
    """

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
    duplicate_ids: dict[str, int] = field(default_factory=dict)
    foreign_authorizations: list[str] = field(default_factory=list)


class Desk:
    """Where requests come in."""

    def __init__(self, options: SandboxOptions, book: Book) -> None:
        self.options = options
        self.book = book
        self.stats = Stats(duplicate_ids=book.duplicate_ids)
        self.fates = Fates(options.undelivered_share, options.stop_share, options.seed)
        self.feedback: dict[str, dict[str, Any]] = {}
        self._busiest = Busiest()

    def note_feedback(self, umid: str, body: dict[str, Any]) -> None:
        """Keep what was told last of a message, and how often something was told: of the newest messages."""
        self.stats.feedback[body["outcome"]] += 1
        times = self.feedback.pop(umid, NOTHING_TOLD)["times"] + 1
        told = {name: body[name] for name in ("outcome", "timestamp") if body.get(name) is not None}
        self.feedback[umid] = {"umid": umid, **told, "times": times}
        if len(self.feedback) > MEMORY_LIMIT:
            del self.feedback[next(iter(self.feedback))]

    def count(self) -> int:
        """Count a request to send a message; returns its number, from 1."""
        self._busiest.add(monotonic())
        self.stats.max_per_second = self._busiest.most
        self.stats.requests += 1
        return self.stats.requests

    def admit(self, request: web.Request) -> None:
        """Look at who asks and how, before what is asked for. Raises `RefusedError`."""
        tls = request.get_extra_info("ssl_object")
        if tls and tls.version() != "TLSv1.3":
            # The provider insists for Singapore only; the sandbox for all, because the runner promises it for all.
            words = f"TLS 1.3 or later is required, this is {tls.version()}"
            raise RefusedError(Refusal(Code.INSECURE_PROTOCOL, words, 426, {hdrs.UPGRADE: "TLS/1.3"}))
        if not self.holds_key(request):
            raise RefusedError(Refusal(Code.UNAUTHORIZED, "The request carries no valid API key", 401))
        sub_account_id = request.match_info.get("subAccountId")
        if sub_account_id is None:
            return
        # 404, as the one example of this code in the document.
        if sub_account_id != (self.options.sub_account_id or sub_account_id):
            raise RefusedError(
                Refusal(Code.ILLEGAL_SUB_ACCOUNT, "The sub-account does not belong to this API key", 404)
            )
        if not SUB_ACCOUNT_ID.fullmatch(sub_account_id):
            raise RefusedError(Refusal(Code.ILLEGAL_SUB_ACCOUNT, "This is not a sub-account id", 404))

    def holds_key(self, request: web.Request) -> bool:
        scheme, _, key = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return False
        expected = self.options.api_key
        return expected is None or hmac.compare_digest(key.encode(errors="replace"), expected.encode())

    def refuse(self, refusal: Refusal) -> Answer:
        self.stats.errors[str(int(refusal.code))] += 1
        return error(refusal, error_id=uuid4(), now=datetime.now(UTC))


async def json_of(request: web.Request) -> object:
    """The decoded body; an empty object without one, which is how the document's optional bodies read. Raises
    `RefusedError`.
    """
    body = await request.read()
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise RefusedError(Refusal(Code.INVALID_PARAMETER, "The body is not valid JSON")) from None


def uuid_in_path(request: web.Request, name: str) -> str:
    """A path parameter that is an UUID, in its usual form. Raises `RefusedError`."""
    try:
        return str(UUID(request.match_info[name]))
    except ValueError:
        raise RefusedError(Refusal(Code.INVALID_PARAMETER, f"'{name}' is not an UUID")) from None
