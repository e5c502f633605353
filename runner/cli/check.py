"""`campaign check`: read campaign files, their templates and the recipients' headers; no network, no rows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from runner.base.errors import InputError
from runner.cli.console import print_json, say
from runner.cli.options import Json

NAME = "check"


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="The campaign files (YAML).")],
    as_json: Json = False,
) -> int:
    """Show everything that is wrong with campaign files."""
    from runner.plan.inputs import inputs_of

    documents = []
    for path in files:
        problems: list[str] = []
        try:
            inputs = inputs_of(path, now=datetime.now(UTC))
        except InputError as error:
            problems = [str(problem) for problem in error.problems]
            for problem in problems:
                say(problem)
        else:
            say(f"{path}: ok ({len(inputs.header)} columns in {inputs.audience.source.path}, {inputs.campaign.rate})")
        documents.append({"file": str(path), "ok": not problems, "problems": problems})
    if as_json:
        print_json({"files": documents})
    return 0 if all(document["ok"] for document in documents) else InputError.exit_code
