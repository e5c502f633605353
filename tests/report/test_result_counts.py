"""What is counted from a results file: the same in parts as at once, and to the last cent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.report.result_counts import EXAMPLES, ResultCounts, count_results, parts_of
from runner.report.throughput import throughput
from tests.report.sample import SCHEMA, accepted, excluded, lively


def counted(*rows: Mapping[str, Any]) -> ResultCounts:
    with TemporaryDirectory() as folder:
        return count_results(written(Path(folder), rows))


def written(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(folder / "results.parquet")
    return folder / "results.parquet"


def test_nothing() -> None:
    counts = counted()
    assert (0, {}, {}) == (counts.totals.rows, counts.examples, counts.countries)


def test_a_few_examples_of_each_reason() -> None:
    rows = [excluded(n, "invalid_number", f"words {n}", key=f"C{n}") for n in range(1, 10)]
    counts = counted(*rows, excluded(10, "duplicate", "same number as row 3"))
    assert EXAMPLES == len(counts.examples["excluded", "invalid_number"])
    assert (1, "C1", "words 1") == counts.examples["excluded", "invalid_number"][0]
    assert [(10, None, "same number as row 3")] == counts.examples["excluded", "duplicate"]
    assert [(("excluded", "invalid_number"), 9), (("excluded", "duplicate"), 1)] == list(counts.by_reason.items())


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
    """At the operator is not at the phone."""
    counts = counted(accepted(1, delivery_state=state, delivery_detail=detail))
    country = counts.countries["GB"]
    assert (1, int(is_delivered)) == (country.accepted, country.delivered)
    shown = detail if detail == "delivered_to_operator" else state
    assert ({shown: 1} if shown else {}) == counts.totals.known_delivery
    assert int(is_delivered) == counts.totals.delivered


def test_only_accepted_messages_have_arrived_or_cost_anything() -> None:
    told: dict[str, Any] = {
        "delivery_state": "delivered", "delivery_error": 1, "billed_price": Decimal(1), "billed_currency": "EUR",
        "billed_segments": 1, "outcome": "success",
    }  # fmt: skip
    counts = counted(accepted(1, status="unknown", reason="timeout", **told))
    totals = counts.totals
    assert (0, 0, {}, {}, {}, {}) == (
        totals.segments_accepted, counts.accepted.billed_segments, totals.delivery, counts.by_delivery_error,
        counts.accepted.bills, counts.accepted.conversions,
    )  # fmt: skip
    # The page and compare.parquet show all that the provider bills.
    assert ({"EUR": Decimal(1)}, 1, {"success": 1}) == (totals.bills, totals.billed_segments, totals.conversions)


def test_money_is_added_exactly_and_by_currency() -> None:
    bills = [("0.1", "EUR")] * 3 + [("0.000001", "USD"), ("5", None)]
    rows = [accepted(n, billed_price=Decimal(price), billed_currency=currency, billed_segments=2)
            for n, (price, currency) in enumerate(bills)]  # fmt: skip
    counts = counted(*rows)
    expected = {"EUR": Decimal("0.3"), "USD": Decimal("0.000001"), "": Decimal(5)}
    assert expected == counts.accepted.bills == counts.totals.bills
    assert Counter({"EUR": 3, "USD": 1, "": 1}) == counts.billed_messages
    assert (10, 10) == (counts.accepted.billed_segments, counts.totals.billed_segments)


def test_many_of_the_dearest_messages_are_still_exact(tmp_path: Path) -> None:
    dearest = Decimal("999999999999.999999")
    row = pl.DataFrame([accepted(1, billed_price=dearest, billed_currency="EUR")], schema=SCHEMA, orient="row")
    row.select(pl.all().repeat_by(100_000).explode()).write_parquet(tmp_path / "results.parquet")
    assert dearest * 100_000 == count_results(tmp_path / "results.parquet").totals.bills["EUR"]


def test_states_are_of_accepted_messages_only() -> None:
    counts = counted(accepted(1, delivery_state="sent"), accepted(2, status="rejected", delivery_state="rejected"))
    assert Counter({("sent", None): 1}) == counts.states
    assert 1 == counts.totals.accepted


def test_a_number_of_no_country() -> None:
    assert [None] == list(counted(accepted(1, country=None)).countries)


def test_what_is_in_flight_counts_as_unknown() -> None:
    rows = [accepted(n, status="unknown", reason=reason) for n, reason in enumerate(("in_flight", "timeout"))]
    assert (2, 1) == (counted(*rows).totals.unknown, counted(*rows).totals.in_flight)


@settings(max_examples=15)
@given(st.lists(st.sampled_from(lively(300)), max_size=60))
def test_every_row_counts_once(rows: list[dict[str, Any]]) -> None:
    counts = counted(*rows)
    assert len(rows) == counts.totals.rows == counts.by_reason.total()
    by_country = sum(country.accepted for country in counts.countries.values())
    assert counts.totals.accepted == by_country == counts.totals.delivery.total() == counts.states.total()


def test_parts_come_to_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = written(tmp_path, lively(500))
    at_once, left_at_once = count_results(results), throughput(parts_of(results), 40)
    monkeypatch.setattr(parts_of, "__defaults__", (77,))
    assert 7 == len(parts_of(results))
    in_parts, left_in_parts = count_results(results), throughput(parts_of(results), 40)
    assert at_once == in_parts
    assert left_at_once is not None
    assert left_at_once == left_in_parts
