"""`campaign run`: plan, ask, send, report. Run again, it continues."""

import os
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import InputError, StoppedError
from runner.base.outcomes import OutcomeReason, Status
from runner.base.wording import counted
from runner.cli.console import Console, confirm
from runner.cli.options import AllRunOptions, File, with_shared_options
from runner.cli.plan_view import show_plan, show_remaining
from runner.cli.progress import show_progress
from runner.cli.reconcile import DEADLINE, SETTLE
from runner.cli.reconcile import reconcile as reconcile_run
from runner.cli.report import show_files, show_report
from runner.dispatch.fuse import FuseName
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from runner.dispatch.progress import Stop
    from runner.run.account import ProviderAccount
    from runner.run.open import Run
    from runner.run.plan import Remaining

# What to do first: without it, running the command again would stop at once.
_FIRST = {
    OutcomeReason.LIMIT_REACHED: "raise the limit in the campaign file if that is meant, and ",
    OutcomeReason.TOO_LATE: "write a later time into the campaign file if it is still news, and ",
}


@with_shared_options
def command(
    options: AllRunOptions,
    console: Console,
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,
    approve: Annotated[
        str | None,
        typer.Option(metavar="FINGERPRINT", help="Send without asking, but only a plan with this fingerprint."),
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on although texts or options changed since the run began.")
    ] = False,
    ignore_fuse: Annotated[
        list[FuseName] | None,
        typer.Option("--ignore-fuse", metavar="NAME", help="Go on although this fuse blows; may be given again."),
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Ask the provider's log for the unknown ones first.")
    ] = False,
    accept_balance: Annotated[
        bool, typer.Option("--accept-balance", help="Go on although the prepaid balance seems too small.")
    ] = False,
) -> tuple[int, dict[str, Any]]:
    """Plan, ask, send and report; the same command again continues."""
    from runner.run.execute import Decisions, RunView, execute

    decisions = Decisions(
        yes=yes,
        approved=_fingerprint(approve) if approve is not None else None,
        accept_changes=accept_changes,
        accept_balance=accept_balance,
        ignored_fuses=ignore_fuse or [],
        reconcile=reconcile,
    )
    view = RunView(
        show_plan=partial(show_plan, console),
        show_remaining=partial(_show_remaining, console),
        reconcile=partial(reconcile_run, console, yes=yes, settle=SETTLE, deadline=DEADLINE),
        warn=console.warn,
        confirm_sending=_confirm_sending,
        show_progress=partial(show_progress, console),
    )
    stop, report, progress = execute(file, options, decisions, view)
    counts = report.counts.totals.by_status
    show_report(console, report)
    if held_up_s := progress.throttled_s:
        console.print(f"the provider's rate limit held sending up for {held_up_s:.0f} s")
    _show_ending(console, stop, counts)
    show_files(console, report)
    # Who opted out while the run was going is the only one left: there is nothing to continue.
    is_over = stop is not None and stop.reason is OutcomeReason.OPTED_OUT
    if stop and not is_over:
        console.print()
        console.wrap(f"{counts[Status.UNSENT]:,} left. To continue, {_FIRST.get(stop.reason, '')}run it again:")
        console.show_command_again()
    exit_code = 1 if counts[Status.REJECTED] or counts[Status.UNKNOWN] else 0
    if (stop or counts[Status.UNSENT]) and not is_over:
        exit_code = StoppedError.exit_code
    return exit_code, report.document


def _fingerprint(text: str) -> str:
    """What --approve takes. Raises InputError for anything else, before a million rows are read."""
    if not re.fullmatch(r"[0-9a-f]{12,64}", text.strip().lower()):
        raise InputError.of(
            f"--approve: {text!r} is not a fingerprint", "write the one that `campaign plan` shows, 12 to 64 digits"
        )
    return text.strip().lower()


def _show_remaining(console: Console, run: "Run", remaining: "Remaining") -> None:
    """What is left to send, and how the receipts that the campaign awaits come into the ledger."""
    show_remaining(console, run, remaining)
    campaign, receipts = run.campaign, run.campaign.receipts
    if campaign.awaits_receipts and run.run == SANDBOX_RUN:
        console.print("receipts: the sandbox's come into this run's report")
    elif campaign.awaits_receipts:
        header_variable = receipts.auth_header_env if receipts else None
        words = "campaign receipts"
        words += f" --port {receipts.port}" if receipts else ""
        words += f" --auth-header-env {header_variable}" if header_variable else ""
        where = campaign.callback_url or "the account's webhook"
        console.wrap(f"receipts: sent to {where}; `{words}` takes them there (docs/how-to/receive-receipts.md)")
        if header_variable and not os.environ.get(header_variable):
            console.warn(f"{header_variable} is not set here; `campaign receipts` needs it")
    if not remaining.left:
        nothing = "nothing is left to send" if run.summary.to_send else "no row of the file can be sent to"
        console.print(f"\n{nothing}")


def _confirm_sending(messages: int, account: "ProviderAccount") -> None:
    what = f"{counted(messages, 'message')} from {account.endpoint.sub_account_id}"
    confirm(f"Send {what} through {account.endpoint.base_url}?", no="nothing was sent now")


def _show_ending(console: Console, stop: "Stop | None", counts: Mapping[str, int]) -> None:
    """The verdict, and for a stop, its reason and what to look at."""
    from runner.provider.answer import ADVICE

    console.print()
    if stop is None or stop.reason is OutcomeReason.OPTED_OUT:
        console.wrap(f"{_verdict(counts)}{f'; {stop.detail}' if stop else ''}", "bold")
        return
    console.wrap(f"stopped: {stop.reason.value}: {stop.detail}", "bold red")
    if stop.outcome and stop.outcome.error_id:
        console.print(f"errorId to quote to the provider: {stop.outcome.error_id}")
    if stop.reason in ADVICE:
        console.wrap(ADVICE[stop.reason])
    if stop.reason is OutcomeReason.FUSE:
        console.print(f"to go on in spite of it, add --ignore-fuse {stop.detail.partition(':')[0]}")


def _verdict(counts: Mapping[str, int]) -> str:
    accepted, rejected, unknown = (counts[status] for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN))
    if rejected or unknown:
        words = f"finished: {accepted:,} accepted, {rejected:,} rejected, {unknown:,} unknown"
        remedy = " (perhaps received, so not sent again: `campaign reconcile` asks the provider's log)"
        return f"{words}{remedy if unknown else ''}"
    if accepted == 1:
        return "the one message is accepted"
    return f"all {accepted:,} messages are accepted" if accepted else "nothing was sent"
