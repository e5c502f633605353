"""The sandbox's answers: successes, and refusals with the provider's error codes."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import orjson
from aiohttp import hdrs, web


class Code(IntEnum):
    """The `code` of an error body: all codes in the provider's API document and guides."""

    QUOTA_EXCEEDED = 429
    INVALID_PARAMETER = 1000
    ILLEGAL_SUB_ACCOUNT = 1001
    INVALID_MSISDN = 1002
    INVALID_ENCODING = 1003
    INVALID_TEXT = 1004
    INVALID_SOURCE = 1005
    INVALID_EXPIRY = 1006
    INVALID_TEMPLATE = 1007
    INVALID_ID = 1008
    INVALID_COUNTRY = 1009
    OUT_OF_RANGE = 1010
    INVALID_SCHEDULE = 1011
    INVALID_IP_ADDRESS = 1012
    INSECURE_PROTOCOL = 1014
    BULK_LIMIT = 1100
    UNAUTHORIZED = 1200
    FORBIDDEN = 1201
    NOT_FOUND = 1300
    RESENDING_INTERVAL = 1400
    INTERNAL_ERROR = 2000
    NOT_IMPLEMENTED = 2001
    UNSUPPORTED_VERSION = 2002
    UNSUPPORTED_PRODUCT = 2003
    MISSED_MSISDN = 3002
    INVALID_MSISDN_TOO = 3003
    MISSED_TEXT = 3005
    TOO_LONG_TEXT = 3006
    TOO_LONG_CLIENT_MESSAGE_ID = 3009
    TOO_LONG_SOURCE = 3011
    INVALID_CALLBACK_URL = 3020
    INVALID_JOB_ID = 4018


# The HTTP status of an error, as in the document's examples. A code without an example gets 400.
HTTP_STATUSES = {
    Code.QUOTA_EXCEEDED: 429,
    Code.INSECURE_PROTOCOL: 426,
    Code.UNAUTHORIZED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    # The guides describe 422 as a valid request that can't be carried out, and 410 as a retired API version.
    Code.RESENDING_INTERVAL: 422,
    Code.UNSUPPORTED_VERSION: 410,
    Code.INTERNAL_ERROR: 500,
    Code.INVALID_JOB_ID: 404,
}


# Headers that the document requires with a code.
HEADERS: dict[Code, Mapping[str, str]] = {
    Code.INSECURE_PROTOCOL: {hdrs.UPGRADE: "TLS/1.3"},
    Code.QUOTA_EXCEEDED: {hdrs.RETRY_AFTER: "1"},
}


class RefusedError(Exception):
    """Ends a request with an error answer. `http_status` and `headers` replace those of the code."""

    def __init__(
        self, code: Code, message: str, http_status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status or HTTP_STATUSES.get(code, 400)
        self.headers = HEADERS.get(code, {}) if headers is None else headers


def json_response(value: object, http_status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=http_status, headers=headers, content_type="application/json")


QUEUED = "QUEUED"
REJECTED = "REJECTED"
# These say "sandbox", so that nobody takes a report of a sandbox run for a real one.
DESCRIPTIONS = {
    QUEUED: "queued by the sandbox; no phone will receive it",
    REJECTED: "rejected by the sandbox, because of --reject-share",
}


def sms_response(entry: Mapping[str, Any], encoding: str) -> web.Response:
    """The document's SmsResponse for an entry of the book. Both statuses have HTTP 200."""
    body = {
        "umid": entry["umid"],
        "destination": entry["destination"].removeprefix("+"),
        "encoding": encoding,
        "status": {"code": entry["status"], "description": DESCRIPTIONS[entry["status"]]},
    }
    if entry.get("clientMessageId") is not None:
        body["clientMessageId"] = entry["clientMessageId"]
    return json_response(body)
