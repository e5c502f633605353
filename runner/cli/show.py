"""What people see in the terminal: plan, progress and results, at 80 columns and without colour alike."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runner.cli.console import clean
from runner.models import OutcomeReason, Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from runner.run.job import Run, Standing
    from runner.run.report import Report

_COUNTS = ("to_send", "accepted", "rejected", "unknown", "sending", "unsent")

_STYLES = {"accepted": "green", "rejected": "red", "unknown": "magenta", "unsent": "yellow", "excluded": "dim"}


def show_plan(console: "Console", run: "Run") -> None:
    """The summary of a plan: what would be sent, and what not, with examples."""
    summary = run.summary
    console.print(f"\n{run.name}/{run.run}  plan {summary.fingerprint[:12]}", style="bold")
    table = _table()
    table.add_row("rows", f"{summary.rows:,}", str(run.inputs.audience.file))
    table.add_row("to send", f"{summary.to_send:,}", _parts(summary.by_country.most_common(8)))
    if summary.repaired:
        table.add_row("", f"{summary.repaired:,}", "of them with a repaired number (see detail in the plan)")
    if summary.to_send:
        encodings = _parts(sorted(summary.by_encoding.items()))
        sizes = _parts(
            (f"of {n} segment{'s' if n > 1 else ''}", count) for n, count in sorted(summary.by_segments.items())
        )
        table.add_row("segments", f"{summary.segments:,}", f"{encodings} · {sizes}")
        table.add_row("takes", _duration(summary.seconds_at(run.campaign.rate)), f"at {run.campaign.rate}")
    table.add_row("excluded", f"{summary.excluded.total():,}", "")
    for reason, count in summary.excluded.most_common():
        examples = summary.examples[reason]
        for number, (row, detail) in enumerate(examples):
            first = number == 0
            words = clean(f"row {row}: {detail}")
            table.add_row(f"  {reason.value}" if first else "", f"{count:,}" if first else "", words)
    console.print(table)


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
        done = _parts(sorted(standing.settled.items()))
        console.print(f"continuing: {done}; {standing.left:,} left to send")
    if standing.gone:
        console.print(
            f"{standing.gone:,} messages went to recipients that are no longer in the file: they stand in the ledger, "
            "not in the results"
        )


def show_report(console: "Console", report: "Report") -> None:
    """Counts by status and reason, with examples."""
    tally = report.tally
    console.print(f"\n{report.record.name}/{report.record.run}", style="bold")
    table = _table()
    for status in Status:
        if not tally.by_status[status]:
            continue
        table.add_row(status.value, f"{tally.by_status[status]:,}", "", style=_STYLES[status.value])
        for (of, reason), count in tally.by_reason.most_common():
            if of == status and reason != OutcomeReason.QUEUED:
                table.add_row(f"  {reason}", f"{count:,}", _example(tally.examples[of, reason]))
    table.add_row("rows", f"{tally.rows:,}", f"{tally.segments_accepted:,} segments accepted")
    console.print(table)
    if tally.by_error_code:
        console.print(f"the provider's error codes: {_parts(tally.by_error_code.most_common())}")


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
        if run["stopped"]:
            console.print(f"{run['campaign']}/{run['run']} stopped: {clean(run['stopped']['detail'])}")


def _segments(size: int) -> str:
    return f"of {size} segment{'s' if size > 1 else ''}"


def counts_line(settled: Mapping[Status, int]) -> str:
    """`accepted 120, rejected 1`."""
    return _parts((status.value, settled[status]) for status in Status if settled.get(status))


def _table() -> "Table":
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _parts(counts: Iterable[tuple[object, int]]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts)


def _example(examples: list[tuple[int, str | None, str]]) -> str:
    row, key, detail = examples[0]
    return clean(f"row {row}{f' (key {key})' if key else ''}{f': {detail}' if detail else ''}")


def _duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`: as exact as a person needs."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
