"""Files that are whole or not there: a killed process or a full disk leaves the old file, or the new one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from runner.base.errors import StoppedError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file, readable by its owner alone, that takes the place of `path` when the block ends well.

    Until then `path` stays as it was. The new content is on the disk (`fsync`) before it takes the name.
    Raises StoppedError when the file can't be written; what the block raises otherwise comes out as it is.
    """
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
        raise StoppedError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # what went wrong is told already, and this would hide it
            part.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Put a file with this content in the place of `path`, as `replacing` does. Raises StoppedError."""
    with replacing(path) as file:
        file.write(content)


def part_of(path: Path) -> Path:
    """The unfinished file beside `path`; a process that is killed leaves it behind."""
    return path.with_name(f".{path.name}.part")


def remove(path: Path) -> None:
    """Remove a file, if there is one. Raises StoppedError when it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoppedError(f"{path} could not be removed: {error.strerror}") from error
