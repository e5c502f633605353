"""Events of a run."""

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """Kinds of events that concern a run as a whole, not a single message."""

    STARTED = "started"
    THROTTLED = "throttled"  # paused because of the provider's rate limit
    UNREACHABLE = "unreachable"  # paused because there was no connection
    RESTED = "rested"  # waited for sending hours
    STOPPED = "stopped"  # stopped early
    ENDED = "ended"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a run. `seconds` is how long it lasted, if it has a duration. `detail` is a text for people.

    `reason` is the `OutcomeReason` of a stop; None for other events, and for stops that older versions recorded.
    """

    kind: EventKind
    at: int
    seconds: float | None = None
    detail: str | None = None
    reason: str | None = None
