"""`campaign prices`: save the provider's price list, for `prices:` in the campaign file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import clean, human, print_json
from runner.cli.options import Json, Sandbox

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.prices import SavedPrices

NAME = "prices"

_ROWS = 20
_LEFT_OUT = 5


def command(
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="The account, a UUID.")] = None,
    sub_account: Annotated[
        str | None, typer.Option("--sub-account", metavar="NAME", help="This sub-account alone. Default: all.")
    ] = None,
    region: Annotated[str, typer.Option("--region", help="asia, north-america, europe or indonesia.")] = "asia",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to save it; default prices.csv.")
    ] = None,
    sandbox: Sandbox = False,
    as_json: Json = False,
) -> int:
    """Save the provider's price list as a CSV file."""
    from runner.run.prices import save_prices

    saved = save_prices(account, region=region, sub_account_id=sub_account, output=output, sandbox=sandbox)
    _show(human(as_json=as_json), saved)
    if as_json:
        print_json(saved.as_json())
    return 0


def _show(console: "Console", saved: "SavedPrices") -> None:
    from rich.table import Table

    countries = saved.countries()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("country")
    table.add_column("a segment costs", no_wrap=True)
    table.add_column("operators", justify="right")
    for row in countries[:_ROWS]:
        low = "" if row["lowest_price"] == row["price"] else f"{row['lowest_price']} to "
        table.add_row(row["country"], f"{low}{row['price']} {row['currency']}", f"{row['operators']:,}")
    console.print(table)
    if len(countries) > _ROWS:
        console.print(f"and {len(countries) - _ROWS:,} more")
    for words in saved.left_out[:_LEFT_OUT]:
        console.print(f"left out: {clean(words)}")
    if len(saved.left_out) > _LEFT_OUT:
        console.print(f"left out: {len(saved.left_out) - _LEFT_OUT:,} more")
    count = "1 price" if len(saved.prices) == 1 else f"{len(saved.prices):,} prices"
    of = f" of {len(saved.sub_accounts):,} sub-accounts" if len(saved.sub_accounts) > 1 else ""
    console.print(f"\n{count}{of} saved in {saved.path}; name that file in the campaign file, under prices:")
