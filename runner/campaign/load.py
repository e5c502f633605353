"""Reading a campaign file: the way into this room."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path
from typing import Any

from runner.campaign import document as documents
from runner.campaign.canonical import Written, canonical
from runner.campaign.files import trouble_with
from runner.campaign.model import Campaign
from runner.campaign.nodes import KeyPath
from runner.campaign.validate import validate
from runner.errors import InputError, Position, Problem


@dataclass(frozen=True)
class CampaignFile:
    """A campaign and where each part of it is written, for problems that only a later look finds.

    Paths are of the spelled-out form, such as `("message", "template")`, also where the file has a shorthand.
    """

    path: Path
    campaign: Campaign
    written: Written = field(default=Written(""), repr=False, compare=False)

    def position(self, *path: str | int) -> Position:
        """Where the value stands; for a key that isn't in the file, the nearest key around it."""
        return self.written.position(path)

    def problem(self, path: KeyPath, what: str, remedy: str = "") -> Problem:
        """A problem with the value at `path`, under the name that the user gave it."""
        return self.written.problem(path, what, remedy)


def load(path: Path) -> CampaignFile:
    """The campaign in a file. Raises InputError with every problem of the file."""
    file, problems = read(path)
    if problems or file is None:
        raise InputError(problems)
    return file


def read(path: Path) -> tuple[CampaignFile | None, list[Problem]]:
    """The campaign in a file, and everything that is wrong with the file, in the order of its lines.

    With problems, the campaign is one to look for more problems with, never one to send: wrong parts are left out or
    replaced by stand-ins. It is None when its recipients or its message cannot be understood.
    """
    document = documents.read(path)
    if document.tree is None:
        return None, document.problems
    tree, written, problems = canonical(document)
    named = list(_files_named(tree))
    campaign, wrong = validate(tree, written, path.parent, document.broken)
    for key, name in named:
        if key in wrong:
            continue
        if trouble := trouble_with(Path(normpath(path.parent / name)), written=name, folder=path.parent):
            wrong[key] = written.problem(key, *trouble)
    everything = sorted([*document.problems, *problems, *wrong.values()], key=_place)
    return CampaignFile(path, campaign, written) if campaign else None, everything


def _files_named(tree: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Each file that the campaign names, with the path of its key; whatever is no text is left to the model."""
    for path in (("recipients", "file"), ("recipients", "suppress"), ("message", "template"), ("prices",)):
        value: Any = tree
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        items: list[tuple[KeyPath, Any]] = [(path, value)]
        if isinstance(value, list):
            items = [((*path, n), item) for n, item in enumerate(value)]
        for at, item in items:
            if isinstance(item, str):
                yield at, item
            elif isinstance(item, dict) and isinstance(item.get("file"), str):
                yield (*at, "file"), item["file"]


def _place(problem: Problem) -> tuple[int, int]:
    return (problem.where.line, problem.where.column) if problem.where else (0, 0)
