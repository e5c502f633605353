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
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Who did what: a CSV, XLSX or Parquet file with key, umid or clientMessageId, outcome (success or "
            "failure) and, if it is known, timestamp. With --follow: JSON lines, or - for standard input. Without: "
            "tell what an earlier start has left.",
        ),
    ] = None,
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
    from runner.run.feedback import Feedback, feed_file, feeding_back
    from runner.run.follow import follow_file
    from runner.run.places import Options

    name, run = parse_target(target)
    is_standard_input = file is not None and str(file) == "-"
    if follow and file is None:
        raise InputError.of("--follow needs something to follow", "name a file of JSON lines, or - for standard input")
    if is_standard_input and not follow:
        raise InputError.of("standard input is read line by line", "add --follow, or name a file")
    console = human(as_json=as_json)
    progress = Feedback()
    options = Options(sandbox=sandbox, ledger=ledger, reports=reports)
    with feeding_back(name, run, options, rate_of(rate)) as job:
        show = _Showing(console, progress, "lines" if follow else "rows")
        if follow:
            console.print(clean(f"following {'standard input' if is_standard_input else file}; Ctrl-C ends it"))
            follow_file(job, None if is_standard_input else file, progress, show)
        else:
            feed_file(job, file, progress, show)
        _show(console, job, progress, file=file, follows=follow)
        if as_json:
            print_json(_document(job, progress))
    return _exit_code(progress, follows=follow)


def _exit_code(progress: "Feedback", *, follows: bool) -> int:
    is_meant = follows and progress.was_signalled  # there is no other end to a file that grows
    if progress.pending or (progress.stopped and not is_meant):
        return 3
    if progress.unmatched_rows == progress.rows > 0 and not progress.told and not follows:
        return 2
    return 1 if progress.unmatched_rows or progress.refused else 0


class _Showing:
    """A line every few seconds, for who waits; while nothing happens, there is none."""

    def __init__(self, console: "Console", progress: "Feedback", unit: str) -> None:
        import time

        self._console = console
        self._progress = progress
        self._unit = unit
        self._clock = time.monotonic
        self._said_at = time.monotonic()
        self._said = ""
        self._has_said_stopping = False

    def __call__(self) -> None:
        if self._progress.stopping and not self._has_said_stopping:
            self._has_said_stopping = True
            self._console.print("stopping: waiting for answers; Ctrl-C again stops waiting")
        if self._clock() - self._said_at < LINE_EVERY_S:
            return
        self._said_at = self._clock()
        words = self._words()
        if words != self._said:
            self._console.print(clean(words))
        self._said = words

    def _words(self) -> str:
        progress = self._progress
        done = progress.told + progress.refused
        parts = [f"{progress.rows:,} {self._unit} read"] if progress.rows else []
        parts += [f"{progress.told:,} told{f' of {progress.pending:,}' if progress.pending > done else ''}"]
        parts += [f"{progress.refused:,} refused"] if progress.refused else []
        parts += [f"waiting for {progress.waiting_for}"] if progress.waiting_for else []
        return " · ".join(parts)


def _show(console: "Console", job: "Job", progress: "Feedback", *, file: Path | None, follows: bool) -> None:
    name = f"{job.record.name}/{job.record.run}"
    unit = "line" if follows else "row"
    console.print(f"\n{name}: {_many(progress.told, 'conversion')} told to the provider", style="bold")
    if file is not None:
        console.print(_told(progress, unit))
    elif not progress.told:
        console.print("nothing was left to tell; name a file with new conversions")
    if progress.late:
        print_wrapped(console, f"look: {_late(progress, follows=follows)}", "yellow")
    if progress.unmatched_rows:
        print_wrapped(console, f"look: {_many(progress.unmatched_rows, unit)} could not be fed back:", "yellow")
        for one in progress.unmatched:
            print_wrapped(console, f"  {unit} {one.place}{f' ({one.name[:60]})' if one.name else ''}: {one.why}")
        print_wrapped(console, f"  all of them: {job.places.unmatched}")
    if progress.refused:
        print_wrapped(console, f"look: {progress.refused:,} were refused by the provider:", "yellow")
        for message_id, detail in progress.refusals:
            print_wrapped(console, f"  {message_id}: {detail}")
    if progress.stopped:
        is_meant = progress.was_signalled
        words = progress.stopped if is_meant else f"stopped: {progress.stopped}"
        print_wrapped(console, words, None if is_meant else "bold red")
    if progress.pending:
        console.print(f"{_many(progress.pending, 'conversion')} noted and not told yet; to go on, run it again:")
        console.print(clean(f"  campaign {shlex.join(sys.argv[1:])}"))
    if progress.told:
        print_wrapped(console, f"`campaign report {name}` writes them into the results")


def _told(progress: "Feedback", unit: str) -> str:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(progress.messages.items()))
    parts = [_many(progress.rows, unit), *([outcomes] if outcomes else [])]
    if progress.repeated:
        parts.append(f"{progress.repeated:,} told of a message twice: the newest counts")
    if progress.known:
        parts.append(f"{progress.known:,} known before")
    return " · ".join(parts)


def _late(progress: "Feedback", *, follows: bool) -> str:
    words = f"{progress.late:,} were told more than 15 minutes after the message: the provider counts them less"
    if progress.happened_late == progress.late:
        return f"{words}; they happened later than that"
    earlier = progress.late - progress.happened_late
    hint = "keep it running while the campaign is sent" if follows else "--follow feeds each back as it happens"
    return f"{words}; {hint}" if not progress.happened_late else f"{words}; for {earlier:,} of them {hint}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _document(job: "Job", progress: "Feedback") -> dict[str, Any]:
    return {
        "campaign": job.record.name,
        "run": job.record.run,
        "rows": progress.rows,
        "messages": dict(sorted(progress.messages.items())),
        "repeated": progress.repeated,
        "known": progress.known,
        "told": progress.told,
        "late": progress.late,
        "refused": progress.refused,
        "refused_examples": [{"message_id": one, "why": why} for one, why in progress.refusals],
        "pending": progress.pending,
        "unmatched": progress.unmatched_rows,
        "unmatched_examples": [{"row": one.place, "message": one.name, "why": one.why} for one in progress.unmatched],
        "unmatched_file": str(job.places.unmatched) if progress.unmatched_rows else None,
        "stopped": progress.stopped,
    }
