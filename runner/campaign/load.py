"""Read a campaign file: the entry point of this room."""

import os
import re
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
from runner.campaign.recipients_section import ONE_FILE
from runner.campaign.validate import validate
from runner.campaign.yaml_document import MAX_BYTES, KeyPath, parse

# A pattern such as *.csv, or several names in one text.
_SEVERAL = re.compile(r"[*?{\[]|\.\w+\s*[,;]\s*\S")


@dataclass(frozen=True)
class CampaignFile:
    """A campaign with the position of each value, so that later checks can report problems.

    Paths use the full form, such as `("message", "template")`, even if the file uses a shorthand.
    """

    path: Path
    campaign: Campaign
    source_map: SourceMap = field(default=SourceMap(""), repr=False, compare=False)

    def position(self, *path: str | int) -> Position:
        """The position of a value; for a key that isn't in the file, that of the nearest enclosing key."""
        return self.source_map.position(path)

    def problem(self, path: KeyPath, what: str, remedy: str = "") -> Problem:
        """A problem with the value at `path`, under the key that the user wrote."""
        return self.source_map.problem(path, what, remedy)


def read(path: Path) -> tuple[CampaignFile | None, list[Problem]]:
    """The campaign in a file, and all problems of the file, in line order.

    If there are problems, use the campaign only to find more problems, never to send: invalid parts are missing or
    replaced by placeholders. The campaign is None if its recipients or message can't be understood.
    """
    content = content_of(path)
    if isinstance(content, Problem):
        return None, [content]
    document = parse(content, str(path))
    if document.tree is None:
        return None, document.problems
    tree, source_map, problems = normalize(document)
    files = list(_files_named(tree))
    campaign, wrong = validate(Campaign, tree, source_map, path.parent, document.broken)
    for key, name in files:
        trouble = _unreadable(Path(normpath(path.parent / name)), written=name, folder=path.parent)
        if trouble and key not in wrong:
            means_several = trouble[0].endswith(" is a folder") or _SEVERAL.search(name)
            remedy = ONE_FILE if means_several and key == ("recipients", "file") else trouble[1]
            wrong[key] = source_map.problem(key, trouble[0], remedy)
    everything = [*document.problems, *problems, *wrong.values()]
    everything.sort(key=lambda problem: (problem.where.line, problem.where.column) if problem.where else (0, 0))
    return CampaignFile(path, campaign, source_map) if campaign else None, everything


def content_of(path: Path) -> bytes | Problem:
    """The bytes of a file, at most one more than the parser accepts, or why it can't be read."""
    if trouble := _unreadable(path, written=str(path)):
        return Problem(*trouble)
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        return Problem(f"can't read {path}: {error.strerror}")


def _files_named(tree: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Each file that the campaign names, with its key path. The model reports values that aren't text."""
    for path in (("recipients", "file"), ("recipients", "suppress"), ("message", "template"), ("prices",)):
        value: Any = tree
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        items = enumerate(value) if isinstance(value, list) and path[-1] == "suppress" else ()
        for item_path, item in [(path, value), *(((*path, n), item) for n, item in items)]:
            if isinstance(item, str):
                yield item_path, item
            elif isinstance(item, dict) and isinstance(item.get("file"), str):
                yield (*item_path, "file"), item["file"]


def _unreadable(path: Path, *, written: str, folder: Path | None = None) -> tuple[str, str] | None:
    """Why a file can't be read, and the remedy; None if it can.

    `written` is the path as the user wrote it. `folder` is the campaign file's folder if the path is from there.
    """
    try:
        if path.is_dir():
            return f"{path} is a folder", "write the path of a file"
        if path.exists() and not path.is_file():  # a pipe would block, and can't be read twice
            return f"{path} is not a regular file", "save its content to a file"
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return f"no such file: {path}", _remedy_for_missing(path, written, folder)
    except PermissionError:
        return f"no permission to read {path}", "change its permissions, or ask its owner"
    except NotADirectoryError:
        return f"no such file: {path}", f"{path.parent} is a file, not a folder"
    except (OSError, ValueError) as error:  # the name is too long or has invalid characters
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "invalid file name"
        return f"can't read {quoted(written)}: {reason.lower()}", "write the path of a file on this computer"


def _remedy_for_missing(path: Path, written: str, folder: Path | None) -> str:
    from_here = Path(written)
    if folder is not None and from_here.is_file():
        meant = PurePath(os.path.relpath(from_here, folder)).as_posix()
        return f"paths are relative to the campaign file; write {quoted(meant)}"
    if "\\" in written and os.sep == "/":
        return f"write paths with /: {quoted(written.replace(chr(92), '/'))}"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    with suppress(OSError):
        if similar := closest(path.name, [entry.name for entry in path.parent.iterdir() if entry.is_file()]):
            return f"did you mean {quoted(PurePath(written).with_name(similar).as_posix())}?"
    return "create the file or correct the path"
