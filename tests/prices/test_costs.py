"""Costs by country, limits and balances: what is counted, compared and said."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import Problem
from runner.base.options import Limits
from runner.prices.costs import CostRow, Costs, Price, Prices, at_least, at_most, balance_problem, exact, over_limits
from runner.provider.prices import Balance

SG = Price(Decimal("0.04"), Decimal("0.05"))
MY = Price(Decimal("0.0099171"), Decimal("0.0099171"))
LIST = Prices(Path("prices.csv"), "USD", {"SG": SG, "MY": MY})


def costs_of(*messages: tuple[str | None, int, int], prices: Prices | None = LIST) -> Costs:
    """Of (country, segments, times)."""
    costs = Costs(prices)
    for country, segments, times in messages:
        costs.add(country, segments, times)
    return costs


def test_costs_take_the_dearest_operator() -> None:
    costs = costs_of(("MY", 1, 2), ("SG", 1, 1), ("SG", 2, 4), ("FR", 3, 1), (None, 1, 1))

    assert [
        CostRow("SG", 5, 9, SG, Decimal("0.45")),
        CostRow("MY", 2, 2, MY, Decimal("0.0198342")),
        CostRow("?", 1, 1, None, None),
        CostRow("FR", 1, 3, None, None),
    ] == costs.rows()
    assert (9, 15, Decimal("0.4698342"), ["?", "FR"]) == (costs.messages, costs.segments, costs.total, costs.unpriced)


def test_costs_for_programs_are_exact_text() -> None:
    document = costs_of(("SG", 2, 50_000), ("FR", 1, 1)).as_json()

    assert {
        "currency": "USD",
        "at_most": "5000",
        "without_price": ["FR"],
        "by_country": {
            "SG": {"messages": 50000, "segments": 100000, "price": "0.05", "lowest_price": "0.04", "at_most": "5000"},
            "FR": {"messages": 1, "segments": 1, "price": None, "lowest_price": None, "at_most": None},
        },
    } == json.loads(json.dumps(document))


def test_costs_without_prices_only_count() -> None:
    costs = costs_of(("SG", 2, 3), prices=None)

    assert (3, 6, Decimal(0), ["SG"]) == (costs.messages, costs.segments, costs.total, costs.unpriced)
    assert (None, None) == (costs.as_json()["currency"], costs.as_json()["at_most"])


@given(
    st.decimals(min_value=0, max_value=1_000_000, places=12, allow_nan=False, allow_infinity=False),
    st.lists(st.tuples(st.integers(1, 10), st.integers(0, 10_000_000)), max_size=20),
)
def test_sums_are_exact(price: Decimal, messages: list[tuple[int, int]]) -> None:
    costs = costs_of(
        *(("SG", *message) for message in messages), prices=Prices(Path("p"), "USD", {"SG": Price(price, price)})
    )

    assert Fraction(price) * sum(segments * times for segments, times in messages) == Fraction(costs.total)
    shown = Decimal(at_most(costs.total, "USD").removesuffix(" USD").replace(",", ""))
    assert Decimal(0) <= shown - costs.total < Decimal("0.01")


@pytest.mark.parametrize(
    ("amount", "most", "least", "as_written"),
    [
        ("0", "0.00 USD", "0.00 USD", "0 USD"),
        ("0.0099171", "0.01 USD", "0.00 USD", "0.0099171 USD"),
        ("500", "500.00 USD", "500.00 USD", "500 USD"),
        ("500.001", "500.01 USD", "500.00 USD", "500.001 USD"),
        ("-3.501", "-3.50 USD", "-3.51 USD", "-3.501 USD"),
        ("1234567.5", "1,234,567.50 USD", "1,234,567.50 USD", "1,234,567.5 USD"),
    ],
)
def test_amounts_as_people_read_them(amount: str, most: str, least: str, as_written: str) -> None:
    value = Decimal(amount)

    assert [most, least, as_written] == [at_most(value, "USD"), at_least(value, "USD"), exact(value, "USD")]


def problems(limits: Limits, costs: Costs | None) -> list[Problem]:
    return over_limits(limits, costs or Costs())


def test_a_plan_may_reach_its_limits() -> None:
    assert [] == problems(Limits(), None)
    assert [] == problems(Limits(3, 6, Decimal("0.30"), "USD"), costs_of(("SG", 2, 3)))
    assert [] == problems(Limits(0, 0), None)


def test_every_limit_that_is_exceeded_is_told_with_by_how_much() -> None:
    found = problems(Limits(50_000, 80_000, Decimal(500), "USD"), costs_of(("SG", 2, 51_204)))

    remedy = "raise the limit if this is intended, or send to fewer recipients"
    assert [
        f"limits.messages: the plan has 51,204 messages, 1,204 over the limit of 50,000; {remedy}",
        f"limits.segments: the plan has 102,408 segments, 22,408 over the limit of 80,000; {remedy}",
        "limits.cost: the plan costs up to 5,120.40 USD, 4,620.40 USD over the limit of 500 USD; " + remedy,
    ] == [str(problem) for problem in found]


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        (None, "limits.cost: a cost limit needs a price list; add `prices: FILE` to the campaign; `campaign prices"),
        (costs_of(("SG", 1, 1), prices=None), "a cost limit needs a price list"),
        (
            costs_of(("SG", 1, 1), prices=Prices(Path("p.csv"), "SGD", {"SG": SG})),
            "limits.cost: the limit is in USD, but the prices in p.csv are in SGD; write the limit in SGD",
        ),
        (costs_of(("SG", 1, 9), ("FR", 1, 1), ("DE", 1, 2)), "prices.csv has no price for DE, FR; add these"),
        (
            costs_of((None, 1, 9)),
            "prices.csv has no price for ? (? is a number without a country); add these countries",
        ),
        (costs_of(*((f"X{n}", 1, 1) for n in range(9, -1, -1))), "for X0, X1, X2, X3, X4, X5, X6, X7 and 2 more; add"),
    ],
)
def test_a_cost_that_cannot_be_told_is_a_problem(costs: Costs | None, words: str) -> None:
    [problem] = problems(Limits(cost=Decimal(500), currency="USD"), costs)

    assert words in str(problem)


def usd(amount: str, currency: str = "USD") -> Balance:
    return Balance(Decimal(amount), currency)


HALF_A_DOLLAR = [("SG", 1, 10)]


@pytest.mark.parametrize(
    ("balance", "messages", "refuses", "words"),
    [
        pytest.param(usd("0.49"), HALF_A_DOLLAR, True, "the messages cost up to 0.50 USD; the account's balance is "
                     "0.49 USD, 0.01 USD too low: top it up, or send to fewer", id="too small"),
        pytest.param(usd("0"), HALF_A_DOLLAR, True, "the account's balance is 0.00 USD; top it up", id="nothing"),
        pytest.param(usd("-2"), [("FR", 1, 1)], True, "balance is -2.00 USD; top it up", id="overdrawn"),
        pytest.param(usd("0"), [("SG", 1, 1)], True, "balance is 0.00 USD", id="nothing, whatever the currency"),
        pytest.param(usd("0.49"), [*HALF_A_DOLLAR, ("FR", 1, 1)], True, "cost up to 0.50 USD, excluding "
                     "messages to FR, which have no price in prices.csv; the", id="too small even without a country"),
        pytest.param(usd("0.5"), HALF_A_DOLLAR, False, "0.50 USD; 0.00 USD would remain", id="just enough"),
        pytest.param(usd("0.555"), HALF_A_DOLLAR, False, "0.55 USD; 0.05 USD would remain", id="little left"),
        pytest.param(usd("50"), [("FR", 1, 1)], False, "excluding messages to FR, which have no price", id="no price"),
        pytest.param(usd("50", "SGD"), HALF_A_DOLLAR, False, "the messages cost up to 0.50 USD; the account's "
                     "balance is 50.00 SGD: it is not known whether that is enough", id="another currency"),
    ],
)  # fmt: skip
def test_a_balance_that_people_should_know_of(
    balance: Balance, messages: list[tuple[str | None, int, int]], refuses: bool, words: str
) -> None:
    problem = balance_problem(balance, costs_of(*messages))

    assert problem is not None
    assert (refuses, True) == (problem.refuses, words in problem.words), problem.words


def test_a_balance_without_prices_can_only_be_empty() -> None:
    costs = costs_of(("SG", 1, 1), prices=None)
    some, none = balance_problem(usd("5"), costs), balance_problem(usd("0"), costs)

    assert some is not None
    assert none is not None
    assert (False, True) == (some.refuses, none.refuses)
    assert "5.00 USD; without a price list (`prices`) it is not known whether that is enough" in some.words


@pytest.mark.parametrize(
    ("balance", "messages"),
    [(usd("0.56"), HALF_A_DOLLAR), (usd("1000"), HALF_A_DOLLAR), (usd("-5"), []), (usd("0", "SGD"), [])],
)
def test_a_balance_that_is_enough(balance: Balance, messages: list[tuple[str | None, int, int]]) -> None:
    assert balance_problem(balance, costs_of(*messages)) is None
