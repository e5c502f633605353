"""`campaign reconcile`: settle unknown outcomes from the provider's message log."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.outcomes import Status
from runner.base.wording import counted, seconds_in_words
from runner.cli.console import Console, confirm
from runner.cli.options import Deadline, LedgerOptions, Settle, Target, parse_target, parse_value, with_shared_options

if TYPE_CHECKING:
    from runner.run.account import ProviderAccount
    from runner.run.open import RecordedRun

# How long after a request the provider's log is complete, and how long an export may take.
SETTLE = timedelta(minutes=15)
DEADLINE = timedelta(minutes=30)


@with_shared_options
def command(
    options: LedgerOptions,
    console: Console,
    target: Target,
    settle: Settle = "15min",
    deadline: Deadline = "30min",
    accept_absence: Annotated[
        bool, typer.Option("--accept-absence", help="Send messages that the log lacks again, even without proof.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
) -> tuple[int, dict[str, Any]]:
    """Settle unknown outcomes from the provider's message log."""
    from runner.campaign.times import duration
    from runner.run.account import provider_account
    from runner.run.open import locked_run
    from runner.run.report import write_report

    settle_time = parse_value("--settle", settle, duration)
    deadline_time = parse_value("--deadline", deadline, duration)
    with locked_run(*parse_target(target), options) as run:
        account = provider_account(run.account)
        unsettled = reconcile(
            console,
            run,
            account,
            yes=yes,
            settle=settle_time,
            deadline=deadline_time,
            accept_absence=accept_absence,
        )
        report = write_report(run.ledger, run.record, run.paths, has_lock=True)
    if not unsettled:
        console.print(f"\nresults: {run.paths.results_csv}")
        if unsent := report.counts.totals.by_status[Status.UNSENT]:
            again = f"run the campaign again with --run {run.record.run}"
            console.wrap(f"{counted(unsent, 'message')} not sent; to continue, {again}")
    return 1 if unsettled else 0, report.document | {"unsettled": unsettled}


def reconcile(
    console: Console,
    run: "RecordedRun",
    account: "ProviderAccount",
    *,
    yes: bool,
    settle: timedelta,
    deadline: timedelta,
    accept_absence: bool = False,
) -> int:
    """Look up a run's unknown messages in the log, show the result, ask, and settle. Returns how many stay unknown.

    Raises StoppedError if the log isn't complete or the answer is no; then nothing is changed.
    """
    from runner.run.reconcile import Absence, apply_finding, look_up

    def say(words: str) -> None:
        console.print(words, style="dim")

    finding = look_up(run, account, settle=settle, deadline=deadline, say=say, accept_absence=accept_absence)
    if finding is None:
        console.print(f"{run.name}: no unknown outcomes")
        return 0
    absent = {kind: len(ids) for kind, ids in finding.absent.items()}
    console.print(f"\nunknown        {finding.unknown:,}")
    console.print(f"in the log     {len(finding.found):,}  become accepted")
    missing = "not in the log"
    if absent[Absence.PROVED] or not sum(absent.values()):
        console.print(f"{missing} {absent[Absence.PROVED]:,}  were not received: the next run sends them")
    if absent[Absence.ACCEPTED]:
        words = "without proof that they were not received: the next run sends them"
        console.wrap(f"{missing} {absent[Absence.ACCEPTED]:,}  {words}")
    if finding.again_at:
        console.print(f"{missing} {absent[Absence.EARLY]:,}  stay unknown: the log may not be complete yet")
        console.print(f"run this again after {finding.again_at:%Y-%m-%d %H:%M:%S} UTC")
    if absent[Absence.UNPROVED]:
        console.print(
            f"{missing} {absent[Absence.UNPROVED]:,}  stay unknown: nothing proves that they were not received"
        )
        wait = f"wait {seconds_in_words(settle.total_seconds())}, and " if settle else ""
        console.wrap(
            "An absence is proof only if the log has messages from before and after it, and every accepted message in "
            "between. Continue the run if it isn't finished, or send a test message (`campaign test`); then "
            f"{wait}run this again. If the log has no message from before, that can't help: ask the provider about "
            "these messages. --accept-absence sends them again without proof: this may text people twice"
        )
    if finding.changed:
        if not yes:
            confirm(f"Settle {counted(finding.changed, 'message')} in the ledger?", no="nothing was changed")
        apply_finding(run, finding)
    return finding.unknown - finding.changed
