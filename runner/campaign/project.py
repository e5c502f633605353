"""The project file, `project.yaml`: what holds for every campaign of a project. All keys are optional."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from runner.base.errors import InputError, Problem
from runner.base.options import Rate
from runner.campaign import values
from runner.campaign.fields import Section, choice, optional, pattern, setting
from runner.campaign.load import content_of
from runner.campaign.normalize import normalize, sections_of
from runner.campaign.validate import validate
from runner.campaign.yaml_document import parse


class LedgerRule(StrEnum):
    """What the project demands of its ledger."""

    REQUIRED = "required"  # no command makes a new ledger, except `campaign ledger`


class ProjectAccountSection(Section):
    """What holds for each sub-account of the project."""

    rate: Annotated[Rate, pattern(values.rate, values.RATE_PATTERN, "a whole number per s, min or h", Rate)] | None = (
        optional(
            "The maximum number of requests of a sub-account per second (s), minute (min) or hour (h), over all runs "
            "of the ledger. Absent: the highest rate of the runs that send at the same time.",
            "200/s",
        )
    )


class Project(Section):
    """The settings of a project."""

    ledger: Annotated[LedgerRule, choice(LedgerRule)] | None = optional(
        "required: a command refuses to make a new ledger; `campaign ledger init` makes it. Absent: the first run "
        "makes the ledger.",
        "required",
    )
    account: ProjectAccountSection = setting(
        "What holds for each sub-account.", {"rate": "200/s"}, ProjectAccountSection()
    )


def read_project(path: Path) -> Project:
    """The project file at `path`; no settings if there is none. Raises InputError with all its problems."""
    if not os.path.lexists(path):
        return Project()
    content = content_of(path)
    if isinstance(content, Problem):
        raise InputError([content])
    document = parse(content, str(path), may_be_empty=True)
    if document.tree is None:
        raise InputError(document.problems)
    sections = sections_of(Project)
    tree, source_map, problems = normalize(document, sections)
    project, wrong = validate(Project, tree, source_map, path.parent, document.broken, sections)
    everything = [*document.problems, *problems, *wrong.values()]
    if everything or project is None:
        raise InputError(sorted(everything, key=lambda problem: (problem.where is not None, problem.where)))
    return project
