"""What the dispatcher is given, and what it gives back. Times named `now`, `made` and `opening` are seconds since the
Unix epoch."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from runner.models import Event, EventKind, Message, Outcome, OutcomeReason, Status

JOINED_S = 5.0
"""Two pauses of one kind that are no further apart are one: a throttled run has one each second."""

MOST_EVENTS = 1_000

Source = Callable[[], AsyncIterator[Message]]
"""Begins one pass over the messages that the ledger doesn't have, in the order of the file."""


class Sender(Protocol):
    """Sends one message. `departure` is awaited when the connection is ready, before the first byte leaves."""

    def __call__(self, message: Message, departure: Callable[[], Awaitable[None]]) -> Awaitable[Outcome]: ...


class Permission(Protocol):
    """What allows this process to send: a lease that may run out."""

    def is_valid(self) -> bool:
        """Whether a request may leave at this moment."""

    def renew(self) -> bool:
        """Ask again, blocking; False when it is lost for good."""


class Gate(Protocol):
    """Sending hours. Asked once or more for every message, so that it must be fast."""

    def opens_at(self, message: Message, now: float) -> float | None:
        """From when on a message may leave: not after `now` if at once, None if never."""

    def may_leave(self, message: Message, made: float, now: float) -> bool:
        """Whether a request whose body was made at `made` may leave at `now`, as it was made."""

    def words(self, opening: float) -> str:
        """What is waited for, and until when."""


class Allowance(Protocol):
    """How much a run may still send and spend."""

    def take(self, message: Message) -> str | None:
        """Count a message that is about to be claimed; or say in words which limit it would break, and don't."""

    def give_back(self, message: Message) -> None:
        """A message that was counted was certainly not sent."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why sending ended before the end, in a code and in words, with the answer that was the reason, if one was."""

    reason: OutcomeReason
    detail: str
    outcome: Outcome | None = None


@dataclass(slots=True)
class Progress:
    """Where sending stands; read by whoever shows it, while the dispatcher writes it.

    `sleeps_until` is set while nothing can be sent before that moment (seconds since the Unix epoch). `events` are the
    pauses so far.
    """

    settled: Counter[Status] = field(default_factory=Counter)
    in_flight: int = 0
    started: int = 0
    throttled_s: float = 0.0
    waiting_for: str = ""
    sleeps_until: float | None = None
    stopping: bool = False
    events: list[Event] = field(default_factory=list)

    def note_pause(self, kind: EventKind, now: float, seconds: float, detail: str | None = None) -> None:
        """All sending rests from `now` on; joined with the pause before, so that there are few for any run."""
        at, last = int(now * 1e6), self.events[-1] if self.events else None
        if last and last.kind is kind:
            end = last.at + int((last.seconds or 0.0) * 1e6)
            if at <= end + JOINED_S * 1e6 or len(self.events) >= MOST_EVENTS:
                until = max(end, at + int(seconds * 1e6))
                self.events[-1] = replace(last, seconds=(until - last.at) / 1e6)
                return
        if len(self.events) < MOST_EVENTS:
            self.events.append(Event(kind, at, seconds, detail))
