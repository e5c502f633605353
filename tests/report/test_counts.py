"""The counts of a run or of several: from the ledger, added up, and rates that are honest about what isn't known."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ledger.counts import PENDING
from runner.provider.delivery import AT_OPERATOR
from runner.report.counts import (
    Counts,
    DeliveryGroup,
    added_up,
    count_ledger,
    count_progress,
    delivery_group,
    delivery_key,
    with_delivery,
)
from tests.ledger.filled import Filled

FULL = Counts(
    by_status=Counter(accepted=90, rejected=10), delivery=Counter(delivered=80, failed=8, pending=2),
    conversions=Counter(success=9, failure=1), bills={"EUR": Decimal("4.00")}, billed_segments=90,
).with_rates()  # fmt: skip


def accepted(number: int) -> Counts:
    return Counts(by_status=Counter(accepted=number), delivery=Counter(pending=number))


def rates(one: Counts) -> list[float | Decimal | None]:
    return [one.rejection_rate, one.delivery_rate, one.conversion_rate, one.cost_per_delivered]


def test_rates() -> None:
    assert [0.1, 80 / 90, 0.1, Decimal("0.05")] == rates(FULL)
    assert ("EUR", Decimal("4.00")) == (FULL.currency, FULL.billed)
    assert (88, 80, 8, 0) == (FULL.receipts, FULL.delivered, FULL.undelivered, FULL.cancelled)


def test_what_is_not_known_has_no_rate() -> None:
    assert [None] * 4 == rates(Counts().with_rates())
    assert [0.0, None, None, None] == rates(accepted(5).with_rates())
    one_failed = replace(accepted(5), delivery=Counter(failed=1, pending=4))
    assert 0.0 == one_failed.with_rates().delivery_rate
    billed_only = replace(accepted(5), bills={"EUR": Decimal(1)}).with_rates()
    assert (Decimal(1), None) == (billed_only.billed, billed_only.cost_per_delivered)


def test_two_currencies_are_named_and_not_added() -> None:
    one = replace(FULL, bills={"USD": Decimal(1), "EUR": Decimal(1)}).with_rates()
    assert ("EUR, USD", None, None) == (one.currency, one.billed, one.cost_per_delivered)


@pytest.mark.parametrize(("state", "detail", "group"), [
    ("delivered", "delivered_to_recipient", DeliveryGroup.DELIVERED), ("delivered", None, DeliveryGroup.DELIVERED),
    ("read", None, DeliveryGroup.DELIVERED), ("delivered", AT_OPERATOR, DeliveryGroup.IN_TRANSIT),
    ("sent", None, DeliveryGroup.IN_TRANSIT), ("undelivered", "rejected_by_operator", DeliveryGroup.FAILED),
    ("cancelled", None, DeliveryGroup.CANCELLED), (None, None, DeliveryGroup.NO_RECEIPT),
    ("unknown", None, DeliveryGroup.NO_RECEIPT), ("never heard of", None, DeliveryGroup.NO_RECEIPT),
])  # fmt: skip
def test_the_operator_is_not_the_phone(state: str | None, detail: str | None, group: DeliveryGroup) -> None:
    assert group is delivery_group(delivery_key(state, detail))


def test_from_the_ledger(tmp_path: Path) -> None:
    with Filled(tmp_path / "ledger.sqlite3") as filled:
        run = filled.run(to_send=20, rows=25)
        bill = {"price": "0.1", "currency": "EUR", "segments": 1}
        filled.messages(run, 3, receipt={"state": "delivered", **bill}, outcome="success", segments=2)
        filled.messages(run, 1, receipt={"state": "read", **bill})
        filled.messages(run, 1, receipt={"state": "delivered", "detail": AT_OPERATOR})
        filled.messages(run, 2, receipt={"state": "undelivered"})
        filled.messages(run, 1, cancelling="cancelled")
        filled.messages(run, 1)
        filled.messages(run, 2, status="rejected")
        filled.messages(run, 1, status="unknown")
        filled.messages(run, 3, status="sending")
        [record] = filled.ledger.runs()
        counts = count_ledger(filled.ledger, record)
        progress, claimed = count_progress(filled.ledger, record, [0, 2_000_000])
        assert counts == replace(
            with_delivery(progress, filled.ledger, record),
            bills=counts.bills,
            billed_segments=4,
            segments_accepted=12,
            of_bills=4,
        )
    assert Counter(accepted=9, rejected=2, unknown=4, unsent=5, excluded=5) == counts.by_status
    assert Counter({"delivered": 3, "read": 1, AT_OPERATOR: 1, "undelivered": 2, "cancelled": 1, PENDING: 1}) == (
        counts.delivery
    )
    assert (25, 20, 3, 7, 4, 2, 1) == (
        counts.rows, counts.messages, counts.in_flight, counts.receipts, counts.delivered, counts.undelivered,
        counts.cancelled,
    )  # fmt: skip
    assert (3, 0, {"EUR": Decimal("0.4")}) == (counts.converted, counts.not_converted, counts.bills)
    assert (9, 9, 4) == (counts.of_receipts, counts.of_conversions, counts.of_bills)
    assert [15, 0] == claimed


def test_a_run_without_receipts_does_not_lower_its_campaigns_delivery() -> None:
    whole = added_up([FULL, accepted(1_000).with_rates()])
    assert [10 / 1_100, 80 / 90, 0.1, Decimal("0.05")] == rates(whole)
    assert 1_090 == whole.accepted


COUNTS = st.builds(
    Counts,
    by_status=st.fixed_dictionaries({"accepted": st.integers(0, 9), "rejected": st.integers(0, 9)}).map(Counter),
    delivery=st.fixed_dictionaries({"delivered": st.integers(0, 9)}).map(Counter),
    of_receipts=st.integers(0, 9),
)


@given(st.lists(COUNTS))
def test_the_whole_is_the_sum_of_its_parts(parts: list[Counts]) -> None:
    whole = added_up(parts)
    for name in ("accepted", "rejected", "delivered", "of_receipts", "rows"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)
    assert whole == added_up([added_up(parts[:1]), added_up(parts[1:])])
