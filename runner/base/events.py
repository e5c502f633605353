"""Moments in a run's life."""

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """Moments in a run's life that no single message holds."""

    STARTED = "started"
    THROTTLED = "throttled"  # the provider's rate limit held sending up
    UNREACHABLE = "unreachable"  # no connection
    RESTED = "rested"  # until sending hours began
    STOPPED = "stopped"  # before the end
    ENDED = "ended"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Event:
    """A moment in a run's life. `seconds` is how long it lasted, where it has a length; `detail` is for people."""

    kind: EventKind
    at: int
    seconds: float | None = None
    detail: str | None = None
