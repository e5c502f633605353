"""An account's price list and balance: asking the provider, and from its JSON to records. Asking costs nothing.

The provider's document contradicts itself: `outbound` is an object in its examples and a list of objects in its schema.
Both are read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from runner.base.errors import StoppedError
from runner.base.outcomes import OutcomeReason
from runner.provider.answer import exact_json
from runner.provider.endpoint import Endpoint

if TYPE_CHECKING:
    from runner.provider.http import HttpClient

# No segment costs more, in any currency.
MAX_PRICE = 1_000_000

# Before and after the decimal point. Inside of these, the sums of a run are exact in a Decimal of 28 digits.
MAX_DIGITS = 15
MAX_DECIMALS = 12

# The balance's answer, status and code, for an account that pays afterwards.
_POST_PAID = (403, 1201)

_ADVICE: Mapping[OutcomeReason, str] = MappingProxyType(
    {
        OutcomeReason.NOT_FOUND: "check the account id and the region (and EIGHTXEIGHT_BASE_URL, if it is set)",
        OutcomeReason.FORBIDDEN: "check that the API key belongs to this account, and that this computer's address is "
        "allow-listed",
    }
)

_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """What one segment to an operator's phones costs. `country` is ISO 3166-1 alpha-2, `currency` ISO 4217."""

    country: str
    operator: str
    price: Decimal
    currency: str
    sub_account: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sub-account's country that lacks a price which can be read, and why.

    It is left out whole: the highest of its other operators would pass for the most that a message costs.
    """

    sub_account: str
    why: str

    def __str__(self) -> str:
        return f"{self.sub_account}: {self.why}" if self.sub_account else self.why


@dataclass(frozen=True, slots=True)
class PriceList:
    """The outbound prices of an account."""

    prices: tuple[ListedPrice, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left on a prepaid account. `amount` is below zero where it is overdrawn."""

    amount: Decimal
    currency: str


async def fetch_price_list(
    endpoint: Endpoint, account_id: str, api_key: str, *, sub_account_id: str | None = None
) -> PriceList:
    """The outbound prices of an account (a UUID), or of one of its sub-accounts. Raises StoppedError, in words."""
    query = {"direction": "outbound"} | ({"subAccountId": sub_account_id} if sub_account_id else {})
    async with _client(endpoint, api_key, "price list") as client:
        answer = await client.ask("GET", f"{endpoint.base_url}/api/v1/accounts/{account_id}/prices", query=query)
        return read_price_list(client.demand(answer).body)


async def fetch_balance(endpoint: Endpoint, account_id: str, api_key: str) -> Balance | None:
    """What is left on a prepaid account; None for one that pays afterwards. Raises StoppedError, in words."""
    async with _client(endpoint, api_key, "balance") as client:
        answer = await client.ask("GET", f"{endpoint.base_url}/api/v1/accounts/{account_id}/balance")
        return None if (answer.status, answer.code) == _POST_PAID else read_balance(client.demand(answer).body)


def _client(endpoint: Endpoint, api_key: str, subject: str) -> "HttpClient":
    from runner.provider.http import HttpClient  # aiohttp takes long to import, and planning reads this module

    return HttpClient(endpoint, api_key, subject, advice=_ADVICE)


def read_price_list(content: bytes) -> PriceList:
    """The price list in an answer's body. Raises StoppedError when it is none."""
    document = _json_object(content, "price list")
    prices: list[ListedPrice] = []
    left_out: list[LeftOut] = []
    for sub_account in _items(document, "subAccounts"):
        name = str(sub_account.get("subAccountId") or "")
        for country in _countries(sub_account.get("outbound")):
            found = _of_country(country, name)
            if isinstance(found, str):
                left_out.append(LeftOut(name, found))
            else:
                prices += found
    return PriceList(tuple(prices), tuple(left_out))


def read_balance(content: bytes) -> Balance:
    """The balance in an answer's body. Raises StoppedError when it is none."""
    document = _json_object(content, "balance")
    amount, currency = _amount(document.get("balance")), _currency(document.get("currency"))
    if amount is None or currency is None:
        raise StoppedError(
            "the provider's answer about the balance has no amount with a currency, so it can't be told what is left"
        )
    return Balance(amount, currency)


def _of_country(country: dict[str, Any], sub_account: str) -> list[ListedPrice] | str:
    """The prices of a country's operators, or why it has none."""
    code = str(country.get("alpha2Code") or "").strip().upper()
    if not _COUNTRY.fullmatch(code):
        return f"{str(country.get('countryName') or 'a country')[:60]} has no two-letter code"
    prices = []
    for operator in _items(country, "operators"):
        name = " ".join(str(operator.get("operatorName") or "").split())
        price = operator.get("price")
        said = price if isinstance(price, dict) else {}
        amount, currency = _amount(said.get("amount")), _currency(said.get("currency"))
        if amount is None or currency is None or not 0 <= amount <= MAX_PRICE:
            return f"{code} has an operator without a price that makes sense ({name[:60] or 'unnamed'})"
        prices.append(ListedPrice(code, name, amount, currency, sub_account))
    return prices or f"{code} has no operators"


def _countries(outbound: object) -> Iterator[dict[str, Any]]:
    for part in outbound if isinstance(outbound, list) else [outbound]:
        if part is None:
            continue
        if not isinstance(part, dict):
            _not_a_list("outbound")
        yield from _items(part, "countries")


def _items(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = parent.get(name)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        _not_a_list(name)
    return items


def _not_a_list(name: str) -> NoReturn:
    raise StoppedError(f"the provider's price list has another form than its document says, at {name!r}")


def _amount(value: object) -> Decimal | None:
    """A JSON number, or one in quotes, as the provider's log has them. None for anything else, such as 1e99."""
    if isinstance(value, str):
        value = Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    amount = Decimal(value)
    if not amount:
        return Decimal(0)
    if not -MAX_DECIMALS <= amount.adjusted() < MAX_DIGITS:
        return None
    return round(amount, MAX_DECIMALS).normalize()


def _currency(value: object) -> str | None:
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if _CURRENCY.fullmatch(code) else None


def _json_object(content: bytes, subject: str) -> dict[str, Any]:
    try:
        document = exact_json(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise StoppedError(f"the provider's answer about the {subject} is not a JSON object")
    return document
