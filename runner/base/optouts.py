"""Opt-outs: numbers that must not be texted."""

from dataclasses import dataclass
from enum import StrEnum


class OptOutSource(StrEnum):
    """Where an opt-out comes from."""

    REPLY = "reply"  # an inbound message
    COMMAND = "command"  # `campaign optouts add` or `remove`
    FILE = "file"  # a list given to that command


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
