"""What is counted from results: the same in parts as at once, and to the last cent."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from runner.report import counting
from runner.report.figures import Reach, count_figures, reach_of
from tests.report.sample import accepted, lively, page_for


def test_parts_come_to_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = page_for(tmp_path, lively(500)).results
    at_once = count_figures(results, 40)
    monkeypatch.setattr(counting.parts_of, "__defaults__", (77,))
    assert 7 == len(counting.parts_of(results))
    in_parts = count_figures(results, 40)
    for name in ("countries", "sizes", "states", "errors", "codes", "outcomes", "billed", "billed_segments"):
        assert getattr(at_once, name) == getattr(in_parts, name)
    assert at_once.departures is not None
    assert in_parts.departures is not None
    assert at_once.departures.stretches == in_parts.departures.stretches
    assert [part.by_status for part in at_once.departures.bins] == [part.by_status for part in in_parts.departures.bins]
    assert at_once.to_delivery is not None
    assert in_parts.to_delivery is not None
    assert at_once.to_delivery.curve() == in_parts.to_delivery.curve()


def test_bills_are_exact(tmp_path: Path) -> None:
    price = Decimal("0.0375")
    rows = [accepted(n, billed_price=price, billed_currency="EUR", billed_segments=2) for n in range(1_000)]
    rows.append(accepted(1_001, billed_price=Decimal("0.1"), billed_currency="USD", billed_segments=1))
    figures = count_figures(page_for(tmp_path, rows).results, None)
    assert {"EUR": Decimal("37.5"), "USD": Decimal("0.1")} == figures.billed
    assert ({"EUR": 1_000, "USD": 1}, 2_001) == (figures.billed_messages, figures.billed_segments)


@pytest.mark.parametrize(("state", "detail", "reach"), [
    ("delivered", "delivered_to_recipient", Reach.DELIVERED), ("delivered", None, Reach.DELIVERED),
    ("read", None, Reach.DELIVERED), ("delivered", "delivered_to_operator", Reach.ON_ITS_WAY),
    ("sent", None, Reach.ON_ITS_WAY), ("undelivered", "rejected_by_operator", Reach.FAILED),
    ("cancelled", None, Reach.CANCELLED), (None, None, Reach.UNTOLD), ("unknown", None, Reach.UNTOLD),
    ("never heard of", None, Reach.UNTOLD),
])  # fmt: skip
def test_the_operator_is_not_the_phone(state: str | None, detail: str | None, reach: Reach) -> None:
    assert reach is reach_of(state, detail)


def test_states_are_of_accepted_messages_only(tmp_path: Path) -> None:
    rows = [accepted(1, delivery_state="sent"), accepted(2, status="rejected", delivery_state="rejected")]
    figures = count_figures(page_for(tmp_path, rows).results, None)
    assert Counter({("sent", None): 1}) == figures.states
    assert 1 == figures.accepted
