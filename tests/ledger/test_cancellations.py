"""What became of asking the provider not to send."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.ledger.cancellations import (
    Cancellation,
    CancelStatus,
    Waiting,
    cancellation_counts,
    cancelled_of,
    note_cancellations,
    refusals,
    waiting_after,
)
from runner.models import DeliveryState
from tests.ledger.filled import Filled

CANCELLED, REFUSED = CancelStatus.CANCELLED, CancelStatus.REFUSED


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "ledger.sqlite3") as filled:
        yield filled


def waiting(filled: Filled, run: int) -> list[str]:
    return [one.message_id for one in waiting_after(filled.ledger, run, "", limit=100)]


def test_only_what_is_accepted_waits_at_the_provider(filled: Filled) -> None:
    run = filled.run()
    [accepted] = filled.messages(run, sent_at=7)
    for status in ("rejected", "unknown", "sending"):
        filled.messages(run, status=status)
    assert [Waiting(accepted, accepted, "umid-1", 7)] == waiting_after(filled.ledger, run, "", limit=100)


@pytest.mark.parametrize("state", DeliveryState)
def test_a_receipt_of_having_left_ends_the_waiting(filled: Filled, state: DeliveryState) -> None:
    run = filled.run()
    ids = filled.messages(run, receipt={"state": state.value})
    is_waiting = state in (DeliveryState.QUEUED, DeliveryState.UNKNOWN)
    assert (list(ids) if is_waiting else []) == waiting(filled, run)


def test_pages_hold_all_of_them_in_order(filled: Filled) -> None:
    run = filled.run()
    ids = filled.messages(run, 11)
    found: list[str] = []
    while page := waiting_after(filled.ledger, run, found[-1] if found else "", limit=3):
        found += [one.message_id for one in page]
    assert list(ids) == found


def test_what_is_cancelled_is_not_asked_for_again_and_what_was_refused_is(filled: Filled) -> None:
    run, other = filled.run(), filled.run(run="other")
    first, second, third = filled.messages(run, 3)
    filled.messages(other)
    note_cancellations(
        filled.ledger,
        run,
        [Cancellation(first, CANCELLED, 5, 200), Cancellation(second, REFUSED, 6, 404, "it was sent already")],
    )
    assert [second, third] == waiting(filled, run)
    assert {first: 5} == cancelled_of(filled.ledger, run, [first, second, third])
    assert {} == cancelled_of(filled.ledger, other, [first])
    assert {"cancelled": 1, "refused": 1} == cancellation_counts(filled.ledger, run)
    assert [(second, "it was sent already")] == refusals(filled.ledger, run)


def test_what_was_cancelled_stays_so(filled: Filled) -> None:
    run = filled.run()
    [one] = filled.messages(run)
    note_cancellations(filled.ledger, run, [])
    note_cancellations(filled.ledger, run, [Cancellation(one, REFUSED, 4)])
    note_cancellations(filled.ledger, run, [Cancellation(one, CANCELLED, 5)])
    note_cancellations(filled.ledger, run, [Cancellation(one, REFUSED, 6)])
    assert {one: 5} == cancelled_of(filled.ledger, run, [one])
    assert [] == refusals(filled.ledger, run)


def test_refusals_come_by_key_and_only_so_many(filled: Filled) -> None:
    run = filled.run()
    for key in ("c", "a", "b"):
        [one] = filled.messages(run, key=key)
        note_cancellations(filled.ledger, run, [Cancellation(one, REFUSED, 4)])
    assert [("a", ""), ("b", ""), ("c", "")] == refusals(filled.ledger, run)
    assert [("a", ""), ("b", "")] == refusals(filled.ledger, run, limit=2)
