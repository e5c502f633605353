"""A memory limit for planning (`ulimit -v`): words and exit code 2 when it is reached.

Polars and calamine abort the process when the system refuses memory, and an aborted process can't say why. So with a
limit, the command runs in a child process, and this process says it.
"""

import os
import signal
import sys

from runner.base.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

COMMANDS = ("check", "plan", "preview")
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
    if limit < LEAST_BYTES:
        what = f"planning needs at least {LEAST_BYTES // 10**9} GB of memory (ulimit -v); the limit is"
        raise InputError.of(f"{what} {limit / 10**9:.1f} GB", "raise the limit")
    try:
        exit_code = _exit_code_of_child()
        return command() if exit_code is None else exit_code
    except BaseException as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != "PanicException":  # polars' panic
            raise
        what = "planning needs more memory than the limit allows (ulimit -v)"
        raise InputError.of(what, "check that the files are what they should be, or raise the limit") from error


def _limit() -> int | None:
    """The most bytes of address space that this process may map, or None."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _exit_code_of_child() -> int | None:
    """None in a new child process; in this process the child's exit code.

    Raises MemoryError if the child was aborted.
    """
    child = os.fork()  # nothing has started a thread yet
    if not child:
        os.environ["RUST_BACKTRACE"] = "0"  # without memory, printing one hangs
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
