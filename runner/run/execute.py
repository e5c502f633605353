"""`campaign run` from top to bottom: open, check, plan, confirm, send, report. Run it again to continue."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from runner.base.errors import BlockedError, InputError, StoppedError
from runner.dispatch.progress import Progress, Stop
from runner.run.account import ProviderAccount, account_for
from runner.run.open import RecordedRun, Run, open_run
from runner.run.paths import SANDBOX_RUN, RunOptions
from runner.run.plan import Remaining, changes, make_plan, remaining_of
from runner.run.prices import check_balance
from runner.run.report import RunReport, write_report
from runner.run.review import Review, review
from runner.run.send import send
from runner.schedule.timetable import refusal


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the user decided in advance. `approved` is a fingerprint or its first digits: 12 to 64 hex digits."""

    yes: bool = False
    approved: str | None = None
    accept_changes: bool = False
    accept_balance: bool = False
    ignored_fuses: Collection[str] = ()
    reconcile: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """How a run prints and asks. A question raises StoppedError if the answer is no, InputError without a terminal.

    `reconcile` settles unknown messages from the provider's log. `show_progress` gets the number of messages to send,
    runs while they are sent, and is cancelled at the end.
    """

    show_plan: Callable[[Review], object]
    show_remaining: Callable[[Run, Remaining], object]
    reconcile: Callable[[RecordedRun, ProviderAccount], object]
    warn: Callable[[str], object]
    confirm_sending: Callable[[int, ProviderAccount], object]
    show_progress: Callable[[Progress, int], Awaitable[None]]


def execute(
    file: Path, options: RunOptions, decisions: Decisions, view: RunView
) -> tuple[Stop | None, RunReport, Progress]:
    """Run the campaign file. Returns why sending stopped early (None: it finished), the report, and the progress.

    Raises InputError if something must be corrected first, StoppedError if trying again may help.
    """
    with open_run(file, options, fresh_sandbox=options.sandbox) as run:
        with account_for(
            run.campaign.account,
            sandbox=run.run == SANDBOX_RUN,
            book=run.paths.sandbox_book,
            receipts=run.paths.ledger if run.campaign.awaits_receipts else None,
        ) as account:
            if words := refusal(run.campaign, run.now):
                remedy = "run it in time, or change the key in the campaign file"
                raise InputError.of(f"nothing was sent this time: {words}", remedy)
            _plan(run, decisions, view)
            if decisions.reconcile and run.previous:
                claimed = sum(run.counts().values())
                recorded = RecordedRun(run.ledger, run.previous, run.paths, run.lease)
                view.reconcile(recorded, account)
                if sum(run.counts().values()) < claimed:
                    # The log shows that some recipients were not texted. The plan may exclude them now, so plan again.
                    _plan(run, decisions, view)
            remaining = remaining_of(run)
            view.show_remaining(run, remaining)
            if remaining.left:
                accept = decisions.accept_balance
                if warning := check_balance(run.campaign, account, run.summary.left, accept=accept):
                    view.warn(warning)
                if not decisions.yes and decisions.approved is None:
                    view.confirm_sending(remaining.left, account)
            progress = Progress()
            stop = send(
                run,
                account,
                progress,
                show=lambda: view.show_progress(progress, remaining.left),
                ignored_fuses=decisions.ignored_fuses,
            )
        # The sandbox has ended, so all its receipts are in the ledger.
        try:
            report = write_report(run.ledger, run.ledger.runs(run.name, run.run)[0], run.paths)
        except StoppedError as error:
            later = f"write the results later with `campaign report {run.name}/{run.run}`"
            kind = BlockedError if isinstance(error, BlockedError) else StoppedError
            raise kind(f"{error}; the ledger has everything that was sent: {later}") from error
        return stop, report, progress


def _plan(run: Run, decisions: Decisions, view: RunView) -> None:
    """Make the plan and show it. Raises InputError if it may not be sent, or is not the approved plan."""
    make_plan(run)
    reviewed = review(run)
    view.show_plan(reviewed)
    if reviewed.problems:
        raise InputError(reviewed.problems)
    approved, fingerprint = decisions.approved, run.summary.fingerprint
    if approved is not None and not fingerprint.startswith(approved):
        raise InputError.of(
            f"--approve: the plan is now {fingerprint}, not {approved}: a number, text or option has changed",
            "review it with `campaign plan`, then approve the new fingerprint",
        )
    if (changed := changes(run)) and not decisions.accept_changes:
        words = "".join(f"\n  {change}" for change in changed)
        raise InputError.of(
            f"this run has started, and its messages have changed since:{words}\ncheck them with `campaign preview`",
            "then add --accept-changes, or start a new run with --run ID",
        )
