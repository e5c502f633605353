"""`campaign plan`: who would get what, in how many segments, and who is left out and why. Sends nothing."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import human, print_document, print_json, say
from runner.cli.options import AcceptClock, AcceptLedger, File, Json, LedgerUrl, Limit, Reports, RunId, Sandbox
from runner.errors import InputError

if TYPE_CHECKING:
    from runner.run.places import Options

NAME = "plan"


class Format(StrEnum):
    """How the plan is shown on standard output."""

    TEXT = "text"
    MARKDOWN = "markdown"  # for a pull request, numbers masked
    JSON = "json"


def command(
    file: File,
    form: Annotated[
        Format, typer.Option("--format", help="text; markdown for a pull request, numbers masked; or json.")
    ] = Format.TEXT,
    accept_ledger: AcceptLedger = False,
    accept_clock: AcceptClock = False,
    run: RunId = None,
    sandbox: Sandbox = False,
    limit: Limit = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Show who would get what, and who is left out and why."""
    from runner.cli.markdown import markdown
    from runner.cli.show import show_plan, show_standing
    from runner.run.job import opened
    from runner.run.places import Options
    from runner.run.review import review

    form = Format.JSON if as_json else form
    console = human(as_json=form is not Format.TEXT)
    options = Options(run, sandbox, limit, ledger, reports, accept_ledger, accept_clock)
    with opened(file, options) as job:
        job.plan()
        seen = review(job)
        changes = job.changes()
        if form is not Format.MARKDOWN:
            show_plan(console, seen)
            show_standing(console, job, job.standing())
        if changes:
            console.print("\nThis run has begun with another plan; `campaign run` will want --accept-changes:")
            for change in changes:
                console.print(f"  {change}")
        console.print(f"\nplan  {job.places.plan}")
        if form is Format.JSON:
            print_json(seen.as_json() | {"changes": changes})
        elif form is Format.MARKDOWN:
            print_document(markdown(seen, _run_command(file, options), changes))
        for problem in seen.problems:
            say(str(problem))
        return InputError.exit_code if seen.problems else 0


def _run_command(file: Path, options: "Options") -> str:
    """What a shell takes to run what was planned: another run or limit would be another plan."""
    words = ["campaign", "run", str(file), *(["--sandbox"] if options.sandbox else [])]
    for name in ("run", "limit", "ledger", "reports"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return shlex.join(words)
