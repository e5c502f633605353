"""Is this request one that the provider would take? Its document and guides, as pure functions.

Where the two differ, the stricter holds: what passes here shall pass there. A field that is null counts as absent, and
a field that the document doesn't know is ignored. A text of more than ten segments passes, because the provider takes
it too (and silently cuts it).
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from runner.models import Encoding
from runner.net import is_http_url
from runner.sandbox.answers import Refusal
from runner.sandbox.codes import Code

# The document's pattern holds for national numbers too, so that these come without a trunk zero.
DESTINATION = re.compile(r"\+?[1-9][0-9]{6,14}")
COUNTRY = re.compile(r"[A-Za-z]{2}")
NUMERIC_SOURCE = re.compile(r"\+?[0-9]+")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})")

SOURCE_LIMIT = 16  # the document's; the guide's 17 digits are more
ALPHANUMERIC_SOURCE_LIMIT = 11  # the guide's
CLIENT_MESSAGE_ID_LIMIT = 350
SCHEDULE_LIMIT = timedelta(days=7)


def check(body: object, now: datetime) -> Refusal | None:
    """The first thing that is wrong with a request's decoded JSON body, or None. `now` is aware."""
    if not isinstance(body, dict):
        return Refusal(Code.INVALID_PARAMETER, "The body must be a JSON object")
    if body.get("destination") is None:
        return Refusal(Code.MISSED_MSISDN, "Field 'destination' is missing")
    if body.get("text") is None:
        return Refusal(Code.MISSED_TEXT, "Field 'text' is missing")
    for name, value in body.items():
        if value is not None and name in FIELDS and (refusal := FIELDS[name](value, now)):
            return refusal
    return None


def _destination(value: object, _now: datetime) -> Refusal | None:
    if isinstance(value, str) and DESTINATION.fullmatch(value):
        return None
    return Refusal(Code.INVALID_MSISDN, "Field 'destination' is not a number of 7 to 15 digits")


def _country(value: object, _now: datetime) -> Refusal | None:
    if isinstance(value, str) and COUNTRY.fullmatch(value):
        return None
    return Refusal(Code.INVALID_COUNTRY, "Field 'country' is not an ISO 3166-1 alpha-2 code")


def _source(value: object, _now: datetime) -> Refusal | None:
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        return Refusal(Code.INVALID_SOURCE, "Field 'source' is not a sender id")
    limit = SOURCE_LIMIT if NUMERIC_SOURCE.fullmatch(value) else ALPHANUMERIC_SOURCE_LIMIT
    if len(value) > limit:
        return Refusal(Code.TOO_LONG_SOURCE, f"Field 'source' has more than {limit} characters")
    return None


def _client_message_id(value: object, _now: datetime) -> Refusal | None:
    if not isinstance(value, str):
        return Refusal(Code.INVALID_ID, "Field 'clientMessageId' is not a string")
    if len(value) > CLIENT_MESSAGE_ID_LIMIT:
        return Refusal(
            Code.TOO_LONG_CLIENT_MESSAGE_ID,
            f"Field 'clientMessageId' has more than {CLIENT_MESSAGE_ID_LIMIT} characters",
        )
    return None


def _text(value: object, _now: datetime) -> Refusal | None:
    if isinstance(value, str) and value:
        return None
    return Refusal(Code.INVALID_TEXT, "Field 'text' is empty or not a string")


def _encoding(value: object, _now: datetime) -> Refusal | None:
    if value in ENCODINGS:
        return None
    return Refusal(Code.INVALID_ENCODING, f"Field 'encoding' is none of {', '.join(ENCODINGS)}")


def _scheduled(value: object, now: datetime) -> Refusal | None:
    moment = moment_of(value)
    if moment is None:
        return Refusal(Code.INVALID_SCHEDULE, "Field 'scheduled' is not an ISO 8601 time with offset")
    if moment > now + SCHEDULE_LIMIT:
        return Refusal(Code.INVALID_SCHEDULE, f"Field 'scheduled' is more than {SCHEDULE_LIMIT.days} days ahead")
    return None


def _expiry(value: object, now: datetime) -> Refusal | None:
    moment = moment_of(value)
    if moment is None:
        return Refusal(Code.INVALID_EXPIRY, "Field 'expiry' is not an ISO 8601 time with offset")
    if moment <= now:
        return Refusal(Code.INVALID_EXPIRY, "Field 'expiry' is in the past")
    return None


def _callback_url(value: object, _now: datetime) -> Refusal | None:
    if isinstance(value, str) and is_http_url(value):
        return None
    return Refusal(Code.INVALID_CALLBACK_URL, "Field 'dlrCallbackUrl' is not an absolute URL")


def _client_ip(value: object, _now: datetime) -> Refusal | None:
    if isinstance(value, str):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            pass
        else:
            return None
    return Refusal(Code.INVALID_IP_ADDRESS, "Field 'clientIp' is not an IP address")


def _track(value: object, _now: datetime) -> Refusal | None:
    if value in TRACKS:
        return None
    return Refusal(Code.INVALID_PARAMETER, f"Field 'track' is none of {', '.join(TRACKS)}")


def moment_of(value: object) -> datetime | None:
    """An RFC 3339 time (the document's `date-time`) or None. `fromisoformat` alone would read too generously."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:  # the 30th of February
        return None


ENCODINGS = tuple(encoding.value for encoding in Encoding)
TRACKS = ("Outcome", "None")

FIELDS: dict[str, Callable[[object, datetime], Refusal | None]] = {
    "destination": _destination,
    "country": _country,
    "source": _source,
    "clientMessageId": _client_message_id,
    "text": _text,
    "encoding": _encoding,
    "scheduled": _scheduled,
    "expiry": _expiry,
    "dlrCallbackUrl": _callback_url,
    "clientIp": _client_ip,
    "track": _track,
}
