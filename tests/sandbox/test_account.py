"""The balance that the sandbox is asked to have, and none for an account that pays afterwards."""

from typing import Any
from uuid import uuid4

import pytest

from runner.errors import InputError
from runner.sandbox import SandboxOptions
from tests.sandbox.client import HELLO, Request, ask
from tests.sandbox.document import PRICES, Document, needs_document

BALANCE = Request(None, method="GET", path=f"/api/v1/accounts/{uuid4()}/balance")


@pytest.mark.parametrize("amount", [0.0, 12.5, -3.01, 149309.7985931])
def test_a_balance_stays_what_it_is(amount: float) -> None:
    before, sent, after = ask(SandboxOptions(balance=amount), BALANCE, Request(HELLO), BALANCE)

    assert [200, 200, 200] == [before.status, sent.status, after.status]
    assert {"balance": amount, "currency": "USD"} == before.body == after.body


def test_an_account_that_pays_afterwards_has_prices_and_no_balance() -> None:
    prices = Request(None, method="GET", path=BALANCE.path.replace("balance", "prices"))
    refused, listed = ask(SandboxOptions(balance=5, post_paid=True), BALANCE, prices)

    assert (403, 1201) == (refused.status, refused.code)
    assert 200 == listed.status


@needs_document
@pytest.mark.parametrize("options", [{}, {"post_paid": True}])
def test_both_as_the_document_has_them(options: dict[str, Any]) -> None:
    [reply] = ask(SandboxOptions(**options), BALANCE)

    if reply.status == 403:
        content = Document().contents["paths"][PRICES.replace("prices", "balance")]["get"]["responses"]["403"][
            "content"
        ]
        assert content["application/json"]["example"].keys() == reply.body.keys()
    else:
        Document().check(reply, PRICES.replace("prices", "balance"), "get")


def test_a_balance_that_makes_no_sense() -> None:
    with pytest.raises(InputError, match=r"a balance of inf makes no sense; give an amount, such as 12\.50"):
        SandboxOptions(balance=float("inf"))
