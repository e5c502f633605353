"""Everything that a campaign file and the environment name, read and checked before a row is read."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from runner.base.errors import InputError, Problem
from runner.plan.inputs import Inputs, load_inputs

# The environment variable with suppression lists for every campaign.
SUPPRESS_VARIABLE = "CAMPAIGN_SUPPRESS"


def suppression_lists_for_all() -> tuple[Path, ...]:
    """The suppression lists that hold for every campaign: paths as in PATH, relative to the working directory.

    Raises InputError when one of them is not there: nothing is sent because a list failed to load.
    """
    paths = [Path(name) for name in os.environ.get(SUPPRESS_VARIABLE, "").split(os.pathsep) if name.strip()]
    if missing := [path for path in paths if not path.is_file()]:
        remedy = f"correct {SUPPRESS_VARIABLE}; separate several paths with {os.pathsep}"
        raise InputError(
            [Problem(f'{SUPPRESS_VARIABLE} names "{path}", which is not a file', remedy) for path in missing]
        )
    return tuple(paths)


def inputs_of(path: Path, *, now: datetime | None = None) -> Inputs:
    """What the campaign file at `path` names, and the suppression lists for every campaign.

    Raises InputError with all problems; with `now` (aware) also for moments that can't be kept any more.
    """
    problems: Sequence[Problem] = ()
    suppress: tuple[Path, ...] = ()
    try:
        suppress = suppression_lists_for_all()
    except InputError as error:
        problems = error.problems
    try:
        inputs = load_inputs(path, suppress, now=now)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from error
    if problems:
        raise InputError(problems)
    return inputs
