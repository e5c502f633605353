"""`campaign purge`: delete the personal data of a finished run, and keep its counts."""

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
    target: Annotated[str, typer.Argument(metavar="NAME/RUN", help="The campaign and the run.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
) -> tuple[int, dict[str, Any]]:
    """Delete the personal data of a run for good; keep its counts."""
    name, run = parse_target(target)
    if run is None:
        raise InputError.of(f"{name} is not NAME/RUN", f"name the run to purge; `campaign status {name}` lists them")
    from runner.ledger.purge import purged_at
    from runner.plan.plan_file import is_readable
    from runner.run.open import locked_run
    from runner.run.purge import purge
    from runner.run.report import write_report

    with locked_run(name, run, options) as found:
        ledger, paths = found.ledger, found.paths
        _show_scope(console, found)
        if purged_at(ledger, found.record.id):
            console.wrap("this run was purged before; purging again deletes anything that was missed")
        if not yes:
            confirm(f"Purge {name}/{run}? This can't be undone.", no="nothing was changed")
        messages, own_files = purge(found)
        result = f"the report was not updated, because {paths.sent_plan} is missing; the ledger has the counts"
        if is_readable(paths.sent_plan):
            [newest] = ledger.runs(name, run)  # now without its stop detail, which may hold a number
            write_report(ledger, newest, paths, has_lock=True)
            result = f"the counts are in {paths.page} and {paths.summary}"
        since = iso(purged_at(ledger, found.record.id))
    words = f"deleted the personal data of {counted(messages, 'message')}"
    console.print(f"\npurged: {words if messages else 'no personal data was left'}", style="bold")
    console.wrap(result)
    left = [str(path) for path in own_files]
    for path in left:
        console.warn(f"{path} does not belong to the run and was not deleted")
    return 0, {"campaign": name, "run": run, "purged_at": since, "messages": messages, "left": left}


def _show_scope(console: Console, run: "RecordedRun") -> None:
    from runner.ledger.replies import count_waiting_of

    counts = run.ledger.counts(run.record.id)
    messages, unknown = sum(counts.values()), counts.get(Status.UNKNOWN, 0)
    console.print(f"\npurge {run.name}", style="bold")
    for words in (
        f"deleted for good: numbers, keys, texts and carried columns of {counted(messages, 'message')}, in the "
        "ledger, the plans and the results",
        "kept: the counts, the message IDs (hashes of the keys), opt-outs, and the numbers of replies to review",
        "afterwards: the run can't be sent again, and frequency caps don't count its messages",
        "not changed: the recipient file, and copies of these files",
    ):
        console.wrap(words)
    if (unsent := run.record.to_send - messages) > 0:
        console.warn(f"{counted(unsent, 'message')} not sent yet; after the purge, they can't be sent")
    if waiting := count_waiting_of(run.ledger, run.record.id):
        words = counted(
            waiting, "reply waits for review and loses its text", "replies wait for review and lose their texts"
        )
        console.warn(f"{words}; use `campaign optouts review` first")
    if unknown:
        words = f"{counted(unknown, 'message has an', 'messages have an')} unknown outcome; `campaign reconcile` can"
        console.warn(f"{words} still settle the counts later, but messages that were not received can't be sent")
