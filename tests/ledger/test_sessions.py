"""When each start of a run began and ended, from real ledgers: also where one was killed, or an event is missing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.base.events import Event, EventKind
from runner.base.outcomes import FatalAnswer, Outcome, OutcomeReason, Status
from runner.ledger.ledger import RunRecord
from runner.ledger.sessions import Session, SessionState, sessions_of, stop_as_json
from tests.ledger.filled import Filled

S = SessionState
STARTED, STOPPED, ENDED = EventKind.STARTED, EventKind.STOPPED, EventKind.ENDED
CTRL_C = {"reason": "interrupted", "detail": "stopped by Ctrl-C"}


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "l.sqlite3") as made:
        yield made


def start(filled: Filled, at: int) -> int:
    run_id = filled.run(at=at)
    filled.ledger.note_events(run_id, [Event(STARTED, at)])
    return run_id


def end(filled: Filled, run_id: int, at: int, reason: str | None = None, detail: str | None = None) -> None:
    filled.end(run_id, at=at, reason=reason, detail=detail)
    kind = STOPPED if reason not in (None, OutcomeReason.OPTED_OUT) else ENDED
    pause = Event(EventKind.THROTTLED, at - 1, 1.0)
    filled.ledger.note_events(run_id, [pause, Event(kind, at, detail=detail, reason=reason)])


def found(filled: Filled, *, is_sending: bool = False) -> list[Session]:
    [record] = filled.ledger.runs()
    return sessions_of(filled.ledger, record, is_sending=is_sending)


def test_each_session_with_its_end_and_what_it_sent(filled: Filled) -> None:
    run_id = start(filled, 10)
    filled.messages(run_id, 3, claimed_at=11)
    end(filled, run_id, 20, *CTRL_C.values())
    start(filled, 30)
    filled.messages(run_id, 2, status=Status.UNKNOWN, claimed_at=30)
    start(filled, 40)  # the one before was killed
    filled.messages(run_id, 1, claimed_at=41)
    end(filled, run_id, 50, OutcomeReason.OPTED_OUT, "1 recipient opted out")

    assert [
        Session(10, S.STOPPED, 20, **CTRL_C, sent=3),
        Session(30, S.KILLED, sent=2),
        Session(40, S.FINISHED, 50, "opted_out", "1 recipient opted out", sent=1),
    ] == found(filled)


@pytest.mark.parametrize(("is_sending", "state"), [(True, S.SENDING), (False, S.KILLED)])
def test_a_session_without_an_end(filled: Filled, *, is_sending: bool, state: SessionState) -> None:
    start(filled, 10)
    assert [Session(10, state, sent=0)] == found(filled, is_sending=is_sending)


def test_what_a_run_waits_for_is_no_reason(filled: Filled) -> None:
    filled.ledger.note_waiting(start(filled, 10), "sending hours, from 09:00")
    assert [Session(10, S.SENDING, sent=0)] == found(filled, is_sending=True)


def test_an_older_version_recorded_only_the_first_start(filled: Filled) -> None:
    run_id = filled.run(at=10)
    filled.messages(run_id, 2, claimed_at=11)
    start(filled, 30)
    end(filled, run_id, 40)
    assert [Session(10, S.NOT_KNOWN), Session(30, S.FINISHED, 40, sent=0)] == found(filled)


def test_events_that_could_not_be_recorded(filled: Filled) -> None:
    run_id = filled.run(at=10)
    filled.end(run_id, at=20)
    assert [Session(10, S.FINISHED, 20, sent=0)] == found(filled)
    filled.run(at=30)
    filled.ledger.note_events(run_id, [Event(ENDED, 40)])  # of a start that could not be recorded
    filled.end(run_id, at=40, reason="fuse", detail="words")
    assert [Session(10, S.NOT_KNOWN), Session(30, S.STOPPED, 40, "fuse", "words", sent=0)] == found(filled)


def test_after_a_clock_that_was_set_back_nothing_is_counted(filled: Filled) -> None:
    run_id = start(filled, 100)
    filled.messages(run_id, 2, claimed_at=101)
    end(filled, run_id, 110)
    start(filled, 50)
    end(filled, run_id, 60)
    assert [Session(100, S.FINISHED, 110), Session(50, S.FINISHED, 60)] == found(filled)


def test_each_run_has_its_own(filled: Filled) -> None:
    run_id = start(filled, 10)
    end(filled, run_id, 20)
    other = filled.run(run="other", at=12)
    filled.ledger.note_events(other, [Event(STARTED, 12)])
    [first, _] = filled.ledger.runs()
    assert [Session(10, S.FINISHED, 20, sent=0)] == sessions_of(filled.ledger, first, is_sending=False)


FATAL = Outcome(
    Status.UNSENT, OutcomeReason.UNAUTHORIZED, "Invalid credentials", http_status=401, error_code=1200, error_id="e-1",
    sent_at=14_000_000, answered_at=15_000_000,
)  # fmt: skip


def stopped(filled: Filled) -> RunRecord:
    run_id = start(filled, 10)
    answer = FatalAnswer("welcome.main.a", 2, FATAL)
    filled.ledger.end_run(
        run_id, now=20_000_000, stop_reason="unauthorized", stop_detail="Invalid credentials", answer=answer
    )
    return filled.ledger.runs()[0]


def test_the_answer_that_stopped_a_session_is_kept_until_the_next(filled: Filled) -> None:
    record = stopped(filled)
    assert ("welcome.main.a", 2, 401, 1200, "e-1", 14_000_000, 15_000_000) == (
        record.stop_message_id, record.stop_attempts, record.stop_http_status, record.stop_error_code,
        record.stop_error_id, record.stop_sent_at, record.stop_answered_at,
    )  # fmt: skip
    start(filled, 30)
    [again] = filled.ledger.runs()
    assert {None} == {getattr(again, name) for name in RunRecord.__slots__ if name.startswith("stop_")}


def test_why_it_stopped_for_programs(filled: Filled) -> None:
    record = stopped(filled)
    assert {
        "reason": "unauthorized", "detail": "Invalid credentials", "http_status": 401, "error_code": 1200,
        "error_message": "Invalid credentials", "error_id": "e-1", "at": "1970-01-01T00:00:15.000Z",
        "message_id": "welcome.main.a",
    } == stop_as_json(record)  # fmt: skip
    by_a_signal = replace(record, stop_reason="interrupted", stop_message_id=None)
    assert ("1970-01-01T00:00:20.000Z", None) == tuple(
        (stop_as_json(by_a_signal) or {})[name] for name in ("at", "error_message")
    )
    assert stop_as_json(replace(record, stop_reason=None)) is None
