"""What a log's proof does to the run, beside its messages; `test_machine.py` has the messages."""

from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import LedgerError
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.ledger.reconciliation import Unknowns, accepted_ids, apply, unknown_ids, unknowns
from runner.ledger.transitions import Proof
from tests.ledger.filled import Filled


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(OutcomeReason.OPTED_OUT, (None, None)), (OutcomeReason.FUSE, (OutcomeReason.FUSE.value, "words"))],
)
def test_a_run_that_only_opt_outs_ended_is_open_again_when_there_is_something_to_send(
    tmp_path: Path, reason: OutcomeReason, expected: tuple[str | None, str | None]
) -> None:
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id = filled.run()
        (message_id,) = filled.messages(run_id, status=Status.UNKNOWN)
        filled.end(run_id, reason=reason, detail="words")

        apply(filled.ledger, run_id, found={}, not_received=[message_id])

        (record,) = filled.ledger.runs()
        assert expected == (record.stop_reason, record.stop_detail)
        assert {} == filled.ledger.counts(run_id)


def test_which_messages_are_unknown_and_since_when(tmp_path: Path) -> None:
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id, other = filled.run(), filled.run(run="other")
        filled.messages(run_id, claimed_at=1, settled_at=9)
        filled.messages(other, status=Status.UNKNOWN, claimed_at=1, settled_at=9)
        assert (None, set()) == (unknowns(filled.ledger, run_id), unknown_ids(filled.ledger, run_id))

        ids = [
            *filled.messages(run_id, status=Status.UNKNOWN, claimed_at=3, settled_at=5),
            *filled.messages(run_id, status=Status.UNKNOWN, claimed_at=2, settled_at=4),
        ]
        assert Unknowns(2, 2, 5) == unknowns(filled.ledger, run_id)
        assert set(ids) == unknown_ids(filled.ledger, run_id)


def test_the_log_must_have_the_newest_answers_since_the_first_unknown_message(tmp_path: Path) -> None:
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id, other = filled.run(), filled.run(run="other")
        facts: dict[str, Any] = {"reason": OutcomeReason.QUEUED.value, "claimed_at": 10}
        filled.messages(run_id, status=Status.UNKNOWN, claimed_at=10)
        filled.messages(run_id, **facts | {"claimed_at": 9, "answered_at": 20})
        filled.messages(run_id, **facts | {"reason": OutcomeReason.RECONCILED.value, "answered_at": 20})
        filled.messages(other, **facts, answered_at=20)
        first, second, third, late = (filled.messages(run_id, **facts, answered_at=at)[0] for at in (11, 12, 20, 21))

        def found(answered_before: int, limit: int) -> set[str]:
            return accepted_ids(filled.ledger, run_id, answered_before=answered_before, limit=limit)

        assert {first, second, third} == found(20, 9)
        assert {second, third} == found(20, 2)
        assert {first, second, third, late} == found(21, 9)


@pytest.mark.parametrize("reason", sorted(DIFFERING))
def test_an_answer_that_differs_from_the_request_is_an_answer(tmp_path: Path, reason: OutcomeReason) -> None:
    """Without these, an export would have to hold nothing, and could prove that people were not texted."""
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id = filled.run()
        filled.messages(run_id, status=Status.UNKNOWN, claimed_at=10)
        found = filled.messages(run_id, 2, reason=reason.value, claimed_at=10, answered_at=11)
        assert set(found) == accepted_ids(filled.ledger, run_id, answered_before=20, limit=9)


def test_what_is_not_unknown_any_more_changes_nothing(tmp_path: Path) -> None:
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id = filled.run()
        (unknown,) = filled.messages(run_id, status=Status.UNKNOWN)
        (accepted,) = filled.messages(run_id)

        with pytest.raises(LedgerError, match="nothing was changed"):
            apply(filled.ledger, run_id, found={accepted: Proof("u-9")}, not_received=[unknown])

        assert {"accepted": 1, "unknown": 1} == filled.ledger.counts(run_id)
        assert "umid-2" == filled.ledger.records(run_id, [accepted])[accepted].umid
