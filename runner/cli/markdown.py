"""A plan as Markdown, for the review of a pull request.

Phone numbers are masked, because a review is read by many; a number that stands in the template is none of theirs.
Cells come from anybody: nothing in them may format, link or notify.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.console import clean
from runner.cli.plan_view import lines_of
from runner.report.masking import masked

if TYPE_CHECKING:
    from runner.run.review import Review

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&!+-])")
# Behind these, GitHub and GitLab make a mention, a reference or a link, however they are escaped.
_ACTIVE = re.compile(r"(?<=[@#!$%~&])(?=\w)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_NOTHING = "\u200b"


def markdown(review: "Review", command: str, changes: Sequence[str] = ()) -> str:
    """The plan, with what to write to send just this one: `command`, which lacks the fingerprint alone.

    `changes` are what the run would send otherwise than when it began.
    """
    from runner.message.segments import measure

    run, summary = review.run, review.run.summary
    text = [f"### {escaped(f'{run.name}/{run.run}')}", "", f"fingerprint `{summary.fingerprint}`", ""]
    text += ["| | | |", "|---|---:|---|"]
    for line in lines_of(review):
        label = f"&nbsp;&nbsp;{escaped(line.label)}" if line.is_part else f"**{escaped(line.label)}**"
        words = escaped(line.words + masked(line.detail))
        text.append(f"| {label if line.label else ''} | {escaped(line.number)} | {words} |")
    text += _listed("This plan can't be sent:", [str(problem) for problem in review.problems])
    text += _listed("This run has begun with another plan; it will want --accept-changes:", changes)
    text += _listed("Look at this:", review.warnings)
    if summary.samples:
        text += ["", "**The first messages:**"]
    own_text = run.inputs.composer.template.origins.own_text
    for row, destination, sample in summary.samples:
        left = measure(sample.text, sample.encoding).left
        size = f"{sample.encoding.value}, {sample.segments} segment{'s' if sample.segments > 1 else ''}, {left} left"
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


def escaped(text: str) -> str:
    """The text as Markdown shows it literally, in one line of a table too."""
    return _ACTIVE.sub(_NOTHING, _SPECIAL.sub(r"\\\1", " ".join(clean(text).split())))
