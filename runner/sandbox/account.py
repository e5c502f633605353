"""What an account costs and has: prices and balance, always the same. Sending doesn't lower the balance."""

from typing import Any

import orjson
from aiohttp import web

from runner.sandbox.answers import Answer, Code, RefusedError
from runner.sandbox.delivery import CURRENCY, PRICE_PER_SMS
from runner.sandbox.fault_effects import response
from runner.sandbox.state import SandboxState, uuid_in_path

ACCOUNT = "/api/v1/accounts/{accountId}"
# Alpha-2 code, name, prefix, then of its one operator: mobile country code, mobile network code. The price is the one
# that the log export has.
COUNTRIES = (
    ("GB", "United Kingdom", "+44", "234", "10"),
    ("MY", "Malaysia", "+60", "502", "12"),
    ("SG", "Singapore", "+65", "525", "01"),
    ("US", "United States", "+1", "310", "260"),
)
# The document has these filters of the price list too. A list that ignored them would be a wrong answer.
NOT_OFFERED = {"country", "mcc", "mnc"}


class Account:
    """Answers about the account."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{ACCOUNT}/prices", self._prices, allow_head=False),
            web.get(f"{ACCOUNT}/balance", self._balance, allow_head=False),
        ]

    async def _prices(self, request: web.Request) -> web.StreamResponse:
        self._state.admit(request)
        uuid_in_path(request, "accountId")
        if not_offered := NOT_OFFERED & request.query.keys():
            raise RefusedError(Code.NOT_IMPLEMENTED, f"The sandbox has no {', '.join(sorted(not_offered))} here")
        direction = request.query.get("direction")
        if direction not in (None, "outbound", "inbound"):
            raise RefusedError(Code.INVALID_PARAMETER, "'direction' is neither outbound nor inbound")
        name = request.query.get("subAccountId") or self._state.options.sub_account_id or "sandbox"
        # The document contradicts itself: `outbound` is an object in its examples and a list of such in its schema.
        sides = {"outbound": {"countries": [_country_of(*row) for row in COUNTRIES]}, "inbound": {"countries": []}}
        prices = {side: value for side, value in sides.items() if direction in (None, side)}
        return response(Answer(200, orjson.dumps({"subAccounts": [{"subAccountId": name, **prices}]})))

    async def _balance(self, request: web.Request) -> web.StreamResponse:
        self._state.admit(request)
        uuid_in_path(request, "accountId")
        if self._state.options.post_paid:
            raise RefusedError(Code.FORBIDDEN, "The account is not a prepaid one, and has no balance")
        return response(Answer(200, orjson.dumps({"balance": self._state.options.balance, "currency": CURRENCY})))


def _country_of(code: str, name: str, prefix: str, mcc: str, mnc: str) -> dict[str, Any]:
    operator = {
        "operatorName": "any",
        "operatorId": int(f"{mcc}0{mnc}"),
        "hni": [{"mcc": mcc, "mnc": mnc}],
        "price": {"amount": PRICE_PER_SMS, "currency": CURRENCY},
    }
    return {"alpha2Code": code, "countryName": name, "dialingPrefix": prefix, "operators": [operator]}
