"""`campaign feedback`: report to the provider which messages had the effect that they were sent for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.errors import InputError, StoppedError
from runner.base.outcomes import OutcomeReason
from runner.base.wording import counted
from runner.cli.console import Console
from runner.cli.options import RecordedRunOptions, Target, parse_target, parse_value, with_shared_options
from runner.cli.progress import ProgressLines, show_stop

if TYPE_CHECKING:
    from runner.run.feedback import Feedback


@with_shared_options
def command(
    options: RecordedRunOptions,
    console: Console,
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
) -> tuple[int, dict[str, Any]]:
    """Feed conversions back to the provider; the same command again continues."""
    from runner.campaign.values import rate as parse_rate
    from runner.run.feedback import opened_for_feedback, report_file, report_lines

    is_standard_input = str(file) == "-"
    if follow and file is None:
        raise InputError.of("--follow needs something to follow", "name a file of JSON lines, or - for standard input")
    if is_standard_input and not follow:
        raise InputError.of("standard input is read line by line", "add --follow, or name a file")
    unit = "line" if follow else "row"
    with opened_for_feedback(*parse_target(target), options, parse_value("--rate", rate, parse_rate)) as progress:
        show = ProgressLines(console, progress.loop, lambda: _line(progress, unit))
        if follow:
            console.print(f"following {'standard input' if is_standard_input else file}; Ctrl-C ends it")
            report_lines(progress, None if is_standard_input else file, show)
        else:
            report_file(progress, file, show)
    stop, read = progress.stop, progress.read
    if follow and stop and stop.reason is OutcomeReason.INTERRUPTED:
        console.wrap(stop.detail)  # a file that grows has no other end
        stop = None
    if stop:
        show_stop(console, stop)
    _show(console, progress, unit, is_resumed=file is None)
    exit_code = 1 if read.unmatched_rows or progress.refused else 0
    if progress.pending or stop:
        exit_code = StoppedError.exit_code
    elif not follow and not progress.reported and read.unmatched_rows == read.rows > 0:
        exit_code = InputError.exit_code
    return exit_code, _document(progress)


def _line(progress: "Feedback", unit: str) -> str:
    done = progress.reported + progress.refused
    parts = [f"{progress.read.rows:,} {unit}s read"] if progress.read.rows else []
    parts += [f"{progress.reported:,} told{f' of {progress.pending:,}' if progress.pending > done else ''}"]
    parts += [f"{progress.refused:,} refused"] if progress.refused else []
    return " · ".join(parts)


def _show(console: Console, progress: "Feedback", unit: str, *, is_resumed: bool) -> None:
    name, read = progress.run.name, progress.read
    console.print(f"\n{name}: {counted(progress.reported, 'conversion')} told to the provider", style="bold")
    if not is_resumed:
        outcomes = [f"{count:,} {outcome}" for outcome, count in sorted(read.messages.items())]
        parts = [counted(read.rows, unit), *([", ".join(outcomes)] if outcomes else [])]
        parts += [f"{read.repeated:,} told of a message twice: the newest counts"] if read.repeated else []
        parts += [f"{read.known:,} known before"] if read.known else []
        console.print(" · ".join(parts))
    elif not progress.reported:
        console.print("nothing was left to tell; name a file with new conversions")
    if progress.late:
        words = f"{progress.late:,} were told more than 15 minutes after the message: the provider counts them less"
        if earlier := progress.late - progress.happened_late:
            hint = "keep it running while the campaign is sent"
            if unit == "row":
                hint = "--follow feeds each back as it happens"
            console.warn(f"{words}; for {earlier:,} of them {hint}")
        else:
            console.warn(f"{words}; they happened later than that")
    if read.unmatched_rows:
        examples = [
            f"{unit} {row.place}{f' ({row.name[:60]})' if row.name else ''}: {row.why}" for row in read.unmatched
        ]
        what = f"{counted(read.unmatched_rows, unit)} could not be fed back"
        console.show_examples(what, examples, f"all of them: {progress.run.paths.unmatched}")
    if progress.refused:
        examples = [f"{message_id}: {detail}" for message_id, detail in progress.refusals]
        console.show_examples(f"{progress.refused:,} were refused by the provider", examples)
    if progress.pending:
        console.print(f"{counted(progress.pending, 'conversion')} noted and not told yet; to go on, run it again:")
        console.show_command_again()
    if progress.reported:
        console.wrap(f"`campaign report {name}` writes them into the results")


def _document(progress: "Feedback") -> dict[str, Any]:
    run, read = progress.run, progress.read
    return {
        "campaign": run.record.name,
        "run": run.record.run,
        "rows": read.rows,
        "messages": dict(sorted(read.messages.items())),
        "repeated": read.repeated,
        "known": read.known,
        "told": progress.reported,
        "late": progress.late,
        "refused": progress.refused,
        "refused_examples": [{"message_id": message_id, "why": why} for message_id, why in progress.refusals],
        "pending": progress.pending,
        "unmatched": read.unmatched_rows,
        "unmatched_examples": [{"row": row.place, "message": row.name, "why": row.why} for row in read.unmatched],
        "unmatched_file": str(run.paths.unmatched) if read.unmatched_rows else None,
        "stopped": progress.stop.detail if progress.stop else None,
    }
