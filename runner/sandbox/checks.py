"""Whether the provider would accept a message: the rules of its API document and guides, as pure functions.

If the two differ, the stricter rule applies, so that what the sandbox accepts is accepted by the provider, too. No
field may be null. Unknown fields are ignored. A text of more than ten segments passes, because the provider accepts it
(and cuts it off without a warning).
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from runner.base.net import is_http_url
from runner.sandbox.answers import Code, RefusedError

NUMERIC_SOURCE = re.compile(r"\+?[0-9]+")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})")

ENCODINGS = ("AUTO", "GSM7", "UCS2")
TRACKS = ("Outcome", "None")
# The first limit is from the document (the guide allows 17 digits), the second from the guide.
NUMERIC_SOURCE_LIMIT, ALPHANUMERIC_SOURCE_LIMIT = 16, 11
CLIENT_MESSAGE_ID_LIMIT = 350
SCHEDULE_LIMIT = timedelta(days=7)


def check(body: object, now: datetime) -> dict[str, Any]:
    """The message in a request's decoded JSON body. `now` is aware. Raises `RefusedError` for an invalid field."""
    if not isinstance(body, dict):
        raise RefusedError(Code.INVALID_PARAMETER, "The body must be a JSON object")
    for name, code in REQUIRED.items():
        if body.get(name) is None:
            raise RefusedError(code, f"Field '{name}' is missing")
    for name, value in body.items():
        for holds, code, wrong in FIELDS.get(name, ()):
            if not holds(value, now):
                raise RefusedError(code, f"Field '{name}' {wrong}")
    return body


def moment_of(value: object, pattern: re.Pattern[str] = MOMENT) -> datetime | None:
    """A time in the format of RFC 3339 (the document's `date-time`) or another pattern; None for anything else."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) and pattern.fullmatch(value) else None
    except ValueError:  # for example 30 February
        return None


def _is_ip_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _source_limit(value: str) -> int:
    return NUMERIC_SOURCE_LIMIT if NUMERIC_SOURCE.fullmatch(value) else ALPHANUMERIC_SOURCE_LIMIT


# A check for a value at a time, the error code if it fails, and the error's text.
Rule = tuple[Callable[[Any, datetime], object], Code, str]


def _text(holds: Callable[[str], object], code: Code, wrong: str) -> Rule:
    """A rule for a field that must be a string."""
    return (lambda value, _: isinstance(value, str) and holds(value), code, wrong)


REQUIRED = {"destination": Code.MISSED_MSISDN, "text": Code.MISSED_TEXT}
# Later rules of a field may rely on the earlier ones.
FIELDS: dict[str, list[Rule]] = {
    # The document's pattern also applies to national numbers, so they must not have a trunk zero.
    "destination": [
        _text(re.compile(r"\+?[1-9][0-9]{6,14}").fullmatch, Code.INVALID_MSISDN, "must be a number of 7 to 15 digits")
    ],
    "country": [
        _text(re.compile(r"[A-Za-z]{2}").fullmatch, Code.INVALID_COUNTRY, "must be an ISO 3166-1 alpha-2 code")
    ],
    "source": [
        _text(
            lambda value: value and value.isascii() and value.isprintable(), Code.INVALID_SOURCE, "must be a sender ID"
        ),
        _text(lambda value: len(value) <= _source_limit(value), Code.TOO_LONG_SOURCE, "is too long for a sender ID"),
    ],
    "clientMessageId": [
        _text(lambda _: True, Code.INVALID_ID, "must be a string"),
        _text(
            lambda value: len(value) <= CLIENT_MESSAGE_ID_LIMIT,
            Code.TOO_LONG_CLIENT_MESSAGE_ID,
            f"has more than {CLIENT_MESSAGE_ID_LIMIT} characters",
        ),
    ],
    "text": [_text(bool, Code.INVALID_TEXT, "is empty or not a string")],
    "encoding": [
        (lambda value, _: value in ENCODINGS, Code.INVALID_ENCODING, f"must be one of {', '.join(ENCODINGS)}")
    ],
    "scheduled": [
        (lambda value, _: moment_of(value), Code.INVALID_SCHEDULE, "must be an ISO 8601 time with an offset"),
        (
            lambda value, now: datetime.fromisoformat(value) <= now + SCHEDULE_LIMIT,
            Code.INVALID_SCHEDULE,
            f"is more than {SCHEDULE_LIMIT.days} days ahead",
        ),
    ],
    "expiry": [
        (lambda value, _: moment_of(value), Code.INVALID_EXPIRY, "must be an ISO 8601 time with an offset"),
        (lambda value, now: datetime.fromisoformat(value) > now, Code.INVALID_EXPIRY, "is in the past"),
    ],
    "dlrCallbackUrl": [_text(is_http_url, Code.INVALID_CALLBACK_URL, "must be an absolute URL")],
    "clientIp": [(lambda value, _: _is_ip_address(value), Code.INVALID_IP_ADDRESS, "must be an IP address")],
    "track": [(lambda value, _: value in TRACKS, Code.INVALID_PARAMETER, f"must be one of {', '.join(TRACKS)}")],
}
