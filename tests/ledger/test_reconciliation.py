"""What a log's proof does to the run, beside its messages; `test_machine.py` has the messages."""

from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import LedgerError
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.ledger.reconciliation import Unknown, accepted, apply, has_accepted, unknowns
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


def test_which_messages_are_unknown_and_when_their_requests_may_have_left(tmp_path: Path) -> None:
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id, other = filled.run(), filled.run(run="other")
        filled.messages(run_id, claimed_at=1, settled_at=9)
        filled.messages(other, status=Status.UNKNOWN, claimed_at=1, settled_at=9)
        assert {} == unknowns(filled.ledger, run_id)

        (first,) = filled.messages(run_id, status=Status.UNKNOWN, claimed_at=3, settled_at=5)
        (set_back,) = filled.messages(run_id, status=Status.UNKNOWN, claimed_at=7, settled_at=4)
        (left,) = filled.messages(run_id, status=Status.UNKNOWN, claimed_at=7, sent_at=8, settled_at=9)
        assert {first: Unknown(3, 5), set_back: Unknown(7, 7), left: Unknown(8, 9)} == unknowns(filled.ledger, run_id)


@pytest.mark.parametrize("reason", [OutcomeReason.QUEUED, *sorted(DIFFERING)])
def test_the_log_must_have_what_was_accepted_in_an_answer(tmp_path: Path, reason: OutcomeReason) -> None:
    """Also if the answer differs from the request: otherwise the log would have to hold nothing."""
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id, other = filled.run(), filled.run(run="other")
        facts: dict[str, Any] = {"reason": reason.value, "claimed_at": 10, "sent_at": 11, "answered_at": 12}
        filled.messages(run_id, status=Status.UNKNOWN, claimed_at=10)
        filled.messages(run_id, **facts | {"claimed_at": 9})
        filled.messages(run_id, **facts | {"reason": OutcomeReason.RECONCILED.value})
        filled.messages(run_id, **facts | {"answered_at": None})
        filled.messages(other, **facts)
        (found,) = filled.messages(run_id, **facts)

        assert [(found, 11, 12)] == list(accepted(filled.ledger, run_id, since=10))
        assert has_accepted(filled.ledger, run_id, since=11, until=13)
        assert not has_accepted(filled.ledger, run_id, since=11, until=12)
        assert not has_accepted(filled.ledger, run_id, since=12, until=13)


def test_what_is_not_unknown_any_more_changes_nothing(tmp_path: Path) -> None:
    with Filled(tmp_path / "l.sqlite3") as filled:
        run_id = filled.run()
        (unknown,) = filled.messages(run_id, status=Status.UNKNOWN)
        (accepted,) = filled.messages(run_id)

        with pytest.raises(LedgerError, match="the rest stays unknown"):
            apply(filled.ledger, run_id, found={accepted: Proof("u-9")}, not_received=[unknown])

        assert {"accepted": 1, "unknown": 1} == filled.ledger.counts(run_id)
        assert "umid-2" == filled.ledger.records(run_id, [accepted])[accepted].umid
