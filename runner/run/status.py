"""How far runs are, from the ledger alone; also while they are going."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.errors import InputError
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import is_locked
from runner.ledger.tables import SENDING
from runner.models import Status
from runner.run.places import SANDBOX_RUN, Options, Places, ledger_url, places_of, reports_folder
from runner.run.times import iso


@contextlib.contextmanager
def recorded(name: str, run: str | None, options: Options) -> Iterator[tuple[Ledger, RunRecord, Places]]:
    """The ledger, the record and the places of NAME/RUN; without a run, of the campaign's newest one.

    Raises InputError when the ledger doesn't know it.
    """
    run = SANDBOX_RUN if options.sandbox else run
    url = places_of(name, run, options).ledger if run else ledger_url(options)
    with open_ledger(url, create=False) as ledger:
        found = ledger.runs(name, run)
        if not found:
            raise InputError.of(_not_known(ledger.path, name, run), _known(ledger))
        record = max(found, key=lambda record: record.started_at)
        yield ledger, record, places_of(name, record.run, options)


def _not_known(ledger: str | Path, name: str, run: str | None) -> str:
    return f"the ledger {ledger} knows no run {name}{f'/{run}' if run else ''}"


def _known(ledger: Ledger) -> str:
    names = [f"{record.name}/{record.run}" for record in ledger.runs()]
    return f"it knows {', '.join(names[-10:])}" if names else "it is empty: start a campaign with `campaign run FILE`"


def statuses(name: str | None, run: str | None, options: Options) -> list[dict[str, Any]]:
    """Every run of the ledger that matches, with its counts by status; oldest first."""
    if name and (run == SANDBOX_RUN or options.sandbox):
        urls = [places_of(name, SANDBOX_RUN, options).ledger]
    elif options.sandbox:
        urls = [str(path) for path in sorted(reports_folder(options).glob(f"*/{SANDBOX_RUN}/ledger.sqlite3"))]
    else:
        urls = [ledger_url(options)]
    found: list[dict[str, Any]] = []
    for url in urls:
        with open_ledger(url, create=False) as ledger:
            found += [_status(ledger, record) for record in ledger.runs(name, run)]
    if name and not found:
        raise InputError.of(_not_known(urls[0], name, run), "see `campaign status`")
    return found


def _status(ledger: Ledger, record: RunRecord) -> dict[str, Any]:
    counts = ledger.counts(record.id)
    settled = {
        status.value: counts.get(status.value, 0) for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN)
    }
    sending = counts.get(SENDING, 0)
    unsent = max(record.to_send - sum(settled.values()) - sending, 0)
    state = _state(ledger, record, unsent)
    return {
        "campaign": record.name,
        "run": record.run,
        "state": state,
        "waiting_for": record.stop_detail if state == "waiting" else None,
        "rows": record.rows,
        "to_send": record.to_send,
        **settled,
        "sending": sending,
        "unsent": unsent,
        "started_at": iso(record.started_at),
        "ended_at": iso(record.ended_at),
        "stopped": {"reason": record.stop_reason, "detail": record.stop_detail} if record.stop_reason else None,
    }


def _state(ledger: Ledger, record: RunRecord, unsent: int) -> str:
    if record.ended_at is None:
        if not is_locked(ledger.path, record.name, record.run):
            return "killed"
        return "waiting" if record.stop_detail else "sending"
    return "stopped" if record.stop_reason or unsent else "finished"
