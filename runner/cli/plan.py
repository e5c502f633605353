"""`campaign plan`: who would get what, in how many segments, and who is left out and why. Sends nothing."""

from enum import StrEnum
from typing import Annotated

import typer

from runner.cli.console import human, print_json, say
from runner.cli.options import File, Json, LedgerUrl, Limit, Reports, RunId, Sandbox
from runner.errors import InputError

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
    with opened(file, Options(run, sandbox, limit, ledger, reports)) as job:
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
            typer.echo(markdown(seen, str(file)), nl=False)
        for problem in seen.problems:
            say(str(problem))
        return InputError.exit_code if seen.problems else 0
