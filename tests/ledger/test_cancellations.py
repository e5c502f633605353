"""Which messages the provider may still have to send, and what became of asking it not to, on real SQLite files."""

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
    waiting_after,
)
from runner.models import DeliveryState, Status
from tests.ledger.filled import Filled

CANCELLED, REFUSED = CancelStatus.CANCELLED, CancelStatus.REFUSED


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "ledger.sqlite3") as filled:
        yield filled


def all_waiting(filled: Filled, run_id: int, limit: int = 100) -> list[str]:
    found: list[str] = []
    while batch := waiting_after(filled.ledger, run_id, found[-1] if found else "", limit=limit):
        found += [one.message_id for one in batch]
    return found


def test_what_was_accepted_waits_and_nothing_else(filled: Filled) -> None:
    run_id = filled.run()
    accepted = filled.messages(run_id, 2)
    for status in ("sending", Status.REJECTED, Status.UNKNOWN):
        filled.messages(run_id, status=status)

    assert list(accepted) == all_waiting(filled, run_id)


def test_it_is_known_by_what_people_and_the_provider_call_it(filled: Filled) -> None:
    run_id = filled.run()
    [message_id] = filled.messages(run_id, key="C-1", umid="u-1", sent_at=7)

    assert [Waiting(message_id, "C-1", "u-1", 7)] == waiting_after(filled.ledger, run_id, "", limit=9)


@pytest.mark.parametrize("state", DeliveryState)
def test_a_receipt_of_sent_or_better_ends_the_waiting(filled: Filled, state: DeliveryState) -> None:
    run_id = filled.run()
    message_ids = filled.messages(run_id, receipt={"state": state.value})
    may_wait = state in (DeliveryState.QUEUED, DeliveryState.UNKNOWN)

    assert (list(message_ids) if may_wait else []) == all_waiting(filled, run_id)


@pytest.mark.parametrize("status", CancelStatus)
def test_what_was_asked_about_before_is_not_asked_about_again(filled: Filled, status: CancelStatus) -> None:
    run_id = filled.run()
    [asked, new] = filled.messages(run_id, 2)
    note_cancellations(filled.ledger, run_id, [Cancellation(asked, status, 5)])

    assert [new] == all_waiting(filled, run_id)


def test_another_run_of_the_same_ledger_has_no_part_in_it(filled: Filled) -> None:
    ours, theirs = filled.run(), filled.run(run="other")
    [mine], [other] = filled.messages(ours), filled.messages(theirs)
    note_cancellations(filled.ledger, theirs, [Cancellation(mine, CANCELLED, 5), Cancellation(other, CANCELLED, 5)])

    assert [mine] == all_waiting(filled, ours)
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
    assert [] == all_waiting(filled, run_id)


def test_what_was_cancelled_is_known_with_its_time(filled: Filled) -> None:
    run_id = filled.run()
    [one, two, three] = filled.messages(run_id, 3)
    note_cancellations(
        filled.ledger,
        run_id,
        [Cancellation(one, CANCELLED, 11, 200), Cancellation(two, REFUSED, 12, 404, "Message not found.")],
    )

    assert {one: 11} == cancelled_of(filled.ledger, run_id, [one, two, three])
    assert {"cancelled": 1, "refused": 1} == cancellation_counts(filled.ledger, run_id)


def test_what_was_cancelled_stays_so_and_a_refusal_may_change(filled: Filled) -> None:
    """The provider refuses to cancel twice: the second no says nothing against the first yes."""
    run_id = filled.run()
    [one, two] = filled.messages(run_id, 2)
    for status, at in ((CANCELLED, 11), (REFUSED, 12)):
        note_cancellations(filled.ledger, run_id, [Cancellation(one, status, at)])
    for status, at in ((REFUSED, 11), (CANCELLED, 12)):
        note_cancellations(filled.ledger, run_id, [Cancellation(two, status, at)])

    assert {one: 11, two: 12} == cancelled_of(filled.ledger, run_id, [one, two])


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
