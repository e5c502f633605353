"""`campaign check`: check campaign files, their templates, and the recipients' headers and first rows; no network."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from runner.base.errors import InputError, Problem
from runner.cli.console import print_error, print_json, print_stderr
from runner.cli.options import Json, Unmask, campaign_masks, decide_masking


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="The campaign files (YAML).")],
    as_json: Json = False,
    unmask: Unmask = False,
) -> int:
    """Show every error in campaign files and their project. Reads only the first recipients."""
    from runner.campaign.project import read_project
    from runner.plan.inputs import check_first_rows, load_inputs
    from runner.run.paths import PROJECT_FILE, project_of

    decide_masking(unmask, lambda: any(map(campaign_masks, files)))
    problems: dict[Path, list[str]] = {}
    printed: set[Problem] = set()  # files of one project share the problems of its project file
    for path in files:
        found: list[Problem] = []
        try:
            read_project(project_of(path) / PROJECT_FILE)
        except InputError as error:
            found += error.problems
        try:
            inputs = load_inputs(path, now=datetime.now(UTC))
            check_first_rows(inputs)
        except InputError as error:
            found += error.problems
        for problem in found:
            if problem not in printed:
                print_error(problem)
        printed.update(found)
        if not found:
            columns, source = len(inputs.audience.header), inputs.audience.source.path
            print_stderr(f"{path}: ok ({columns} columns in {source}, {inputs.campaign.rate})")
        problems[path] = [str(problem) for problem in found]
    if as_json:
        files_checked = [{"file": str(path), "ok": not found, "problems": found} for path, found in problems.items()]
        print_json({"files": files_checked})
    return InputError.exit_code if any(problems.values()) else 0
