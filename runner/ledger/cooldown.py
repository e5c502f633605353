"""The frequency cap: how many messages a number got lately, over all runs of the ledger.

Messages count that may have reached the phone: accepted, unknown, or on their way. Their time is the claim's, which
every message has before its request leaves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select, text

from runner.base.messages import Message
from runner.base.options import Cooldown
from runner.base.outcomes import Status
from runner.ledger.database import rows_among
from runner.ledger.ledger import Ledger
from runner.ledger.tables import SENDING, messages

_MAY_HAVE_REACHED = (SENDING, Status.ACCEPTED.value, Status.UNKNOWN.value)

# Not among the tables: only the ledgers of campaigns with a cooldown pay for it at each claim.
_INDEX = text("CREATE INDEX IF NOT EXISTS messages_by_destination ON messages (destination, claimed_at)")


def prepare(ledger: Ledger) -> None:
    """Make the look-ups by number fast. Once for a ledger; later calls find it done."""
    with ledger.writing() as connection:
        connection.execute(_INDEX)


def recent(ledger: Ledger, destinations: Sequence[str], *, since: int) -> Mapping[str, int]:
    """How many messages each of these numbers got since then (microseconds since the epoch); without any, absent."""
    with ledger.reading() as connection:
        return _counts(connection, destinations, since)


def excess(connection: Connection, claimed: Sequence[Message], cooldown: Cooldown, now: int) -> list[str]:
    """The ids of those of these messages, just claimed at `now`, that exceed the cap of their number.

    Insert first, then read: the insert holds the database's write lock, so that of two runs that claim a message to
    one number at the same moment, the second sees the first.
    """
    since = now - cooldown.per_s * 1_000_000
    counts = Counter(_counts(connection, [message.destination for message in claimed], since))
    found: list[str] = []
    for message in reversed(claimed):  # the first in the file goes first
        if counts[message.destination] > cooldown.messages:
            counts[message.destination] -= 1
            found.append(message.message_id)
    return found


def _counts(connection: Connection, destinations: Sequence[str], since: int) -> Mapping[str, int]:
    query = (
        select(messages.c.destination, func.count())
        .where(messages.c.claimed_at >= since, messages.c.status.in_(_MAY_HAVE_REACHED))
        .group_by(messages.c.destination)
    )
    rows = rows_among(connection, query, messages.c.destination, sorted(set(destinations)))
    return {row[0]: row[1] for row in rows}
