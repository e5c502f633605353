"""`campaign report`: write the results of a run again, or compare runs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import InputError
from runner.cli.console import clean, human, print_json
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, parse_target

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.compare import Comparison
    from runner.run.paths import RunOptions

NAME = "report"
# Runs of a comparison that the terminal shows.
MOST_ROWS = 40


def command(
    target: Annotated[
        str | None, typer.Argument(metavar="[NAME[/RUN]]", help="The campaign, and the run; default the newest.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Compare the runs since then: 2026-11-01, or 30d.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Compare the runs of these campaigns: 'spring-*'.")
    ] = None,
    unmask: Annotated[
        bool, typer.Option("--unmask", help="Show whole numbers and a whole text in report.html.")
    ] = False,
    sandbox: Sandbox = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Write the results and the report of a run again; with --since or --campaign, compare runs."""
    from runner.run.paths import RunOptions

    options = RunOptions(sandbox=sandbox, ledger=ledger, reports=reports)
    console = human(as_json=as_json)
    if since is not None or campaign is not None:
        if target is not None:
            raise InputError.of(
                "NAME and --since or --campaign exclude each other",
                "one writes a run's report, the other compares runs",
            )
        if unmask:
            raise InputError.of("--unmask: a comparison of runs shows no numbers at all", "leave it out")
        document = _compare(console, options, since, campaign)
    elif target is None:
        raise InputError.of(
            "report on what?", "name a run, NAME or NAME/RUN, or compare runs with --since or --campaign"
        )
    else:
        document = _report(console, options, target, unmask=unmask)
    if as_json:
        print_json(document)
    return 0


def _compare(console: "Console", options: "RunOptions", since: str | None, campaign: str | None) -> dict[str, Any]:
    from runner.run.compare import compare, parse_since

    comparison = compare(options, since=parse_since(since) if since is not None else None, campaign=campaign)
    show_comparison(console, comparison)
    return comparison.document


def _report(console: "Console", options: "RunOptions", target: str, *, unmask: bool) -> dict[str, Any]:
    from runner.cli.show import show_files, show_report
    from runner.run.open import recorded_run
    from runner.run.report import write_report

    with recorded_run(*parse_target(target), options) as run:
        report = write_report(run.ledger, run.record, run.paths, unmask=unmask)
    show_report(console, report)
    show_files(console, report)
    return report.document


def show_comparison(console: "Console", comparison: "Comparison") -> None:
    """Runs side by side, at 80 columns, the newest last; then where the files are."""
    from datetime import UTC, datetime

    from rich.table import Table

    from runner.report.compare_page import UNKNOWN, cost, percent

    listed = comparison.runs[-MOST_ROWS:]
    columns = {
        "started": [f"{datetime.fromtimestamp(run.record.started_at / 1e6, UTC):%Y-%m-%d}" for run in listed],
        "accepted": [f"{run.counts.accepted:,}" for run in listed],
        "rejected": [percent(run.counts.rejection_rate) for run in listed],
        "delivered": [percent(run.counts.delivery_rate) for run in listed],
        "converted": [percent(run.counts.conversion_rate) for run in listed],
        "per delivered": [clean(cost(run.counts.cost_per_delivered, run.counts.currency)) for run in listed],
    }
    columns = {label: cells for label, cells in columns.items() if set(cells) != {UNKNOWN}}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold", vertical="bottom")
    for label in columns:
        table.add_column(label.replace(" ", "\n"), justify="right", overflow="fold", vertical="bottom")
    for run, *cells in zip(listed, *columns.values(), strict=True):
        table.add_row(clean(run.name), *cells)
    console.print(table)
    if len(comparison.runs) > MOST_ROWS:
        console.print(f"the newest {MOST_ROWS} of {len(comparison.runs):,} runs")
    console.print()
    console.print(f"{'figures':<17} {comparison.parquet}")
    console.print(f"{'report':<17} {comparison.page}")
