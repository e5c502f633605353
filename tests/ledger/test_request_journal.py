"""The journal of requests about accepted messages: conversions that are told, messages that are cancelled."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.delivery import DeliveryState
from runner.base.errors import LedgerError
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.request_journal import (
    CancelStatus,
    FeedbackStatus,
    Pending,
    Scheduled,
    Settled,
    cancelled_of,
    conversions_of,
    note_cancellations,
    note_conversions,
    pending_after,
    pending_among,
    pending_count,
    records_by_umid,
    refusals,
    scheduled_after,
    settle_feedback,
    status_counts,
)
from runner.ledger.tables import cancellations, feedback
from tests.ledger.filled import Filled

SUCCESS, FAILURE = ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE
CANCELLED, REFUSED = CancelStatus.CANCELLED, CancelStatus.REFUSED
Case = tuple[Ledger, int, str]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "ledger.sqlite3") as filled:
        yield filled


@pytest.fixture
def case(filled: Filled) -> Case:
    """A ledger, a run, and one of its messages."""
    run = filled.run()
    [message_id] = filled.messages(run, sent_at=500)
    return filled.ledger, run, message_id


def told_all(ledger: Ledger, run: int, status: FeedbackStatus = FeedbackStatus.TOLD) -> None:
    for one in pending_after(ledger, run, "", limit=100):
        settle_feedback(ledger, run, [(one.conversion, Settled(one.message_id, status, 9))])


def test_it_is_pending_until_it_is_told(case: Case) -> None:
    ledger, run, one = case
    assert 1 == note_conversions(ledger, run, {one: Conversion(SUCCESS, 700)}, now=1)
    [pending] = pending_after(ledger, run, "", limit=10)
    assert Pending(one, "umid-1", Conversion(SUCCESS, 700), 500) == pending
    assert {"pending": 1} == status_counts(ledger, run, feedback)

    settle_feedback(ledger, run, [(pending.conversion, Settled(one, FeedbackStatus.TOLD, 9, 200))])
    assert [] == pending_after(ledger, run, "", limit=10)
    assert {"told": 1} == status_counts(ledger, run, feedback)
    assert 1 == ledger.scalar(select(feedback.c.attempts))
    assert {one: Conversion(SUCCESS, 700)} == conversions_of(ledger, run, [one, "nobody"])


BEFORE = Conversion(SUCCESS, 700)


@pytest.mark.parametrize(
    ("again", "news", "known"),
    [
        pytest.param(BEFORE, False, BEFORE, id="the same"),
        pytest.param(Conversion(SUCCESS), False, BEFORE, id="the same without its time"),
        pytest.param(Conversion(SUCCESS, 800), True, Conversion(SUCCESS, 800), id="another time"),
        pytest.param(Conversion(SUCCESS, 600), True, Conversion(SUCCESS, 600), id="an earlier time"),
        pytest.param(Conversion(FAILURE, 700), True, Conversion(FAILURE, 700), id="another outcome"),
        pytest.param(Conversion(FAILURE), True, Conversion(FAILURE), id="another outcome without a time"),
    ],
)
@pytest.mark.parametrize("status", [FeedbackStatus.TOLD, FeedbackStatus.REFUSED])
def test_telling_again(case: Case, status: FeedbackStatus, again: Conversion, news: bool, known: Conversion) -> None:
    ledger, run, one = case
    note_conversions(ledger, run, {one: BEFORE}, now=1)
    told_all(ledger, run, status)
    assert news == (note_conversions(ledger, run, {one: again}, now=2) == 1)
    assert {FeedbackStatus.PENDING if news else status: 1} == status_counts(ledger, run, feedback)
    assert {one: known} == conversions_of(ledger, run, [one])


@pytest.mark.parametrize(
    ("again", "known"),
    [
        pytest.param(Conversion(FAILURE, 699), BEFORE, id="what happened before is no news"),
        pytest.param(Conversion(FAILURE, 700), Conversion(FAILURE, 700), id="at the same time, the later word"),
        pytest.param(Conversion(FAILURE, 701), Conversion(FAILURE, 701), id="what happened later"),
        pytest.param(Conversion(FAILURE), Conversion(FAILURE, 900), id="without a time, it happens now"),
        pytest.param(Conversion(SUCCESS), BEFORE, id="the same once more"),
    ],
)
def test_telling_as_it_happens(case: Case, again: Conversion, known: Conversion) -> None:
    ledger, run, one = case
    note_conversions(ledger, run, {one: BEFORE}, now=1, is_live=True)
    told_all(ledger, run)
    note_conversions(ledger, run, {one: again}, now=900, is_live=True)
    assert {one: known} == conversions_of(ledger, run, [one])


def test_a_time_that_becomes_known_is_news_also_as_it_happens(case: Case) -> None:
    ledger, run, one = case
    note_conversions(ledger, run, {one: Conversion(SUCCESS)}, now=1)
    assert 1 == note_conversions(ledger, run, {one: Conversion(SUCCESS, 5)}, now=2, is_live=True)


def test_an_answer_about_what_was_told_before_settles_nothing(case: Case) -> None:
    ledger, run, one = case
    note_conversions(ledger, run, {one: Conversion(SUCCESS)}, now=1)
    [before] = pending_after(ledger, run, "", limit=1)
    note_conversions(ledger, run, {one: Conversion(FAILURE)}, now=2)
    settle_feedback(ledger, run, [(before.conversion, Settled(one, FeedbackStatus.TOLD, 3))])
    assert {"pending": 1} == status_counts(ledger, run, feedback)


def test_a_message_that_lost_its_umid_waits(filled: Filled) -> None:
    run = filled.run()
    accepted, unknown = *filled.messages(run), *filled.messages(run, status="unknown")
    note_conversions(filled.ledger, run, dict.fromkeys((accepted, unknown), Conversion(SUCCESS)), now=1)
    assert [accepted] == [one.message_id for one in pending_after(filled.ledger, run, "", limit=9)]
    assert [accepted] == [one.message_id for one in pending_among(filled.ledger, run, [unknown, accepted])]
    assert 1 == pending_count(filled.ledger, run)


def test_runs_do_not_see_each_other(filled: Filled) -> None:
    first, second = filled.run(), filled.run(run="other")
    [one], [other] = filled.messages(first), filled.messages(second)
    note_conversions(filled.ledger, first, {one: Conversion(SUCCESS)}, now=1)
    assert {} == status_counts(filled.ledger, second, feedback)
    assert {} == conversions_of(filled.ledger, second, [one])
    assert [] == pending_after(filled.ledger, second, "", limit=9)
    assert {"umid-1"} == set(records_by_umid(filled.ledger, first, ["umid-1", "umid-2", "umid-3"]))
    assert {other} == set(filled.ledger.records(second, [one, other]))


def test_pages_hold_all_of_them_in_order(filled: Filled) -> None:
    run = filled.run()
    ids = filled.messages(run, 25)
    note_conversions(filled.ledger, run, dict.fromkeys(reversed(ids), Conversion(FAILURE)), now=1)
    found: list[str] = []
    while page := pending_after(filled.ledger, run, found[-1] if found else "", limit=7):
        found += [one.message_id for one in page]
    assert list(ids) == found
    assert list(reversed(ids)) == [one.message_id for one in pending_among(filled.ledger, run, ids[::-1])]


def test_messages_are_as_the_ledger_has_them(filled: Filled) -> None:
    run = filled.run()
    accepted, rejected = *filled.messages(run, sent_at=5), *filled.messages(run, status="rejected")
    records = filled.ledger.records(run, [accepted, rejected, "nobody"])
    found = [(record.message_id, record.status, record.umid, record.sent_at) for record in records.values()]
    assert {(accepted, "accepted", "umid-1", 5), (rejected, "rejected", None, None)} == set(found)
    assert {"umid-1": records[accepted]} == records_by_umid(filled.ledger, run, ["umid-1"])


def test_two_processes_may_note_at_once(tmp_path: Path, case: Case) -> None:
    ledger, run, one = case
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=False) as other:
        assert 1 == note_conversions(ledger, run, {one: BEFORE}, now=1)
        assert 0 == note_conversions(other, run, {one: BEFORE}, now=2)
        told_all(other, run)
    assert {"told": 1} == status_counts(ledger, run, feedback)


def test_noting_nothing_and_settling_nothing(case: Case) -> None:
    ledger, run, _ = case
    assert 0 == note_conversions(ledger, run, {}, now=1)
    settle_feedback(ledger, run, [])
    assert {} == status_counts(ledger, run, feedback)


def scheduled(filled: Filled, run: int) -> list[str]:
    return [one.message_id for one in scheduled_after(filled.ledger, run, "", limit=100)]


def test_only_what_is_accepted_waits_at_the_provider(filled: Filled) -> None:
    run = filled.run()
    [accepted] = filled.messages(run, sent_at=7)
    for status in ("rejected", "unknown", "sending"):
        filled.messages(run, status=status)
    assert [Scheduled(accepted, "umid-1", 7)] == scheduled_after(filled.ledger, run, "", limit=100)
    assert [] == scheduled_after(filled.ledger, run, accepted, limit=100)


@pytest.mark.parametrize("state", DeliveryState)
def test_a_receipt_of_having_left_ends_the_scheduled(filled: Filled, state: DeliveryState) -> None:
    run = filled.run()
    ids = filled.messages(run, receipt={"state": state.value})
    is_waiting = state in (DeliveryState.QUEUED, DeliveryState.UNKNOWN)
    assert (list(ids) if is_waiting else []) == scheduled(filled, run)


def test_what_is_cancelled_is_not_asked_for_again_and_what_was_refused_is(filled: Filled) -> None:
    run, other = filled.run(), filled.run(run="other")
    first, second, third = filled.messages(run, 3)
    filled.messages(other)
    note_cancellations(
        filled.ledger,
        run,
        [Settled(first, CANCELLED, 5, 200), Settled(second, REFUSED, 6, 404, "it was sent already")],
    )
    assert [second, third] == scheduled(filled, run)
    assert {first: 5} == cancelled_of(filled.ledger, run, [first, second, third])
    assert {} == cancelled_of(filled.ledger, other, [first])
    assert {"cancelled": 1, "refused": 1} == status_counts(filled.ledger, run, cancellations)
    assert [(second, "it was sent already")] == refusals(filled.ledger, run)


def test_what_was_cancelled_stays_so(filled: Filled) -> None:
    run = filled.run()
    [one] = filled.messages(run)
    note_cancellations(filled.ledger, run, [])
    note_cancellations(filled.ledger, run, [Settled(one, REFUSED, 4)])
    note_cancellations(filled.ledger, run, [Settled(one, CANCELLED, 5)])
    note_cancellations(filled.ledger, run, [Settled(one, REFUSED, 6)])
    assert {one: 5} == cancelled_of(filled.ledger, run, [one])
    assert [] == refusals(filled.ledger, run)


def test_refusals_come_by_key_and_only_so_many(filled: Filled) -> None:
    run = filled.run()
    for key in ("c", "a", "b"):
        [one] = filled.messages(run, key=key)
        note_cancellations(filled.ledger, run, [Settled(one, REFUSED, 4)])
    assert [("a", ""), ("b", ""), ("c", "")] == refusals(filled.ledger, run)
    assert [("a", ""), ("b", "")] == refusals(filled.ledger, run, limit=2)


def test_another_run_of_the_same_ledger_has_no_part_in_it(filled: Filled) -> None:
    ours, theirs = filled.run(), filled.run(run="other")
    [mine], [other] = filled.messages(ours), filled.messages(theirs)
    note_cancellations(filled.ledger, theirs, [Settled(mine, CANCELLED, 5), Settled(other, CANCELLED, 5)])

    assert [mine] == scheduled(filled, ours)
    assert {} == cancelled_of(filled.ledger, ours, [mine, other])
    assert {} == status_counts(filled.ledger, ours, cancellations)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_batches_of_any_size_come_to_the_same_also_while_they_are_settled(filled: Filled, limit: int) -> None:
    """Each is asked about once, although what was cancelled goes out of the list that is being read."""
    run_id = filled.run()
    message_ids = filled.messages(run_id, 10)
    asked: list[str] = []
    while batch := scheduled_after(filled.ledger, run_id, asked[-1] if asked else "", limit=limit):
        assert len(batch) <= limit
        asked += [one.message_id for one in batch]
        note_cancellations(filled.ledger, run_id, [Settled(one.message_id, CANCELLED, 5) for one in batch])

    assert list(message_ids) == asked
    assert [] == scheduled(filled, run_id)


def test_nothing_and_more_than_a_statement_takes(filled: Filled) -> None:
    run_id = filled.run()
    note_cancellations(filled.ledger, run_id, [])
    assert {} == cancelled_of(filled.ledger, run_id, [])

    message_ids = filled.messages(run_id, 2_000)
    note_cancellations(filled.ledger, run_id, [Settled(one, CANCELLED, 5) for one in message_ids])
    assert dict.fromkeys(message_ids, 5) == cancelled_of(filled.ledger, run_id, message_ids)


def test_a_group_is_noted_whole_or_not_at_all(filled: Filled) -> None:
    run_id = filled.run()
    [one] = filled.messages(run_id)
    group = [Settled(one, CANCELLED, 5), Settled("no-time", CANCELLED, None)]  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="could not be written"):
        note_cancellations(filled.ledger, run_id, group)

    assert {} == status_counts(filled.ledger, run_id, cancellations)


def test_two_at_once_come_to_the_same(filled: Filled) -> None:
    run_id = filled.run()
    message_ids = filled.messages(run_id, 50)

    def note(status: CancelStatus) -> None:
        for message_id in message_ids:
            note_cancellations(filled.ledger, run_id, [Settled(message_id, status, 5)])

    threads = [threading.Thread(target=note, args=(status,)) for status in CancelStatus]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {"cancelled": 50} == status_counts(filled.ledger, run_id, cancellations)


def steps_of(filled: Filled, query: Callable[[], object]) -> list[str]:
    """How SQLite answers the query, by its own words."""
    seen: list[str] = []
    with filled.ledger.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.set_trace_callback(seen.append)
    query()
    [words] = [one for one in seen if one.startswith("SELECT")]
    with filled.ledger.engine.connect() as connection:
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")]


def test_a_umid_is_found_by_its_index(filled: Filled) -> None:
    """And not by going through all messages of the run for each part of a file."""
    run = filled.run()
    filled.messages(run, 3)
    steps = steps_of(filled, lambda: records_by_umid(filled.ledger, run, ["umid-1", "umid-2"]))

    assert "messages_by_umid" in " ".join(steps)


def test_each_batch_costs_what_it_holds_and_not_what_was_asked_about_before(filled: Filled) -> None:
    """SQLite answers from the keys: no list of all cancellings is made for a batch."""
    run = filled.run()
    filled.messages(run, 3)
    steps = steps_of(filled, lambda: scheduled_after(filled.ledger, run, "", limit=2))

    assert steps
    assert [] == [step for step in steps if step.startswith("SCAN") or "LIST" in step or "TEMP" in step]
