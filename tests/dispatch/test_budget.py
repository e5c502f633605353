"""The limits of a run while it is sent: no cap is exceeded, and what comes back counts no more."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.base.messages import Encoding, Message
from runner.base.options import Limits
from runner.dispatch.budget import Budget
from runner.prices.costs import Costs, Price, Prices

LIST = Prices(
    Path("prices.csv"),
    "USD",
    {"SG": Price(Decimal("0.04"), Decimal("0.05")), "US": Price(Decimal("0.0099171"), Decimal("0.0099171"))},
)


def message(segments: int = 1, country: str | None = "US") -> Message:
    return Message(1, "k1", "+12025550142", country, "Hi", Encoding.GSM7, segments, "a.b.c")


def spent(*messages: tuple[str | None, int, int], prices: Prices | None = LIST) -> Costs:
    costs = Costs(prices)
    for country, segments, times in messages:
        costs.add(country, segments, times)
    return costs


def test_without_limits_everything_may_leave() -> None:
    budget = Budget(Limits(), Costs())

    assert [None] * 3 == [budget.take(message(10, None)) for _ in range(3)]


@pytest.mark.parametrize(
    ("limits", "before", "expected"),
    [
        (Limits(messages=50_000), [("SG", 1, 50_000)], "limits.messages: 50,000 sent, and the limit is 50,000"),
        (Limits(messages=0), [], "limits.messages: 0 sent, and the limit is 0"),
        (Limits(messages=1), [("SG", 1, 2)], "limits.messages: 2 sent, and the limit is 1"),
        (Limits(segments=8), [("SG", 2, 4)], "limits.segments: 8 sent, and the limit is 8"),
        (
            Limits(segments=8),
            [("SG", 1, 7)],
            "limits.segments: 7 of 8 sent, and the next message has 2",
        ),
        (
            Limits(cost=Decimal("0.5"), currency="USD"),
            [("SG", 3, 3)],
            "limits.cost: up to 0.45 USD of 0.5 USD is spent, and the next message costs up to 0.10 USD",
        ),
    ],
)
def test_why_a_message_is_refused(limits: Limits, before: list[tuple[str | None, int, int]], expected: str) -> None:
    budget = Budget(limits, spent(*before))

    assert expected == budget.take(message(2, "SG"))
    assert expected == budget.take(message(2, "SG")), "a refused message counts nothing"


def test_the_last_cent_may_be_spent() -> None:
    budget = Budget(Limits(cost=Decimal("0.1"), currency="USD"), spent(("SG", 1, 1)))

    assert budget.take(message(1, "SG")) is None
    assert "limits.cost: up to 0.10 USD of 0.1 USD is spent" in (budget.take(message(1, "US")) or "")


def test_what_was_not_received_is_given_back() -> None:
    budget = Budget(Limits(1, 2, Decimal("0.1"), "USD"), spent())

    for _ in range(3):
        assert budget.take(message(2, "SG")) is None
        assert budget.take(message(2, "SG")) is not None
        budget.give_back(message(2, "SG"))


def test_a_country_without_a_price_is_refused_under_a_cost_limit_alone() -> None:
    costly = Budget(Limits(cost=Decimal(500), currency="USD"), spent())
    cheap = Budget(Limits(messages=5), spent())

    assert "limits.cost: the price list has no price for FR" in (costly.take(message(1, "FR")) or "")
    assert "no price for ?" in (costly.take(message(1, None)) or "")
    assert cheap.take(message(1, "FR")) is None


@pytest.mark.parametrize(
    ("limits", "before", "words"),
    [
        (Limits(cost=Decimal(500), currency="USD"), spent(prices=None), "a cost limit needs a price list"),
        (Limits(cost=Decimal(500), currency="SGD"), spent(), "the limit is in SGD"),
        (Limits(cost=Decimal(500), currency="USD"), spent(("FR", 1, 1)), "no price for FR"),
    ],
)
def test_a_cost_limit_that_cannot_be_held_stops_the_run_before_it_begins(
    limits: Limits, before: Costs, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Budget(limits, before)


LIMITS = st.builds(
    Limits,
    st.none() | st.integers(0, 20),
    st.none() | st.integers(0, 40),
    st.none() | st.decimals(0, 2, places=3),
    st.just("USD"),
)
STEPS = st.lists(st.tuples(st.integers(1, 10), st.sampled_from(["SG", "US"]), st.booleans()), max_size=40)


@given(LIMITS, STEPS)
def test_no_cap_is_ever_exceeded_and_what_is_refused_would_have(
    limits: Limits, steps: list[tuple[int, str, bool]]
) -> None:
    budget, sent = Budget(limits, spent()), Costs(LIST)

    def fits() -> bool:
        caps = ((limits.messages, sent.messages), (limits.segments, sent.segments), (limits.cost, sent.total))
        return all(cap is None or Decimal(value) <= cap for cap, value in caps)

    for segments, country, comes_back in steps:
        refused = budget.take(message(segments, country))
        sent.add(country, segments)
        assert (refused is None) == fits()
        if refused is None and comes_back:
            budget.give_back(message(segments, country))
        if refused is not None or comes_back:
            sent.add(country, segments, -1)
