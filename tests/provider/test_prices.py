"""Price lists and balances, from JSON to records: the provider's own examples, and what must not pass for a price."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import StoppedError
from runner.provider.prices import Balance, ListedPrice, read_balance, read_price_list

SINGTEL = ListedPrice("SG", "SingTel", Decimal("0.0099171"), "SGD", "acme_hq")


def operator(amount: object, name: str | None = "SingTel", currency: object = "SGD") -> dict[str, Any]:
    return {"operatorName": name, "price": {"amount": amount, "currency": currency}}


def body(outbound: object, name: str = "acme_hq") -> bytes:
    return json.dumps({"subAccounts": [{"subAccountId": name, "outbound": outbound}]}).encode()


def country(*operators: object, code: object = "SG") -> dict[str, Any]:
    return {"countries": [{"alpha2Code": code, "countryName": "Singapore", "operators": list(operators)}]}


@pytest.mark.parametrize(
    "outbound",
    [
        pytest.param(country(operator(0.0099171)), id="an object, as in the examples"),
        pytest.param([country(operator(0.0099171))], id="a list, as in the schema"),
        pytest.param([{}, None, country(operator(0.0099171))], id="a list with nothing in it beside"),
        pytest.param(country(operator("0.0099171", currency=" sgd ")), id="text"),
        pytest.param(country(operator(0.0099171), code="sg"), id="a small code"),
    ],
)
def test_forms_of_a_price(outbound: object) -> None:
    assert ((SINGTEL,), ()) == (read_price_list(body(outbound)).prices, read_price_list(body(outbound)).left_out)


NO_PRICES: list[Any] = [
    pytest.param(b"null", id="null"),
    pytest.param(b'"0,01"', id="a comma"),
    pytest.param(b'"free"', id="a word"),
    pytest.param(b"true", id="a boolean"),
    pytest.param(b"-0.01", id="below zero"),
    pytest.param(b"1e7", id="too much"),
    pytest.param(b"1e400", id="more than a float holds"),
    pytest.param(b"1e-400", id="less than a float holds"),
    pytest.param(b"1e99999999999999999999", id="more than a decimal holds"),
    pytest.param(b"NaN", id="not a number"),
    pytest.param(b"[0.01]", id="a list"),
]


@pytest.mark.parametrize("amount", NO_PRICES)
def test_a_country_is_left_out_whole_when_one_price_makes_no_sense(amount: bytes) -> None:
    """Its other operators' highest price would pass for the most that a message costs."""
    content = body(country(operator(0.01), operator("HERE", "M1"))).replace(b'"HERE"', amount)
    listed = read_price_list(content)

    assert () == listed.prices
    assert (("acme_hq", "SG has an operator without a valid price (M1)"),) == listed.left_out


@pytest.mark.parametrize(
    ("outbound", "words"),
    [
        (country(operator(0.01, currency="dollars")), "without a valid price"),
        (country(operator(0.01, None, currency=None)), "(unnamed)"),
        (country({"operatorName": "M1"}), "without a valid price (M1)"),
        (country(), "SG has no operators"),
        (country(operator(0.01), code=None), "Singapore has no two-letter code"),
        (country(operator(0.01), code="SGP"), "Singapore has no two-letter code"),
    ],
)
def test_what_else_is_left_out(outbound: object, words: str) -> None:
    listed = read_price_list(body(outbound))

    assert () == listed.prices
    assert words in listed.left_out[0][1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"<html>",
        b"\xff\xfe\x00",
        b'{"subAccounts": "none"}',
        b'{"subAccounts": [1]}',
        b'{"subAccounts": [{"outbound": "none"}]}',
        b'{"subAccounts": [{"outbound": {"countries": {}}}]}',
        b'{"subAccounts": [{"outbound": [[]]}]}',
        b'{"subAccounts": [{"outbound": {"countries": [{"alpha2Code": "SG", "operators": 5}]}}]}',
        b'{"subAccounts": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda content: repr(content[:60]),
)
def test_what_is_no_price_list(content: bytes) -> None:
    with pytest.raises(StoppedError, match="provider's"):
        read_price_list(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"balance": 1000, "currency": "usd"}', Balance(Decimal(1000), "USD")),
        (b'{"balance": -3.5, "currency": "USD"}', Balance(Decimal("-3.5"), "USD")),
        (b'{"balance": 0.0, "currency": "USD"}', Balance(Decimal(0), "USD")),
    ],
)
def test_balances(content: bytes, expected: Balance) -> None:
    assert expected == read_balance(content)


@pytest.mark.parametrize("content", [b"{}", b'{"balance": 5}', b'{"balance": null, "currency": "USD"}', b"[]", b"5"])
def test_what_is_no_balance(content: bytes) -> None:
    with pytest.raises(StoppedError):
        read_balance(content)


@given(st.decimals(min_value=0, max_value=1_000_000, places=12, allow_nan=False, allow_infinity=False))
def test_every_price_comes_out_exactly(price: Decimal) -> None:
    content = body(country(operator("HERE"))).replace(b'"HERE"', f"{price:f}".encode())

    assert [price] == [listed.price for listed in read_price_list(content).prices]
