"""`campaign prices`: save the provider's price list, for the key `prices` of the campaign file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from runner.base.wording import counted
from runner.cli.console import LEFT, RIGHT, Console
from runner.cli.options import Sandbox, with_shared_options

MOST_ROWS = 20
MOST_LEFT_OUT = 5


@with_shared_options
def command(
    console: Console,
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="The account's ID, a UUID.")] = None,
    sub_account: Annotated[
        str | None, typer.Option("--sub-account", metavar="NAME", help="Only this sub-account; default: all.")
    ] = None,
    region: Annotated[str, typer.Option("--region", help="asia, north-america, europe or indonesia.")] = "asia",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file; default: prices.csv.")
    ] = None,
    sandbox: Sandbox = False,
) -> tuple[int, dict[str, Any]]:
    """Save the provider's price list as a CSV file."""
    from runner.run.prices import save_prices

    saved = save_prices(account, region=region, sub_account_id=sub_account, output=output, sandbox=sandbox)
    countries, left_out, sub_accounts = saved["countries"], saved["left_out"], saved["sub_accounts"]
    rows = []
    for row in countries[:MOST_ROWS]:
        low, high = row["lowest_price"], row["price"]
        price = f"{high} {row['currency']}" if low == high else f"{low} to {high} {row['currency']}"
        rows.append((row["country"], price, f"{row['operators']:,}"))
    console.show_table({"country": {}, "per segment": LEFT, "operators": RIGHT}, rows)
    if len(countries) > MOST_ROWS:
        console.print(f"and {len(countries) - MOST_ROWS:,} more")
    for words in left_out[:MOST_LEFT_OUT]:
        console.warn(f"skipped: {words}")
    if len(left_out) > MOST_LEFT_OUT:
        console.warn(f"skipped: {len(left_out) - MOST_LEFT_OUT:,} more")
    count = counted(saved["prices"], "price")
    of = f" of {len(sub_accounts):,} sub-accounts" if len(sub_accounts) > 1 else ""
    console.print(f"\n{count}{of} saved to {saved['file']}")
    console.print(f"to use them, write into the campaign file:  prices: {saved['file']}")
    return 0, saved
