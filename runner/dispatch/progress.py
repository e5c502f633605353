"""The progress of the loop, and why it stopped."""

from collections import Counter
from dataclasses import dataclass, field, replace

from runner.base.events import Event, EventKind
from runner.base.outcomes import FatalAnswer, Outcome, OutcomeReason, Status, stop_exit_code

# Two pauses of the same kind that are at most this far apart become one event: a throttled run pauses every second.
JOINED_S = 5.0

# The most events to keep; later pauses extend the last event or are dropped.
MOST_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the loop ended early: a code, and a text for people. `outcome` is the answer that caused it, if any.

    `fatal` is set if a message got a fatal answer.
    """

    reason: OutcomeReason
    detail: str
    outcome: Outcome | None = None
    fatal: FatalAnswer | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return stop_exit_code(self.reason)


@dataclass(slots=True)
class Progress:
    """The progress of the loop, which writes it. Displays only read it.

    `settled` counts messages by outcome. `started` counts requests. `throttled_s` is the total length of pauses caused
    by the provider's rate limit. `sleeps_until` (seconds since the Unix epoch) is set while nothing can leave before
    that time. `stopping` is set once nothing more will leave. `events` are the pauses so far.
    """

    settled: Counter[Status] = field(default_factory=Counter)
    in_flight: int = 0
    held: int = 0  # not sent, because a receipt without authorization says that they were sent before
    started: int = 0
    throttled_s: float = 0.0
    waiting_for: str = ""
    sleeps_until: float | None = None
    stopping: bool = False
    events: list[Event] = field(default_factory=list)

    def note_pause(self, kind: EventKind, now: float, seconds: float, detail: str | None = None) -> None:
        """Record that nothing leaves for `seconds` from `now` (Unix time). Pauses close together become one event."""
        at, last, is_full = int(now * 1e6), self.events[-1] if self.events else None, len(self.events) >= MOST_EVENTS
        end = last.at + int((last.seconds or 0.0) * 1e6) if last else 0
        if last and last.kind is kind and (is_full or at <= end + JOINED_S * 1e6):
            self.events[-1] = replace(last, seconds=(max(end, at + int(seconds * 1e6)) - last.at) / 1e6)
        elif not is_full:
            self.events.append(Event(kind, at, seconds, detail))
