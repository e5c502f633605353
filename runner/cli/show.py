"""What people see in the terminal: plan, progress and results, at 80 columns and without colour alike."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runner.cli.console import clean, print_wrapped
from runner.cli.plan_view import lines_of, parts
from runner.models import OutcomeReason, Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from runner.run.job import Run, Standing
    from runner.run.report import Report
    from runner.run.review import Review

_COUNTS = ("to_send", "accepted", "rejected", "unknown", "sending", "unsent")

STYLES = {
    Status.ACCEPTED: "green",
    Status.REJECTED: "red",
    Status.UNKNOWN: "magenta",
    Status.UNSENT: "yellow",
    Status.EXCLUDED: "dim",
}
"""How the terminal tells them apart, beside their words."""


def show_plan(console: "Console", review: "Review") -> None:
    """What a plan comes to, and what to look at in it."""
    summary = review.run.summary
    console.print(f"\n{review.run.name}/{review.run.run}  plan {summary.fingerprint[:12]}", style="bold")
    table = _table()
    for line in lines_of(review):
        label = f"  {line.label}" if line.is_part and line.label else line.label
        table.add_row(label, line.number, clean(line.words + line.detail))
    console.print(table)
    for warning in review.warnings:
        print_wrapped(console, f"look: {warning}", style="yellow")


def show_standing(console: "Console", run: "Run", standing: "Standing") -> None:
    """How far a run is that has been started before."""
    if not run.ledger.runs():
        console.print(f"a new ledger, in which nobody counts as texted yet: {run.ledger.path}")
    if run.died:
        console.print(
            f"{run.died:,} messages were on their way when the process before this one died. Whether they were "
            "received is unknown, so they are not sent again: `campaign reconcile` asks the provider's log."
        )
    if standing.settled:
        done = parts(sorted(standing.settled.items()))
        console.print(f"continuing: {done}; {standing.left:,} left to send")
    if standing.gone:
        several = (
            "1 message went to a recipient" if standing.gone == 1 else f"{standing.gone:,} messages went to recipients"
        )
        console.print(
            f"{several} that the file or its rules leave out now: what is sent stays in the ledger, and in the results "
            "if its row is still there"
        )


def show_report(console: "Console", report: "Report") -> None:
    """Counts by status and reason, with examples."""
    tally = report.tally
    console.print(f"\n{report.record.name}/{report.record.run}", style="bold")
    table = _table()
    for status in Status:
        if not tally.by_status[status]:
            continue
        table.add_row(status.value, f"{tally.by_status[status]:,}", "", style=STYLES[status])
        for (of, reason), count in tally.by_reason.most_common():
            if of == status and reason != OutcomeReason.QUEUED:
                table.add_row(f"  {reason}", f"{count:,}", _example(tally.examples[of, reason]))
    table.add_row("rows", f"{tally.rows:,}", f"{tally.segments_accepted:,} segments accepted")
    console.print(table)
    if tally.by_error_code:
        console.print(f"the provider's error codes: {parts(tally.by_error_code.most_common())}")


def show_files(console: "Console", report: "Report") -> None:
    """Where the results are."""
    console.print()
    for name in ("results_csv", "results_parquet", "summary"):
        console.print(f"{name.replace('_', '.'):<16} {report.document['files'][name]}")


def show_status(console: "Console", runs: list[dict[str, Any]]) -> None:
    """One line for each run."""
    if not runs:
        console.print("no run yet: start one with `campaign run FILE`")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold")
    table.add_column("state", no_wrap=True)
    counts = [name for name in _COUNTS if name == "to_send" or any(run[name] for run in runs)]
    for name in counts:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for run in runs:
        numbers = [f"{run[name]:,}" for name in counts]
        table.add_row(f"{run['campaign']}/{run['run']}", run["state"], *numbers)
    console.print(table)
    for run in runs:
        if run["waiting_for"]:
            console.print(f"{run['campaign']}/{run['run']} waits for {clean(run['waiting_for'])}")
        if run["stopped"]:
            console.print(f"{run['campaign']}/{run['run']} stopped: {clean(run['stopped']['detail'])}")


def counts_line(settled: Mapping[Status, int]) -> str:
    """`accepted 120, rejected 1`."""
    return parts((status.value, settled[status]) for status in Status if settled.get(status))


def _table() -> "Table":
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _example(examples: list[tuple[int, str | None, str]]) -> str:
    row, key, detail = examples[0]
    return clean(f"row {row}{f' (key {key})' if key else ''}{f': {detail}' if detail else ''}")
