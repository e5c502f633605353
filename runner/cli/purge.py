"""`campaign purge`: take the people out of a run that is done with, and keep its counts."""

from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError
from runner.cli.console import clean, confirm, human, print_json, print_wrapped
from runner.cli.options import Json, LedgerUrl, Reports, parse_target

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.purge import PurgeScope

NAME = "purge"


def command(
    target: Annotated[str, typer.Argument(metavar="NAME/RUN", help="The campaign and the run, both.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Purge without asking.")] = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Remove numbers, keys and texts of a run for good, and keep its counts."""
    name, run = parse_target(target)
    if run is None:
        raise InputError.of(
            f"which run of {name} is to be purged?", f"write NAME/RUN; `campaign status {name}` shows its runs"
        )
    from runner.base.clock import iso
    from runner.plan.plan_file import is_readable
    from runner.run.open import locked_run
    from runner.run.paths import RunOptions
    from runner.run.purge import purge, scope_of
    from runner.run.report import write_report

    console = human(as_json=as_json)
    with locked_run(name, run, RunOptions(ledger=ledger, reports=reports)) as found:
        opened, record, paths = found.ledger, found.record, found.paths
        scope = scope_of(opened, record)
        _say_what_it_means(console, f"{name}/{run}", scope)
        if not yes:
            confirm(
                f"\nPurge {name}/{run}? This can't be undone.",
                no="nothing was changed",
                without="add --yes to purge without asking",
            )
        purged = purge(found)
        document = None
        if is_readable(paths.sent_plan):
            [newest] = opened.runs(name, run)  # without the words of its stop
            document = write_report(opened, newest, paths).document
        since = iso(scope_of(opened, record).purged_at)
    words = f"{_messages(purged.messages)} in the ledger no longer name anybody"
    console.print(f"\npurged: {words if purged.messages else 'the ledger names nobody of it'}", style="bold")
    if document:
        print_wrapped(console, f"the counts are in {paths.page} and {paths.summary}")
    else:
        print_wrapped(console, f"the report was not written anew: {paths.sent_plan} is gone; the ledger has the counts")
    for path in purged.left:
        print_wrapped(console, f"look: {clean(str(path))} is no file of the run's, and was left as it is", "yellow")
    if as_json:
        left = [str(path) for path in purged.left]
        print_json({"campaign": name, "run": run, "purged_at": since, "messages": purged.messages, "left": left})
    return 0


def _say_what_it_means(console: "Console", run: str, scope: "PurgeScope") -> None:
    console.print(f"\npurge {run}", style="bold")
    for words in (
        f"goes for good: numbers, keys, texts and carried columns of {_messages(scope.messages)}, from the ledger, "
        "the plans and the results",
        "stays: the counts; the messages' ids, which are hashes of their keys; opt-outs, which protect people",
        "ends: the run can't be sent again, and other campaigns' cooldowns no longer count its messages",
        "is not touched: the campaign's own recipient file, and copies that somebody made",
    ):
        print_wrapped(console, words)
    if scope.unsent:
        print_wrapped(
            console, f"look: {_messages(scope.unsent)} of the plan not sent yet, which never will be", "yellow"
        )
    if scope.unknown:
        words = f"look: {_messages(scope.unknown)} unknown; `campaign reconcile` can still settle them for the counts"
        print_wrapped(console, f"{words}, and those that were not received can't be sent any more", "yellow")
    if scope.purged_at:
        print_wrapped(console, "it was purged before; this finishes what that one may have left")


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
