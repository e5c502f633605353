"""Who wants no more messages, over all campaigns of the ledger.

Nothing is ever deleted here: who takes an opt-out back stands in the table too, with the time of that. So a STOP and a
START may come in any order, twice, or days late, and the newest of them counts.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from runner.base.messages import Message
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.database import IDS_AT_A_TIME, rows_among
from runner.ledger.ledger import Ledger
from runner.ledger.tables import optouts

_COLUMNS = [optouts.c[name] for name in OptOut.__slots__]
_IS_OUT = optouts.c.is_out.is_(True)
_ANYBODY = select(optouts.c.destination).where(_IS_OUT).limit(1)
_THOSE_OUT = select(optouts.c.destination).where(
    optouts.c.destination.in_(bindparam("destinations", expanding=True)), _IS_OUT
)
_NOTE = insert(optouts)
# The newest word counts; of one moment, the opt-out.
_NOTE = _NOTE.on_conflict_do_update(
    index_elements=[optouts.c.destination],
    set_={name: _NOTE.excluded[name] for name in ("is_out", "at", "source", "word")},
    where=tuple_(_NOTE.excluded.at, _NOTE.excluded.is_out) > tuple_(optouts.c.at, optouts.c.is_out),
)
_WORD_LENGTH = 40


def note(ledger: Ledger, changes: Sequence[OptOut]) -> int:
    """Note opt-outs and their taking back, all of them or none. Returns how many numbers something changed for.

    Of each number the newest counts, whatever order they come in; of one moment, the opt-out. Raises LedgerError when
    they can't be written.
    """
    newest: dict[str, OptOut] = {}
    for change in changes:
        before = newest.get(change.destination, change)
        newest[change.destination] = max(before, change, key=lambda one: (one.at, one.is_out))
    if not newest:
        return 0
    with ledger.writing() as connection:
        return connection.execute(_NOTE, [_values(one) for one in newest.values()]).rowcount


def known(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """The newest word of each of these numbers (E.164), out or not; those that never said one are absent."""
    with ledger.reading() as connection:
        return _find(connection, destinations)


def opted_out(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """Those of these numbers (E.164) that are out."""
    with ledger.reading() as connection:
        return _find(connection, destinations, _IS_OUT)


def is_anybody_out(ledger: Ledger) -> bool:
    """Whether there is any opt-out: one look, where asking for each number of a plan would be many."""
    with ledger.reading() as connection:
        return connection.execute(_ANYBODY).first() is not None


def optouts_state(ledger: Ledger) -> str:
    """A text that is another one after every change of who is out."""
    at = optouts.c.at
    # In two parts: five thousand times in microseconds are more than the database's largest number.
    seconds, rest = (func.sum(at.op(sign)(1_000_000)) for sign in ("/", "%"))
    query = select(func.count(), func.sum(case((_IS_OUT, 1), else_=0)), func.max(at), seconds, rest)
    with ledger.reading() as connection:
        return repr(tuple(connection.execute(query).one()))


def count(ledger: Ledger) -> int:
    """How many numbers are out."""
    with ledger.reading() as connection:
        return connection.scalar(select(func.count()).select_from(optouts).where(_IS_OUT)) or 0


def newest(ledger: Ledger, limit: int | None = None) -> list[OptOut]:
    """Those who are out, the newest first; at most `limit` of them."""
    query = select(*_COLUMNS).where(_IS_OUT).order_by(optouts.c.at.desc(), optouts.c.destination).limit(limit)
    with ledger.reading() as connection:
        return [_opt_out(row) for row in connection.execute(query)]


def every(ledger: Ledger) -> Iterator[OptOut]:
    """Those who are out, in the order of their numbers, a part at a time."""
    after = ""
    while True:
        query = select(*_COLUMNS).where(_IS_OUT, optouts.c.destination > after).order_by(optouts.c.destination)
        with ledger.reading() as connection:
            found = [_opt_out(row) for row in connection.execute(query.limit(IDS_AT_A_TIME))]
        yield from found
        if len(found) < IDS_AT_A_TIME:
            return
        after = found[-1].destination


def opted_out_of(connection: Connection, claimed: Sequence[Message]) -> list[str]:
    """The message ids of those of these messages, just claimed, whose numbers are out.

    Insert first, then look, as the cooldown does: so that the look sees every opt-out that was written before the
    claim.
    """
    if connection.execute(_ANYBODY).first() is None:
        return []
    wanted = {message.destination for message in claimed}
    out = set(connection.scalars(_THOSE_OUT, {"destinations": list(wanted)}))
    return [message.message_id for message in claimed if message.destination in out]


def _find(connection: Connection, destinations: Sequence[str], *where: ColumnElement[bool]) -> dict[str, OptOut]:
    query = select(*_COLUMNS).where(*where)
    return {row[0]: _opt_out(row) for row in rows_among(connection, query, optouts.c.destination, destinations)}


def _opt_out(row: Sequence[Any]) -> OptOut:
    destination, is_out, at, source, word = row
    return OptOut(destination, is_out, at, OptOutSource(source), word)


def _values(one: OptOut) -> dict[str, Any]:
    return {
        "destination": one.destination,
        "is_out": one.is_out,
        "at": one.at,
        "source": one.source.value,
        "word": one.word[:_WORD_LENGTH] if one.word else None,
    }
