"""What became of asking the provider not to send."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import LedgerError
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


def test_another_run_of_the_same_ledger_has_no_part_in_it(filled: Filled) -> None:
    ours, theirs = filled.run(), filled.run(run="other")
    [mine], [other] = filled.messages(ours), filled.messages(theirs)
    note_cancellations(filled.ledger, theirs, [Cancellation(mine, CANCELLED, 5), Cancellation(other, CANCELLED, 5)])

    assert [mine] == waiting(filled, ours)
    assert {} == cancelled_of(filled.ledger, ours, [mine, other])
    assert {} == cancellation_counts(filled.ledger, ours)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_batches_of_any_size_come_to_the_same_also_while_they_are_settled(filled: Filled, limit: int) -> None:
    """Each is asked about once, although what was cancelled goes out of the list that is being read."""
    run_id = filled.run()
    message_ids = filled.messages(run_id, 10)
    asked: list[str] = []
    while batch := waiting_after(filled.ledger, run_id, asked[-1] if asked else "", limit=limit):
        assert len(batch) <= limit
        asked += [one.message_id for one in batch]
        note_cancellations(filled.ledger, run_id, [Cancellation(one.message_id, CANCELLED, 5) for one in batch])

    assert list(message_ids) == asked
    assert [] == waiting(filled, run_id)


def test_nothing_and_more_than_a_statement_takes(filled: Filled) -> None:
    run_id = filled.run()
    note_cancellations(filled.ledger, run_id, [])
    assert {} == cancelled_of(filled.ledger, run_id, [])

    message_ids = filled.messages(run_id, 2_000)
    note_cancellations(filled.ledger, run_id, [Cancellation(one, CANCELLED, 5) for one in message_ids])
    assert dict.fromkeys(message_ids, 5) == cancelled_of(filled.ledger, run_id, message_ids)


def test_a_group_is_noted_whole_or_not_at_all(filled: Filled) -> None:
    run_id = filled.run()
    [one] = filled.messages(run_id)
    group = [Cancellation(one, CANCELLED, 5), Cancellation("no-time", CANCELLED, None)]  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="could not be written"):
        note_cancellations(filled.ledger, run_id, group)

    assert {} == cancellation_counts(filled.ledger, run_id)


def test_two_at_once_come_to_the_same(filled: Filled) -> None:
    run_id = filled.run()
    message_ids = filled.messages(run_id, 50)

    def note(status: CancelStatus) -> None:
        for message_id in message_ids:
            note_cancellations(filled.ledger, run_id, [Cancellation(message_id, status, 5)])

    threads = [threading.Thread(target=note, args=(status,)) for status in CancelStatus]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {"cancelled": 50} == cancellation_counts(filled.ledger, run_id)


def test_each_batch_costs_what_it_holds_and_not_what_was_asked_about_before(filled: Filled) -> None:
    """SQLite answers from the keys: no list of all cancellings is made for a batch."""
    run_id = filled.run()
    filled.messages(run_id, 3)
    seen: list[str] = []
    with filled.ledger.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.set_trace_callback(seen.append)
    waiting_after(filled.ledger, run_id, "", limit=2)
    [query] = [one for one in seen if one.startswith("SELECT")]
    with filled.ledger.engine.connect() as connection:
        steps = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]

    assert steps
    assert [] == [step for step in steps if step.startswith("SCAN") or "LIST" in step or "TEMP" in step]
