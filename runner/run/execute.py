"""`campaign run` from top to bottom: open, check, plan, confirm, send, report. Run it again to continue."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from runner.base.errors import BlockedError, InputError, StoppedError
from runner.dispatch.progress import Progress, Stop
from runner.ledger.approvals import Approval
from runner.run.account import ProviderAccount, account_for
from runner.run.approval import Approved, approval_for, approve, plan_to_approve, refuse_stale
from runner.run.open import RecordedRun, Run, open_run
from runner.run.paths import SANDBOX_RUN, RunOptions
from runner.run.plan import Remaining, changes, is_done, make_plan, note_report_settings, remaining_of
from runner.run.prices import check_balance
from runner.run.report import RunReport, write_report
from runner.run.review import Review, review
from runner.run.send import send
from runner.schedule.timetable import refusal


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the user decided in advance."""

    yes: bool = False
    allow_empty: bool = False
    approved: Approved | None = None
    accept_changes: bool = False
    accept_balance: bool = False
    ignored_fuses: Collection[str] = ()
    reconcile: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """How a run prints and asks. A question raises StoppedError if the answer is no, InputError without a terminal.

    `begin` is called when the run is open. `reconcile` settles unknown messages from the provider's log.
    `show_progress` gets the number of messages to send, runs while they are sent, and is cancelled at the end.
    """

    begin: Callable[[], object]
    show_plan: Callable[[Review], object]
    show_remaining: Callable[[Run, Remaining], object]
    reconcile: Callable[[RecordedRun, ProviderAccount], object]
    warn: Callable[[str], object]
    confirm_new_run: Callable[[str], object]
    confirm_sending: Callable[[int, ProviderAccount], object]
    show_progress: Callable[[Progress, int], Awaitable[None]]


def execute(
    file: Path, options: RunOptions, decisions: Decisions, view: RunView
) -> tuple[Stop | None, RunReport, Progress]:
    """Run the campaign file. Returns why sending stopped early (None: it finished), the report, and the progress.

    Raises InputError if something must be corrected first, StoppedError if trying again may help.
    """
    with open_run(file, options, warn=view.warn, fresh_sandbox=options.sandbox) as run:
        view.begin()
        with account_for(
            run.campaign.account,
            sandbox=run.run == SANDBOX_RUN,
            book=run.paths.sandbox_book,
            receipts=run.paths.ledger if run.campaign.awaits_receipts else None,
        ) as account:
            if words := refusal(run.campaign, run.now):
                remedy = "run it in time, or change the key in the campaign file"
                raise InputError.of(f"nothing was sent: {words}", remedy)
            approval = _plan(run, decisions, view)
            if decisions.reconcile and run.previous:
                claimed = sum(run.counts().values())
                recorded = RecordedRun(run.ledger, run.previous, run.paths, run.lease)
                view.reconcile(recorded, account)
                if sum(run.counts().values()) < claimed:
                    # The log shows that some recipients were not texted. The plan may exclude them now, so plan again.
                    approval = _plan(run, decisions, view)
            remaining = remaining_of(run)
            view.show_remaining(run, remaining)
            if not remaining.left:  # there is nothing to approve
                run.fingerprint = (run.previous and run.previous.fingerprint) or plan_to_approve(run).fingerprint
            else:
                if approval:
                    refuse_stale(run, approval)
                run.ledger.refuse_other_computers(run.campaign.account.sub_account_id, run.name, run.run)
                _accept_new_run(run, options, decisions, view)
                accept = decisions.accept_balance
                if problem := check_balance(run.campaign, account, run.summary.left, accept=accept):
                    view.warn(problem.words)
                    if problem.refuses:
                        run.overrides["--accept-balance"] = [problem.words]
                if not decisions.yes and approval is None and run.run != SANDBOX_RUN:
                    view.confirm_sending(remaining.left, account)
                approve(run, _how(run, decisions), remaining.left, approval)
            if decisions.ignored_fuses:
                run.overrides["--ignore-fuse"] = sorted(decisions.ignored_fuses)
            stop: Stop | None = None
            progress = Progress()
            if is_done(run, remaining):
                note_report_settings(run)
            else:
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


def _accept_new_run(run: Run, options: RunOptions, decisions: Decisions, view: RunView) -> None:
    """Ask whether a new run may begin although an earlier one is unfinished, unless that was decided in advance."""
    if run.unfinished is None:
        return
    earlier = f"{run.name}/{run.unfinished}"
    if not options.new_run:
        if decisions.yes or decisions.approved:
            raise InputError.of(
                f"nothing was sent: {earlier} is unfinished, and {run.name}/{run.run} is a new run, which texts the "
                "same people again",
                f"continue the earlier one with --run {run.unfinished}, or add --new-run",
            )
        view.confirm_new_run(f"Begin {run.name}/{run.run} although {earlier} is unfinished?")
    run.overrides["--new-run"] = [f"{earlier} is unfinished"]


def _how(run: Run, decisions: Decisions) -> str:
    """How the run was approved, for the audit trail."""
    if run.run == SANDBOX_RUN:
        return SANDBOX_RUN  # it needs no approval
    if decisions.approved:
        return "file" if decisions.approved.plan else "fingerprint"
    return "yes" if decisions.yes else "asked"


def _plan(run: Run, decisions: Decisions, view: RunView) -> Approval | None:
    """Make the plan and show it. Returns its approval, if one was given.

    Raises InputError if the plan may not be sent, or is not the approved plan.
    """
    make_plan(run)
    reviewed = review(run)
    view.show_plan(reviewed)
    if reviewed.problems:
        raise InputError(reviewed.problems)
    approval = approval_for(run, decisions.approved) if decisions.approved else None
    # A person who approves or confirms the plan has seen the warning. A run that has begun was let through.
    if reviewed.emptiness and decisions.yes and approval is None and not run.counts():
        if not decisions.allow_empty:
            raise InputError.of(
                f"nothing was sent: {reviewed.emptiness}",
                "check the list; if this is right, add --allow-empty, or write what is usual in "
                "recipients.expect.excluded",
            )
        run.overrides["--allow-empty"] = [reviewed.emptiness]
    changed = changes(run)
    if changed and not decisions.accept_changes:
        words = "".join(f"\n  {change}" for change in changed)
        raise InputError.of(
            f"this run has started, and its messages have changed since:{words}\ncheck them with `campaign preview`",
            "then add --accept-changes, or start a new run with --run ID",
        )
    if changed:
        # Without the examples, whose keys may be numbers.
        run.overrides["--accept-changes"] = [change.partition(": row ")[0] for change in changed]
    return approval
