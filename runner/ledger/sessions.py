"""The sessions of a run: when each start began and ended, how it ended, and how many messages were sent in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from runner.base.clock import iso
from runner.base.events import EventKind
from runner.base.outcomes import OutcomeReason
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.tables import events


class SessionState(StrEnum):
    """How a session ended, or that it goes on."""

    SENDING = "sending"
    FINISHED = "finished"
    STOPPED = "stopped"
    KILLED = "killed"  # no end was recorded
    NOT_KNOWN = "not_known"  # from a version that recorded only the first start


@dataclass(frozen=True, slots=True)
class Session:
    """A session; times are microseconds since the epoch.

    `reason` and `detail` say why it stopped early; versions before ledger schema 5 recorded no reason. `sent` counts
    the messages that were claimed in it and may have left; None: not known.
    """

    started_at: int
    state: SessionState
    ended_at: int | None = None
    reason: str | None = None
    detail: str | None = None
    sent: int | None = None


_STATES = {
    EventKind.STARTED.value: SessionState.KILLED,  # until its end is found
    EventKind.ENDED.value: SessionState.FINISHED,
    EventKind.STOPPED.value: SessionState.STOPPED,
}


def sessions_of(ledger: Ledger, record: RunRecord, *, is_sending: bool) -> list[Session]:
    """The sessions of a run, oldest first. `is_sending`: a process is sending the run now."""
    columns = (events.c.kind, events.c.at, events.c.reason, events.c.detail)
    # In the order of recording: the clock may have been set back.
    query = select(*columns).where(events.c.run_id == record.id, events.c.kind.in_(_STATES)).order_by(events.c.id)
    found: list[Session] = []
    for kind, at, reason, detail in ledger.rows(query):
        if kind == EventKind.STARTED:
            found.append(Session(at, SessionState.KILLED))
        elif found and found[-1].ended_at is None:
            found[-1] = replace(found[-1], state=_STATES[kind], ended_at=at, reason=reason, detail=detail)
    # The run's own row is more certain: an event that could not be recorded doesn't stop a run.
    if not found or found[-1].started_at != record.started_at:
        found.append(Session(record.started_at, SessionState.KILLED))
    found[-1] = _newest(record, is_sending=is_sending)
    if found[0].started_at != record.created_at:
        found.insert(0, Session(record.created_at, SessionState.NOT_KNOWN))
    return _with_sent(ledger, record, found)


def _newest(record: RunRecord, *, is_sending: bool) -> Session:
    if record.ended_at is None:
        return Session(record.started_at, SessionState.SENDING if is_sending else SessionState.KILLED)
    is_over = record.stop_reason in (None, OutcomeReason.OPTED_OUT)
    state = SessionState.FINISHED if is_over else SessionState.STOPPED
    return Session(record.started_at, state, record.ended_at, record.stop_reason, record.stop_detail)


def _with_sent(ledger: Ledger, record: RunRecord, found: Sequence[Session]) -> list[Session]:
    starts = [session.started_at for session in found]
    if starts != sorted(starts):  # the clock was set back, so the times of the claims don't tell them apart
        return list(found)
    _, since = ledger.counts_and_claims(record.id, starts)
    counts = [before - after for before, after in pairwise([*since, 0])]
    return [
        session if session.state is SessionState.NOT_KNOWN else replace(session, sent=sent)
        for session, sent in zip(found, counts, strict=True)
    ]


def stop_as_json(record: RunRecord) -> dict[str, Any] | None:
    """Why the newest session stopped early, with the answer that stopped it, if one did. None if it didn't stop."""
    if not record.stop_reason:
        return None
    has_answer = record.stop_message_id is not None
    return {
        "reason": record.stop_reason,
        "detail": record.stop_detail,
        "http_status": record.stop_http_status,
        "error_code": record.stop_error_code,
        "error_message": record.stop_detail if has_answer else None,
        "error_id": record.stop_error_id,
        "at": iso(record.stop_answered_at if has_answer else record.ended_at),
        "message_id": record.stop_message_id,
    }
