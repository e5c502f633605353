"""`campaign reconcile`: ask the provider's log what became of the unknown messages."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError
from runner.cli.console import confirm, human, print_json
from runner.cli.options import Json, LedgerUrl, Reports, Target, parse_target

if TYPE_CHECKING:
    from rich.console import Console

    from runner.ledger.ledger import RunRecord
    from runner.run.reconcile import Finding

NAME = "reconcile"


def command(
    target: Target,
    settle: Annotated[
        str, typer.Option("--settle", metavar="TIME", help="How long after a request the log is trusted to have it.")
    ] = "15min",
    deadline: Annotated[str, typer.Option("--deadline", metavar="TIME", help="How long the log may take.")] = "30min",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change the ledger without asking.")] = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Ask the provider's log what became of the unknown messages."""
    from runner.run.account import provider_account
    from runner.run.open import locked_run
    from runner.run.paths import RunOptions
    from runner.run.reconcile import settle_unknown
    from runner.run.report import write_report

    console = human(as_json=as_json)
    name, run = parse_target(target)
    settle_time, deadline_time = _time("--settle", settle), _time("--deadline", deadline)
    with locked_run(name, run, RunOptions(ledger=ledger, reports=reports)) as found:
        account, view = provider_account(found.account), TerminalSettling(console)
        unsettled = settle_unknown(found, account, view, yes=yes, settle=settle_time, deadline=deadline_time)
        paths = found.paths
        report = write_report(found.ledger, found.record, paths)
        if as_json:
            print_json(report.document | {"unsettled": unsettled})
        elif not unsettled:
            console.print(f"\nto send what is left, run the campaign again; the results are in {paths.results_csv}")
    return 1 if unsettled else 0


class TerminalSettling:
    """What reconciling finds, in the terminal."""

    def __init__(self, console: "Console") -> None:
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
        confirm(f"\nSettle {messages:,} messages in the ledger?", no="nothing was changed", without="add --yes")


def _time(option: str, text: str) -> timedelta:
    from runner.campaign.times import duration
    from runner.campaign.values import InvalidValue

    try:
        return duration(text)
    except InvalidValue as error:
        raise InputError.of(f"{option}: {error.what}", error.remedy) from error
