"""The rules for times, durations and time zones; `values` has the other rules.

Pure, except for the lookup of time zones in this computer's database.
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

# The provider accepts `scheduled` at most this far ahead.
MAX_AHEAD: Final = timedelta(days=7)
RECIPIENT_ZONE: Final = "recipient"


def time_zone(text: str) -> str:
    """An IANA time zone name."""
    if not is_zone(text):
        raise InvalidValue.of(text, "a time zone", zone_remedy(text))
    return text


def window_zone(text: str) -> str:
    """A time zone, or `recipient` for each recipient's own zone."""
    return text if text == RECIPIENT_ZONE else time_zone(text)


def moment(text: str) -> datetime | timedelta:
    """A date and time in ISO 8601 with an offset, or a duration after sending."""
    if re.fullmatch(DURATION_PATTERN, text):
        return _not_zero(text, "remove the key to send immediately")
    return _instant(text, "a duration after sending such as 30min, 4h or 2d")


def _instant(text: str, other_form: str) -> datetime:
    remedy = f"write a date and time such as 2026-12-01T10:00:00+08:00, or {other_form}"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue.of(text, "a valid time", remedy) from None
    if not re.search(r"[0-9].*[T ].*[0-9]", text):
        example = f"{instant:%Y-%m-%d}T10:00:00+08:00"
        raise InvalidValue(f"{text} has no time of day", f"write a date and time such as {example}")
    if instant.tzinfo is None:
        local = instant.isoformat()
        raise InvalidValue(f"{text} has no UTC offset", f"write {local}+08:00 for Singapore, {local}Z for UTC")
    if not 2000 <= instant.year <= 2100:
        raise InvalidValue(f"{instant.year} is not a plausible year", remedy)
    return instant


def duration(text: str) -> timedelta:
    """A duration: `45s`, `30min`, `4h`, `2d`."""
    match = re.fullmatch(DURATION_PATTERN, text)
    if not match:
        raise InvalidValue.of(text, "a duration", "write a duration such as 45s, 10min, 4h or 2d")
    return timedelta(**{_DURATION_UNITS[match[1]]: int(text.removesuffix(match[1]))})


def positive_duration(text: str) -> timedelta:
    """A duration above zero."""
    return _not_zero(text, "write a duration such as 24h or 7d")


def is_not_after(last: Any, first: Any) -> bool:  # noqa: ANN401 - any two of a kind
    """Whether both are of the same type (moment, time of day, duration) and `last` isn't later than `first`."""
    return first is not None and type(last) is type(first) and last <= first


def _not_zero(text: str, remedy: str) -> timedelta:
    if not (span := duration(text)):
        raise InvalidValue(f"{text} is zero", remedy)
    return span


def minute_of_day(text: str) -> int:
    """`09:00` as minutes since midnight; `24:00` is 1440."""
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
    if not match:
        raise InvalidValue.of(text, "a time of day", 'write hours and minutes such as "09:00" or "20:30"')
    hours, minutes = int(match[1]), int(match[2])
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise InvalidValue.of(text, "a time of day", 'write a time from "00:00" to "24:00"')
    if len(match[1]) == 1:
        raise InvalidValue(f"{quoted(text)} needs two digits for the hour", f'write "0{text}"')
    return hours * 60 + minutes


def opening_minute(text: str) -> int:
    """The start of sending hours, in minutes since midnight."""
    if text == "24:00":
        raise InvalidValue('"24:00" is the end of the day', 'write "00:00" for the start of the day')
    return minute_of_day(text)


def deadline(text: str) -> datetime | time:
    """A date and time in ISO 8601 with an offset, or a time of day in the campaign's time zone."""
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", text):
        minute = opening_minute(text)
        return time(minute // 60, minute % 60)
    return _instant(text, 'a time of day such as "10:30"')
