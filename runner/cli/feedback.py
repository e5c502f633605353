"""`campaign feedback`: tell the provider which messages had the effect that they were sent for."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.console import clean, human, print_json, print_wrapped
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, Target, parse_target
from runner.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.feedback import Feedback, Job

NAME = "feedback"

LINE_EVERY_S = 5.0


def command(
    target: Target,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Who did what: a CSV, XLSX or Parquet file with key, umid or clientMessageId, outcome (success or "
            "failure) and, if it is known, timestamp. With --follow: JSON lines, or - for standard input.",
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Read JSON lines as they come, and feed each back at once.")
    ] = False,
    rate: Annotated[str, typer.Option(metavar="RATE", help="The most requests, such as 20/s.")] = "20/s",
    sandbox: Sandbox = False,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Feed conversions back to the provider; the same command again continues."""
    from runner.run.errands import rate_of
    from runner.run.feedback import Feedback, feed_file, feeding_back, follow_file
    from runner.run.places import Options

    name, run = parse_target(target)
    is_standard_input = str(file) == "-"
    if is_standard_input and not follow:
        raise InputError.of("standard input is read line by line", "add --follow, or name a file")
    console = human(as_json=as_json)
    progress = Feedback()
    options = Options(sandbox=sandbox, ledger=ledger, reports=reports)
    with feeding_back(name, run, options, rate_of(rate)) as job:
        show = _Showing(console, progress)
        if follow:
            console.print(f"following {'standard input' if is_standard_input else file}; Ctrl-C ends it")
            follow_file(job, None if is_standard_input else file, progress, show)
        else:
            feed_file(job, file, progress, show)
        _show(console, job, progress, follows=follow)
        if as_json:
            print_json(_document(job, progress))
    if progress.stopped and not (follow and progress.stopped.startswith("stopped by")):
        return 3
    return 1 if progress.unmatched_rows or progress.refused else 0


class _Showing:
    """A line every few seconds, for who waits."""

    def __init__(self, console: "Console", progress: "Feedback") -> None:
        import time

        self._console = console
        self._progress = progress
        self._clock = time.monotonic
        self._said_at = time.monotonic()

    def __call__(self) -> None:
        if self._clock() - self._said_at < LINE_EVERY_S:
            return
        self._said_at = self._clock()
        words = f"{self._progress.told:,} told"
        if self._progress.refused:
            words += f", {self._progress.refused:,} refused"
        waiting = f" · waiting for {self._progress.waiting_for}" if self._progress.waiting_for else ""
        self._console.print(clean(words + waiting))


def _show(console: "Console", job: "Job", progress: "Feedback", *, follows: bool) -> None:
    name = f"{job.record.name}/{job.record.run}"
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(progress.matched.items()))
    console.print(f"\n{name}: {progress.told:,} conversions told the provider", style="bold")
    console.print(f"{'lines' if follows else 'rows'} {progress.rows:,}{f' ({outcomes})' if outcomes else ''}")
    if progress.late:
        hint = "" if follows else "; --follow feeds each back as it comes"
        words = f"{progress.late:,} happened, or were told, more than 15 minutes after the message"
        print_wrapped(console, f"look: {words}: the provider counts them less{hint}", "yellow")
    if progress.unmatched_rows:
        where = "line" if follows else "row"
        print_wrapped(console, f"look: {progress.unmatched_rows:,} could not be fed back:", "yellow")
        for one in progress.unmatched:
            print_wrapped(console, f"  {where} {one.place}{f' ({one.name})' if one.name else ''}: {one.why}")
        print_wrapped(console, f"  all of them: {job.places.unmatched}")
    for message_id, detail in progress.refusals:
        print_wrapped(console, f"refused: {message_id}: {detail}", "red")
    if progress.stopped:
        print_wrapped(console, f"stopped: {progress.stopped}", "bold red")
        console.print("what is noted is told when the same command runs again:")
        console.print(f"  campaign {shlex.join(sys.argv[1:])}")
    print_wrapped(console, f"`campaign report {name}` writes them into the results")


def _document(job: "Job", progress: "Feedback") -> dict[str, Any]:
    return {
        "campaign": job.record.name,
        "run": job.record.run,
        "rows": progress.rows,
        "matched": dict(sorted(progress.matched.items())),
        "late": progress.late,
        "told": progress.told,
        "refused": progress.refused,
        "unmatched": progress.unmatched_rows,
        "unmatched_examples": [{"row": one.place, "message": one.name, "why": one.why} for one in progress.unmatched],
        "unmatched_file": str(job.places.unmatched) if progress.unmatched_rows else None,
        "stopped": progress.stopped,
    }
