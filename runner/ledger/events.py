"""Moments in a run's life that no single message holds: its sessions, pauses and stops."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from runner.ledger.ledger import Ledger, ledger_errors
from runner.ledger.tables import events
from runner.models import Event, EventKind


def note_events(ledger: Ledger, run_id: int, noted: Sequence[Event]) -> None:
    """Note some, all or none. Raises LedgerError when they can't be written."""
    rows = [
        {
            "run_id": run_id,
            "kind": event.kind.value,
            "at": event.at,
            "seconds": event.seconds,
            "detail": event.detail,
        }
        for event in noted
    ]
    if rows:
        with ledger_errors("written"), ledger.engine.begin() as connection:
            connection.execute(insert(events), rows)


def events_of(ledger: Ledger, run_id: int) -> list[Event]:
    """All of a run, oldest first."""
    columns = (events.c.kind, events.c.at, events.c.seconds, events.c.detail)
    query = select(*columns).where(events.c.run_id == run_id).order_by(events.c.at, events.c.id)
    with ledger_errors("read"), ledger.engine.connect() as connection:
        return [Event(EventKind(kind), at, seconds, detail) for kind, at, seconds, detail in connection.execute(query)]
