"""Making the entries of a lost run again, from the provider's log and a plan. Every step can be repeated."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert

from runner.base.messages import Message
from runner.base.outcomes import OutcomeReason, Status
from runner.ledger.ledger import Ledger
from runner.ledger.tables import messages, runs
from runner.ledger.transitions import Proof, accept_unknown
from runner.ledger.trust import checksum

_FOUND = "found in the provider's log"
# Without a umid, reconcile would not accept it either. But the provider has it, so it must not be sent again.
_WITHOUT_UMID = "found in the provider's log, but without a umid"

_DESCRIBED = ("key", "destination", "country", "encoding", "segments")
_NAMELESS = (messages.c.run_id == bindparam("of_run"), messages.c.message_id == bindparam("of_message"))
_DESCRIBE = update(messages).where(*_NAMELESS).values({name: bindparam(f"new_{name}") for name in _DESCRIBED})


class LogLine(NamedTuple):
    """A message in the provider's log. `at` is when the provider received it (microseconds since the epoch)."""

    message_id: str
    at: int
    encoding: str
    country: str | None
    proof: Proof


def adopt_lines(ledger: Ledger, run_id: int, lines: Sequence[LogLine], now: int) -> int:
    """Add messages that the ledger lost, all or none: accepted, or unknown without a umid.

    A message that the ledger has as unknown becomes accepted; one with another status stays as it is. Keys and numbers
    are empty until `describe` knows them. Returns how many messages were added. Raises LedgerError.
    """
    with ledger.writing() as connection:
        proven = [(run_id, line.message_id, line.proof) for line in lines if line.proof.umid]
        accept_unknown(connection, proven, OutcomeReason.RECONCILED, _FOUND, now)
        rows = [_row(run_id, line, now) for line in lines]
        return connection.execute(insert(messages).on_conflict_do_nothing(), rows).rowcount if rows else 0


def describe(ledger: Ledger, run_id: int, planned: Sequence[Message]) -> int:
    """Fill in key, number and size of added messages from a plan. Returns of how many. Raises LedgerError."""
    known = ledger.records(run_id, [message.message_id for message in planned])
    rows = [
        {
            "of_run": run_id,
            "of_message": message.message_id,
            "new_key": message.key,
            "new_destination": message.destination,
            "new_country": message.country,
            "new_encoding": message.encoding.value,
            "new_segments": message.segments,
        }
        for message in planned
        if message.message_id in known and not known[message.message_id].destination
    ]
    if rows:
        with ledger.writing() as connection:
            connection.execute(_DESCRIBE, rows)
    return len(rows)


def nameless(ledger: Ledger, run_id: int) -> int:
    """How many messages of the run have no number: no plan had them."""
    is_nameless = (messages.c.run_id == run_id, messages.c.destination == "")
    return int(ledger.scalar(select(func.count()).select_from(messages).where(*is_nameless)))


def note_rebuilt(ledger: Ledger, run_id: int, **values: Any) -> None:  # noqa: ANN401 (columns)
    """Record a rebuilt run's times, as its messages show them, and `values`: messages_digest, rows, to_send."""
    times = select(func.min(messages.c.claimed_at), func.max(messages.c.claimed_at))
    with ledger.writing() as connection:
        first, last = connection.execute(times.where(messages.c.run_id == run_id)).one()
        if first is not None:
            values |= {"created_at": first, "started_at": first, "ended_at": last}
        connection.execute(update(runs).where(runs.c.id == run_id).values(values))


def _row(run_id: int, line: LogLine, now: int) -> dict[str, Any]:
    is_accepted = bool(line.proof.umid)
    status = (Status.ACCEPTED if is_accepted else Status.UNKNOWN).value
    return {
        **line.proof._asdict(),
        "run_id": run_id,
        "message_id": line.message_id,
        "key": "",
        "destination": "",
        "country": line.country,
        "encoding": line.encoding,
        "segments": line.proof.log_segments or 1,
        "status": status,
        "reason": (OutcomeReason.RECONCILED if is_accepted else OutcomeReason.INVALID_ANSWER).value,
        "detail": _FOUND if is_accepted else _WITHOUT_UMID,
        "attempts": 1,
        "claimed_at": line.at,
        "settled_at": now,
        "umid": line.proof.umid or None,
        "checksum": checksum(run_id, line.message_id, status),
    }
