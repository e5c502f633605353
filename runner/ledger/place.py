"""Where a ledger's file must not be: where another process could have the same file beside another write-ahead log.

SQLite keeps the newest commits in a -wal file beside the ledger. Two processes that reach one ledger in two folders
have two of them, and two folders of locks: neither knows whom the other has texted.
"""

import os
import re
from pathlib import Path

from runner.base.errors import InputError

# One line per mount point of this process, on Linux.
_MOUNTS = Path("/proc/self/mountinfo")


def refuse_shared_file(path: Path) -> None:
    """Raise InputError if the ledger is a mount of its own, or has more than one name. Links are followed."""
    real = os.path.realpath(path)
    if real in _mount_points():
        raise InputError.of(
            f"the ledger {path} is mounted as a single file, so its newest entries and its locks would stay behind, "
            "and people could be texted twice",
            f"mount the ledger's folder instead, for example `-v /data/reports:{Path(real).parent}`",
        )
    # A folder in its place has several names too; opening it reports that.
    if Path(real).is_file() and (names := Path(real).stat().st_nlink) > 1:
        raise InputError.of(
            f"the ledger {path} has {names} names (hard links), and each would have newest entries and locks of its "
            "own, so people could be texted twice",
            "keep one name and delete the others; for a copy, use `campaign ledger backup`",
        )


def _mount_points() -> set[str]:
    """The mount points that this process sees; none where the system doesn't list them."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return set()
    # Spaces, tabs, line breaks and backslashes are written as octal codes.
    points = (re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), line.split(b" ")[4]) for line in lines)
    return set(map(os.fsdecode, points))
