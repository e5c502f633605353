"""A memory limit for planning (`CAMPAIGN_MEMORY_LIMIT`, `ulimit -v`): words and exit code 2 when it is reached.

Polars and calamine abort the process when the system refuses memory, and an aborted process can't say why. So with a
limit, a child process does what may reach it, and this process says it.
"""

import os
import re
import signal
import sys
from contextlib import contextmanager

from runner.base.errors import InputError, is_panic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

COMMANDS = ("check", "plan", "preview")
VARIABLE = "CAMPAIGN_MEMORY_LIMIT"
# Polars alone maps 0.8 GB on two cores; with less, it can't start its threads, and hangs.
LEAST_BYTES = 2_000_000_000
# How a process ends that gets no memory: Rust aborts, and code that doesn't check for it reads address 0.
_SIGNALS = (signal.SIGABRT, signal.SIGSEGV)


def with_limit(arguments: "list[str]", command: "Callable[[], object]") -> object:
    """What `command` returns. If it plans under a memory limit: its exit code, from a child process.

    Raises InputError if the limit is reached, or too low to plan anything.
    """
    limit = _limit() if arguments[:1] and arguments[0] in COMMANDS else None
    if limit is None:
        return command()
    with _words(limit[1]):
        exit_code = _exit_code_of_child(limit[0])
        return command() if exit_code is None else exit_code


def try_within_limit(read: "Callable[[], object]") -> None:
    """Call `read` in a child process under the memory limit, if there is one, before a command that sends.

    Raises InputError if the limit is reached, or too low to plan anything. This process reports the other errors of
    `read` when it reads for itself.
    """
    limit = _limit()
    if limit is None:
        return
    with _words(limit[1]):
        child = os.fork()  # nothing has started a thread yet
        if not child:
            _end_after(read, limit[0])
        try:
            status = os.waitpid(child, 0)[1]
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        if status:
            raise MemoryError


def _end_after(read: "Callable[[], object]", limit: int) -> None:
    """Call `read` and end this child process: with 1 if memory ran out, by a signal, or with 0."""
    exit_code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)  # the parent says that it was interrupted
        _begin_child(limit)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what Rust prints when it panics
        read()
        exit_code = 0
    except BaseException as error:
        exit_code = int(_is_lack_of_memory(error))
    finally:
        os._exit(exit_code)


@contextmanager
def _words(name: str) -> "Generator[None, None, None]":
    """Raise InputError if memory runs out in the block. `name` is what sets the limit."""
    try:
        yield
    except BaseException as error:
        if not _is_lack_of_memory(error):
            raise
        what = f"planning needs more memory than the limit allows ({name})"
        raise InputError.of(what, "check that the files are what they should be, or raise the limit") from error


def _is_lack_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or is_panic(error)


def _limit() -> "tuple[int, str] | None":
    """The most bytes of address space for planning, and what sets this limit; None without a limit.

    Raises InputError if it is too low to plan anything, and for a variable that isn't valid.
    """
    limits = []
    if given := os.environ.get(VARIABLE):
        size = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?GB", given.strip(), re.ASCII)
        if size is None:
            raise InputError.of(f'{VARIABLE} is "{given}", which is not a size', "write one such as 4GB")
        if sys.platform != "linux":
            raise InputError.of(f"{VARIABLE} works on Linux only", "unset it")
        limits.append((int(float(size[1]) * 10**9), VARIABLE))
    if sys.platform != "win32":
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            limits.append((soft, "ulimit -v"))
    limit = min(limits, default=None)
    if limit and limit[0] < LEAST_BYTES:
        what = f"planning needs at least {LEAST_BYTES // 10**9} GB of memory ({limit[1]}); the limit is"
        raise InputError.of(f"{what} {limit[0] / 10**9:.1f} GB", "raise the limit")
    return limit


def _begin_child(limit: int) -> None:
    """Set the limit for this process and those that it starts."""
    import resource

    os.environ["RUST_BACKTRACE"] = "0"  # without memory, printing one hangs
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _exit_code_of_child(limit: int) -> int | None:
    """None in a new child process; in this process the child's exit code.

    Raises MemoryError if the child was aborted.
    """
    child = os.fork()  # nothing has started a thread yet
    if not child:
        _begin_child(limit)
        return None

    def pass_on(number: int, _frame: "FrameType | None") -> None:
        os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to both
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if -exit_code in _SIGNALS:
        raise MemoryError
    return exit_code if exit_code >= 0 else 128 - exit_code
