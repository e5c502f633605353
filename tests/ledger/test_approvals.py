"""Plans and approvals in the ledger: what planning again keeps, and when an approval is spent."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.base.outcomes import OutcomeReason
from runner.ledger.approvals import Approval, find_approval, note_approval, note_plan
from runner.ledger.audit import trail
from runner.ledger.ledger import Ledger, open_ledger

PLAN = Approval("welcome", "main", "ab" * 32, {"run": "welcome/main", "rate": "10/s"}, 5, "anna")
DIGITS = "ab" * 6


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
        yield ledger


def session(ledger: Ledger, run: str, *, stop_reason: str | None) -> None:
    record = ledger.begin_run(
        name="welcome", run=run, now=1, sub_account_id="acme", options="{}", fingerprint="f", rows=1, to_send=1
    )
    ledger.end_run(record.id, now=9, stop_reason=stop_reason, stop_detail=None)


def test_a_plan_is_found_by_its_first_digits(ledger: Ledger) -> None:
    note_plan(ledger, PLAN)
    assert [PLAN, PLAN, None] == [
        find_approval(ledger, "welcome", "main", digits) for digits in (DIGITS, PLAN.fingerprint, "ac" * 6)
    ]
    assert PLAN == find_approval(ledger, "other", "run", DIGITS), "to say that another run was approved"
    of_other_run = replace(PLAN, run="second", fingerprint=DIGITS + "c" * 52, planned_at=6)
    note_plan(ledger, of_other_run)
    assert of_other_run == find_approval(ledger, "welcome", "second", DIGITS)
    assert PLAN == find_approval(ledger, "welcome", "main", DIGITS)


def test_planning_again_changes_no_approval(ledger: Ledger) -> None:
    note_plan(ledger, PLAN)
    note_approval(ledger, "welcome/main", {"how": "fingerprint"}, PLAN, now=7)
    again = replace(PLAN, planned_at=8, planned_by="bob")
    note_plan(ledger, again)
    assert replace(again, approved_at=7) == find_approval(ledger, "welcome", "main", DIGITS)
    session(ledger, "main", stop_reason=None)
    note_plan(ledger, again)
    assert replace(again, approved_at=7, spent_at=9) == find_approval(ledger, "welcome", "main", DIGITS)
    entries = [(entry.action, entry.run, entry.detail) for entry in trail(ledger, "welcome")]
    planned = ("planned", "welcome/main", {"fingerprint": PLAN.fingerprint})
    assert [planned, ("approved", "welcome/main", {"how": "fingerprint"}), planned, planned] == entries


@pytest.mark.parametrize(
    ("run", "stop_reason", "spent_at"),
    [
        ("main", None, 9),
        ("main", OutcomeReason.OPTED_OUT.value, 9),  # the rest wants no messages: there is nothing to continue
        ("main", OutcomeReason.INTERRUPTED.value, None),
        ("main", OutcomeReason.FUSE.value, None),
        ("second", None, None),
    ],
)
def test_a_complete_run_spends_its_approvals(
    ledger: Ledger, run: str, stop_reason: str | None, spent_at: int | None
) -> None:
    note_plan(ledger, PLAN)
    session(ledger, run, stop_reason=stop_reason)
    assert replace(PLAN, spent_at=spent_at) == find_approval(ledger, "welcome", "main", DIGITS)


def test_a_yes_needs_no_plan(ledger: Ledger) -> None:
    note_approval(ledger, "welcome/main", {"how": "yes"}, None, now=7)
    assert ["approved"] == [entry.action for entry in trail(ledger, "welcome")]
    assert find_approval(ledger, "welcome", "main", "") is None
