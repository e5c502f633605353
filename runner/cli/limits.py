"""The limits that a shell, a service or a container sets for this process (`ulimit`): words for what they prevent."""

import errno
import sys

from runner.base.errors import BlockedError

# What a run needs at least: files, with one for each connection, and bytes of address space, with all its libraries.
LEAST_FILES = 64
LEAST_MEMORY = 2_000_000_000


def refuse_low_limits() -> None:
    """Raise BlockedError if a run would end in the middle. Limits that the system doesn't have don't count."""
    if sys.platform == "win32":
        return
    import resource

    limits = (
        (resource.RLIMIT_NOFILE, LEAST_FILES, f"{LEAST_FILES} open files", "ulimit -n"),
        (resource.RLIMIT_AS, LEAST_MEMORY, f"{LEAST_MEMORY / 1e9:g} GB of memory", "ulimit -v"),
    )
    for which, least, words, command in limits:
        soft, _ = resource.getrlimit(which)
        if soft != resource.RLIM_INFINITY and soft < least:
            raise BlockedError(f"a run needs at least {words}, and this shell or service allows less; see `{command}`")


def limit_met(error: Exception) -> str | None:
    """In words, the limit of this process that caused an error; None if it was none."""
    words = str(error)
    if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE) or "Too many open files" in words:
        return "too many files are open; allow more with `ulimit -n`"
    if (
        isinstance(error, MemoryError)
        or "can't start new thread" in words
        or "failed to map segment" in words
        or getattr(error, "errno", None) == errno.ENOMEM
    ):
        return "there is not enough memory; free some, or allow more with `ulimit -v`"
    return None
