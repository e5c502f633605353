"""The journal of what the user tells of each message's effect."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.ledger.feedback import (
    FeedbackStatus,
    Message,
    Pending,
    Told,
    conversions_of,
    feedback_counts,
    find_by_umid,
    find_messages,
    note_conversions,
    pending_after,
    pending_among,
    pending_count,
    prepare_umids,
    settle_feedback,
)
from runner.ledger.ledger import Ledger, open_ledger
from runner.models import Conversion, ConversionOutcome
from tests.ledger.filled import Filled

SUCCESS, FAILURE = ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE
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
    settle_feedback(ledger, run, [Told(one, status, 9) for one in pending_after(ledger, run, "", limit=100)])


def test_it_is_pending_until_it_is_told(case: Case) -> None:
    ledger, run, one = case
    assert 1 == note_conversions(ledger, run, [(one, Conversion(SUCCESS, 700))], now=1)
    [pending] = pending_after(ledger, run, "", limit=10)
    assert Pending(one, "umid-1", Conversion(SUCCESS, 700), 500) == pending
    assert {"pending": 1} == feedback_counts(ledger, run)

    settle_feedback(ledger, run, [Told(pending, FeedbackStatus.TOLD, 9, 200)])
    assert [] == pending_after(ledger, run, "", limit=10)
    assert {"told": 1} == feedback_counts(ledger, run)
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
    note_conversions(ledger, run, [(one, BEFORE)], now=1)
    told_all(ledger, run, status)
    assert news == (note_conversions(ledger, run, [(one, again)], now=2) == 1)
    assert {FeedbackStatus.PENDING if news else status: 1} == feedback_counts(ledger, run)
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
    note_conversions(ledger, run, [(one, BEFORE)], now=1, only_newer=True, untimed_at=1)
    told_all(ledger, run)
    note_conversions(ledger, run, [(one, again)], now=900, only_newer=True, untimed_at=900)
    assert {one: known} == conversions_of(ledger, run, [one])


def test_a_time_that_becomes_known_is_news_also_as_it_happens(case: Case) -> None:
    ledger, run, one = case
    note_conversions(ledger, run, [(one, Conversion(SUCCESS))], now=1)
    assert 1 == note_conversions(ledger, run, [(one, Conversion(SUCCESS, 5))], now=2, only_newer=True)


def test_an_answer_about_what_was_told_before_settles_nothing(case: Case) -> None:
    ledger, run, one = case
    note_conversions(ledger, run, [(one, Conversion(SUCCESS))], now=1)
    [before] = pending_after(ledger, run, "", limit=1)
    note_conversions(ledger, run, [(one, Conversion(FAILURE))], now=2)
    settle_feedback(ledger, run, [Told(before, FeedbackStatus.TOLD, 3)])
    assert {"pending": 1} == feedback_counts(ledger, run)


def test_a_message_that_lost_its_umid_waits(filled: Filled) -> None:
    run = filled.run()
    accepted, unknown = *filled.messages(run), *filled.messages(run, status="unknown")
    note_conversions(filled.ledger, run, [(one, Conversion(SUCCESS)) for one in (accepted, unknown)], now=1)
    assert [accepted] == [one.message_id for one in pending_after(filled.ledger, run, "", limit=9)]
    assert [accepted] == [one.message_id for one in pending_among(filled.ledger, run, [unknown, accepted])]
    assert 1 == pending_count(filled.ledger, run)


def test_runs_do_not_see_each_other(filled: Filled) -> None:
    first, second = filled.run(), filled.run(run="other")
    [one], [other] = filled.messages(first), filled.messages(second)
    note_conversions(filled.ledger, first, [(one, Conversion(SUCCESS))], now=1)
    assert {} == feedback_counts(filled.ledger, second)
    assert {} == conversions_of(filled.ledger, second, [one])
    assert [] == pending_after(filled.ledger, second, "", limit=9)
    prepare_umids(filled.ledger)
    prepare_umids(filled.ledger)
    assert {"umid-1"} == set(find_by_umid(filled.ledger, first, ["umid-1", "umid-2", "umid-3"]))
    assert {other} == set(find_messages(filled.ledger, second, [one, other]))


def test_pages_hold_all_of_them_in_order(filled: Filled) -> None:
    run = filled.run()
    ids = filled.messages(run, 25)
    note_conversions(filled.ledger, run, [(one, Conversion(FAILURE)) for one in reversed(ids)], now=1)
    found: list[str] = []
    while page := pending_after(filled.ledger, run, found[-1] if found else "", limit=7):
        found += [one.message_id for one in page]
    assert list(ids) == found
    assert list(reversed(ids)) == [one.message_id for one in pending_among(filled.ledger, run, ids[::-1])]


def test_messages_are_as_the_ledger_has_them(filled: Filled) -> None:
    run = filled.run()
    accepted, rejected = *filled.messages(run, sent_at=5), *filled.messages(run, status="rejected")
    assert {
        accepted: Message(accepted, "accepted", "umid-1", 5),
        rejected: Message(rejected, "rejected", None, None),
    } == find_messages(filled.ledger, run, [accepted, rejected, "nobody"])


def test_two_processes_may_note_at_once(tmp_path: Path, case: Case) -> None:
    ledger, run, one = case
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=False) as other:
        assert 1 == note_conversions(ledger, run, [(one, BEFORE)], now=1)
        assert 0 == note_conversions(other, run, [(one, BEFORE)], now=2)
        told_all(other, run)
    assert {"told": 1} == feedback_counts(ledger, run)


def test_noting_nothing_and_settling_nothing(case: Case) -> None:
    ledger, run, _ = case
    assert 0 == note_conversions(ledger, run, [], now=1)
    settle_feedback(ledger, run, [])
    assert {} == feedback_counts(ledger, run)


def test_a_umid_is_found_by_its_index(filled: Filled) -> None:
    """And not by going through all messages of the run for each part of a file."""
    run = filled.run()
    filled.messages(run, 3)
    prepare_umids(filled.ledger)
    seen: list[str] = []
    with filled.ledger.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.set_trace_callback(seen.append)
    find_by_umid(filled.ledger, run, ["umid-1", "umid-2"])
    [query] = [one for one in seen if one.startswith("SELECT")]
    with filled.ledger.engine.connect() as connection:
        steps = " ".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
    assert "messages_by_umid" in steps
