"""`campaign run` from top to bottom: open, check, plan, ask, send, report. Run again, it continues."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from runner.base.errors import InputError, StoppedError
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
    """What the user has decided in advance. `approved` is a fingerprint, or its beginning: 12 to 64 hex digits."""

    yes: bool = False
    approved: str | None = None
    accept_changes: bool = False
    accept_balance: bool = False
    ignored_fuses: Collection[str] = ()
    reconcile: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """How a run shows itself and asks. What asks raises StoppedError for a no, InputError without a terminal.

    `reconcile` settles the unknown messages by the provider's log. `show_progress` runs beside the sending of so many
    messages, and is cancelled when that has ended.
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
    """Run the campaign file. Returns why sending stopped early (None: it came to its end), the report, and how it went.

    Raises InputError when nothing may be sent as things are, StoppedError for what may pass by itself.
    """
    with open_run(file, options, fresh_sandbox=options.sandbox) as run:
        with account_for(
            run.campaign.account,
            sandbox=run.run == SANDBOX_RUN,
            book=run.paths.sandbox_book,
            receipts=run.paths.ledger if run.campaign.awaits_receipts else None,
        ) as account:
            if words := refusal(run.campaign, run.now):
                remedy = "start it in time, or change that in the campaign file"
                raise InputError.of(f"nothing was sent now: {words}", remedy)
            _plan(run, decisions, view)
            if decisions.reconcile and run.previous:
                claimed = sum(run.counts().values())
                recorded = RecordedRun(run.ledger, run.previous, run.paths, run.lease)
                view.reconcile(recorded, account)
                if sum(run.counts().values()) < claimed:
                    # A recipient who was not texted after all may be one whom the plan leaves out now.
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
        # The run's sandbox has ended by now: all of its receipts are in the ledger.
        try:
            report = write_report(run.ledger, run.ledger.runs(run.name, run.run)[0], run.paths)
        except StoppedError as error:
            later = f"write the results later with `campaign report {run.name}/{run.run}`"
            raise StoppedError(f"{error}; what was sent stands in the ledger: {later}") from error
        return stop, report, progress


def _plan(run: Run, decisions: Decisions, view: RunView) -> None:
    """Make the plan and show it. Raises InputError when it mustn't be sent as it is, or isn't the approved one."""
    make_plan(run)
    reviewed = review(run)
    view.show_plan(reviewed)
    if reviewed.problems:
        raise InputError(reviewed.problems)
    approved, fingerprint = decisions.approved, run.summary.fingerprint
    if approved is not None and not fingerprint.startswith(approved):
        raise InputError.of(
            f"the plan now is {fingerprint}, not the approved {approved}: a number, a text or an option differs",
            "look at it with `campaign plan`, and approve it anew",
        )
    if (changed := changes(run)) and not decisions.accept_changes:
        words = "".join(f"\n  {change}" for change in changed)
        raise InputError.of(
            f"this run has begun, and what it sends has changed since:{words}\nlook at it with `campaign preview`",
            "then add --accept-changes, or start a new run with --run ID",
        )
