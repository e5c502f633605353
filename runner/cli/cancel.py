"""`campaign cancel`: take back what the provider has scheduled and not sent yet."""

import shlex
import sys
import time
from typing import Annotated

import typer

from runner.cli.console import ask, clean, human, is_terminal, print_json, print_wrapped
from runner.cli.options import Json, LedgerUrl, Reports, Target, parse_target
from runner.errors import InputError, StoppedError

NAME = "cancel"

LINE_EVERY_S = 5.0


def command(
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Cancel without asking.")] = False,
    rate: Annotated[str, typer.Option(metavar="RATE", help="The most requests, such as 20/s.")] = "20/s",
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Cancel a run's messages that the provider has scheduled and not sent yet."""
    from runner.run.cancel import Cancelling, cancel, schedule_of, waiting
    from runner.run.errands import rate_of
    from runner.run.places import Options
    from runner.run.reconcile import recovered

    name, run = parse_target(target)
    console = human(as_json=as_json)
    at = rate_of(rate)
    progress = Cancelling()
    said_at = time.monotonic()

    def show() -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= LINE_EVERY_S:
            said_at = time.monotonic()
            console.print(f"{progress.cancelled:,} of {progress.wanted:,} cancelled")

    with recovered(name, run, Options(ledger=ledger, reports=reports)) as (opened, record, _, account, lease):
        schedule = schedule_of(record)
        progress.wanted = sum(len(batch) for batch in waiting(opened, record, schedule))
        run_name = f"{record.name}/{record.run}"
        if progress.wanted and not yes:
            _confirm(progress.wanted, run_name)
        if progress.wanted:
            cancel(opened, record, account, lease, schedule, rate=at, progress=progress, show=show)
    console.print(f"\n{run_name}: {progress.cancelled:,} of {progress.wanted:,} messages cancelled", style="bold")
    if progress.refused:
        print_wrapped(console, f"look: {progress.refused:,} could not be cancelled:", "yellow")
        for key, detail in progress.refusals:
            print_wrapped(console, f"  {clean(key)}: {detail}")
    if progress.cancelled:
        words = "cancelled messages stay accepted in this run, which never sends them again; another run can (--run ID)"
        print_wrapped(console, words)
    if progress.stopped:
        print_wrapped(console, f"stopped: {progress.stopped}", "bold red")
        console.print(f"to go on, run it again:\n  campaign {shlex.join(sys.argv[1:])}")
    if as_json:
        print_json(
            {
                "campaign": record.name,
                "run": record.run,
                "waiting": progress.wanted,
                "cancelled": progress.cancelled,
                "refused": progress.refused,
                "refused_examples": [{"key": key, "why": detail} for key, detail in progress.refusals],
                "stopped": progress.stopped,
            }
        )
    if progress.stopped:
        return 3
    return 1 if progress.refused else 0


def _confirm(wanted: int, run: str) -> None:
    if not is_terminal():
        raise InputError.of(
            "nothing was cancelled: there is no terminal to ask on", "add --yes to cancel without asking"
        )
    messages = "1 message" if wanted == 1 else f"{wanted:,} messages"
    if not ask(f"\nCancel {messages} of {run} at the provider?"):
        raise StoppedError("not confirmed: nothing was cancelled")
