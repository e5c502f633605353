"""Save the provider's price list, and check an account's balance."""

import asyncio
import csv
import io
import uuid
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from runner.base.errors import BlockedError, InputError, StoppedError
from runner.base.files import write_atomically
from runner.base.text import defused
from runner.campaign import AccountSection, Campaign
from runner.campaign.fields import Region
from runner.campaign.values import InvalidValue
from runner.campaign.values import account_id as check_account_id
from runner.prices.costs import BalanceProblem, Costs, balance_problem, named, plain
from runner.prices.price_list import COLUMNS, WITH_NUMBERS
from runner.provider.endpoint import REGIONS
from runner.provider.prices import ListedPrice, PriceList, fetch_balance, fetch_price_list
from runner.run.account import ProviderAccount, account_for

# By default, a sandbox's prices never replace the real ones.
DEFAULT_FILE = Path("prices.csv")
SANDBOX_FILE = Path("prices.sandbox.csv")


def save_prices(
    account_id: str | None,
    *,
    region: str,
    sub_account_id: str | None = None,
    output: Path | None = None,
    sandbox: bool = False,
) -> dict[str, Any]:
    """Fetch the price list of an account and save it atomically. Returns the document for `--json`.

    `left_out` describes which countries are missing in the file, and why.

    Raises InputError for invalid options, StoppedError if the list can't be fetched or saved.
    """
    if region not in REGIONS:
        raise InputError.of(f"--region: {region!r} is not a region", f"use one of {', '.join(REGIONS)}")
    if account_id is None and not sandbox:
        raise InputError.of("--account is required", "give the account's UUID; 8x8 Connect shows it")
    try:
        account_id = check_account_id(str(uuid.uuid4()) if account_id is None else account_id)
    except InvalidValue as error:
        raise InputError.of(f"--account: {error.what}", error.remedy) from error
    path = output or (SANDBOX_FILE if sandbox else DEFAULT_FILE)
    _refuse_to_overwrite(path)
    # The list depends only on the account ID; the sub-account given with the key makes no difference.
    with account_for(AccountSection(sub_account_id="sandbox", region=Region(region)), sandbox=sandbox) as account:
        listed = asyncio.run(
            fetch_price_list(account.endpoint, account_id, account.api_key, sub_account_id=sub_account_id)
        )
    chosen = _of_sub_account(listed, sub_account_id) if sub_account_id is not None else listed
    prices = [price for price in chosen.prices if price.country in WITH_NUMBERS]
    no_countries = sorted({price.country for price in chosen.prices} - WITH_NUMBERS)
    left_out = [f"{sub_account}: {why}" if sub_account else why for sub_account, why in chosen.left_out]
    left_out += [f"{code} is not a country with phone numbers" for code in no_countries]
    if not prices:
        why = f" ({'; '.join(left_out[:3])})" if left_out else ""
        raise InputError.of(
            f"the price list of this account has no message prices{why}", "check --account and --region"
        )
    prices.sort(key=lambda price: (price.sub_account, price.country, price.operator))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in prices:
        writer.writerow((row.country, defused(row.operator), plain(row.price), row.currency, defused(row.sub_account)))
    write_atomically(path, text.getvalue().encode("utf-8", "replace"))
    return {
        "file": str(path),
        "prices": len(prices),
        "sub_accounts": sorted({price.sub_account for price in prices}),
        "left_out": left_out,
        "countries": _by_country(prices),
    }


def _by_country(prices: Iterable[ListedPrice]) -> list[dict[str, Any]]:
    """The price of a segment per country, sorted by country code. A country with two currencies has two entries.

    `lowest_price` is the cheapest operator's, `price` the most expensive operator's. Both are decimal text, because a
    float would round money.
    """
    ordered = sorted(prices, key=lambda price: (price.country, price.currency, price.price))
    groups = groupby(ordered, lambda price: (price.country, price.currency))
    return [
        {
            "country": country,
            "lowest_price": plain(same[0].price),
            "price": plain(same[-1].price),
            "currency": currency,
            "operators": len({price.operator for price in same}),
        }
        for (country, currency), same in ((place, list(group)) for place, group in groups)
    ]


def check_balance(campaign: Campaign, account: ProviderAccount, left: Costs, *, accept: bool) -> BalanceProblem | None:
    """Compare the cost of what is left with the prepaid balance, if the campaign names the account.

    Returns what to warn of, or None. Unless `accept`, raises InputError if the balance is too low, and StoppedError if
    it can't be read.
    """
    if campaign.account.account_id is None:
        return None
    try:
        balance = asyncio.run(fetch_balance(account.endpoint, campaign.account.account_id, account.api_key))
    except StoppedError as error:
        if not accept:
            words = f"{error}; nothing was sent. Try again, or add --accept-balance to skip this check"
            kind = BlockedError if isinstance(error, BlockedError) else StoppedError
            raise kind(words) from error
        return BalanceProblem(str(error), refuses=True)
    found = balance_problem(balance, left) if balance else None
    if found and found.refuses and not accept:
        raise InputError.of(f"nothing was sent: {found.words}", "or add --accept-balance to send anyway")
    return found


def _refuse_to_overwrite(path: Path) -> None:
    """Only overwrite an older price list: a typing mistake must not destroy a recipient file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            header = file.readline(200)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError.of(f"{path} can't be written: {error.strerror}", "name another file with --output") from error
    if header and header.strip() != ",".join(COLUMNS):
        what = f"{path} already exists and is not a price list saved by `campaign prices`"
        raise InputError.of(what, "name another file with --output")


def _of_sub_account(listed: PriceList, sub_account_id: str) -> PriceList:
    """Keep only the prices of one sub-account, because the provider's answer may contain others."""
    wanted = sub_account_id.casefold()
    prices = tuple(price for price in listed.prices if price.sub_account.casefold() == wanted)
    left_out = tuple(each for each in listed.left_out if each[0].casefold() == wanted)
    if listed.prices and not prices and not left_out:
        names = named(sorted({price.sub_account for price in listed.prices}))
        raise InputError.of(f"--sub-account: the price list has no {sub_account_id!r}", f"it has {names}")
    return PriceList(prices, left_out)
