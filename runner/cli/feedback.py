"""`campaign feedback`: tell the provider which messages had the effect that they were sent for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import InputError, StoppedError
from runner.base.outcomes import OutcomeReason
from runner.base.wording import counted
from runner.cli.console import clean, human, print_json, print_wrapped
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, Target, parse_target
from runner.cli.requests import RequestLines, parse_rate, show_command_again, show_examples, show_stop

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.feedback import Feedback

NAME = "feedback"


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
    from runner.run.feedback import opened_for_feedback, report_file, report_lines
    from runner.run.paths import RunOptions

    name, run = parse_target(target)
    is_standard_input = file is not None and str(file) == "-"
    if follow and file is None:
        raise InputError.of("--follow needs something to follow", "name a file of JSON lines, or - for standard input")
    if is_standard_input and not follow:
        raise InputError.of("standard input is read line by line", "add --follow, or name a file")
    console = human(as_json=as_json)
    options = RunOptions(sandbox=sandbox, ledger=ledger, reports=reports)
    with opened_for_feedback(name, run, options, parse_rate(rate)) as progress:
        unit = "lines" if follow else "rows"
        show = RequestLines(console, progress.loop, lambda: _line(progress, unit))
        if follow:
            console.print(clean(f"following {'standard input' if is_standard_input else file}; Ctrl-C ends it"))
            report_lines(progress, None if is_standard_input else file, show)
        else:
            report_file(progress, file, show)
        _show(console, progress, file=file, follows=follow)
        if as_json:
            print_json(_document(progress))
    return _exit_code(progress, follows=follow)


def _exit_code(progress: "Feedback", *, follows: bool) -> int:
    read = progress.read
    if progress.pending or (progress.stop and not _is_meant(progress, follows=follows)):
        return StoppedError.exit_code
    if not follows and not progress.reported and read.unmatched_rows == read.rows > 0:
        return InputError.exit_code
    return 1 if read.unmatched_rows or progress.refused else 0


def _is_meant(progress: "Feedback", *, follows: bool) -> bool:
    """Whether it was ended by a signal: there is no other end to a file that grows."""
    return follows and progress.stop is not None and progress.stop.reason is OutcomeReason.INTERRUPTED


def _line(progress: "Feedback", unit: str) -> str:
    done = progress.reported + progress.refused
    parts = [f"{progress.read.rows:,} {unit} read"] if progress.read.rows else []
    parts += [f"{progress.reported:,} told{f' of {progress.pending:,}' if progress.pending > done else ''}"]
    parts += [f"{progress.refused:,} refused"] if progress.refused else []
    return " · ".join(parts)


def _show(console: "Console", progress: "Feedback", *, file: Path | None, follows: bool) -> None:
    name, read = progress.run.name, progress.read
    unit = "line" if follows else "row"
    console.print(f"\n{name}: {counted(progress.reported, 'conversion')} told to the provider", style="bold")
    if file is not None:
        console.print(_read(progress, unit))
    elif not progress.reported:
        console.print("nothing was left to tell; name a file with new conversions")
    if progress.late:
        print_wrapped(console, f"look: {_late(progress, follows=follows)}", "yellow")
    if read.unmatched_rows:
        examples = [
            f"{unit} {one.place}{f' ({one.name[:60]})' if one.name else ''}: {one.why}" for one in read.unmatched
        ]
        what = f"{counted(read.unmatched_rows, unit)} could not be fed back"
        show_examples(console, what, examples, f"all of them: {progress.run.paths.unmatched}")
    if progress.refused:
        examples = [f"{message_id}: {detail}" for message_id, detail in progress.refusals]
        show_examples(console, f"{progress.refused:,} were refused by the provider", examples)
    show_stop(console, progress.stop, is_meant=_is_meant(progress, follows=follows))
    if progress.pending:
        console.print(f"{counted(progress.pending, 'conversion')} noted and not told yet; to go on, run it again:")
        show_command_again(console)
    if progress.reported:
        print_wrapped(console, f"`campaign report {name}` writes them into the results")


def _read(progress: "Feedback", unit: str) -> str:
    read = progress.read
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(read.messages.items()))
    parts = [counted(read.rows, unit), *([outcomes] if outcomes else [])]
    if read.repeated:
        parts.append(f"{read.repeated:,} told of a message twice: the newest counts")
    if read.known:
        parts.append(f"{read.known:,} known before")
    return " · ".join(parts)


def _late(progress: "Feedback", *, follows: bool) -> str:
    words = f"{progress.late:,} were told more than 15 minutes after the message: the provider counts them less"
    if progress.happened_late == progress.late:
        return f"{words}; they happened later than that"
    earlier = progress.late - progress.happened_late
    hint = "keep it running while the campaign is sent" if follows else "--follow feeds each back as it happens"
    return f"{words}; {hint}" if not progress.happened_late else f"{words}; for {earlier:,} of them {hint}"


def _document(progress: "Feedback") -> dict[str, Any]:
    read = progress.read
    return {
        "campaign": progress.run.record.name,
        "run": progress.run.record.run,
        "rows": read.rows,
        "messages": dict(sorted(read.messages.items())),
        "repeated": read.repeated,
        "known": read.known,
        "told": progress.reported,
        "late": progress.late,
        "refused": progress.refused,
        "refused_examples": [{"message_id": one, "why": why} for one, why in progress.refusals],
        "pending": progress.pending,
        "unmatched": read.unmatched_rows,
        "unmatched_examples": [{"row": one.place, "message": one.name, "why": one.why} for one in read.unmatched],
        "unmatched_file": str(progress.run.paths.unmatched) if read.unmatched_rows else None,
        "stopped": progress.stop.detail if progress.stop else None,
    }
