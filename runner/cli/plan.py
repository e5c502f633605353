"""`campaign plan`: who would get what, in how many segments, and who is left out and why. Sends nothing."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.base.errors import InputError
from runner.cli.console import human, print_document, print_json, say
from runner.cli.options import AcceptClock, AcceptLedger, File, Json, LedgerUrl, Limit, Reports, RunId, Sandbox

if TYPE_CHECKING:
    from runner.run.paths import RunOptions

NAME = "plan"


class OutputFormat(StrEnum):
    """How the plan is shown on standard output."""

    TEXT = "text"
    MARKDOWN = "markdown"  # for a pull request, numbers masked
    JSON = "json"


def command(
    file: File,
    form: Annotated[
        OutputFormat, typer.Option("--format", help="text; markdown for a pull request, numbers masked; or json.")
    ] = OutputFormat.TEXT,
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
    from runner.cli.show import show_plan, show_remaining
    from runner.run.open import open_run
    from runner.run.paths import RunOptions
    from runner.run.plan import changes, make_plan, remaining_of
    from runner.run.review import review

    form = OutputFormat.JSON if as_json else form
    console = human(as_json=form is not OutputFormat.TEXT)
    options = RunOptions(run, sandbox, limit, ledger, reports, accept_ledger, accept_clock)
    with open_run(file, options) as opened:
        make_plan(opened)
        reviewed = review(opened)
        changed = changes(opened)
        if form is not OutputFormat.MARKDOWN:
            show_plan(console, reviewed)
            show_remaining(console, opened, remaining_of(opened))
        if changed:
            console.print("\nThis run has begun with another plan; `campaign run` will want --accept-changes:")
            for change in changed:
                console.print(f"  {change}")
        console.print(f"\nplan  {opened.paths.plan}")
        if form is OutputFormat.JSON:
            print_json(reviewed.as_json() | {"changes": changed})
        elif form is OutputFormat.MARKDOWN:
            print_document(markdown(reviewed, _run_command(file, options), changed))
        for problem in reviewed.problems:
            say(str(problem))
        return InputError.exit_code if reviewed.problems else 0


def _run_command(file: Path, options: "RunOptions") -> str:
    """What a shell takes to run what was planned: another run or limit would be another plan."""
    words = ["campaign", "run", str(file), *(["--sandbox"] if options.sandbox else [])]
    for name in ("run", "limit", "ledger", "reports"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return shlex.join(words)
