"""Replies that may be opt-outs: kept until a person has read them.

A reply waits until it is accepted or dismissed, or until its number opts out or in later. A decision deletes its number
and text at once; the digest of its event stays, so that the same event isn't kept again.
"""

import hashlib
from collections.abc import Collection, Sequence

from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.sqlite import insert

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import iso
from runner.base.optouts import DoubtfulReply, OptOut, OptOutSource, WaitingReply
from runner.ledger.audit import append
from runner.ledger.ledger import Ledger
from runner.ledger.optouts import WORD_LENGTH, change_optouts
from runner.ledger.tables import messages, optouts, replies

_WAITING = (
    select(*(replies.c[name] for name in WaitingReply.__slots__))
    .outerjoin(optouts, optouts.c.destination == replies.c.destination)
    .where(replies.c.decision.is_(None), func.coalesce(optouts.c.at, -1) < replies.c.at)
    .order_by(replies.c.at, replies.c.id)
)
_KEEP = insert(replies).on_conflict_do_nothing(index_elements=[replies.c.digest])


def keep_replies(ledger: Ledger, found: Sequence[DoubtfulReply]) -> None:
    """Keep replies for review, all or none. Replies that are or were kept before change nothing. Raises LedgerError."""
    if not found:
        return
    rows = [
        {
            "digest": hashlib.sha256(_identity(each).encode()).hexdigest()[:32],
            "destination": each.destination,
            "at": each.at,
            "text": each.text,
            "word": each.word[:WORD_LENGTH],
        }
        for each in found
    ]
    with ledger.writing() as connection:
        connection.execute(_KEEP, rows)


def waiting_replies(ledger: Ledger) -> list[WaitingReply]:
    """The replies that wait for review, oldest first."""
    return [WaitingReply(*row) for row in ledger.rows(_WAITING)]


def count_waiting(ledger: Ledger) -> int:
    """How many replies wait for review."""
    return int(ledger.scalar(select(func.count()).select_from(_WAITING.subquery())))


def count_waiting_of(ledger: Ledger, run_id: int) -> int:
    """How many replies wait for review that came from recipients of a run after their message was sent."""
    waiting = _WAITING.subquery()
    of_run = and_(
        messages.c.run_id == run_id,
        messages.c.destination == waiting.c.destination,
        messages.c.claimed_at <= waiting.c.at,
    )
    return int(ledger.scalar(select(func.count(waiting.c.id.distinct())).select_from(waiting.join(messages, of_run))))


def decide(ledger: Ledger, accepted: Collection[int], dismissed: Collection[int], now: int) -> None:
    """Accept replies as opt-outs and dismiss others, by their ids; all or none. Replies that don't wait are ignored.

    An accepted reply opts its number out from when it came, so a later START still counts. The audit trail gets an
    entry for each. `now` is microseconds since the epoch. Raises LedgerError.
    """
    with ledger.writing() as connection:
        # SQLite overwrites deleted bytes at once: they hold a person's words.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
        # Lock before reading: otherwise another process could decide about a reply between the reading and the writing.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        waiting = [WaitingReply(*row) for row in connection.execute(_WAITING)]
        out = [each for each in waiting if each.id in accepted]
        change_optouts(
            connection, [OptOut(each.destination, True, each.at, OptOutSource.REVIEW, each.word) for each in out]
        )
        ignored = [each for each in waiting if each.id in dismissed]
        append(connection, [_dismissal(each) for each in ignored])
        for decision, decided in (("accepted", out), ("dismissed", ignored)):
            of_these = replies.c.id.in_([each.id for each in decided])
            values = {"decision": decision, "decided_at": now, "destination": "", "text": None}
            connection.execute(update(replies).where(of_these).values(values))


def _identity(reply: DoubtfulReply) -> str:
    return "\0".join((reply.umid or str(reply.at), reply.destination, reply.text))


def _dismissal(reply: WaitingReply) -> AuditEntry:
    """Without the number: nothing else keeps it for long, and a purge of a run wouldn't find it here."""
    return AuditEntry(AuditAction.REPLY_DISMISSED, None, {"reply": reply.id, "word": reply.word, "at": iso(reply.at)})
