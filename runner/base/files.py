"""Writing files atomically: after a kill or on a full disk, there is either the old file or the complete new one."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from runner.base.errors import BlockedError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file, readable by its owner only, that replaces `path` when the block ends without an error.

    Until then, `path` doesn't change. The new content is on the disk (`fsync`) before the file is renamed.
    Raises BlockedError if the file can't be written. Other exceptions of the block are raised unchanged.
    """
    # Renaming would replace /dev/null, say.
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 (these don't raise)
        raise BlockedError(f"{path} could not be written: it is not a file")
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # the real error is already being raised, and this one would hide it
            part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> BlockedError:
    """The error for a file that can't be written."""
    remedy = "; free some disk space, then run the command again" if error.errno == errno.ENOSPC else ""
    return BlockedError(f"{path} could not be written: {error.strerror or error}{remedy}")


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` with a file with this content, as `replacing` does. Raises BlockedError."""
    with replacing(path) as file:
        file.write(content)


def part_of(path: Path) -> Path:
    """The unfinished file next to `path`. A killed process leaves it behind."""
    return path.parent / f".{path.name}.part"  # unlike `with_name`, also for a path without a name, such as `.`


def remove(path: Path) -> None:
    """Delete a file, if it exists. Raises BlockedError if that fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BlockedError(f"{path} could not be deleted: {error.strerror}") from error
