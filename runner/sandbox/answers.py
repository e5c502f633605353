"""What the sandbox answers, as values: the handler decides on one, and only then is it put on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from runner.models import Encoding

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Code(IntEnum):
    """The `code` of an error body, as the provider's document and guides list them (those that a send can meet)."""

    QUOTA_EXCEEDED = 429
    INVALID_PARAMETER = 1000
    ILLEGAL_SUB_ACCOUNT = 1001
    INVALID_MSISDN = 1002
    INVALID_ENCODING = 1003
    INVALID_TEXT = 1004
    INVALID_SOURCE = 1005
    INVALID_EXPIRY = 1006
    INVALID_ID = 1008
    INVALID_COUNTRY = 1009
    INVALID_SCHEDULE = 1011
    INVALID_IP_ADDRESS = 1012
    INSECURE_PROTOCOL = 1014
    UNAUTHORIZED = 1200
    NOT_FOUND = 1300
    INTERNAL_ERROR = 2000
    MISSED_MSISDN = 3002
    MISSED_TEXT = 3005
    TOO_LONG_CLIENT_MESSAGE_ID = 3009
    TOO_LONG_SOURCE = 3011
    INVALID_CALLBACK_URL = 3020


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken: the error that will be answered. `http_status` is 400 where nothing else fits."""

    code: Code
    message: str
    http_status: int = 400
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, ready for the wire. The body is JSON."""

    http_status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


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
