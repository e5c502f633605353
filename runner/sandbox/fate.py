"""What becomes of a message once it was taken, and what its recipient writes back. Pure.

It depends on the seed and the message alone, so that receipts, details and log exports agree, and every run of the same
campaign shows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar

from runner.sandbox.chance import chance

T = TypeVar("T")

Entry = Mapping[str, Any]
"""A message as requested, or a line of the book."""


@dataclass(frozen=True, slots=True)
class Fate:
    """A state of the provider's, with its detail. The error is for states of failure."""

    state: str
    detail: str | None = None
    error_code: int | None = None
    error_message: str | None = None

    @property
    def is_billed(self) -> bool:
        """Whatever an operator has taken costs money, wherever it ended."""
        return self.state != "failed" and self.detail != "rejected_by_operator"

    def as_status(self, timestamp: str) -> dict[str, Any]:
        """The document's status object; what is not known is absent."""
        known = {
            "state": self.state,
            "detail": self.detail,
            "timestamp": timestamp,
            "errorCode": self.error_code,
            "errorMessage": self.error_message,
        }
        return {name: value for name, value in known.items() if value is not None}


QUEUED = Fate("queued")
SENT = Fate("sent")
AT_OPERATOR = Fate("delivered", "delivered_to_operator")
DELIVERED = Fate("delivered", "delivered_to_recipient")
FAILED = Fate("failed")
"""Rejected by the API, or cancelled before its time."""


def _lost(code: int, words: str, detail: str = "undelivered_to_recipient") -> Fate:
    return Fate("undelivered", detail, code, words)


# Of a hundred messages that don't arrive: about as many numbers that are dead as phones that are off, full or away.
UNDELIVERED: Mapping[Fate, int] = {
    _lost(59, "the subscriber is unknown"): 20,
    _lost(15, "the destination is invalid", "rejected_by_operator"): 10,
    _lost(13, "the subscriber or the phone may not receive"): 10,
    _lost(1, "the subscriber is absent"): 25,
    _lost(46, "the subscriber cannot be reached"): 15,
    _lost(36, "the message expired"): 12,
    _lost(21, "the phone's memory is full"): 8,
}
# Of a hundred who reply: most want no more, said in several ways; some think better of it, some mean something else.
REPLIES: Mapping[tuple[str, ...], int] = {
    ("STOP",): 40,
    ("Stop. Thank you",): 20,
    ("stop",): 10,
    ("STOP", "START"): 10,
    ("don't stop",): 10,
    ("Ok, thanks!",): 10,
}


@dataclass(frozen=True, slots=True)
class Fates:
    """Decides; the same each time for the same `seed`. Both shares are from 0 to 1."""

    undelivered_share: float = 0.0
    stop_share: float = 0.0
    seed: int = 0

    def of(self, entry: Entry) -> Fate:
        """What a message ends as that is sent."""
        if not self.undelivered_share or chance(self.seed, "undelivered", *words_of(entry)) >= self.undelivered_share:
            return DELIVERED
        return _drawn(UNDELIVERED, chance(self.seed, "why", *words_of(entry)))

    def replies_to(self, entry: Entry) -> tuple[str, ...]:
        """What the recipient writes back, if the message arrives. One person is always of the same mind."""
        number = digits_of(entry["destination"])
        if not self.stop_share or chance(self.seed, "reply", number) >= self.stop_share:
            return ()
        return _drawn(REPLIES, chance(self.seed, "words", number))


def words_of(entry: Entry) -> tuple[str, str]:
    """What tells one message from another, wherever and whenever it is sent."""
    return entry.get("clientMessageId") or "", entry["destination"]


def digits_of(destination: str) -> str:
    return destination.removeprefix("+")


def _drawn(weights: Mapping[T, int], share: float) -> T:
    place = share * sum(weights.values())
    return next(each for each, end in zip(weights, accumulate(weights.values()), strict=True) if place < end)
