"""`campaign feedback`: report conversions to the provider."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base import output
from runner.base.errors import InputError, StoppedError
from runner.base.outcomes import OutcomeReason
from runner.base.wording import counted
from runner.cli.console import Console
from runner.cli.options import RecordedRunOptions, Target, parse_target, parse_value, with_shared_options
from runner.cli.progress import ProgressLines, run_it_again, show_stop
from runner.run.paths import SANDBOX_RUN

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
            help="The conversions: a CSV, XLSX or Parquet file with the columns key, umid or clientMessageId; outcome "
            "(success or failure); and optionally timestamp. With --follow: a file of JSON lines, or - for standard "
            "input. Without FILE: report what an earlier command left unreported.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep reading JSON lines, and report each one immediately.")
    ] = False,
    rate: Annotated[str, typer.Option(metavar="RATE", help="The highest request rate.")] = "20/s",
) -> tuple[int, dict[str, Any]]:
    """Report conversions to the provider. Run it again to continue."""
    from runner.campaign.values import rate as parse_rate
    from runner.run.feedback import opened_for_feedback, report_file, report_lines
    from runner.run.notice import notice_here

    output.hurry()
    is_standard_input = str(file) == "-"
    if follow and file is None:
        raise InputError.of("--follow needs a file", "name a file of JSON lines, or - for standard input")
    if is_standard_input and not follow:
        raise InputError.of("standard input needs --follow", "add --follow, or name a file")
    unit = "line" if follow else "row"
    with opened_for_feedback(*parse_target(target), options, parse_value("--rate", rate, parse_rate)) as progress:
        notice = notice_here(sandbox=progress.run.record.run == SANDBOX_RUN)
        console.notice(notice)
        show = ProgressLines(console, progress.loop, lambda: _line(progress, unit))
        if follow:
            console.print(f"reading {'standard input' if is_standard_input else file}; press Ctrl-C to stop")
            report_lines(progress, None if is_standard_input else file, show)
        else:
            report_file(progress, file, show)
    stop, read = progress.stop, progress.read
    if follow and stop and stop.reason is OutcomeReason.INTERRUPTED:
        console.wrap(stop.detail)  # this is how following a file normally ends
        stop = None
    if stop:
        show_stop(console, stop)
    _show(console, progress, unit, is_resumed=file is None)
    console.notice(notice)
    exit_code = 1 if read.unmatched_rows or progress.refused else 0
    if progress.pending or stop:
        exit_code = stop.exit_code if stop else StoppedError.exit_code
    elif not follow and not progress.reported and read.unmatched_rows == read.rows > 0:
        exit_code = InputError.exit_code
    return exit_code, _document(progress)


def _line(progress: "Feedback", unit: str) -> str:
    done = progress.reported + progress.refused
    parts = [f"{progress.read.rows:,} {unit}s read"] if progress.read.rows else []
    parts += [f"{progress.reported:,} reported{f' of {progress.pending:,}' if progress.pending > done else ''}"]
    parts += [f"{progress.refused:,} refused"] if progress.refused else []
    return " · ".join(parts)


def _show(console: Console, progress: "Feedback", unit: str, *, is_resumed: bool) -> None:
    name, read = progress.run.name, progress.read
    console.print(f"\n{name}: {counted(progress.reported, 'conversion')} reported to the provider", style="bold")
    if not is_resumed:
        outcomes = [f"{count:,} {outcome}" for outcome, count in sorted(read.messages.items())]
        parts = [counted(read.rows, unit), *([", ".join(outcomes)] if outcomes else [])]
        parts += [f"{counted(read.repeated, 'duplicate')} (the newest counts)"] if read.repeated else []
        parts += [f"{read.known:,} already known"] if read.known else []
        console.print(" · ".join(parts))
    elif not progress.reported:
        console.print("nothing to report; name a file with new conversions")
    if progress.late:
        late = counted(progress.late, "conversion")
        words = f"{late} reported more than 15 minutes after the message; the provider gives them less weight"
        if earlier := progress.late - progress.happened_late:
            hint = "keep this command running while the campaign is sent"
            if unit == "row":
                hint = "use --follow to report each one immediately"
            console.warn(f"{words}. {earlier:,} happened in time: {hint}")
        else:
            console.warn(f"{words}. All of them happened later than that")
    if read.unmatched_rows:
        examples = [
            f"{unit} {read.sheet_rows.of(row.place)}{f' ({row.name[:60]})' if row.name else ''}: {row.why}"
            for row in read.unmatched
        ]
        what = f"{counted(read.unmatched_rows, unit)} could not be reported"
        console.show_examples(what, examples, f"all of them: {progress.run.paths.unmatched}")
    if progress.refused:
        examples = [f"{message_id}: {detail}" for message_id, detail in progress.refusals]
        console.show_examples(f"the provider refused {counted(progress.refused, 'conversion')}", examples)
    if progress.pending:
        pending = counted(progress.pending, "conversion")
        console.wrap(f"{pending} not reported yet; to continue, {run_it_again(progress.stop)}:")
        console.show_command_again()
    if progress.reported:
        console.wrap(f"to add them to the results, run `campaign report {name}`")


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
