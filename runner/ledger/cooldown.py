"""The frequency cap: how many messages a number got lately, over all runs of the ledger.

Messages count that may have reached the phone: accepted, unknown, or on their way. Their time is the claim's, which
every message has before its request leaves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Select, func, select, text

from runner.base.messages import Message
from runner.base.options import Cooldown
from runner.base.outcomes import Status
from runner.ledger.database import rows_among
from runner.ledger.ledger import Ledger
from runner.ledger.tables import SENDING, messages

# Not among the tables: only the ledgers of campaigns with a cooldown pay for it at each claim.
_INDEX = text("CREATE INDEX IF NOT EXISTS messages_by_destination ON messages (destination, claimed_at)")


def prepare(ledger: Ledger) -> None:
    """Make the look-ups by number fast. Once for a ledger; later calls find it done."""
    with ledger.writing() as connection:
        connection.execute(_INDEX)


def recent(ledger: Ledger, destinations: Sequence[str], *, since: int) -> Mapping[str, int]:
    """How many messages each of these numbers got since then (microseconds since the epoch); without any, absent."""
    return dict(ledger.rows_among(_counts(since), messages.c.destination, destinations))


def excess(connection: Connection, claimed: Sequence[Message], cooldown: Cooldown, now: int) -> list[str]:
    """The ids of those of these messages, just claimed at `now`, that exceed the cap of their number.

    Insert first, then read: the insert holds the database's write lock, so that of two runs that claim a message to
    one number at the same moment, the second sees the first.
    """
    query = _counts(now - cooldown.per_s * 1_000_000)
    destinations = sorted({message.destination for message in claimed})
    counts = Counter[str](dict(rows_among(connection, query, messages.c.destination, destinations)))
    found: list[str] = []
    for message in reversed(claimed):  # the first in the file goes first
        if counts[message.destination] > cooldown.messages:
            counts[message.destination] -= 1
            found.append(message.message_id)
    return found


def _counts(since: int) -> Select[str, int]:
    """The messages since then that may have reached a phone, by number."""
    may_have_reached = messages.c.status.in_((SENDING, Status.ACCEPTED.value, Status.UNKNOWN.value))
    query = select(messages.c.destination, func.count()).where(messages.c.claimed_at >= since, may_have_reached)
    return query.group_by(messages.c.destination)
