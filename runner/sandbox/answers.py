"""What the sandbox answers, as values: the handler decides on one, and only then is it put on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from runner.models import Encoding
from runner.sandbox.codes import Code

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken: the error that will be answered. `http_status` is 400 where nothing else fits."""

    code: Code
    message: str
    http_status: int = 400
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


class RefusedError(Exception):
    """Ends the handling of a request; the server answers with the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, ready for the wire. The body is JSON unless `content_type` says something else; None sends none."""

    http_status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    content_type: str | None = "application/json"


def error(refusal: Refusal, *, error_id: UUID, now: datetime) -> Answer:
    """The document's ErrorResponse."""
    body = {"code": int(refusal.code), "message": refusal.message, "errorId": error_id, "timestamp": now}
    return Answer(refusal.http_status, orjson.dumps(body), refusal.headers)


def taken(request: Mapping[str, Any], *, umid: str, encoding: Encoding, status: str) -> Answer:
    """The document's SmsResponse. It comes with HTTP 200 for both statuses, QUEUED and REJECTED."""
    body = {
        "umid": umid,
        "destination": request["destination"].removeprefix("+"),
        "encoding": encoding.value,
        "status": {"code": status, "description": DESCRIPTIONS[status]},
    }
    if request.get("clientMessageId") is not None:
        body["clientMessageId"] = request["clientMessageId"]
    return Answer(200, orjson.dumps(body))


QUEUED = "QUEUED"
REJECTED = "REJECTED"
# Words of our own: a report that was made with the sandbox must not be mistaken for a real one.
DESCRIPTIONS = {
    QUEUED: "queued by the sandbox; it will reach no phone",
    REJECTED: "rejected by the sandbox, which was asked to reject a share of the messages",
}
