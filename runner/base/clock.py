"""Times as the ledger stores them (microseconds since the epoch, UTC), and in ISO 8601."""

import time
from datetime import UTC, datetime


def now_us() -> int:
    return time.time_ns() // 1000


def iso(microseconds: int | None) -> str | None:
    """ISO 8601 with milliseconds, `2026-12-01T02:00:00.123Z`."""
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
