"""The provider's price list as a file, and an account's balance."""

import asyncio
import csv
import io
import uuid
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from runner.base.errors import InputError, StoppedError
from runner.base.files import write_atomically
from runner.base.text import defused
from runner.campaign import AccountSection, Campaign
from runner.campaign.fields import Region
from runner.campaign.values import InvalidValue
from runner.campaign.values import account_id as check_account_id
from runner.prices.costs import Costs, balance_problem, named, plain
from runner.prices.price_list import COLUMNS, WITH_NUMBERS
from runner.provider.endpoint import REGIONS
from runner.provider.prices import ListedPrice, PriceList, fetch_balance, fetch_price_list
from runner.run.account import ProviderAccount, account_for

# A stand-in's prices never take the place of the real ones by default.
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
    """Ask for the price list of an account and save it, whole or not at all. Returns what was saved, as JSON takes it.

    `left_out` says in words which countries the file lacks, and why.

    Raises InputError for options that make no sense, StoppedError when the list can't be had or saved.
    """
    if region not in REGIONS:
        raise InputError.of(f"there is no region {region!r}", f"choose one of {', '.join(REGIONS)}")
    if account_id is None and not sandbox:
        raise InputError.of("whose prices?", "add --account ID, the account's UUID as 8x8 Connect shows it")
    try:
        account_id = check_account_id(str(uuid.uuid4()) if account_id is None else account_id)
    except InvalidValue as error:
        raise InputError.of(f"--account: {error.what}", error.remedy) from error
    path = output or (SANDBOX_FILE if sandbox else DEFAULT_FILE)
    _refuse_to_overwrite(path)
    # The list is asked for by the account's id alone: which sub-account stands beside the key makes no difference.
    with account_for(AccountSection(sub_account_id="sandbox", region=Region(region)), sandbox=sandbox) as account:
        listed = asyncio.run(
            fetch_price_list(account.endpoint, account_id, account.api_key, sub_account_id=sub_account_id)
        )
    chosen = _of_sub_account(listed, sub_account_id) if sub_account_id is not None else listed
    prices = [price for price in chosen.prices if price.country in WITH_NUMBERS]
    no_countries = sorted({price.country for price in chosen.prices} - WITH_NUMBERS)
    left_out = [f"{sub_account}: {why}" if sub_account else why for sub_account, why in chosen.left_out]
    left_out += [f"{code} is no country that a number can be of" for code in no_countries]
    if not prices:
        why = f" ({'; '.join(left_out[:3])})" if left_out else ""
        raise InputError.of(
            f"the price list of this account has no prices for messages{why}", "check the account id and the region"
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
    """What a segment to each country costs, in the order of their codes; one with two currencies is there twice.

    `lowest_price` is the cheapest operator's, `price` the dearest one's: decimal text, because money is no float.
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


def check_balance(campaign: Campaign, account: ProviderAccount, left: Costs, *, accept: bool) -> str | None:
    """Compare what is left to send with the prepaid balance, where the campaign names the account.

    Returns a warning, or None. Raises InputError when the balance is too small and StoppedError when it can't be
    read, unless `accept`.
    """
    if campaign.account.account_id is None:
        return None
    try:
        balance = asyncio.run(fetch_balance(account.endpoint, campaign.account.account_id, account.api_key))
    except StoppedError as error:
        if not accept:
            raise StoppedError(f"{error}; nothing was sent now, --accept-balance sends without knowing it") from error
        return str(error)
    found = balance_problem(balance, left) if balance else None
    if found and found.refuses and not accept:
        raise InputError.of(f"nothing was sent now: {found.words}", "or add --accept-balance to send all the same")
    return found.words if found else None


def _refuse_to_overwrite(path: Path) -> None:
    """Only an older price list is overwritten: a slip of the hand must not cost a list of recipients."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            header = file.readline(200)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError.of(f"{path} cannot be written: {error.strerror}", "name a file with --output") from error
    if header and header.strip() != ",".join(COLUMNS):
        what = f"{path} is there already, and isn't a price list that `campaign prices` has saved"
        raise InputError.of(what, "name another file with --output")


def _of_sub_account(listed: PriceList, sub_account_id: str) -> PriceList:
    """The provider is asked for one sub-account's; that its answer has no others isn't taken for granted."""
    wanted = sub_account_id.casefold()
    prices = tuple(price for price in listed.prices if price.sub_account.casefold() == wanted)
    left_out = tuple(each for each in listed.left_out if each[0].casefold() == wanted)
    if listed.prices and not prices and not left_out:
        names = named(sorted({price.sub_account for price in listed.prices}))
        raise InputError.of(f"the price list has no sub-account {sub_account_id!r}", f"it has {names}")
    return PriceList(prices, left_out)
