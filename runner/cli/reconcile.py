"""`campaign reconcile`: ask the provider's log what became of the unknown messages."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.wording import counted
from runner.cli.console import Console, confirm
from runner.cli.options import LedgerOptions, Target, parse_target, parse_value, with_shared_options

if TYPE_CHECKING:
    from runner.ledger.ledger import RunRecord
    from runner.run.reconcile import Finding


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
    from runner.run.reconcile import settle_unknown
    from runner.run.report import write_report

    settle_time = parse_value("--settle", settle, duration)
    deadline_time = parse_value("--deadline", deadline, duration)
    with locked_run(*parse_target(target), options) as run:
        account, view = provider_account(run.account), TerminalSettling(console)
        unsettled = settle_unknown(run, account, view, yes=yes, settle=settle_time, deadline=deadline_time)
        report = write_report(run.ledger, run.record, run.paths)
    if not unsettled:
        console.print(f"\nto send what is left, run the campaign again; the results are in {run.paths.results_csv}")
    return 1 if unsettled else 0, report.document | {"unsettled": unsettled}


class TerminalSettling:
    """What reconciling finds, in the terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, words: str) -> None:
        self.console.print(words, style="dim")

    def show_finding(self, record: "RunRecord", finding: "Finding | None") -> None:
        if finding is None:
            self.console.print(f"{record.name}/{record.run}: nothing is unknown")
            return
        self.console.print(f"\nunknown      {finding.unknown.count:,}")
        self.console.print(f"in the log   {len(finding.found):,}  become accepted")
        not_in_it = f"not in it    {len(finding.missing):,}"
        if finding.again_at is None:
            self.console.print(f"{not_in_it}  were not received: the next run sends them")
        elif finding.missing:
            when = f"{finding.again_at:%Y-%m-%d %H:%M:%S} UTC"
            self.console.print(f"{not_in_it}  stay unknown: the log may not have them yet; ask again after {when}")

    def confirm_settling(self, messages: int) -> None:
        confirm(f"Settle {counted(messages, 'message')} in the ledger?", no="nothing was changed")
