"""Prices and balance."""

import pytest

from runner.sandbox.options import SandboxOptions
from tests.sandbox.client import Request, ask, get

ACCOUNT = "/api/v1/accounts/c388daa9-980e-4b11-81f8-0433c2195dfb"
BALANCE = get(f"{ACCOUNT}/balance")
PRICES = get(f"{ACCOUNT}/prices")


def test_a_balance_stays_what_it_is() -> None:
    for amount in (0.0, 12.5, -3.01, 149309.7985931):
        before, sent, after = ask(SandboxOptions(balance=amount), BALANCE, Request(), BALANCE)
        assert [200, 200, 200] == [before.status, sent.status, after.status]
        assert {"balance": amount, "currency": "USD"} == before.body == after.body


def test_an_account_that_pays_afterwards_has_prices_and_no_balance() -> None:
    refused, listed = ask(SandboxOptions(balance=5, post_paid=True), BALANCE, PRICES)
    assert (403, 1201) == (refused.status, refused.code)
    assert 200 == listed.status


@pytest.mark.parametrize(
    ("query", "sides"),
    [("", {"outbound", "inbound"}), ("&direction=outbound", {"outbound"}), ("&direction=inbound", {"inbound"})],
)
def test_prices(query: str, sides: set[str]) -> None:
    [reply] = ask(SandboxOptions(), get(f"{ACCOUNT}/prices?subAccountId=acme_hq{query}"))
    [account] = reply.body["subAccounts"]
    assert "acme_hq" == account.pop("subAccountId")
    assert sides == account.keys()
    countries = {each["alpha2Code"]: each for each in account.get("outbound", {"countries": []})["countries"]}
    assert countries.keys() == ({"GB", "MY", "SG", "US"} if "outbound" in sides else set())
    assert all(each["operators"][0]["price"] == {"amount": 0.01, "currency": "USD"} for each in countries.values())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{ACCOUNT}/prices?country=SG", 2001),
        (f"{ACCOUNT}/prices?mcc=525&mnc=01", 2001),
        (f"{ACCOUNT}/prices?direction=up", 1000),
        ("/api/v1/accounts/acme/prices", 1000),
        ("/api/v1/accounts/acme/balance", 1000),
    ],
)
def test_questions_that_are_refused(path: str, code: int) -> None:
    [reply] = ask(SandboxOptions(), get(path))
    assert (400, code) == (reply.status, reply.code)
