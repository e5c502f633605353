"""Times as the ledger stores them (microseconds since the epoch, UTC), and in ISO 8601."""

import time
from datetime import UTC, datetime


def now_us() -> int:
    return time.time_ns() // 1000


def utc(microseconds: int) -> datetime:
    """The moment, as a datetime in UTC."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC)


def us_of(moment: datetime) -> int:
    """The moment (aware) in microseconds since the epoch."""
    return int(moment.timestamp() * 1e6)


def iso(microseconds: int | None) -> str | None:
    """ISO 8601 with milliseconds, `2026-12-01T02:00:00.123Z`."""
    if microseconds is None:
        return None
    return utc(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
