"""What people see in the terminal: plan, progress and results, at 80 columns and without colour alike."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.base.outcomes import OutcomeReason, Status
from runner.base.wording import listed_counts
from runner.cli.console import clean, print_wrapped
from runner.cli.plan_view import lines_of
from runner.prices.costs import plain
from runner.provider.delivery import code_of
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from runner.report.result_counts import ResultCounts
    from runner.run.open import Run
    from runner.run.plan import Remaining
    from runner.run.report import RunReport
    from runner.run.review import Review

MOST_CODES = 5

# How the terminal tells statuses apart, beside their words.
STYLES = {
    Status.ACCEPTED: "green",
    Status.REJECTED: "red",
    Status.UNKNOWN: "magenta",
    Status.UNSENT: "yellow",
    Status.EXCLUDED: "dim",
}


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


def show_remaining(console: "Console", run: "Run", remaining: "Remaining") -> None:
    """How far a run is that has been started before."""
    if not run.ledger.runs():
        console.print(f"a new ledger, in which nobody counts as texted yet: {run.ledger.path}")
    if run.died:
        console.print(
            f"{run.died:,} messages were on their way when the process before this one died. Whether they were "
            "received is unknown, so they are not sent again: `campaign reconcile` asks the provider's log."
        )
    if remaining.settled:
        done = listed_counts(sorted(remaining.settled.items()))
        console.print(f"continuing: {done}; {remaining.left:,} left to send")
    if remaining.gone:
        gone = remaining.gone
        several = "1 message went to a recipient" if gone == 1 else f"{gone:,} messages went to recipients"
        console.print(
            f"{several} that the file or its rules leave out now: what is sent stays in the ledger, and in the results "
            "if its row is still there"
        )


def show_receipts(console: "Console", run: "Run") -> None:
    """How the receipts that the campaign awaits come into the ledger."""
    campaign = run.campaign
    if not campaign.awaits_receipts:
        return
    if run.run == SANDBOX_RUN:
        console.print("receipts: the sandbox's come into this run's report")
        return
    words, receipts = ["campaign receipts"], campaign.receipts
    if receipts:
        words.append(f"--port {receipts.port}")
        words += [f"--auth-header-env {receipts.auth_header_env}"] if receipts.auth_header_env else []
    where = f"sent to {campaign.callback_url}" if campaign.callback_url else "sent to the account's webhook"
    print_wrapped(console, f"receipts: {where}; `{' '.join(words)}` takes them there (docs/receipts.md)")
    if receipts and receipts.auth_header_env and not os.environ.get(receipts.auth_header_env):
        print_wrapped(
            console, f"look: {receipts.auth_header_env} is not set here; `campaign receipts` needs it", "yellow"
        )


def show_report(console: "Console", report: "RunReport") -> None:
    """Counts by status and reason, with examples."""
    counts, totals = report.counts, report.counts.totals
    console.print(f"\n{report.record.name}/{report.record.run}", style="bold")
    table = _table()
    for status in Status:
        if not totals.by_status[status]:
            continue
        table.add_row(status.value, f"{totals.by_status[status]:,}", "", style=STYLES[status])
        for (of, reason), count in counts.by_reason.most_common():
            if of == status and reason != OutcomeReason.QUEUED:
                table.add_row(f"  {reason}", f"{count:,}", _example(counts.examples[of, reason]))
    table.add_row("rows", f"{totals.rows:,}", f"{totals.segments_accepted:,} segments accepted")
    for label, number, words in _what_came_back(counts):
        table.add_row(label, number, words)
    console.print(table)
    if codes := counts.by_error_code:
        console.print(f"the provider's error codes: {listed_counts(codes.most_common())}")


def _what_came_back(counts: "ResultCounts") -> Iterator[tuple[str, str, str]]:
    """What receipts, the provider's log and the user have told of accepted messages since."""
    if states := counts.totals.known_delivery:
        yield "delivery", f"{states.total():,}", listed_counts(states.most_common())
    for code, count in counts.by_delivery_error.most_common(MOST_CODES):
        yield f"  error {code}", f"{count:,}", code_of(code).words
    for currency, bill in sorted(counts.accepted_bills.items()):
        words = f"{currency}, {counts.accepted_billed_segments:,} segments".lstrip(", ")
        yield "billed", plain(bill.amount), words
    if conversions := counts.accepted_conversions:
        yield "feedback", f"{conversions.total():,}", listed_counts(conversions.most_common())


# In the order in which they are shown: what most people open next stands nearest to the prompt.
_FILES = {
    "results_csv": "results.csv",
    "results_parquet": "results.parquet",
    "results_xlsx": "results.xlsx",
    "numbers_to_remove": "numbers to remove",
    "summary": "summary",
    "report": "report",
}


def show_files(console: "Console", report: "RunReport") -> None:
    """Where the results are."""
    console.print()
    files = report.document["files"]
    for name, label in _FILES.items():
        if name in files:
            console.print(f"{label:<17} {files[name]}")


def _table() -> "Table":
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _example(examples: Sequence[tuple[int, str | None, str]]) -> str:
    row, key, detail = examples[0]
    return clean(f"row {row}{f' (key {key})' if key else ''}{f': {detail}' if detail else ''}")
