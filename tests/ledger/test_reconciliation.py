"""What a log's proof does to the run, beside its messages; `test_machine.py` has the messages."""

from pathlib import Path

import pytest

from runner.base.outcomes import OutcomeReason, Status
from runner.ledger.reconciliation import apply
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
