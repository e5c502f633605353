"""What the database counts, against messages and receipts that are really in one."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.base.events import Event, EventKind
from runner.ledger.counts import delivery_of, message_groups, outcomes_of
from runner.report.counts import Counts
from tests.ledger.filled import Filled


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    with Filled(tmp_path / "ledger.sqlite3") as filled:
        yield filled


def counted(filled: Filled, run: int) -> Counts:
    counts = Counts()
    for group in message_groups(filled.ledger, run):
        counts.add(group)
    return counts


def test_a_run_in_figures(filled: Filled) -> None:
    run = filled.run()
    priced = {"segments": 2, "price": "0.0375", "currency": "EUR"}
    filled.messages(run, 3, receipt={"state": "delivered", **priced}, country="GB", segments=2, outcome="success")
    filled.messages(run, 1, receipt={"state": "read"}, country="GB", outcome="failure")
    filled.messages(run, 2, receipt={"state": "undelivered", "error_code": 59, "price": "0.01", "currency": "USD"})
    filled.messages(run, 1, receipt={"state": "failed"}, country=None)
    filled.messages(run, 4)
    filled.messages(run, 2, status="rejected")
    filled.messages(run, 1, status="sending")
    counts = counted(filled, run)
    assert Counter({"accepted": 11, "rejected": 2, "sending": 1}) == counts.by_status
    assert Counter({"delivered": 3, "read": 1, "undelivered": 2, "failed": 1, "pending": 4}) == counts.delivery
    assert Counter({"success": 3, "failure": 1}) == outcomes_of(filled.ledger, run)
    assert {"EUR": Decimal("0.1125"), "USD": Decimal("0.02")} == counts.bills
    assert (6, 14) == (counts.billed_segments, counts.segments_accepted)
    assert counts.delivery == delivery_of(filled.ledger, run)


def test_an_empty_run(filled: Filled) -> None:
    run = filled.run()
    assert [] == list(message_groups(filled.ledger, run))
    assert (Counter(), Counter(), ({}, [0])) == (
        delivery_of(filled.ledger, run),
        outcomes_of(filled.ledger, run),
        filled.ledger.counts_and_claims(run, [0]),
    )


def test_other_runs_are_other_runs(filled: Filled) -> None:
    run, other = filled.run(), filled.run(run="other")
    for one, count in ((run, 2), (other, 3)):
        filled.messages(one, count, receipt={"state": "delivered", "price": "1", "currency": "EUR"}, outcome="success")
        filled.messages(one, 1, cancelling="cancelled")
    found = counted(filled, run)
    assert ({"EUR": Decimal(2)}, {"delivered": 2, "cancelled": 1}) == (found.bills, found.delivery)
    assert {"success": 2} == outcomes_of(filled.ledger, run)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({}, "pending"),
        ({"receipt": {"state": "queued"}}, "queued"),
        ({"receipt": {"state": "delivered", "detail": "delivered_to_recipient"}}, "delivered"),
        ({"receipt": {"state": "delivered", "detail": "delivered_to_operator"}}, "delivered_to_operator"),
        ({"receipt": {"state": "undelivered", "detail": "delivered_to_operator"}}, "undelivered"),
        ({"log_status": "sent"}, "sent"),
        ({"log_status": "sent", "receipt": {"state": "delivered"}}, "delivered"),
        ({"log_status": "something new"}, "pending"),
        ({"cancelling": "cancelled"}, "cancelled"),
        ({"cancelling": "cancelled", "receipt": {"state": "queued"}}, "cancelled"),
        ({"cancelling": "cancelled", "receipt": {"state": "delivered"}}, "delivered"),
        ({"cancelling": "refused"}, "pending"),
    ],
)
def test_the_last_word_on_a_message(filled: Filled, told: dict[str, Any], state: str) -> None:
    run = filled.run()
    filled.messages(run, 1, **told)
    assert {state: 1} == delivery_of(filled.ledger, run) == counted(filled, run).delivery


def test_a_receipt_for_a_message_that_was_not_accepted_counts_as_none(filled: Filled) -> None:
    run = filled.run()
    filled.messages(run, 1, status="unknown", receipt={"state": "delivered", "price": "1", "currency": "EUR"})
    found = counted(filled, run)
    assert ({"unknown": 1}, {}, {}) == (found.by_status, found.delivery, found.bills)


def test_what_the_log_bills_where_no_receipt_does(filled: Filled) -> None:
    run = filled.run()
    log: dict[str, Any] = {"log_price": "0.50", "log_currency": "USD", "log_segments": 3}
    filled.messages(run, 1, **log)
    filled.messages(run, 1, **log, receipt={"state": "sent", "price": "0.25", "currency": "EUR", "segments": 1})
    filled.messages(run, 1, **log, receipt={"state": "sent"})
    found = counted(filled, run)
    assert ({"USD": Decimal("1.00"), "EUR": Decimal("0.25")}, 7) == (found.bills, found.billed_segments)


def test_money_is_exact_and_nonsense_is_none(filled: Filled) -> None:
    run = filled.run()
    for price in ("0.1", "0.2", "0.0000001", "NaN", "Infinity", "free"):
        filled.messages(run, 1, receipt={"state": "sent", "price": price, "currency": "EUR"})
    filled.messages(run, 1, receipt={"state": "sent", "price": "5"})
    found = counted(filled, run)
    assert {"EUR": Decimal("0.3000001"), "": Decimal(5)} == found.bills


def test_messages_by_country_and_segments(filled: Filled) -> None:
    run, other = filled.run(), filled.run(run="other")
    filled.messages(run, 2, country="GB", segments=2)
    filled.messages(run, 1, country=None, status="unknown")
    filled.messages(other, 3)
    assert {("GB", 2, 2), (None, 1, 1)} == set(filled.ledger.sizes(run))


def test_claims_of_late(filled: Filled) -> None:
    run = filled.run()
    filled.messages(run, 3, claimed_at=100)
    filled.messages(run, 2, status="sending", claimed_at=200)
    assert ({"accepted": 3, "sending": 2}, [0, 2, 5]) == filled.ledger.counts_and_claims(run, [201, 200, 100])


def test_the_newest_event(filled: Filled) -> None:
    run, other = filled.run(), filled.run(run="other")
    assert [] == filled.ledger.events(run, newest=1)
    throttled = Event(EventKind.THROTTLED, 7, 1.5, "429")
    for one, event in ((run, throttled), (run, Event(EventKind.STARTED, 3)), (other, Event(EventKind.ENDED, 9))):
        filled.ledger.note_events(one, [event])
    assert [throttled] == filled.ledger.events(run, newest=1)
