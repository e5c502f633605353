"""Numbers that want no more messages."""

from dataclasses import dataclass
from enum import StrEnum


class OptOutSource(StrEnum):
    """How an opt-out came into the ledger."""

    REPLY = "reply"  # an inbound message
    COMMAND = "command"  # `campaign optouts add` or `remove`
    FILE = "file"  # a list given to that command


@dataclass(frozen=True, slots=True)
class OptOut:
    """A number (E.164) that wants no more messages from any campaign of the ledger; or, not `is_out`, wants them again.

    `word` is what was replied, as far as it decided.
    """

    destination: str
    is_out: bool
    at: int
    source: OptOutSource
    word: str | None = None
