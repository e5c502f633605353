"""A file that changes while it is read: half of the old list and half of the new one belong together in no way."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import InputError

Stamp = tuple[int, int, int]  # (inode, bytes, nanoseconds)


@contextmanager
def unchanged(path: Path) -> Generator[None, None, None]:
    """Raises InputError at the end of the block if the file is another one than at its start, or was written to.

    That comes before any other trouble in the block: a quote that is never closed in a half written file is no news,
    and a second reading may miss what the first one found.
    """
    before = _stamp(path)
    try:
        yield
    except Exception as error:
        if before is not None and _stamp(path) != before:
            raise changed(path) from error
        raise
    if before is not None and _stamp(path) != before:
        raise changed(path)


def _stamp(path: Path) -> Stamp | None:
    try:
        facts = path.stat()
    except OSError:
        return None  # whoever opens it says what is wrong
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def changed(path: Path) -> InputError:
    """Words for a file that is no longer what it was."""
    return InputError.of(f"{path} changed while it was read", "run again when it is written whole")
