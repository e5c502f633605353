"""`campaign run`: plan, ask, send, report. Run again, it continues."""

import re
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError, StoppedError
from runner.base.outcomes import OutcomeReason, Status
from runner.cli.console import clean, confirm, human, print_json, print_wrapped
from runner.cli.options import AcceptClock, AcceptLedger, File, Json, LedgerUrl, Limit, Reports, RunId, Sandbox
from runner.cli.reconcile import TerminalSettling
from runner.cli.show import show_files, show_plan, show_receipts, show_remaining, show_report

if TYPE_CHECKING:
    from rich.console import Console

    from runner.dispatch.progress import Progress, Stop
    from runner.run.account import ProviderAccount
    from runner.run.execute import Execution
    from runner.run.open import Run
    from runner.run.plan import Remaining
    from runner.run.report import RunReport
    from runner.run.review import Review

NAME = "run"


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
    run: RunId = None,
    sandbox: Sandbox = False,
    limit: Limit = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Plan, ask, send and report; the same command again continues."""
    from runner.run.execute import Decisions, execute
    from runner.run.paths import RunOptions

    options = RunOptions(run, sandbox, limit, ledger, reports, accept_ledger, accept_clock)
    decisions = Decisions(
        yes=yes,
        approved=_fingerprint(approve) if approve is not None else None,
        accept_changes=accept_changes,
        accept_balance=accept_balance,
        ignored_fuses=[_fuse(name) for name in ignore_fuse or ()],
        reconcile=reconcile,
    )
    console = human(as_json=as_json)
    ended = execute(file, options, decisions, _View(console))
    show_report(console, ended.report)
    _say_how_it_ended(console, ended)
    show_files(console, ended.report)
    if ended.stop and ended.stop.reason is not OutcomeReason.OPTED_OUT:
        _say_how_to_continue(console, ended.stop, ended.report)
    if as_json:
        print_json(ended.report.document)
    return _exit_code(ended.stop, ended.report)


class _View(TerminalSettling):
    """A run in the terminal."""

    def show_plan(self, review: "Review") -> None:
        show_plan(self.console, review)

    def show_remaining(self, run: "Run", remaining: "Remaining") -> None:
        show_remaining(self.console, run, remaining)

    def show_receipts(self, run: "Run") -> None:
        show_receipts(self.console, run)

    def warn(self, words: str) -> None:
        print_wrapped(self.console, f"look: {words}", style="yellow")

    def confirm_sending(self, messages: int, account: "ProviderAccount") -> None:
        count = "1 message" if messages == 1 else f"{messages:,} messages"
        confirm(
            f"\nSend {count} from {account.endpoint.sub_account_id} through {account.endpoint.base_url}?",
            no="nothing was sent now",
            without="add --yes to send without asking",
        )

    def show_nothing_left(self, run: "Run") -> None:
        nothing = "nothing is left to send" if run.summary.to_send else "no row of the file can be sent to"
        self.console.print(f"\n{nothing}")

    async def show_progress(self, progress: "Progress", messages: int) -> None:
        from runner.cli.progress import shown  # asyncio, which --help does without

        await shown(self.console, progress, messages)


def _fingerprint(text: str) -> str:
    """What --approve takes. Raises InputError for anything else, before a million rows are read."""
    if not re.fullmatch(r"[0-9a-f]{12,64}", text.strip().lower()):
        raise InputError.of(
            f"--approve: {text!r} is not a fingerprint", "write the one that `campaign plan` shows, 12 to 64 digits"
        )
    return text.strip().lower()


def _fuse(name: str) -> str:
    from runner.dispatch.fuse import FuseName

    names = [fuse.value for fuse in FuseName]
    if name not in names:
        raise InputError.of(f"--ignore-fuse: there is no fuse {name!r}", f"write {', '.join(names)}")
    return name


def _say_how_it_ended(console: "Console", ended: "Execution") -> None:
    """The verdict, and for a stop, its reason and what to look at."""
    from runner.provider.answer import ADVICE

    stop, counts = ended.stop, ended.report.counts.totals.by_status
    if held_up_s := ended.progress.throttled_s:
        console.print(f"the provider's rate limit held sending up for {held_up_s:.0f} s")
    if stop is None:
        console.print(f"\n{_verdict(counts)}", style="bold")
        return
    console.print()
    if stop.reason is OutcomeReason.OPTED_OUT:
        print_wrapped(console, f"{_verdict(counts)}; {stop.detail}", style="bold")
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


def _say_how_to_continue(console: "Console", stop: "Stop", report: "RunReport") -> None:
    left = report.counts.totals.by_status[Status.UNSENT]
    first = _FIRST.get(stop.reason, "")
    console.print()
    print_wrapped(console, f"{left:,} left. To continue, {first}run it again:")
    console.print(f"  campaign {shlex.join(sys.argv[1:])}")


# What to do first: without it, running it again would stop at once.
_FIRST = {
    OutcomeReason.LIMIT_REACHED: "raise the limit in the campaign file if that is meant, and ",
    OutcomeReason.TOO_LATE: "write a later time into the campaign file if it is still news, and ",
}


def _exit_code(stop: "Stop | None", report: "RunReport") -> int:
    counts = report.counts.totals.by_status
    # Who opted out while the run was going is the only one left: there is nothing to continue.
    is_over = stop is not None and stop.reason is OutcomeReason.OPTED_OUT
    if (stop or counts[Status.UNSENT]) and not is_over:
        return StoppedError.exit_code
    return 1 if counts[Status.REJECTED] or counts[Status.UNKNOWN] else 0
