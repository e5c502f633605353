"""`campaign status`: counts by status from the ledger, also while a run is going."""

from typing import Annotated

import typer

from runner.base.errors import InputError
from runner.cli.console import human, print_json
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, parse_target

NAME = "status"


def command(
    target: Annotated[
        str | None, typer.Argument(metavar="[NAME[/RUN]]", help="A campaign or a run; default all.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show runs as they go, until they end.")] = False,
    sandbox: Sandbox = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Show how far runs are, also while they are going, and what is known of delivery and conversion since."""
    if watch and as_json:
        raise InputError.of(
            "--watch and --json exclude each other: --json is one document", "ask again and again without --watch"
        )
    from runner.base.clock import now_us
    from runner.cli.status_view import show_status, watch_status
    from runner.run.paths import RunOptions
    from runner.run.status import StatusReader

    name, run = parse_target(target) if target else (None, None)
    reader = StatusReader(name, run, RunOptions(sandbox=sandbox, ledger=ledger, reports=reports))
    if watch:
        watch_status(human(), reader)
        return 0
    snapshot = reader.read(now_us())
    if as_json:
        print_json({"runs": snapshot.runs, "optouts": snapshot.optouts})
    else:
        show_status(human(), snapshot)
    return 0
