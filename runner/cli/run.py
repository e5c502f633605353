"""`campaign run`: plan, confirm, send, report. Run it again to continue."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base import output
from runner.base.errors import StoppedError
from runner.base.outcomes import OutcomeReason, Status
from runner.base.wording import counted
from runner.cli.console import Console, confirm
from runner.cli.options import AllRunOptions, File, with_shared_options
from runner.cli.plan_view import show_plan, show_remaining
from runner.cli.progress import run_it_again, show_progress
from runner.cli.reconcile import DEADLINE, SETTLE
from runner.cli.reconcile import reconcile as reconcile_run
from runner.cli.report import show_files, show_report, show_thresholds
from runner.dispatch.fuse import FuseName
from runner.run.paths import SANDBOX_RUN

if TYPE_CHECKING:
    from runner.dispatch.progress import Stop
    from runner.run.account import ProviderAccount
    from runner.run.open import Run
    from runner.run.plan import Remaining


@with_shared_options
def command(
    options: AllRunOptions,
    console: Console,
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
    approve: Annotated[
        str | None,
        typer.Option(
            metavar="FINGERPRINT|FILE",
            help="Skip the confirmation, but only send the plan with this fingerprint, or the one in an approval file.",
        ),
    ] = None,
    allow_empty: Annotated[
        bool,
        typer.Option(
            "--allow-empty", help="With --yes: send although every row, or more than half for one reason, is excluded."
        ),
    ] = False,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes", help="Continue although texts, numbers or options changed since the run started."
        ),
    ] = False,
    ignore_fuse: Annotated[
        list[FuseName] | None,
        typer.Option("--ignore-fuse", metavar="NAME", help="Continue although this fuse blows; repeatable."),
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Settle unknown outcomes from the provider's log first.")
    ] = False,
    accept_balance: Annotated[
        bool, typer.Option("--accept-balance", help="Continue although the prepaid balance seems too low.")
    ] = False,
) -> tuple[int, dict[str, Any]]:
    """Plan, confirm, send and report. Run it again to continue."""
    from runner.cli.memory import try_within_limit
    from runner.plan.inputs import read_all

    try_within_limit(partial(read_all, file))  # before the imports below start threads

    from runner.run.approval import read_approved
    from runner.run.execute import Decisions, RunView, execute
    from runner.run.notice import notice_here

    output.hurry()  # sending waits for nobody who reads
    decisions = Decisions(
        yes=yes,
        allow_empty=allow_empty,
        approved=read_approved(approve) if approve is not None else None,
        accept_changes=accept_changes,
        accept_balance=accept_balance,
        ignored_fuses=ignore_fuse or [],
        reconcile=reconcile,
    )
    notice = notice_here(sandbox=options.sandbox)
    view = RunView(
        begin=partial(console.notice, notice),
        show_plan=partial(show_plan, console),
        show_remaining=partial(_show_remaining, console),
        reconcile=partial(reconcile_run, console, yes=yes, settle=SETTLE, deadline=DEADLINE),
        warn=console.warn,
        confirm_new_run=partial(confirm, no="nothing was sent", instead="add --new-run to begin it"),
        confirm_sending=_confirm_sending,
        show_progress=partial(show_progress, console),
    )
    stop, report, progress = execute(file, options, decisions, view)
    counts = report.counts.totals.by_status
    show_report(console, report)
    if held_up_s := progress.throttled_s:
        console.print(f"the provider's rate limit paused sending for {held_up_s:.0f} s")
    if progress.held:
        held = counted(progress.held, "message is unknown and was not sent", "messages are unknown and were not sent")
        console.warn(
            f"{held}, because a delivery receipt without authorization came: either this ledger has lost that it was "
            "sent, or somebody forged the receipt; `campaign reconcile` asks the provider's log, and `campaign "
            "receipts --auth-header-env` keeps forgers out"
        )
    _show_ending(console, stop, counts)
    # Only people who opted out during the run are unsent: there is nothing to continue.
    is_over = stop is not None and stop.reason is OutcomeReason.OPTED_OUT
    if stop is None or is_over:
        show_thresholds(console, report)
    show_files(console, report)
    exit_code = int(report.is_failed)
    if stop and not is_over:
        exit_code = stop.exit_code
        console.print()
        console.wrap(f"{counted(counts[Status.UNSENT], 'message')} not sent. To continue, {run_it_again(stop)}:")
        is_named_by_time = options.run is None and not options.sandbox and _names_runs_by_time(file)
        console.show_command_again(run=report.document["run"] if is_named_by_time else None)
    elif counts[Status.UNSENT] and not is_over:
        exit_code = StoppedError.exit_code
    console.notice(notice)
    return exit_code, report.document


def _show_remaining(console: Console, run: "Run", remaining: "Remaining") -> None:
    """Show what is left to send, and how to receive the receipts that the campaign expects."""
    show_remaining(console, run, remaining)
    campaign, receipts = run.campaign, run.campaign.receipts
    if campaign.awaits_receipts and run.run == SANDBOX_RUN:
        console.print("receipts: the sandbox sends them to this run")
    elif campaign.awaits_receipts:
        header_variable = receipts.auth_header_env if receipts else None
        words = "campaign receipts"
        words += f" --port {receipts.port}" if receipts else ""
        words += f" --auth-header-env {header_variable}" if header_variable else ""
        where = campaign.callback_url or "the account's webhook"
        console.wrap(f"receipts: sent to {where}; receive them there with `{words}`")
        if header_variable and not os.environ.get(header_variable):
            console.warn(f"the environment variable {header_variable} is not set; `campaign receipts` needs it")
    if not remaining.left:
        console.print(f"\n{'nothing left to send' if run.summary.to_send else 'every row of the file is excluded'}")


def _names_runs_by_time(file: Path) -> bool:
    """Whether the same command may mean another run tomorrow."""
    from runner.campaign import read
    from runner.run.naming import has_placeholder

    found, _ = read(file)
    return found is not None and has_placeholder(found.campaign.run)


def _confirm_sending(messages: int, account: "ProviderAccount") -> None:
    what = f"{counted(messages, 'message')} from {account.endpoint.sub_account_id}"
    confirm(f"Send {what} through {account.endpoint.base_url}?", no="nothing was sent")


def _show_ending(console: Console, stop: "Stop | None", counts: Mapping[str, int]) -> None:
    """Show the result; for a run that stopped early, why, and what to check."""
    from runner.provider.answer import ADVICE

    console.print()
    if stop is None or stop.reason is OutcomeReason.OPTED_OUT:
        console.wrap(f"{_verdict(counts)}{f'; {stop.detail}' if stop else ''}", "bold")
        return
    reason = "" if stop.reason is OutcomeReason.INTERRUPTED else f"{stop.reason.value}: "
    is_by_signal = stop.detail.startswith("stopped by")
    console.wrap(stop.detail if is_by_signal else f"stopped: {reason}{stop.detail}", "bold red")
    if answer := stop.outcome:
        facts = {"HTTP": answer.http_status, "error code": answer.error_code}
        if told := ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None):
            console.print(f"the provider's answer: {told}")
        if answer.error_id:
            console.wrap(f"quote error ID {answer.error_id} to the provider's support")
    fuse = stop.detail.partition(":")[0] if stop.reason is OutcomeReason.FUSE else None
    reason_why = OutcomeReason.UNEXPECTED_ANSWER if fuse == FuseName.UNEXPECTED_ANSWERS else stop.reason
    # If all answers differ, the warning about them says what to do.
    if reason_why in ADVICE and fuse != FuseName.DIFFERING_ANSWERS:
        console.wrap(ADVICE[reason_why])
    if fuse:
        console.print(f"to continue anyway, add --ignore-fuse {fuse}")


def _verdict(counts: Mapping[str, int]) -> str:
    accepted, rejected, unknown = (counts[status] for status in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN))
    if rejected or unknown:
        words = f"finished: {accepted:,} accepted, {rejected:,} rejected, {unknown:,} unknown"
        remedy = " (unknown messages may have arrived, so they are not sent again; `campaign reconcile` settles them)"
        return f"{words}{remedy if unknown else ''}"
    if accepted == 1:
        return "the message is accepted"
    return f"all {accepted:,} messages are accepted" if accepted else "nothing was sent"
