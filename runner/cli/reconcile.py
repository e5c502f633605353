"""`campaign reconcile`: ask the provider's log what became of the unknown messages."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import ask, human, is_terminal, print_json
from runner.cli.options import Json, LedgerUrl, Reports, Target, parse_target
from runner.errors import InputError, StoppedError

if TYPE_CHECKING:
    from rich.console import Console

    from runner.ledger.lease import Lease
    from runner.ledger.ledger import Ledger, RunRecord
    from runner.run.account import Account
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
    from runner.run.places import Options
    from runner.run.reconcile import recovered
    from runner.run.report import write_report

    console = human(as_json=as_json)
    name, run = parse_target(target)
    settle_time, deadline_time = _time("--settle", settle), _time("--deadline", deadline)
    with recovered(name, run, Options(ledger=ledger, reports=reports)) as (opened, record, places, account, lease):
        unsettled = reconcile_run(
            console, opened, record, account, lease, yes=yes, settle=settle_time, deadline=deadline_time
        )
        report = write_report(opened, record, places)
        if as_json:
            print_json(report.document | {"unsettled": unsettled})
        elif not unsettled:
            console.print(f"\nto send what is left, run the campaign again; the results are in {places.results_csv}")
    return 1 if unsettled else 0


def reconcile_run(
    console: "Console",
    ledger: "Ledger",
    record: "RunRecord",
    account: "Account",
    lease: "Lease",
    *,
    yes: bool,
    settle: timedelta | None = None,
    deadline: timedelta | None = None,
) -> int:
    """Look the unknown messages up, show what that means, ask, and settle them. Returns how many stay unknown."""
    from runner.run.reconcile import DEADLINE, SETTLE, apply_finding, look_up

    finding = look_up(
        ledger,
        record,
        account,
        settle=SETTLE if settle is None else settle,
        deadline=deadline or DEADLINE,
        say=lambda words: console.print(words, style="dim"),
    )
    if finding is None:
        console.print(f"{record.name}/{record.run}: nothing is unknown")
        return 0
    _show(console, finding)
    changed = len(finding.found) + len(finding.not_received)
    if changed:
        _confirm(changed, yes=yes)
        apply_finding(ledger, record, finding, lease)
    return finding.unknown.count - changed


def _show(console: "Console", finding: "Finding") -> None:
    console.print(f"\nunknown      {finding.unknown.count:,}")
    console.print(f"in the log   {len(finding.found):,}  become accepted")
    if finding.again_at is None:
        console.print(f"not in it    {len(finding.missing):,}  were not received: the next run sends them")
    elif finding.missing:
        console.print(
            f"not in it    {len(finding.missing):,}  stay unknown: the log may not have them yet; ask again after "
            f"{finding.again_at:%Y-%m-%d %H:%M:%S} UTC"
        )


def _confirm(count: int, *, yes: bool) -> None:
    if yes:
        return
    if not is_terminal():
        raise InputError.of("nothing was changed: there is no terminal to ask on", "add --yes")
    if not ask(f"\nSettle {count:,} messages in the ledger?"):
        raise StoppedError("not confirmed: nothing was changed")


def _time(option: str, text: str) -> timedelta:
    from runner.campaign.times import duration
    from runner.campaign.values import InvalidValue

    try:
        return duration(text)
    except InvalidValue as error:
        raise InputError.of(f"{option}: {error.what}", error.remedy) from error
