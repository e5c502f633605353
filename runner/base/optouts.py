"""Opt-outs: numbers that must not be texted."""

from dataclasses import dataclass
from enum import StrEnum


class OptOutSource(StrEnum):
    """Where an opt-out comes from."""

    REPLY = "reply"  # an inbound message
    COMMAND = "command"  # `campaign optouts add` or `remove`
    FILE = "file"  # a list given to that command
    REVIEW = "review"  # an inbound message that a person accepted as an opt-out


@dataclass(frozen=True, slots=True)
class OptOut:
    """An opt-out of a number (E.164) from all campaigns of the ledger or, if `is_out` is false, an opt-in.

    `word` is the part of the reply that decided, such as "stop".
    """

    destination: str
    is_out: bool
    at: int
    source: OptOutSource
    word: str | None = None


@dataclass(frozen=True, slots=True)
class DoubtfulReply:
    """A reply that may be an opt-out, of a number (E.164). `word` is the part of it that may mean so.

    `umid` is the provider's id of the reply, "" if it has none; `at` is microseconds since the epoch.
    """

    umid: str
    destination: str
    at: int
    text: str
    word: str


@dataclass(frozen=True, slots=True)
class WaitingReply:
    """A reply that waits for review. `text` is None after a purge."""

    id: int
    destination: str
    at: int
    text: str | None
    word: str
