"""`campaign purge`: take the people out of a run that is done with, and keep its counts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import iso
from runner.base.errors import InputError
from runner.base.outcomes import Status
from runner.base.wording import counted
from runner.cli.console import Console, confirm
from runner.cli.options import LedgerOptions, parse_target, with_shared_options

if TYPE_CHECKING:
    from runner.run.open import RecordedRun


@with_shared_options
def command(
    options: LedgerOptions,
    console: Console,
    target: Annotated[str, typer.Argument(metavar="NAME/RUN", help="The campaign and the run, both.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Purge without asking.")] = False,
) -> tuple[int, dict[str, Any]]:
    """Remove numbers, keys and texts of a run for good, and keep its counts."""
    name, run = parse_target(target)
    if run is None:
        raise InputError.of(
            f"which run of {name} is to be purged?", f"write NAME/RUN; `campaign status {name}` shows its runs"
        )
    from runner.ledger.purge import purged_at
    from runner.plan.plan_file import is_readable
    from runner.run.open import locked_run
    from runner.run.purge import purge
    from runner.run.report import write_report

    with locked_run(name, run, options) as found:
        ledger, paths = found.ledger, found.paths
        _show_scope(console, found)
        if purged_at(ledger, found.record.id):
            console.wrap("it was purged before; this finishes what that one may have left")
        if not yes:
            confirm(f"Purge {name}/{run}? This can't be undone.", no="nothing was changed")
        messages, own_files = purge(found)
        result = f"the report was not written anew: {paths.sent_plan} is gone; the ledger has the counts"
        if is_readable(paths.sent_plan):
            [newest] = ledger.runs(name, run)  # without the words of its stop
            write_report(ledger, newest, paths)
            result = f"the counts are in {paths.page} and {paths.summary}"
        since = iso(purged_at(ledger, found.record.id))
    words = f"{counted(messages, 'message')} in the ledger no longer name anybody"
    console.print(f"\npurged: {words if messages else 'the ledger names nobody of it'}", style="bold")
    console.wrap(result)
    left = [str(path) for path in own_files]
    for path in left:
        console.warn(f"{path} is no file of the run's, and was left as it is")
    return 0, {"campaign": name, "run": run, "purged_at": since, "messages": messages, "left": left}


def _show_scope(console: Console, run: "RecordedRun") -> None:
    counts = run.ledger.counts(run.record.id)
    messages, unknown = sum(counts.values()), counts.get(Status.UNKNOWN, 0)
    console.print(f"\npurge {run.name}", style="bold")
    for words in (
        f"goes for good: numbers, keys, texts and carried columns of {counted(messages, 'message')}, from the ledger, "
        "the plans and the results",
        "stays: the counts; the messages' ids, which are hashes of their keys; opt-outs, which protect people",
        "ends: the run can't be sent again, and other campaigns' cooldowns no longer count its messages",
        "is not touched: the campaign's own recipient file, and copies that somebody made",
    ):
        console.wrap(words)
    if (unsent := run.record.to_send - messages) > 0:
        console.warn(f"{counted(unsent, 'message')} of the plan not sent yet, which never will be")
    if unknown:
        words = f"{counted(unknown, 'message')} unknown; `campaign reconcile` can still settle them for the"
        console.warn(f"{words} counts, and those that were not received can't be sent any more")
