"""Opt-outs: numbers that no campaign of this ledger may text.

Nothing is ever deleted: a number that opts in again stays in the table, with the time of the opt-in. So STOP and START
replies can arrive in any order, twice or days late, and the newest one counts.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, case, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import iso
from runner.base.errors import BrokenLedgerError
from runner.base.messages import Message
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.audit import append
from runner.ledger.database import IDS_AT_A_TIME, rows_among
from runner.ledger.ledger import Ledger
from runner.ledger.tables import optouts
from runner.ledger.trust import checksum

_ALL = select(*(optouts.c[name] for name in OptOut.__slots__))
_IS_OUT = optouts.c.is_out.is_(True)
_OUT = select(optouts.c.destination).where(_IS_OUT)
_NOTE = insert(optouts)
# The newest change counts. If two have the same time, the opt-out counts.
_NOTE = _NOTE.on_conflict_do_update(
    index_elements=[optouts.c.destination],
    set_={name: _NOTE.excluded[name] for name in ("is_out", "at", "source", "word", "checksum")},
    where=tuple_(_NOTE.excluded.at, _NOTE.excluded.is_out) > tuple_(optouts.c.at, optouts.c.is_out),
)
WORD_LENGTH = 40
_SOURCES = frozenset(OptOutSource)


def note_optouts(ledger: Ledger, changes: Sequence[OptOut]) -> int:
    """Record opt-outs and opt-ins, all or none. Returns how many numbers changed. Raises LedgerError.

    The audit trail gets an entry for each number that is now opted out and wasn't before, or the other way round.
    """
    if not changes:
        return 0
    with ledger.writing() as connection:
        # Lock before reading: otherwise another process could change a number between the reading and the writing.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return change_optouts(connection, changes)


def change_optouts(connection: Connection, changes: Sequence[OptOut]) -> int:
    """`note_optouts` in the caller's transaction, which has the write lock."""
    newest: dict[str, OptOut] = {}
    for change in changes:
        known = newest.get(change.destination, change)
        newest[change.destination] = max(known, change, key=lambda each: (each.at, each.is_out))
    if not newest:
        return 0
    # Not with `asdict`, which takes longer than everything else here.
    rows = [
        {
            "destination": each.destination,
            "is_out": each.is_out,
            "at": each.at,
            "source": each.source.value,
            "word": each.word[:WORD_LENGTH] if each.word else None,
            "checksum": checksum(each.destination, int(each.is_out), each.at),
        }
        for each in newest.values()
    ]
    before = _newest_by_number(connection, list(newest))
    changed = connection.execute(_NOTE, rows).rowcount
    after = _newest_by_number(connection, list(newest))
    differ = [number for number in newest if number not in before or before[number].is_out != after[number].is_out]
    append(connection, [_audited(after[number]) for number in differ])
    return changed


def newest_by_number(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """The latest opt-out or opt-in of each number (E.164). Numbers that never had one are absent."""
    with ledger.reading() as connection:
        return _newest_by_number(connection, destinations)


def _newest_by_number(connection: Connection, destinations: Sequence[str]) -> dict[str, OptOut]:
    return {row[0]: _optout(*row) for row in rows_among(connection, _ALL, optouts.c.destination, destinations)}


def _audited(change: OptOut) -> AuditEntry:
    action = AuditAction.OPTED_OUT if change.is_out else AuditAction.OPTED_IN
    detail = {"source": change.source.value, "word": change.word, "since": iso(change.at)}
    return AuditEntry(action, None, {name: value for name, value in detail.items() if value}, change.destination)


def opted_out(ledger: Ledger, destinations: Sequence[str]) -> dict[str, OptOut]:
    """The numbers (E.164) among these that have opted out."""
    return {number: each for number, each in newest_by_number(ledger, destinations).items() if each.is_out}


def has_optouts(ledger: Ledger) -> bool:
    """Whether there is any opt-out. One query, to skip looking up each number of a plan."""
    return ledger.scalar(_OUT.limit(1)) is not None


def optouts_state(ledger: Ledger) -> str:
    """A text that changes whenever an opt-out is added or removed."""
    at = optouts.c.at
    # Summed in two parts: the sum of five thousand times in microseconds exceeds the database's largest integer.
    seconds, rest = (func.sum(at.op(sign)(1_000_000)) for sign in ("/", "%"))
    [row] = ledger.rows(select(func.count(), func.sum(case((_IS_OUT, 1), else_=0)), func.max(at), seconds, rest))
    return repr(tuple(row))


def count_optouts(ledger: Ledger) -> int:
    """How many numbers have opted out."""
    return int(ledger.scalar(select(func.count()).select_from(optouts).where(_IS_OUT)))


def newest_optouts(ledger: Ledger, limit: int | None = None) -> list[OptOut]:
    """The numbers that have opted out, newest first, at most `limit`."""
    query = _ALL.where(_IS_OUT).order_by(optouts.c.at.desc(), optouts.c.destination).limit(limit)
    return [_optout(*row) for row in ledger.rows(query)]


def all_optouts(ledger: Ledger) -> Iterator[OptOut]:
    """All numbers that have opted out, sorted by number. Read in parts, so that no transaction stays open."""
    after = ""
    while True:
        query = _ALL.where(_IS_OUT, optouts.c.destination > after).order_by(optouts.c.destination)
        found = [_optout(*row) for row in ledger.rows(query.limit(IDS_AT_A_TIME))]
        yield from found
        if len(found) < IDS_AT_A_TIME:
            return
        after = found[-1].destination


def opted_out_of(connection: Connection, claimed: Sequence[Message]) -> list[str]:
    """The ids of the messages, just claimed, whose numbers have opted out.

    Like the frequency cap, this reads after the claims are inserted, so it sees every opt-out that was written before
    them.
    """
    if connection.scalar(_OUT.limit(1)) is None:
        return []
    destinations = list({message.destination for message in claimed})
    out = {row[0] for row in rows_among(connection, _OUT, optouts.c.destination, destinations)}
    return [message.message_id for message in claimed if message.destination in out]


def _optout(destination: str, is_out: bool, at: int, source: str, word: str | None) -> OptOut:
    if source not in _SOURCES:
        words = f"the ledger is damaged: an opt-out has an unknown source, {source!a}"
        raise BrokenLedgerError(f"{words}; check it with `campaign ledger verify`, and restore a backup")
    return OptOut(destination, is_out, at, OptOutSource(source), word)
