"""Whether the files that a campaign names are there, and which one may have been meant."""

import os
from pathlib import Path, PurePath

from runner.campaign.words import did_you_mean, quoted


def trouble_with(path: Path, *, written: str, folder: Path | None = None) -> tuple[str, str] | None:
    """What is wrong with a file that must be readable, and the remedy; None when nothing is.

    `path` is the file as this process reaches it, `written` what the user wrote. `folder` is the campaign file's, when
    it was written there.
    """
    try:
        if path.is_dir():
            return f"{path} is a folder", "name a file in it"
        if path.exists() and not path.is_file():  # a pipe would be waited for, and it can't be read twice
            return f"{path} is not a regular file", "save its content in a file"
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return f"no such file: {path}", _remedy(path, written, folder)
    except PermissionError:
        return f"no permission to read {path}", "ask its owner, or change its permissions"
    except NotADirectoryError:
        return f"no such file: {path}", f"{path.parent} is a file, not a folder"
    except (OSError, ValueError) as error:  # a name too long, or characters that no file name has
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a possible file name"
        return f"cannot read {quoted(written)}: {reason.lower()}", "name a file on this computer"


def _remedy(path: Path, written: str, folder: Path | None) -> str:
    from_here = Path(written)
    if folder is not None and from_here.is_file():
        meant = PurePath(os.path.relpath(from_here, folder)).as_posix()
        return f"paths are relative to the campaign file, so write {quoted(meant)}"
    if "\\" in written and os.sep == "/":
        return f"write / between folders: {quoted(written.replace(chr(92), '/'))}"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    if similar := did_you_mean(path.name, _names_in(path.parent)):
        return f"did you mean {quoted(PurePath(written).with_name(similar).as_posix())}?"
    return "create it, or correct the path"


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError:
        return []
