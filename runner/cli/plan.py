"""`campaign plan`: who would get what, in how many segments, and who is excluded and why. Sends nothing.

`--format markdown` shows the plan for a pull request. Many people read it, so phone numbers are masked, except those in
the template, unless --unmask is given. Cells are untrusted: nothing in them may format, link or notify.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError
from runner.base.wording import counted
from runner.cli.console import Console, clean, print_document, print_error, print_json
from runner.cli.masking import masked_output, masking
from runner.cli.options import AllRunOptions, File, with_shared_options
from runner.cli.plan_view import lines_of, show_parts, show_plan, show_remaining
from runner.run.paths import RunOptions

if TYPE_CHECKING:
    from runner.run.open import Run
    from runner.run.review import Review

# The figures in an approval file: none that quotes a cell.
_FIGURES = ("rows", "to_send", "segments", "excluded", "by_country", "cost", "seconds")

_CHANGED = "This run started with another plan. To send this one, `campaign run` needs --accept-changes:"


class OutputFormat(StrEnum):
    """The format of the plan on standard output."""

    TEXT = "text"
    MARKDOWN = "markdown"  # for a pull request, with masked numbers
    JSON = "json"


@with_shared_options
def command(
    options: AllRunOptions,
    as_json: bool,
    unmask: bool,
    file: File,
    output_format: Annotated[
        OutputFormat,
        typer.Option("--format", help="markdown is for a pull request comment, with masked numbers."),
    ] = OutputFormat.TEXT,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write every row and text to a .csv, .xlsx or .parquet file."),
    ] = None,
    out_approval: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write an approval file: the fingerprint, its parts, and who planned."),
    ] = None,
) -> tuple[int, None]:
    """Show who would get what, and who is excluded and why. Sends nothing."""
    from runner.ledger.approvals import note_plan
    from runner.run.approval import write_approval
    from runner.run.notice import notice_here
    from runner.run.open import open_run
    from runner.run.plan import changes, make_plan, refuse_input, remaining_of
    from runner.run.review import review

    if out:
        from runner.report.plan_table import check_format, plan_table

        check_format(out)
    output_format = OutputFormat.JSON if as_json else output_format
    console = Console(as_json=output_format is not OutputFormat.TEXT)
    first: list[str] = []  # warnings in front of everything else, also in a pull request comment

    def warn(words: str) -> None:
        first.append(words)
        console.warn(words)

    with open_run(file, options, warn=warn) as run:
        notice = notice_here(sandbox=options.sandbox)
        console.notice(notice)
        masking.template = run.inputs.composer.template.origins.own_text
        if out:
            refuse_input(run, out)
            with plan_table(out, mask=run.campaign.report.mask) as also:
                make_plan(run, also)
        else:
            make_plan(run)
        reviewed, changed = review(run), changes(run)
        note_plan(run.ledger, reviewed.plan)
        if output_format is not OutputFormat.MARKDOWN:
            show_plan(console, reviewed)
            show_remaining(console, run, remaining_of(run))
        if changed:
            console.print()
            console.wrap(_CHANGED)
            for change in changed:
                console.print(f"  {change}")
        show_parts(console, reviewed)
        console.print(f"\nplan  {run.paths.plan}")
        if out:
            console.print(f"table  {out}")
        if out_approval and not reviewed.problems:
            figures = reviewed.as_json()
            write_approval(out_approval, reviewed.plan, {name: figures[name] for name in _FIGURES})
            console.print(f"approval  {out_approval}")
        if output_format is OutputFormat.JSON:
            document = reviewed.as_json()
            print_json(document | {"changes": changed, "warnings": [*first, *document["warnings"]]})
        elif output_format is OutputFormat.MARKDOWN:
            warnings = [*first, *([reviewed.emptiness] if reviewed.emptiness else [])]
            front = [*(f"warning: {words}" for words in warnings), *([notice] if notice else [])]
            print_document(_markdown(reviewed, _run_command(file, options, run), changed, front, unmask=unmask))
        for problem in reviewed.problems:
            print_error(problem)
        console.notice(notice)
        return InputError.exit_code if reviewed.problems else 0, None


def _run_command(file: Path, options: RunOptions, run: "Run") -> str:
    """The shell command that runs this plan. It repeats the options that change a plan, such as --limit.

    It names a run that would be another one tomorrow.
    """
    from runner.run.naming import has_placeholder

    if has_placeholder(run.campaign.run) and not options.sandbox:
        options = replace(options, run=run.run)
    words = ["campaign", "run", str(file), *(["--sandbox"] if options.sandbox else [])]
    for name in ("run", "limit", "ledger", "reports"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    words += ["--require-ledger"] if options.require_ledger else []
    return shlex.join(words)


def _markdown(review: "Review", command: str, changes: Sequence[str], front: Sequence[str], *, unmask: bool) -> str:
    """The plan as Markdown. `command` runs the campaign; with the fingerprint added, it sends exactly this plan.

    `front` comes in front of everything else.
    """
    from runner.message.segments import measure

    hide: Callable[[str], str] = str if unmask else masked_output
    run, summary = review.run, review.run.summary
    text = [line for words in front for line in (f"**{escaped(words)}**", "")]
    text += [f"### {escaped(f'{run.name}/{run.run}')}", "", f"fingerprint `{review.plan.fingerprint}`", ""]
    text += ["| | | |", "|---|---:|---|"]
    for line in lines_of(review):
        label = f"&nbsp;&nbsp;{escaped(line.label)}" if line.is_part else f"**{escaped(line.label)}**"
        words = escaped(line.words + hide(line.detail))
        text.append(f"| {label if line.label else ''} | {escaped(line.number)} | {words} |")
    text += _listed("This plan can't be sent:", (hide(str(problem)) for problem in review.problems))
    text += _listed(_CHANGED, map(hide, changes))
    text += _listed("Warnings:", map(hide, review.warnings[bool(review.emptiness) :]))
    if summary.samples:
        text += ["", "**The first messages:**"]
    for row, destination, sample in summary.samples:
        left = measure(sample.text, sample.encoding).left
        size = f"{sample.encoding.value}, {counted(sample.segments, 'segment')}, {left} left"
        text += ["", f"row {summary.sheet_rows.of(row)}, {escaped(hide(destination))}, {size}", ""]
        text += _fenced(hide(sample.text), "text")
    if summary.to_send and not review.problems:
        parts = [f"- {part}: {escaped(words)}" for part, words in review.plan.parts.items()]
        text += ["", "**The fingerprint covers:**", "", *parts]
        text += ["", "To send exactly this plan:", "", *_fenced(f"{command} --approve {review.plan.fingerprint}")]
    return "\n".join(text) + "\n"


def _listed(title: str, points: Iterable[str]) -> list[str]:
    listed = [f"- {escaped(point)}" for point in points]
    return ["", f"**{escaped(title)}**", "", *listed] if listed else []


def _fenced(content: str, kind: str = "") -> list[str]:
    """The unchanged content in a code block whose fence is longer than any backticks in it."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", content))])
    return [f"{fence}{kind}", clean(content), fence]


_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&!+-])")
# After these, GitHub and GitLab make a mention, a reference or a link, even if they are escaped.
_ACTIVE = re.compile(r"(?<=[@#!$%~&])(?=\w)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"


def escaped(text: str) -> str:
    """Escape the text so that Markdown shows it literally, in one line, also in a table."""
    return _ACTIVE.sub(_ZERO_WIDTH_SPACE, _SPECIAL.sub(r"\\\1", " ".join(clean(text).split())))
