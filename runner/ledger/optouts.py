"""Opt-outs: who wants no more messages, from any campaign of the ledger.

Nothing is ever deleted: a number that takes its opt-out back stays in the table, with the time of that. So a STOP and a
START may come in any order, twice, or days late, and the newest of them counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, case, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from runner.base.messages import Message
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.database import IDS_AT_A_TIME, rows_among
from runner.ledger.ledger import Ledger
from runner.ledger.tables import optouts

_ALL = select(*(optouts.c[name] for name in OptOut.__slots__))
_IS_OUT = optouts.c.is_out.is_(True)
_OUT = select(optouts.c.destination).where(_IS_OUT)
_NOTE = insert(optouts)
# The newest counts; of one moment, the opt-out.
_NOTE = _NOTE.on_conflict_do_update(
    index_elements=[optouts.c.destination],
    set_={name: _NOTE.excluded[name] for name in ("is_out", "at", "source", "word")},
    where=tuple_(_NOTE.excluded.at, _NOTE.excluded.is_out) > tuple_(optouts.c.at, optouts.c.is_out),
)
_WORD_LENGTH = 40


def note_optouts(ledger: Ledger, changes: Sequence[OptOut]) -> int:
    """Note opt-outs, and numbers that take theirs back, all or none; returns how many changed. Raises LedgerError."""
    newest: dict[str, OptOut] = {}
    for change in changes:
        before = newest.get(change.destination, change)
        newest[change.destination] = max(before, change, key=lambda each: (each.at, each.is_out))
    if not newest:
        return 0
    rows = [
        asdict(each) | {"source": each.source.value, "word": each.word[:_WORD_LENGTH] if each.word else None}
        for each in newest.values()
    ]
    with ledger.writing() as connection:
        return connection.execute(_NOTE, rows).rowcount


def newest_by_number(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """What each of these numbers (E.164) said last, opted out or not; numbers that never said anything are absent."""
    return {row[0]: _optout(*row) for row in ledger.rows_among(_ALL, optouts.c.destination, destinations)}


def opted_out(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """Those of these numbers (E.164) that have opted out."""
    return {number: each for number, each in newest_by_number(ledger, destinations).items() if each.is_out}


def has_optouts(ledger: Ledger) -> bool:
    """Whether there is any opt-out: one query, where looking for each number of a plan would be many."""
    return ledger.scalar(_OUT.limit(1)) is not None


def optouts_state(ledger: Ledger) -> str:
    """A text that differs after every change of who is out."""
    at = optouts.c.at
    # In two parts: five thousand times in microseconds are more than the database's largest number.
    seconds, rest = (func.sum(at.op(sign)(1_000_000)) for sign in ("/", "%"))
    [row] = ledger.rows(select(func.count(), func.sum(case((_IS_OUT, 1), else_=0)), func.max(at), seconds, rest))
    return repr(tuple(row))


def count_optouts(ledger: Ledger) -> int:
    """How many numbers have opted out."""
    return int(ledger.scalar(select(func.count()).select_from(optouts).where(_IS_OUT)))


def newest_optouts(ledger: Ledger, limit: int | None = None) -> list[OptOut]:
    """The numbers that have opted out, the newest first; at most `limit` of them."""
    query = _ALL.where(_IS_OUT).order_by(optouts.c.at.desc(), optouts.c.destination).limit(limit)
    return [_optout(*row) for row in ledger.rows(query)]


def all_optouts(ledger: Ledger) -> Iterator[OptOut]:
    """The numbers that have opted out, by number. In parts, so that no transaction is open between them."""
    after = ""
    while True:
        query = _ALL.where(_IS_OUT, optouts.c.destination > after).order_by(optouts.c.destination)
        found = [_optout(*row) for row in ledger.rows(query.limit(IDS_AT_A_TIME))]
        yield from found
        if len(found) < IDS_AT_A_TIME:
            return
        after = found[-1].destination


def opted_out_of(connection: Connection, claimed: Sequence[Message]) -> list[str]:
    """The ids of those of these messages, just claimed, whose numbers have opted out.

    Insert first, then read, as the cooldown does: so every opt-out is seen that was written before the claim.
    """
    if connection.scalar(_OUT.limit(1)) is None:
        return []
    destinations = list({message.destination for message in claimed})
    out = {row[0] for row in rows_among(connection, _OUT, optouts.c.destination, destinations)}
    return [message.message_id for message in claimed if message.destination in out]


def _optout(destination: str, is_out: bool, at: int, source: str, word: str | None) -> OptOut:
    return OptOut(destination, is_out, at, OptOutSource(source), word)
