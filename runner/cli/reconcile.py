"""`campaign reconcile`: ask the provider's log what became of the unknown messages."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.wording import counted
from runner.cli.console import Console, confirm
from runner.cli.options import LedgerOptions, Target, parse_target, parse_value, with_shared_options

if TYPE_CHECKING:
    from runner.run.account import ProviderAccount
    from runner.run.open import RecordedRun

# How long after a request the provider's log is trusted to have it, and how long an export may take.
SETTLE = timedelta(minutes=15)
DEADLINE = timedelta(minutes=30)


@with_shared_options
def command(
    options: LedgerOptions,
    console: Console,
    target: Target,
    settle: Annotated[
        str, typer.Option("--settle", metavar="TIME", help="How long after a request the log is trusted to have it.")
    ] = "15min",
    deadline: Annotated[str, typer.Option("--deadline", metavar="TIME", help="How long the log may take.")] = "30min",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change the ledger without asking.")] = False,
) -> tuple[int, dict[str, Any]]:
    """Ask the provider's log what became of the unknown messages."""
    from runner.campaign.times import duration
    from runner.run.account import provider_account
    from runner.run.open import locked_run
    from runner.run.report import write_report

    settle_time = parse_value("--settle", settle, duration)
    deadline_time = parse_value("--deadline", deadline, duration)
    with locked_run(*parse_target(target), options) as run:
        account = provider_account(run.account)
        unsettled = reconcile(console, run, account, yes=yes, settle=settle_time, deadline=deadline_time)
        report = write_report(run.ledger, run.record, run.paths)
    if not unsettled:
        console.print(f"\nto send what is left, run the campaign again; the results are in {run.paths.results_csv}")
    return 1 if unsettled else 0, report.document | {"unsettled": unsettled}


def reconcile(
    console: Console,
    run: "RecordedRun",
    account: "ProviderAccount",
    *,
    yes: bool,
    settle: timedelta,
    deadline: timedelta,
) -> int:
    """Look the unknown messages of a run up, show what that means, ask, and settle them. Returns how many stay unknown.

    Raises StoppedError when the log can't be had whole or the answer is no; nothing is changed then.
    """
    from runner.run.reconcile import apply_finding, look_up

    def say(words: str) -> None:
        console.print(words, style="dim")

    finding = look_up(run, account, settle=settle, deadline=deadline, say=say)
    if finding is None:
        console.print(f"{run.name}: nothing is unknown")
        return 0
    console.print(f"\nunknown      {finding.unknown.count:,}")
    console.print(f"in the log   {len(finding.found):,}  become accepted")
    not_in_it = f"not in it    {len(finding.missing):,}"
    if finding.again_at is None:
        console.print(f"{not_in_it}  were not received: the next run sends them")
    elif finding.missing:
        when = f"{finding.again_at:%Y-%m-%d %H:%M:%S} UTC"
        console.print(f"{not_in_it}  stay unknown: the log may not have them yet; ask again after {when}")
    if changed := len(finding.found) + len(finding.not_received):
        if not yes:
            confirm(f"Settle {counted(changed, 'message')} in the ledger?", no="nothing was changed")
        apply_finding(run, finding)
    return finding.unknown.count - changed
