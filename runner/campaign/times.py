"""The rules of values that mean a time, a length of time or a time zone, in the manner of `values`.

Pure, except that time zones are looked up in this computer's database.
"""

import re
from datetime import datetime, time, timedelta
from typing import Any, Final

from runner.base.text import quoted
from runner.base.time_zones import is_zone, zone_remedy
from runner.campaign.values import InvalidValue

DURATION_PATTERN: Final = r"^[0-9]{1,5}(s|min|h|d)$"
_DURATION_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
TIME_PATTERN: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
CLOSING_PATTERN: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"

# The provider accepts messages at most this long before they are due.
MAX_AHEAD: Final = timedelta(days=7)
RECIPIENT_ZONE: Final = "recipient"


def time_zone(text: str) -> str:
    """A name of the IANA time zone database."""
    if not is_zone(text):
        raise InvalidValue.of(text, "a time zone", zone_remedy(text))
    return text


def window_zone(text: str) -> str:
    """A time zone, or `recipient` for each recipient's own."""
    return text if text == RECIPIENT_ZONE else time_zone(text)


def moment(text: str) -> datetime | timedelta:
    """A moment in ISO 8601 with an offset, or how long after sending."""
    if re.fullmatch(DURATION_PATTERN, text):
        return _not_zero(text, "leave the key out to send at once")
    return _instant(text, "a time after sending such as 30min, 4h or 2d")


def _instant(text: str, other_form: str) -> datetime:
    remedy = f"write a moment such as 2026-12-01T10:00:00+08:00, or {other_form}"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue.of(text, "a time", remedy) from None
    if not re.search(r"[0-9].*[T ].*[0-9]", text):
        raise InvalidValue(f"{text} has no time of day", f"write for example {instant:%Y-%m-%d}T10:00:00+08:00")
    if instant.tzinfo is None:
        local = instant.isoformat()
        raise InvalidValue(f"{text} has no offset from UTC", f"write {local}+08:00 for Singapore, {local}Z for UTC")
    if not 2000 <= instant.year <= 2100:
        raise InvalidValue(f"the year {instant.year} cannot be meant", remedy)
    return instant


def duration(text: str) -> timedelta:
    """How long: `45s`, `30min`, `4h`, `2d`."""
    match = re.fullmatch(DURATION_PATTERN, text)
    if not match:
        raise InvalidValue.of(text, "a length of time", "write for example 45s, 10min, 4h or 2d")
    return timedelta(**{_DURATION_UNITS[match[1]]: int(text.removesuffix(match[1]))})


def positive_duration(text: str) -> timedelta:
    """A length of time that isn't zero."""
    return _not_zero(text, "write for example 24h or 7d")


def is_not_after(last: Any, first: Any) -> bool:  # noqa: ANN401 - any two of a kind
    """Whether both are moments, times of day or lengths of time, and `last` isn't later than `first`."""
    return first is not None and type(last) is type(first) and last <= first


def _not_zero(text: str, remedy: str) -> timedelta:
    if not (span := duration(text)):
        raise InvalidValue(f"{text} is no time at all", remedy)
    return span


def minute_of_day(text: str) -> int:
    """`09:00` as minutes since midnight; `24:00` is 1440."""
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
    if not match:
        raise InvalidValue.of(text, "a time of day", 'write hours and minutes, such as "09:00" or "20:30"')
    hours, minutes = int(match[1]), int(match[2])
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise InvalidValue.of(text, "a time of day", 'the day goes from "00:00" to "24:00"')
    if len(match[1]) == 1:
        raise InvalidValue(f"{quoted(text)} is not how a time of day is written", f'write "0{text}"')
    return hours * 60 + minutes


def opening_minute(text: str) -> int:
    """When sending hours begin, in minutes since midnight."""
    if text == "24:00":
        raise InvalidValue('"24:00" is the end of a day', 'write "00:00" for its beginning')
    return minute_of_day(text)


def deadline(text: str) -> datetime | time:
    """A moment in ISO 8601 with an offset, or a time of day in the campaign's time zone."""
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", text):
        minute = opening_minute(text)
        return time(minute // 60, minute % 60)
    return _instant(text, 'a time of day such as "10:30"')
