"""What receipts of one message come to, in whatever order and however often they come; and what their codes say."""

from dataclasses import replace
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.delivery import DeliveryState, Receipt
from runner.provider.delivery import (
    ADVICE,
    AT_OPERATOR,
    CODES,
    Verdict,
    code_of,
    delivered_at,
    merge,
    precedence,
    rank,
)  # fmt: skip

S = DeliveryState
DETAILS = (None, AT_OPERATOR, "delivered_to_recipient", "rejected_by_operator", "undelivered_to_recipient")
RECEIPTS = st.builds(
    Receipt,
    umid=st.just("u-1"),
    message_id=st.none() | st.sampled_from(["sale.main.a", "sale.main.b"]),
    state=st.sampled_from(S),
    at=st.integers(1, 5),
    detail=st.sampled_from(DETAILS),
    error_code=st.none() | st.integers(0, 61),
    error_message=st.none() | st.sampled_from(["", "no", "yes"]),
    delivered_at=st.none() | st.integers(1, 5),
    segments=st.none() | st.integers(1, 10),
    price=st.none() | st.sampled_from(["0", "0.0375", "0.5", "0.50", "9", "10"]),
    currency=st.none() | st.sampled_from(["SGD", "USD"]),
).map(lambda receipt: receipt if receipt.price is not None else replace(receipt, currency=None))


def receipt(state: DeliveryState, at: int, detail: str | None = None, **more: object) -> Receipt:
    return Receipt(
        "u-1", "sale.main.a", state, at, detail, delivered_at=delivered_at(state, detail, at), **more,  # type: ignore[arg-type]
    )  # fmt: skip


@given(st.lists(RECEIPTS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_any_order_and_any_duplicates_come_to_the_same(told: list[Receipt], random: object) -> None:
    expected = reduce(merge, told)
    again = told * 2 + [expected]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert expected == reduce(merge, again)


@given(RECEIPTS, RECEIPTS, RECEIPTS)
def test_merging_in_groups_comes_to_the_same(one: Receipt, two: Receipt, three: Receipt) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(RECEIPTS, RECEIPTS)
def test_the_state_that_tells_most_wins(one: Receipt, other: Receipt) -> None:
    merged = merge(one, other)
    assert precedence(merged) == max(precedence(one), precedence(other))
    assert merged.umid == one.umid


def test_how_far_a_message_got() -> None:
    way = [
        (S.UNKNOWN, None), (S.QUEUED, None), (S.SENT, None), (S.DELIVERED, AT_OPERATOR), (S.UNDELIVERED, None),
        (S.DELIVERED, "delivered_to_recipient"), (S.READ, None),
    ]  # fmt: skip
    ranks = [rank(*step) for step in way]
    assert sorted(set(ranks)) == ranks
    assert rank(S.DELIVERED, None) == rank(S.DELIVERED, "delivered_to_recipient")
    assert 1 == len({rank(state, None) for state in (S.REJECTED, S.FAILED, S.UNDELIVERED, S.CANCELLED)})


def test_the_whole_way_in_every_order() -> None:
    way = [
        receipt(S.QUEUED, 1), receipt(S.SENT, 2), receipt(S.DELIVERED, 3, AT_OPERATOR, segments=2),
        receipt(S.DELIVERED, 5, "delivered_to_recipient", error_code=0, segments=2, price="0.0375", currency="SGD"),
        receipt(S.READ, 9),
    ]  # fmt: skip
    expected = Receipt(
        "u-1", "sale.main.a", S.READ, 9, delivered_at=5, segments=2, price="0.0375", currency="SGD",
    )  # fmt: skip
    assert {expected} == {reduce(merge, order) for order in permutations(way)}


def test_a_delivery_outranks_a_failure_whenever_it_was() -> None:
    arrived, lost = receipt(S.DELIVERED, 3), receipt(S.UNDELIVERED, 8, error_code=1)
    assert S.DELIVERED == merge(lost, arrived).state
    assert merge(lost, arrived).error_code is None


def test_a_failure_outranks_a_later_delivery_to_the_operator() -> None:
    lost, on_the_way = receipt(S.UNDELIVERED, 3, error_code=59), receipt(S.DELIVERED, 8, AT_OPERATOR)
    assert (S.UNDELIVERED, 59) == (merge(on_the_way, lost).state, merge(on_the_way, lost).error_code)


def test_of_two_failures_the_later_counts() -> None:
    assert 59 == merge(receipt(S.FAILED, 8, error_code=59), receipt(S.UNDELIVERED, 3, error_code=1)).error_code


def test_of_two_deliveries_the_first_is_when_it_arrived() -> None:
    merged = merge(receipt(S.DELIVERED, 8), receipt(S.DELIVERED, 5))
    assert (8, 5) == (merged.at, merged.delivered_at)


def test_money_is_compared_as_numbers_and_keeps_its_currency() -> None:
    cheap, dear = (receipt(S.SENT, 1, price=price, currency=name) for price, name in (("9", "USD"), ("10", "SGD")))
    assert ("10", "SGD") == (merge(cheap, dear).price, merge(cheap, dear).currency)


def test_every_code_of_the_provider_has_words_of_its_own() -> None:
    assert [*range(6), *range(7, 62)] == list(CODES)
    words = [code.words for code in CODES.values()]
    assert len(words) == len(set(words))
    assert not [each for each in words if each != each.strip() or each[0].isupper() or each.endswith(".")]
    assert set(Verdict) == set(ADVICE)


def test_only_what_says_so_of_the_number_itself_is_dead() -> None:
    """Whoever is taken off a list gets nothing more, so that a doubt is no death."""
    assert {15, 59} == {number for number, code in CODES.items() if code.verdict is Verdict.DEAD}


@pytest.mark.parametrize("number", [6, 62, 1022, 2**31 - 1])
def test_a_code_that_nobody_knows(number: int) -> None:
    code = code_of(number)
    assert Verdict.UNSPECIFIED == code.verdict
    assert str(number) in code.words
