"""What an account costs and has: prices and balance, always the same. Sending doesn't lower the balance."""

from typing import Any

import orjson
from aiohttp import web

from runner.sandbox.answers import Answer, Refusal, RefusedError
from runner.sandbox.checks import COUNTRY
from runner.sandbox.codes import Code
from runner.sandbox.desk import Desk, uuid_in_path
from runner.sandbox.records import CURRENCY, PRICE_PER_SMS
from runner.sandbox.wire import response

ACCOUNT = "/api/v1/accounts/{accountId}"
# Alpha-2 code, name, prefix, then of its one operator: mobile country code, mobile network code. The price is the one
# that the log export has.
COUNTRIES = (
    ("GB", "United Kingdom", "+44", "234", "10"),
    ("MY", "Malaysia", "+60", "502", "12"),
    ("SG", "Singapore", "+65", "525", "01"),
    ("US", "United States", "+1", "310", "260"),
)


class Account:
    """Answers about the account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{ACCOUNT}/prices", self._prices, allow_head=False),
            web.get(f"{ACCOUNT}/balance", self._balance, allow_head=False),
        ]

    async def _prices(self, request: web.Request) -> web.StreamResponse:
        self._desk.admit(request)
        uuid_in_path(request, "accountId")
        asked = request.query
        if not COUNTRY.fullmatch(asked.get("country", "SG")):
            raise RefusedError(Refusal(Code.INVALID_COUNTRY, "'country' is not an ISO 3166-1 alpha-2 code"))
        if ("mcc" in asked) != ("mnc" in asked):
            raise RefusedError(Refusal(Code.INVALID_PARAMETER, "'mcc' and 'mnc' come in a pair"))
        if asked.get("direction", "outbound") not in ("outbound", "inbound"):
            raise RefusedError(Refusal(Code.INVALID_PARAMETER, "'direction' is neither outbound nor inbound"))
        name = asked.get("subAccountId") or self._desk.options.sub_account_id or "sandbox"
        outbound = [
            _country_of(*row)
            for row in COUNTRIES
            if row[0] == asked.get("country", row[0]).upper()
            and row[3:] == (asked.get("mcc", row[3]), asked.get("mnc", row[4]))
        ]
        # The document contradicts itself: `outbound` is an object in its examples and a list of such in its schema.
        direction = asked.get("direction")
        sides = {"outbound": {"countries": outbound}, "inbound": {"countries": []}}
        prices = {side: value for side, value in sides.items() if direction in (None, side)}
        return response(Answer(200, orjson.dumps({"subAccounts": [{"subAccountId": name, **prices}]})))

    async def _balance(self, request: web.Request) -> web.StreamResponse:
        self._desk.admit(request)
        uuid_in_path(request, "accountId")
        if self._desk.options.post_paid:
            raise RefusedError(Refusal(Code.FORBIDDEN, "The account is not a prepaid one, and has no balance", 403))
        return response(Answer(200, orjson.dumps({"balance": self._desk.options.balance, "currency": CURRENCY})))


def _country_of(code: str, name: str, prefix: str, mcc: str, mnc: str) -> dict[str, Any]:
    operator = {
        "operatorName": "any",
        "operatorId": int(f"{mcc}0{mnc}"),
        "hni": [{"mcc": mcc, "mnc": mnc}],
        "price": {"amount": PRICE_PER_SMS, "currency": CURRENCY},
    }
    return {"alpha2Code": code, "countryName": name, "dialingPrefix": prefix, "operators": [operator]}
