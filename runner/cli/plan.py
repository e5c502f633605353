"""`campaign plan`: who would get what, in how many segments, and who is left out and why. Sends nothing.

For the review of a pull request, a plan is shown as Markdown. Phone numbers are masked there, because a review is read
by many; a number that stands in the template is no recipient's. Cells come from anybody: nothing in them may format,
link or notify.
"""

import re
import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError
from runner.base.wording import counted
from runner.cli.console import Console, clean, print_document, print_json, print_stderr
from runner.cli.options import AllRunOptions, File, with_shared_options
from runner.cli.plan_view import lines_of, show_plan, show_remaining
from runner.report.masking import masked
from runner.run.paths import RunOptions

if TYPE_CHECKING:
    from runner.run.review import Review

_CHANGED = "This run has begun with another plan; "


class OutputFormat(StrEnum):
    """How the plan is shown on standard output."""

    TEXT = "text"
    MARKDOWN = "markdown"  # for a pull request, numbers masked
    JSON = "json"


@with_shared_options
def command(
    options: AllRunOptions,
    as_json: bool,
    file: File,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="text; markdown for a pull request, numbers masked; or json.")
    ] = OutputFormat.TEXT,
) -> tuple[int, None]:
    """Show who would get what, and who is left out and why."""
    from runner.run.open import open_run
    from runner.run.plan import changes, make_plan, remaining_of
    from runner.run.review import review

    output_format = OutputFormat.JSON if as_json else output_format
    console = Console(as_json=output_format is not OutputFormat.TEXT)
    with open_run(file, options) as run:
        make_plan(run)
        reviewed, changed = review(run), changes(run)
        if output_format is not OutputFormat.MARKDOWN:
            show_plan(console, reviewed)
            show_remaining(console, run, remaining_of(run))
        if changed:
            console.print(f"\n{_CHANGED}`campaign run` will want --accept-changes:")
            for change in changed:
                console.print(f"  {change}")
        console.print(f"\nplan  {run.paths.plan}")
        if output_format is OutputFormat.JSON:
            print_json(reviewed.as_json() | {"changes": changed})
        elif output_format is OutputFormat.MARKDOWN:
            print_document(_markdown(reviewed, _run_command(file, options), changed))
        for problem in reviewed.problems:
            print_stderr(str(problem))
        return InputError.exit_code if reviewed.problems else 0, None


def _run_command(file: Path, options: RunOptions) -> str:
    """What a shell takes to run what was planned: another run or limit would be another plan."""
    words = ["campaign", "run", str(file), *(["--sandbox"] if options.sandbox else [])]
    for name in ("run", "limit", "ledger", "reports"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return shlex.join(words)


def _markdown(review: "Review", command: str, changes: Sequence[str]) -> str:
    """The plan as Markdown, with the `command` that sends this very plan when the fingerprint is added."""
    from runner.message.segments import measure

    run, summary = review.run, review.run.summary
    text = [f"### {escaped(f'{run.name}/{run.run}')}", "", f"fingerprint `{summary.fingerprint}`", ""]
    text += ["| | | |", "|---|---:|---|"]
    for line in lines_of(review):
        label = f"&nbsp;&nbsp;{escaped(line.label)}" if line.is_part else f"**{escaped(line.label)}**"
        words = escaped(line.words + masked(line.detail))
        text.append(f"| {label if line.label else ''} | {escaped(line.number)} | {words} |")
    text += _listed("This plan can't be sent:", [str(problem) for problem in review.problems])
    text += _listed(f"{_CHANGED}it will want --accept-changes:", changes)
    text += _listed("Look at this:", review.warnings)
    if summary.samples:
        text += ["", "**The first messages:**"]
    own_text = run.inputs.composer.template.origins.own_text
    for row, destination, sample in summary.samples:
        left = measure(sample.text, sample.encoding).left
        size = f"{sample.encoding.value}, {counted(sample.segments, 'segment')}, {left} left"
        text += ["", f"row {row}, {escaped(masked(destination))}, {size}", ""]
        text += _fenced(masked(sample.text, besides=own_text), "text")
    if summary.to_send and not review.problems:
        text += ["", "To send just this:", "", *_fenced(f"{command} --approve {summary.fingerprint}")]
    return "\n".join(text) + "\n"


def _listed(title: str, points: Sequence[str]) -> list[str]:
    return ["", f"**{escaped(title)}**", "", *(f"- {escaped(masked(point))}" for point in points)] if points else []


def _fenced(content: str, kind: str = "") -> list[str]:
    """The content as it is, in a block that none of its own backticks can end."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", content))])
    return [f"{fence}{kind}", clean(content), fence]


_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&!+-])")
# Behind these, GitHub and GitLab make a mention, a reference or a link, however they are escaped.
_ACTIVE = re.compile(r"(?<=[@#!$%~&])(?=\w)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"


def escaped(text: str) -> str:
    """The text as Markdown shows it literally, in one line of a table too."""
    return _ACTIVE.sub(_ZERO_WIDTH_SPACE, _SPECIAL.sub(r"\\\1", " ".join(clean(text).split())))
