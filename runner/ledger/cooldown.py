"""The frequency cap (`recipients.cooldown`): how many messages a number got recently, across all runs of the ledger.

Every message that may have reached the phone counts: accepted, unknown or still being sent. It counts from its claim,
because every message has a claim before its request leaves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Select, func, select

from runner.base.messages import Message
from runner.base.options import Cooldown
from runner.base.outcomes import Status
from runner.ledger.database import rows_among
from runner.ledger.ledger import Ledger
from runner.ledger.tables import SENDING, messages


def recent(ledger: Ledger, destinations: Sequence[str], *, since: int) -> Mapping[str, int]:
    """How many messages each number got since `since` (microseconds since the epoch). Numbers with none are absent."""
    return dict(ledger.rows_among(_counts(since), messages.c.destination, destinations))


def excess(connection: Connection, claimed: Sequence[Message], cooldown: Cooldown, now: int) -> list[str]:
    """The ids of the messages, just claimed at `now`, that exceed the cap of their number.

    Claims are inserted before they are counted, because the insert takes the database's write lock. If two runs claim
    a message to the same number at the same moment, the second one sees the claim of the first.
    """
    query = _counts(now - cooldown.per_s * 1_000_000)
    destinations = sorted({message.destination for message in claimed})
    counts = Counter[str](dict(rows_among(connection, query, messages.c.destination, destinations)))
    found: list[str] = []
    for message in reversed(claimed):  # drop the last ones, so that the first in the file are sent
        if counts[message.destination] > cooldown.messages:
            counts[message.destination] -= 1
            found.append(message.message_id)
    return found


def _counts(since: int) -> Select[str, int]:
    """A query that counts, by number, the messages since `since` that may have reached a phone."""
    may_have_reached = messages.c.status.in_((SENDING, Status.ACCEPTED.value, Status.UNKNOWN.value))
    query = select(messages.c.destination, func.count()).where(messages.c.claimed_at >= since, may_have_reached)
    return query.group_by(messages.c.destination)
