"""`campaign cancel`: cancel the messages that the provider has scheduled and not sent yet."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import now_us
from runner.base.wording import counted, seconds_in_words
from runner.cli.console import Console, confirm
from runner.cli.options import RecordedRunOptions, Target, parse_target, parse_value, with_shared_options
from runner.cli.progress import ProgressLines, run_it_again, show_stop
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from runner.base.options import Rate
    from runner.run.cancel import Cancellation

EXAMPLES = 10


@with_shared_options
def command(
    options: RecordedRunOptions,
    console: Console,
    as_json: bool,
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
    rate: Annotated[str, typer.Option(metavar="RATE", help="The highest request rate.")] = "100/s",
) -> tuple[int, dict[str, Any]]:
    """Cancel messages that the provider has scheduled but not sent."""
    from runner.campaign.values import rate as parse_rate
    from runner.ledger.request_journal import refusals
    from runner.run.cancel import cancel, opened_for_cancelling
    from runner.run.notice import notice_here

    at = parse_value("--rate", rate, parse_rate)
    with opened_for_cancelling(*parse_target(target), options) as progress:
        run = progress.run
        notice = notice_here(sandbox=run.record.run == SANDBOX_RUN)
        console.notice(notice)
        if progress.wanted:
            _warn_if_too_slow(console, progress, at)
            if not yes:
                messages = counted(progress.wanted, "message")
                confirm(f"Cancel {messages} of {run.name} at the provider?", no="nothing was cancelled")
            cancel(progress, at, ProgressLines(console, progress.loop, lambda: _line(progress)))
        refused = refusals(run.ledger, run.record.id, limit=None if as_json else EXAMPLES) if progress.refused else []
    _show(console, progress, refused)
    console.notice(notice)
    document = {
        "campaign": run.record.name,
        "run": run.record.run,
        "waiting": progress.wanted,
        "cancelled": progress.cancelled,
        "refused": [{"key": key, "why": why} for key, why in refused],
        "unknown": progress.unknown,
        "stopped": progress.stop.detail if progress.stop else None,
    }
    if progress.stop:
        return progress.stop.exit_code, document
    return 1 if progress.refused or progress.unknown else 0, document


def _warn_if_too_slow(console: Console, progress: "Cancellation", rate: "Rate") -> None:
    """Warn if the provider starts to send before this rate can cancel all messages."""
    from runner.run.cancel import due_at

    due = due_at(progress)
    takes_s = progress.wanted / rate.per_second
    if due is not None and takes_s > (left_s := max((due - now_us()) / 1e6, 0.0)):
        console.warn(
            f"cancelling {counted(progress.wanted, 'message')} at {rate} takes {seconds_in_words(takes_s)}, but the "
            f"provider starts to send them in {seconds_in_words(left_s)}; use a higher --rate if your account allows it"
        )


def _line(progress: "Cancellation") -> str:
    refused = f", {progress.refused:,} not cancelled" if progress.refused else ""
    return f"{progress.cancelled:,} of {progress.wanted:,} cancelled{refused}"


def _show(console: Console, progress: "Cancellation", refused: list[tuple[str, str]]) -> None:
    name = progress.run.name
    words = "nothing to cancel: all messages are already sent or cancelled"
    if progress.wanted:
        words = f"{progress.cancelled:,} of {counted(progress.wanted, 'message')} cancelled"
    console.print(f"\n{name}: {words}", style="bold")
    if progress.refused:
        more = "…; --json lists all of them" if progress.refused > EXAMPLES else None
        examples = [f"{key}: {detail}" for key, detail in refused[:EXAMPLES]]
        console.show_examples(f"{counted(progress.refused, 'message')} could not be cancelled", examples, more)
    if progress.unknown:
        console.warn(
            f"{counted(progress.unknown, 'message')} with an unknown outcome may be scheduled too; "
            f"run `campaign reconcile {name}`, then cancel again"
        )
    if progress.cancelled:
        console.wrap(
            "cancelled messages stay accepted in this run, so it never sends them again; another run does (--run ID)"
        )
    if progress.stop:
        show_stop(console, progress.stop)
        console.wrap(f"to continue, {run_it_again(progress.stop)}:")
        console.show_command_again()
