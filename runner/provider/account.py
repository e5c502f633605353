"""The two questions about an account's money: its price list and its balance. They cost nothing and change nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from runner.models import OutcomeReason
from runner.provider.prices import Balance, PriceList, read_balance, read_price_list
from runner.provider.reading import Reader

NOT_PREPAID: Final = (403, 1201)
"""The balance's answer, status and code, for an account that pays afterwards."""

ADVICE: Mapping[OutcomeReason, str] = MappingProxyType(
    {
        OutcomeReason.NOT_FOUND: "check the account id and the region (and EIGHTXEIGHT_BASE_URL, if it is set)",
        OutcomeReason.FORBIDDEN: "check that the API key belongs to this account, and that this computer's address is "
        "allow-listed",
    }
)


async def fetch_price_list(
    base_url: str, account_id: str, api_key: str, *, sub_account_id: str | None = None
) -> PriceList:
    """The outbound prices of an account (a UUID), or of one of its sub-accounts. Raises StoppedError, in words."""
    query = {"direction": "outbound"} | ({"subAccountId": sub_account_id} if sub_account_id else {})
    async with Reader(api_key, "price list", ADVICE) as reader:
        reply = await reader.ask("GET", f"{base_url}/api/v1/accounts/{account_id}/prices", query=query)
        return read_price_list(reader.demand(reply))


async def fetch_balance(base_url: str, account_id: str, api_key: str) -> Balance | None:
    """What is left on a prepaid account; None for one that pays afterwards. Raises StoppedError, in words."""
    async with Reader(api_key, "balance", ADVICE) as reader:
        reply = await reader.ask("GET", f"{base_url}/api/v1/accounts/{account_id}/balance")
        if (reply.status, reply.code) == NOT_PREPAID:
            return None
        return read_balance(reader.demand(reply))
