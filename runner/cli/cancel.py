"""`campaign cancel`: take back what the provider has scheduled and not sent yet."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import StoppedError
from runner.cli.console import confirm, human, print_json, print_wrapped
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, Target, parse_target
from runner.cli.requests import RequestLines, parse_rate, show_command_again, show_examples, show_stop

if TYPE_CHECKING:
    from rich.console import Console

    from runner.base.options import Rate
    from runner.run.cancel import Cancellation

NAME = "cancel"

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
    from runner.ledger.request_journal import refusals
    from runner.run.cancel import cancel, opened_for_cancelling
    from runner.run.paths import RunOptions

    name, run = parse_target(target)
    console = human(as_json=as_json)
    at = parse_rate(rate)
    with opened_for_cancelling(name, run, RunOptions(sandbox=sandbox, ledger=ledger, reports=reports)) as progress:
        recorded = progress.run
        if progress.wanted:
            _show_haste(console, progress, at)
            if not yes:
                _confirm(progress.wanted, recorded.name)
            cancel(progress, at, RequestLines(console, progress.loop, lambda: _line(progress)))
        limit = None if as_json else EXAMPLES
        refused = refusals(recorded.ledger, recorded.record.id, limit=limit) if progress.refused else []
        _show(console, progress, refused)
        if as_json:
            print_json(_document(progress, refused))
    if progress.stop:
        return StoppedError.exit_code
    return 1 if progress.refused or progress.unknown else 0


def _confirm(wanted: int, run: str) -> None:
    confirm(
        f"\nCancel {_messages(wanted)} of {run} at the provider?",
        no="nothing was cancelled",
        without="add --yes to cancel without asking",
    )


def _show_haste(console: "Console", progress: "Cancellation", rate: "Rate") -> None:
    """Say when the provider will have sent the last ones before they can be cancelled at this rate."""
    from runner.base.clock import now_us
    from runner.run.cancel import due_at

    due = due_at(progress)
    takes_s = progress.wanted / rate.per_second
    if due is not None and takes_s > (left_s := max((due - now_us()) / 1e6, 0.0)):
        words = (
            f"look: at {rate}, {_messages(progress.wanted)} take {_span(takes_s)}, and the provider begins to send "
            f"them in {_span(left_s)}; a higher --rate helps, as far as your account allows"
        )
        print_wrapped(console, words, "yellow")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


def _line(progress: "Cancellation") -> str:
    refused = f", {progress.refused:,} could not be" if progress.refused else ""
    return f"{progress.cancelled:,} of {progress.wanted:,} cancelled{refused}"


def _show(console: "Console", progress: "Cancellation", refused: list[tuple[str, str]]) -> None:
    name = progress.run.name
    if not progress.wanted:
        console.print(f"\n{name}: nothing waits at the provider: all was sent, or is cancelled already", style="bold")
    else:
        console.print(f"\n{name}: {progress.cancelled:,} of {_messages(progress.wanted)} cancelled", style="bold")
    if progress.refused:
        more = "…; --json names all of them" if progress.refused > EXAMPLES else None
        examples = [f"{key}: {detail}" for key, detail in refused[:EXAMPLES]]
        show_examples(console, f"{progress.refused:,} could not be cancelled", examples, more)
    if progress.unknown:
        words = (
            f"look: {_messages(progress.unknown)} of unknown outcome may wait at the provider, too; "
            f"`campaign reconcile {name}` finds them out, then cancel again"
        )
        print_wrapped(console, words, "yellow")
    if progress.cancelled:
        words = "what is cancelled stays accepted in this run, which never sends it again; another run can (--run ID)"
        print_wrapped(console, words)
    if progress.stop:
        show_stop(console, progress.stop)
        console.print("to go on, run it again:")
        show_command_again(console)


def _document(progress: "Cancellation", refused: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "campaign": progress.run.record.name,
        "run": progress.run.record.run,
        "waiting": progress.wanted,
        "cancelled": progress.cancelled,
        "refused": [{"key": key, "why": why} for key, why in refused],
        "unknown": progress.unknown,
        "stopped": progress.stop.detail if progress.stop else None,
    }


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
