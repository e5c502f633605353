"""An account's price list and balance: requests them and reads the JSON. These requests are free.

The provider's documentation contradicts itself: `outbound` is an object in its examples and a list of objects in its
schema. This module reads both.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.base.errors import BlockedError
from runner.base.outcomes import OutcomeReason
from runner.base.text import sanitized
from runner.provider.answer import amount_of, exact_json
from runner.provider.endpoint import Endpoint

if TYPE_CHECKING:
    from runner.provider.http import HttpClient

# The highest plausible price of a segment, in any currency.
MAX_PRICE = 1_000_000

# How many decimals of an amount to keep. With these, the sums of a run are exact in a Decimal of 28 digits.
MAX_DECIMALS = 12

# The answer (status, code) to a balance request for a post-paid account.
_POST_PAID = (403, 1201)

_ADVICE: Mapping[OutcomeReason, str] = {
    OutcomeReason.NOT_FOUND: "check the account ID and the region (and EIGHTXEIGHT_BASE_URL, if it is set)",
    OutcomeReason.FORBIDDEN: "check that the API key belongs to this account, and that the account allows this "
    "computer's IP address",
}


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """The price of one segment to an operator. `country` is ISO 3166-1 alpha-2, `currency` ISO 4217."""

    country: str
    operator: str
    price: Decimal
    currency: str
    sub_account: str


@dataclass(frozen=True, slots=True)
class PriceList:
    """The outbound prices of an account.

    `left_out` has (sub-account, why) for each country with a price that is missing or not valid. The whole country is
    left out: otherwise the highest price of its other operators would be taken for the maximum.
    """

    prices: tuple[ListedPrice, ...]
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of a prepaid account. `amount` is negative if it is overdrawn."""

    amount: Decimal
    currency: str


async def fetch_price_list(
    endpoint: Endpoint, account_id: str, api_key: str, *, sub_account_id: str | None = None
) -> PriceList:
    """The outbound prices of an account (a UUID), or of one of its sub-accounts. Raises StoppedError."""
    query = {"direction": "outbound"} | ({"subAccountId": sub_account_id} if sub_account_id else {})
    async with _client(endpoint, api_key, "price list") as client:
        answer = await client.ask("GET", f"{endpoint.base_url}/api/v1/accounts/{account_id}/prices", query=query)
        return read_price_list(client.demand(answer).body)


async def fetch_balance(endpoint: Endpoint, account_id: str, api_key: str) -> Balance | None:
    """The balance of a prepaid account; None for a post-paid account. Raises StoppedError."""
    async with _client(endpoint, api_key, "balance") as client:
        answer = await client.ask("GET", f"{endpoint.base_url}/api/v1/accounts/{account_id}/balance")
        return None if (answer.status, answer.code) == _POST_PAID else read_balance(client.demand(answer).body)


def _client(endpoint: Endpoint, api_key: str, subject: str) -> "HttpClient":
    from runner.provider.http import HttpClient  # late: aiohttp is slow to import, and planning needs this module

    return HttpClient(endpoint, api_key, subject, advice=_ADVICE)


def read_price_list(content: bytes) -> PriceList:
    """The price list in an answer's body. Raises StoppedError if it isn't one."""
    document = _json_object(content, "price list")
    prices: list[ListedPrice] = []
    left_out: list[tuple[str, str]] = []
    for sub_account in _objects(document.get("subAccounts"), "subAccounts"):
        name, outbound = _name(sub_account.get("subAccountId")), sub_account.get("outbound")
        parts = _objects(outbound if isinstance(outbound, list) else [outbound], "outbound")
        for country in (country for part in parts for country in _objects(part.get("countries"), "countries")):
            found = _of_country(country, name)
            if isinstance(found, str):
                left_out.append((name, found))
            else:
                prices += found
    return PriceList(tuple(prices), tuple(left_out))


def read_balance(content: bytes) -> Balance:
    """The balance in an answer's body. Raises StoppedError if it isn't one."""
    document = _json_object(content, "balance")
    amount, currency = _money(document.get("balance"), document.get("currency"))
    if amount is None or currency is None:
        raise BlockedError("the provider's answer about the balance has no amount or no currency")
    return Balance(amount, currency)


def _of_country(country: dict[str, Any], sub_account: str) -> list[ListedPrice] | str:
    """The prices of a country's operators, or why the country is left out."""
    code = _name(country.get("alpha2Code")).upper()
    if not re.fullmatch("[A-Z]{2}", code):
        return f"{_name(country.get('countryName'))[:60] or 'a country'} has no two-letter code"
    prices = []
    for operator in _objects(country.get("operators"), "operators"):
        name = _name(operator.get("operatorName"))
        price = operator.get("price")
        said = price if isinstance(price, dict) else {}
        amount, currency = _money(said.get("amount"), said.get("currency"))
        if amount is None or currency is None or not 0 <= amount <= MAX_PRICE:
            return f"{code} has an operator without a valid price ({name[:60] or 'unnamed'})"
        prices.append(ListedPrice(code, name, amount, currency, sub_account))
    return prices or f"{code} has no operators"


def _name(value: object) -> str:
    """A name on one line; "" if it isn't a text."""
    return sanitized(" ".join(value.split())) if isinstance(value, str) else ""


def _objects(items: object, name: str) -> list[dict[str, Any]]:
    """The objects of a list, which may be missing."""
    items = [] if items is None else items
    if not isinstance(items, list) or not all(isinstance(item, dict | None) for item in items):
        raise BlockedError(f"the provider's price list has an unexpected format at {name!r}; upgrade campaign-runner")
    return [item for item in items if item is not None]


def _money(value: object, currency: object) -> tuple[Decimal | None, str | None]:
    amount, code = amount_of(value), currency.strip().upper() if isinstance(currency, str) else ""
    rounded = None if amount is None else round(amount, MAX_DECIMALS).normalize()
    return rounded, code if re.fullmatch("[A-Z]{3}", code) else None


def _json_object(content: bytes, subject: str) -> dict[str, Any]:
    try:
        document = exact_json(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        what = f"the provider's answer about the {subject} is not a JSON object"
        raise BlockedError(f"{what}; check the region and EIGHTXEIGHT_BASE_URL")
    return document
