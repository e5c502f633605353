"""A plan as Markdown, for the review of a pull request. Numbers are masked: a review is read by many."""

import re
from typing import TYPE_CHECKING

from runner.cli.console import clean
from runner.cli.plan_view import lines_of

if TYPE_CHECKING:
    from runner.run.review import Review

_NUMBER = re.compile(r"(?<![0-9])(\+?[0-9]{2,4})([0-9]{3,})([0-9]{2})(?![0-9])")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~&!+-])")


def markdown(review: "Review", file: str) -> str:
    """The plan of the campaign file `file`, with what to write to send just this plan."""
    run, summary = review.run, review.run.summary
    text = [f"### {escaped(f'{run.name}/{run.run}')}", "", f"fingerprint `{summary.fingerprint}`", ""]
    text += ["| | | |", "|---|---:|---|"]
    for line in lines_of(review):
        label = f"&nbsp;&nbsp;{escaped(line.label)}" if line.is_part else f"**{escaped(line.label)}**"
        text.append(f"| {label if line.label else ''} | {escaped(line.number)} | {escaped(masked(line.words))} |")
    if review.problems:
        text += ["", "**This plan can't be sent:**", ""]
        text += [f"- {escaped(masked(str(problem)))}" for problem in review.problems]
    if review.warnings:
        text += ["", "**Look at this:**", ""]
        text += [f"- {escaped(masked(warning))}" for warning in review.warnings]
    if summary.samples:
        text += ["", "**The first messages:**"]
    for row, destination, sample in summary.samples:
        fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", sample.text)), 3)
        size = f"{sample.encoding.value}, {sample.segments} segment{'s' if sample.segments > 1 else ''}"
        text += [
            "",
            f"row {row}, {escaped(masked(destination))}, {size}",
            "",
            f"{fence}text",
            clean(sample.text),
            fence,
        ]
    if summary.to_send and not review.problems:
        text += ["", "To send just this:", "", "```", f"campaign run {file} --approve {summary.fingerprint}", "```"]
    return "\n".join(text) + "\n"


def masked(text: str) -> str:
    """Without the middle digits of what may be a phone number: `+1202•••0142`."""
    return _NUMBER.sub(lambda match: match[1] + "•" * len(match[2]) + match[3], text)


def escaped(text: str) -> str:
    """The text as Markdown shows it literally, in one line of a table too."""
    return _SPECIAL.sub(r"\\\1", " ".join(clean(text).split()))
