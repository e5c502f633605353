"""Who wants no more messages, over all campaigns of the ledger.

Nothing is ever deleted here: who takes an opt-out back stands in the table too, with the time of that. So a STOP and a
START may come in any order, twice, or days late, and the newest of them counts.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, insert, select, update

from runner.ledger.ledger import IDS_AT_A_TIME, Ledger, ledger_errors
from runner.ledger.statements import settle
from runner.ledger.tables import optouts
from runner.models import Message, OptOut, OptOutSource, Outcome, OutcomeReason, Status

_COLUMNS = [optouts.c[name] for name in OptOut.__slots__]
_IS_OUT = optouts.c.is_out.is_(True)
_ANYBODY = select(optouts.c.destination).where(_IS_OUT).limit(1)
_THOSE_OUT = select(optouts.c.destination).where(
    optouts.c.destination.in_(bindparam("destinations", expanding=True)), _IS_OUT
)
_CHANGE = (
    update(optouts)
    .where(optouts.c.destination == bindparam("of"))
    .values({name: bindparam(name) for name in ("is_out", "at", "source", "word")})
)
_WORD_LENGTH = 40
_OUT = Outcome(Status.UNSENT, OutcomeReason.OPTED_OUT)


def note(ledger: Ledger, changes: Sequence[OptOut]) -> int:
    """Note opt-outs and their taking back, all of them or none. Returns how many numbers something changed for.

    Of each number the newest counts, whatever order they come in; of one moment, the opt-out. Raises LedgerError when
    they can't be written.
    """
    newest: dict[str, OptOut] = {}
    for change in changes:
        if _is_newer(change, newest.get(change.destination)):
            newest[change.destination] = change
    if not newest:
        return 0
    with ledger_errors("written"), ledger.engine.begin() as connection:
        # The write lock comes first: else an older word could win over one that is written between look and change.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = _find(connection, list(newest))
        changed = [one for destination, one in newest.items() if _is_newer(one, before.get(destination))]
        new = [_values(one) for one in changed if one.destination not in before]
        other = [_values(one) | {"of": one.destination} for one in changed if one.destination in before]
        for statement, rows in ((insert(optouts), new), (_CHANGE, other)):
            if rows:
                connection.execute(statement, rows)
    return len(changed)


def known(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """The newest word of each of these numbers (E.164), out or not; those that never said one are absent."""
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return _find(connection, destinations)


def opted_out(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """Those of these numbers (E.164) that are out."""
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return _find(connection, destinations, _IS_OUT)


def is_anybody_out(ledger: Ledger) -> bool:
    """Whether there is any opt-out: one look, where asking for each number of a plan would be many."""
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return connection.execute(_ANYBODY).first() is not None


def optouts_state(ledger: Ledger) -> str:
    """A text that is another one after every change of who is out."""
    at = optouts.c.at
    # In two parts: five thousand times in microseconds are more than the database's largest number.
    seconds, rest = (func.sum(at.op(sign)(1_000_000)) for sign in ("/", "%"))
    query = select(func.count(), func.sum(case((_IS_OUT, 1), else_=0)), func.max(at), seconds, rest)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return repr(tuple(connection.execute(query).one()))


def count(ledger: Ledger) -> int:
    """How many numbers are out."""
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(optouts).where(_IS_OUT)) or 0


def newest(ledger: Ledger, limit: int | None = None) -> list[OptOut]:
    """Those who are out, the newest first; at most `limit` of them."""
    query = select(*_COLUMNS).where(_IS_OUT).order_by(optouts.c.at.desc(), optouts.c.destination).limit(limit)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return [_opt_out(row) for row in connection.execute(query)]


def every(ledger: Ledger) -> Iterator[OptOut]:
    """Those who are out, in the order of their numbers, a part at a time."""
    after = ""
    while True:
        query = select(*_COLUMNS).where(_IS_OUT, optouts.c.destination > after).order_by(optouts.c.destination)
        with ledger_errors("read"), ledger.engine.connect() as connection:
            found = [_opt_out(row) for row in connection.execute(query.limit(IDS_AT_A_TIME))]
        yield from found
        if len(found) < IDS_AT_A_TIME:
            return
        after = found[-1].destination


def refuse_opted_out(connection: Connection, run_id: int, claimed: Sequence[Message]) -> frozenset[str]:
    """Take back those of these messages, just claimed, whose numbers are out; returns their message ids.

    Insert first, then look, as the cooldown does: so that the look sees every opt-out that was written before the
    claim.
    """
    if connection.execute(_ANYBODY).first() is None:
        return frozenset()
    wanted = {message.destination for message in claimed}
    out = set(connection.scalars(_THOSE_OUT, {"destinations": list(wanted)}))
    refused = [message.message_id for message in claimed if message.destination in out] if out else []
    if refused:
        settle(connection, run_id, [(message_id, _OUT) for message_id in refused])
    return frozenset(refused)


def _is_newer(change: OptOut, before: OptOut | None) -> bool:
    return before is None or (change.at, change.is_out) > (before.at, before.is_out)


def _find(connection: Connection, destinations: Sequence[str], *where: ColumnElement[bool]) -> dict[str, OptOut]:
    found: dict[str, OptOut] = {}
    for first in range(0, len(destinations), IDS_AT_A_TIME):
        some = destinations[first : first + IDS_AT_A_TIME]
        query = select(*_COLUMNS).where(optouts.c.destination.in_(some), *where)
        found.update((row[0], _opt_out(row)) for row in connection.execute(query))
    return found


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
