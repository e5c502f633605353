"""Reading a campaign file: the way into this room."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path, PurePath
from typing import Any

from runner.base.errors import Position, Problem
from runner.base.text import closest, quoted
from runner.campaign.model import Campaign
from runner.campaign.normalize import SourceMap, normalize
from runner.campaign.validate import validate
from runner.campaign.yaml_document import MAX_BYTES, KeyPath, parse


@dataclass(frozen=True)
class CampaignFile:
    """A campaign and where each part of it is written, for problems that only a later look finds.

    Paths are of the spelled-out form, such as `("message", "template")`, also where the file has a shorthand.
    """

    path: Path
    campaign: Campaign
    source_map: SourceMap = field(default=SourceMap(""), repr=False, compare=False)

    def position(self, *path: str | int) -> Position:
        """Where the value stands; for a key that isn't in the file, the nearest key around it."""
        return self.source_map.position(path)

    def problem(self, path: KeyPath, what: str, remedy: str = "") -> Problem:
        """A problem with the value at `path`, under the name that the user gave it."""
        return self.source_map.problem(path, what, remedy)


def read(path: Path) -> tuple[CampaignFile | None, list[Problem]]:
    """The campaign in a file, and everything that is wrong with the file, in the order of its lines.

    With problems, the campaign is one to look for more problems with, never one to send: wrong parts are left out or
    replaced by stand-ins. It is None when its recipients or its message cannot be understood.
    """
    if trouble := _unreadable(path, written=str(path)):
        return None, [Problem(*trouble)]
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Problem(f"cannot read {path}: {error.strerror}")]
    document = parse(content, str(path))
    if document.tree is None:
        return None, document.problems
    tree, source_map, problems = normalize(document)
    files = list(_files_named(tree))
    campaign, wrong = validate(tree, source_map, path.parent, document.broken)
    for key, name in files:
        trouble = _unreadable(Path(normpath(path.parent / name)), written=name, folder=path.parent)
        if trouble and key not in wrong:
            wrong[key] = source_map.problem(key, *trouble)
    everything = [*document.problems, *problems, *wrong.values()]
    everything.sort(key=lambda problem: (problem.where.line, problem.where.column) if problem.where else (0, 0))
    return CampaignFile(path, campaign, source_map) if campaign else None, everything


def _files_named(tree: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Each file that the campaign names, with the path of its key; what isn't text is left to the model."""
    for path in (("recipients", "file"), ("recipients", "suppress"), ("message", "template"), ("prices",)):
        value: Any = tree
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        items = enumerate(value) if isinstance(value, list) else ()
        for item_path, item in [(path, value), *(((*path, n), item) for n, item in items)]:
            if isinstance(item, str):
                yield item_path, item
            elif isinstance(item, dict) and isinstance(item.get("file"), str):
                yield (*item_path, "file"), item["file"]


def _unreadable(path: Path, *, written: str, folder: Path | None = None) -> tuple[str, str] | None:
    """What is wrong with a file that must be readable, and the remedy; None when nothing is.

    `written` is what the user wrote; `folder` is the campaign file's, when it was written there.
    """
    try:
        if path.is_dir():
            return f"{path} is a folder", "name a file in it"
        if path.exists() and not path.is_file():  # a pipe would be waited for, and it can't be read twice
            return f"{path} is not a regular file", "save its content in a file"
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return f"no such file: {path}", _remedy_for_missing(path, written, folder)
    except PermissionError:
        return f"no permission to read {path}", "ask its owner, or change its permissions"
    except NotADirectoryError:
        return f"no such file: {path}", f"{path.parent} is a file, not a folder"
    except (OSError, ValueError) as error:  # a name too long, or characters that no file name has
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a possible file name"
        return f"cannot read {quoted(written)}: {reason.lower()}", "name a file on this computer"


def _remedy_for_missing(path: Path, written: str, folder: Path | None) -> str:
    from_here = Path(written)
    if folder is not None and from_here.is_file():
        meant = PurePath(os.path.relpath(from_here, folder)).as_posix()
        return f"paths are relative to the campaign file, so write {quoted(meant)}"
    if "\\" in written and os.sep == "/":
        return f"write / between folders: {quoted(written.replace(chr(92), '/'))}"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    with suppress(OSError):
        if similar := closest(path.name, [entry.name for entry in path.parent.iterdir() if entry.is_file()]):
            return f"did you mean {quoted(PurePath(written).with_name(similar).as_posix())}?"
    return "create it, or correct the path"
