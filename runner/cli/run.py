"""`campaign run`: plan, ask, send, report. Run again, it continues."""

import re
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import ask, clean, human, is_terminal, print_json, print_wrapped
from runner.cli.options import AcceptClock, AcceptLedger, File, Json, LedgerUrl, Limit, Reports, RunId, Sandbox
from runner.errors import InputError, StoppedError
from runner.models import OutcomeReason, Status

if TYPE_CHECKING:
    from rich.console import Console

    from runner.dispatch.progress import Progress, Stop
    from runner.run.account import Account
    from runner.run.job import Run, Standing
    from runner.run.report import Report

NAME = "run"

MOST_WORKERS = 16
"""This process has work for four of them, at the most."""


def command(
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
        list[str] | None,
        typer.Option("--ignore-fuse", metavar="NAME", help="Go on although this fuse blows; may be given again."),
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Ask the provider's log for the unknown ones first.")
    ] = False,
    accept_ledger: AcceptLedger = False,
    accept_clock: AcceptClock = False,
    accept_balance: Annotated[
        bool, typer.Option("--accept-balance", help="Go on although the prepaid balance seems too small.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(min=1, max=MOST_WORKERS, metavar="N", help="Processes that send, all at the one rate of the run."),
    ] = 1,
    run: RunId = None,
    sandbox: Sandbox = False,
    limit: Limit = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Plan, ask, send and report; the same command again continues."""
    from runner.cli.progress import shown
    from runner.cli.reconcile import reconcile_run
    from runner.cli.show import show_files, show_receipts, show_report, show_standing
    from runner.dispatch.progress import Progress
    from runner.run.account import account_of
    from runner.run.job import opened
    from runner.run.places import Options
    from runner.run.send import send

    console = human(as_json=as_json)
    options = Options(run, sandbox, limit, ledger, reports, accept_ledger, accept_clock)
    approve = _fingerprint(approve) if approve is not None else None
    ignored = [_fuse(name) for name in ignore_fuse or ()]
    with opened(file, options, fresh_sandbox=sandbox) as job:
        with account_of(job, sandbox=sandbox) as account:
            _check_time(job)
            _plan(console, job, approved=approve, accept_changes=accept_changes)
            if reconcile and job.previous and job.lease:
                claimed = sum(job.ledger.counts(job.previous.id).values())
                reconcile_run(console, job.ledger, job.previous, account, job.lease, yes=yes)
                if sum(job.ledger.counts(job.previous.id).values()) < claimed:
                    # Who was not texted after all may be one of those that the plan leaves out now.
                    _plan(console, job, approved=approve, accept_changes=accept_changes)
            standing = job.standing()
            show_standing(console, job, standing)
            show_receipts(console, job, sandbox=sandbox)
            _check_balance(console, job, account, standing, accept=accept_balance)
            if standing.left and not yes and approve is None:
                _confirm(standing.left, account)
            if not standing.left:
                nothing = "nothing is left to send" if job.summary.to_send else "no row of the file can be sent to"
                console.print(f"\n{nothing}")
            progress = Progress()
            stop = send(
                job,
                account,
                progress,
                show=lambda: shown(console, progress, standing.left),
                ignored_fuses=ignored,
                workers=workers,
            )
        # A sandbox of one's own has ended by now: all of its receipts are in the ledger.
        report = _report(job)
        show_report(console, report)
        _say_how_it_ended(console, stop, report, progress)
        show_files(console, report)
        if stop and stop.reason is not OutcomeReason.OPTED_OUT:
            _say_how_to_continue(console, stop, report)
        if as_json:
            print_json(report.document)
        return _exit_code(stop, report)


def _check_time(job: "Run") -> None:
    """A job that comes too early or too late must not text: the news is not news yet, or old."""
    from runner.plan.schedule import refusal

    if words := refusal(job.campaign, job.now):
        raise InputError.of(f"nothing was sent now: {words}", "start it in time, or change that in the campaign file")


def _fingerprint(text: str) -> str:
    """What --approve takes. Raises InputError for anything else, before a million rows are read."""
    if not re.fullmatch(r"[0-9a-f]{12,64}", text.strip().lower()):
        raise InputError.of(
            f"--approve: {text!r} is not a fingerprint", "write the one that `campaign plan` shows, 12 to 64 digits"
        )
    return text.strip().lower()


def _plan(console: "Console", job: "Run", *, approved: str | None, accept_changes: bool) -> None:
    """Make the plan and show it. Raises InputError when it mustn't be sent as it is, or isn't the approved one."""
    from runner.cli.show import show_plan
    from runner.run.review import review

    job.plan()
    seen = review(job)
    show_plan(console, seen)
    if seen.problems:
        raise InputError(seen.problems)
    fingerprint = job.summary.fingerprint
    if approved is not None and not fingerprint.startswith(approved):
        raise InputError.of(
            f"the plan now is {fingerprint}, not the approved {approved}: a number, a text or an option is another one",
            "look at it with `campaign plan`, and approve it anew",
        )
    changes = job.changes()
    if changes and not accept_changes:
        raise _changed(changes)


def _check_balance(console: "Console", job: "Run", account: "Account", standing: "Standing", *, accept: bool) -> None:
    """Hold what is left to send against the prepaid balance, where the campaign names the account."""
    from runner.plan.money import balance_problem
    from runner.run.prices import balance_of

    account_id = job.campaign.account.account_id
    if account_id is None or not standing.left:
        return
    try:
        balance = balance_of(account, account_id)
    except StoppedError as error:
        if not accept:
            raise StoppedError(f"{error}; nothing was sent now, --accept-balance sends without knowing it") from error
        print_wrapped(console, f"look: {error}", style="yellow")
        return
    found = balance_problem(balance, job.summary.left) if balance else None
    if found and found.refuses and not accept:
        raise InputError.of(f"nothing was sent now: {found.words}", "or add --accept-balance to send all the same")
    if found:
        print_wrapped(console, f"look: {found.words}", style="yellow")


def _fuse(name: str) -> str:
    from runner.dispatch.fuse import FuseName

    names = [fuse.value for fuse in FuseName]
    if name not in names:
        raise InputError.of(f"--ignore-fuse: there is no fuse {name!r}", f"write {', '.join(names)}")
    return name


def _report(job: "Run") -> "Report":
    from runner.run.report import write_report

    try:
        return write_report(job.ledger, job.ledger.runs(job.name, job.run)[0], job.places)
    except StoppedError as error:
        later = f"write the results later with `campaign report {job.name}/{job.run}`"
        raise StoppedError(f"{error}; what was sent stands in the ledger: {later}") from error


def _changed(changes: list[str]) -> InputError:
    words = "".join(f"\n  {change}" for change in changes)
    return InputError.of(
        f"this run has begun, and what it sends has changed since:{words}\nlook at it with `campaign preview`",
        "then add --accept-changes, or start a new run with --run ID",
    )


def _confirm(left: int, account: "Account") -> None:
    """Ask whether to send. Raises InputError when there is nobody to ask, StoppedError when the answer is no."""
    if not is_terminal():
        raise InputError.of("nothing was sent now: there is no terminal to ask on", "add --yes to send without asking")
    messages = "1 message" if left == 1 else f"{left:,} messages"
    if not ask(f"\nSend {messages} from {account.endpoint.sub_account_id} through {account.endpoint.base_url}?"):
        raise StoppedError("not confirmed, so nothing was sent now")


def _say_how_it_ended(console: "Console", stop: "Stop | None", report: "Report", progress: "Progress") -> None:
    """The verdict, and for a stop, its reason and what to look at."""
    from runner.provider.codes import ADVICE

    if progress.throttled_s:
        console.print(f"the provider's rate limit held sending up for {progress.throttled_s:.0f} s")
    if stop is None:
        console.print(f"\n{_verdict(report.tally.by_status)}", style="bold")
        return
    console.print()
    if stop.reason is OutcomeReason.OPTED_OUT:
        print_wrapped(console, f"{_verdict(report.tally.by_status)}; {stop.detail}", style="bold")
        return
    print_wrapped(console, f"stopped: {stop.reason.value}: {stop.detail}", style="bold red")
    if stop.outcome and stop.outcome.error_id:
        console.print(f"errorId to quote to the provider: {clean(stop.outcome.error_id)}")
    if stop.reason in ADVICE:
        print_wrapped(console, ADVICE[stop.reason])
    if stop.reason is OutcomeReason.FUSE:
        console.print(f"to go on in spite of it, add --ignore-fuse {stop.detail.partition(':')[0]}")


def _verdict(counts: Mapping[str, int]) -> str:
    accepted, rejected, unknown = (counts[s] for s in (Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN))
    if rejected or unknown:
        words = f"finished: {accepted:,} accepted, {rejected:,} rejected, {unknown:,} unknown"
        remedy = " (perhaps received, so not sent again: `campaign reconcile` asks the provider's log)"
        return f"{words}{remedy if unknown else ''}"
    if accepted == 1:
        return "the one message is accepted"
    return f"all {accepted:,} messages are accepted" if accepted else "nothing was sent"


def _say_how_to_continue(console: "Console", stop: "Stop", report: "Report") -> None:
    left = report.tally.by_status[Status.UNSENT]
    first = _FIRST.get(stop.reason, "")
    console.print()
    print_wrapped(console, f"{left:,} left. To continue, {first}run it again:")
    console.print(f"  campaign {shlex.join(sys.argv[1:])}")


_FIRST = {
    OutcomeReason.LIMIT_REACHED: "raise the limit in the campaign file if that is meant, and ",
    OutcomeReason.TOO_LATE: "write a later time into the campaign file if it is still news, and ",
}
"""Without this, running it again would stop at once."""


def _exit_code(stop: "Stop | None", report: "Report") -> int:
    counts = report.tally.by_status
    # Who opted out while the run was going is the only one left: there is nothing to continue.
    is_over = stop is not None and stop.reason is OutcomeReason.OPTED_OUT
    if (stop or counts[Status.UNSENT]) and not is_over:
        return StoppedError.exit_code
    return 1 if counts[Status.REJECTED] or counts[Status.UNKNOWN] else 0
