"""`campaign status`: counts by status from the ledger, also while a run is going."""

from typing import Annotated

import typer

from runner.cli.console import human, print_json
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, parse_target

NAME = "status"


def command(
    target: Annotated[
        str | None, typer.Argument(metavar="[NAME[/RUN]]", help="A campaign or a run; default all.")
    ] = None,
    sandbox: Sandbox = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Show how far runs are, also while they are going."""
    from runner.cli.show import show_status
    from runner.run.places import Options
    from runner.run.status import statuses

    name, run = parse_target(target) if target else (None, None)
    found = statuses(name, run, Options(sandbox=sandbox, ledger=ledger, reports=reports))
    if as_json:
        print_json({"runs": found})
    else:
        show_status(human(), found)
    return 0
