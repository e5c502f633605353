"""What results come to."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.tally import EXAMPLES, Tally, count_rows
from tests.report.sample import SCHEMA, accepted, excluded, lively


def counted(*rows: Mapping[str, Any]) -> Tally:
    tally = Tally()
    count(rows, tally)
    return tally


def count(rows: Sequence[Mapping[str, Any]], tally: Tally) -> None:
    count_rows(pl.DataFrame(rows, schema=SCHEMA), tally)


def test_nothing() -> None:
    assert Tally() == counted()


def test_a_few_examples_of_each_reason() -> None:
    rows = [excluded(n, "invalid_number", f"words {n}", key=f"C{n}") for n in range(1, 10)]
    tally = counted(*rows, excluded(10, "duplicate", "same number as row 3"))
    assert EXAMPLES == len(tally.examples["excluded", "invalid_number"])
    assert (1, "C1", "words 1") == tally.examples["excluded", "invalid_number"][0]
    assert [(10, None, "same number as row 3")] == tally.examples["excluded", "duplicate"]
    assert {("excluded", "invalid_number"): 9, ("excluded", "duplicate"): 1} == tally.by_reason


@pytest.mark.parametrize(
    ("state", "detail", "is_delivered"),
    [
        ("delivered", "delivered_to_recipient", True),
        ("delivered", None, True),
        ("delivered", "delivered_to_operator", False),
        ("read", None, True),
        ("sent", None, False),
        ("undelivered", "undelivered_to_recipient", False),
        ("cancelled", None, False),
        (None, None, False),
    ],
)
def test_delivered_is_what_reached_the_phone(state: str | None, detail: str | None, *, is_delivered: bool) -> None:
    """As on the page and in compare.parquet: at the operator is not at the phone."""
    tally = counted(accepted(1, delivery_state=state, delivery_detail=detail))
    assert ({"GB": 1}, {"GB": 1} if is_delivered else {}) == (tally.accepted, tally.delivered)
    shown = detail if detail == "delivered_to_operator" else state
    assert ({shown: 1} if shown else {}) == tally.by_delivery


def test_only_accepted_messages_have_arrived_or_cost_anything() -> None:
    told: dict[str, Any] = {
        "delivery_state": "delivered", "delivery_error": 1, "billed_price": Decimal(1), "billed_currency": "EUR",
        "billed_segments": 1, "outcome": "success",
    }  # fmt: skip
    tally = counted(accepted(1, status="unknown", reason="timeout", **told))
    assert (0, 0, {}, {}, {}, {}, {}) == (
        tally.segments_accepted, tally.segments_billed, tally.accepted, tally.by_delivery, tally.by_delivery_error,
        tally.billed, tally.converted,
    )  # fmt: skip


def test_money_is_added_exactly_and_by_currency() -> None:
    bills = [("0.1", "EUR")] * 3 + [("0.000001", "USD"), ("5", None)]
    rows = [accepted(n, billed_price=Decimal(price), billed_currency=currency, billed_segments=2)
            for n, (price, currency) in enumerate(bills)]  # fmt: skip
    tally = counted(*rows)
    assert {"EUR": Decimal("0.3"), "USD": Decimal("0.000001"), "": Decimal(5)} == tally.billed
    assert 10 == tally.segments_billed


def test_a_million_of_the_dearest_messages_are_still_exact() -> None:
    dearest = Decimal("999999999999.999999")
    tally = Tally()
    rows = pl.DataFrame([accepted(1, billed_price=dearest, billed_currency="EUR")], schema=SCHEMA)
    for _ in range(2):
        count_rows(rows.select(pl.all().repeat_by(500_000).explode()), tally)
    assert dearest * 1_000_000 == tally.billed["EUR"]


def test_a_number_of_no_country() -> None:
    assert {"?": 1} == counted(accepted(1, country=None)).accepted


@given(st.lists(st.sampled_from(lively(300)), max_size=60), st.integers(0, 60))
def test_in_how_many_parts_they_come_does_not_matter(rows: list[dict[str, Any]], cut: int) -> None:
    whole = counted(*rows)
    parts = counted(*rows[:cut])
    count(rows[cut:], parts)
    assert whole == parts
    assert len(rows) == whole.by_status.total() == whole.by_reason.total() == whole.rows
    assert whole.by_status["accepted"] == whole.accepted.total()
