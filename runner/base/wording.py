"""Numbers, times and money, formatted for terminals and pages. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from runner.base.text import sanitized


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 message`, `1,204 messages`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed_counts(counts: Iterable[tuple[object, int]]) -> str:
    """`SG 120, MY 4`."""
    return ", ".join(f"{name} {count:,}" for name, count in counts)


def share(part: float, whole: float) -> str:
    """`97.3%`. 100% and 0% are exact: a value close to them is shown as `>99.9%` or `<0.1%`."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if part and percent < 0.1:
        return "<0.1%"
    if part < whole and percent > 99.9:
        return ">99.9%"
    return f"{percent:.0f}%" if part in (0, whole) else f"{percent:.1f}%"


def seconds_in_words(seconds: float) -> str:
    """`48 ms`, `3.2 s`, `4 min 5 s`, `3 h 20 min`, `2 days 4 h`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for unit, name, part, part_name in ((86_400, "day", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // part
            plural = "s" if name == "day" and whole // unit > 1 else ""
            return f"{whole // unit} {name}{plural}" + (f" {rest} {part_name}" if rest else "")
    return f"{whole} s"


def clock_time(seconds: float, now: float) -> str:
    """`07:16:03 UTC`; on another day than `now`, `2026-11-25 07:16 UTC`. Both are seconds since the Unix epoch."""
    try:
        at, today = (datetime.fromtimestamp(each, UTC) for each in (seconds, now))
    except (OverflowError, OSError, ValueError):
        return "an invalid time"
    return f"{at:%H:%M:%S} UTC" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M} UTC"


def moment(microseconds: int) -> str:
    """`25 Nov 2026, 07:16:03`, UTC."""
    try:
        at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    except (OverflowError, OSError, ValueError):
        return "invalid time"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S}"  # %b would be the locale's


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def money(amount: Decimal, currency: str | None) -> str:
    """`1,204.50 EUR`. Amounts below 1 have four decimals, because the price of a message would otherwise be 0.00."""
    digits = 2 if amount == 0 or abs(amount) >= 1 else 4
    return f"{amount:,.{digits}f} {sanitized(currency or '', 12)}".rstrip()


def per_time(per_second: float) -> tuple[float, str]:
    """The factor and the unit to show a rate with a readable number, such as `(60, "a minute")`."""
    if per_second >= 1:
        return 1, "a second"
    return (60, "a minute") if per_second * 60 >= 1 else (3_600, "an hour")


def rate_in_words(per_second: float) -> str:
    """`40 a second`, `2.5 a minute`."""
    times, unit = per_time(per_second)
    return f"{per_second * times:,.1f}".removesuffix(".0") + f" {unit}"
