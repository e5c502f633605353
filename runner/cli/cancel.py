"""`campaign cancel`: take back what the provider has scheduled and not sent yet."""

import shlex
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.console import clean, confirm, human, print_json, print_wrapped
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, Target, parse_target

if TYPE_CHECKING:
    from rich.console import Console

    from runner.models import Rate
    from runner.run.cancel import Cancelling, Job

NAME = "cancel"

LINE_EVERY_S = 5.0
EXAMPLES = 10


def command(
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Cancel without asking.")] = False,
    rate: Annotated[str, typer.Option(metavar="RATE", help="The most requests, such as 100/s.")] = "100/s",
    sandbox: Sandbox = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Cancel a run's messages that the provider has scheduled and not sent yet."""
    from runner.ledger.cancellations import refusals
    from runner.run.cancel import cancel, cancelling, count
    from runner.run.errands import rate_of
    from runner.run.places import Options

    name, run = parse_target(target)
    console = human(as_json=as_json)
    at = rate_of(rate)
    with cancelling(name, run, Options(sandbox=sandbox, ledger=ledger, reports=reports)) as job:
        progress = count(job)
        if progress.wanted:
            _show_haste(console, job, progress, at)
            if not yes:
                _confirm(progress.wanted, f"{job.record.name}/{job.record.run}")
            cancel(job, progress, at, _Showing(console, progress))
        refused = refusals(job.ledger, job.record.id, limit=None if as_json else EXAMPLES) if progress.refused else []
        _show(console, job, progress, refused)
        if as_json:
            print_json(_document(job, progress, refused))
    if progress.stopped:
        return 3
    return 1 if progress.refused or progress.unknown else 0


def _confirm(wanted: int, run: str) -> None:
    confirm(
        f"\nCancel {_messages(wanted)} of {run} at the provider?",
        no="nothing was cancelled",
        without="add --yes to cancel without asking",
    )


def _show_haste(console: "Console", job: "Job", progress: "Cancelling", rate: "Rate") -> None:
    """Say when the provider will have sent the last ones before they can be cancelled at this rate."""
    from runner.run.cancel import due_at
    from runner.run.times import now_us

    due = due_at(job)
    takes_s = progress.wanted / rate.per_second
    if due is not None and takes_s > (left_s := max((due - now_us()) / 1e6, 0.0)):
        words = (
            f"look: at {rate}, {_messages(progress.wanted)} take {_span(takes_s)}, and the provider begins to send "
            f"them in {_span(left_s)}; a higher --rate helps, as far as your account allows"
        )
        print_wrapped(console, words, "yellow")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


class _Showing:
    """A line every few seconds."""

    def __init__(self, console: "Console", progress: "Cancelling") -> None:
        self._console = console
        self._progress = progress
        self._said_at = time.monotonic()
        self._has_said_stopping = False

    def __call__(self) -> None:
        progress = self._progress
        if progress.stopping and not self._has_said_stopping:
            self._has_said_stopping = True
            self._console.print("stopping: waiting for answers; Ctrl-C again stops waiting")
        if time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = time.monotonic()
            refused = f", {progress.refused:,} could not be" if progress.refused else ""
            waiting = f" · waiting for {progress.waiting_for}" if progress.waiting_for else ""
            words = f"{progress.cancelled:,} of {progress.wanted:,} cancelled{refused}{waiting}"
            self._console.print(clean(words))


def _show(console: "Console", job: "Job", progress: "Cancelling", refused: list[tuple[str, str]]) -> None:
    name = f"{job.record.name}/{job.record.run}"
    if not progress.wanted:
        console.print(f"\n{name}: nothing waits at the provider: all was sent, or is cancelled already", style="bold")
    else:
        console.print(f"\n{name}: {progress.cancelled:,} of {_messages(progress.wanted)} cancelled", style="bold")
    if progress.refused:
        print_wrapped(console, f"look: {progress.refused:,} could not be cancelled:", "yellow")
        for key, detail in refused[:EXAMPLES]:
            print_wrapped(console, f"  {key}: {detail}")
        if progress.refused > EXAMPLES:
            console.print("  …; --json names all of them")
    if progress.unknown:
        words = (
            f"look: {_messages(progress.unknown)} of unknown outcome may wait at the provider, too; "
            f"`campaign reconcile {name}` finds them out, then cancel again"
        )
        print_wrapped(console, words, "yellow")
    if progress.cancelled:
        words = "what is cancelled stays accepted in this run, which never sends it again; another run can (--run ID)"
        print_wrapped(console, words)
    if progress.stopped:
        words = progress.stopped if progress.was_signalled else f"stopped: {progress.stopped}"
        print_wrapped(console, words, "bold red")
        console.print(clean(f"to go on, run it again:\n  campaign {shlex.join(sys.argv[1:])}"))


def _document(job: "Job", progress: "Cancelling", refused: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "campaign": job.record.name,
        "run": job.record.run,
        "waiting": progress.wanted,
        "cancelled": progress.cancelled,
        "refused": [{"key": key, "why": why} for key, why in refused],
        "unknown": progress.unknown,
        "stopped": progress.stopped,
    }


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
