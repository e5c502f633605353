"""Ctrl-C, SIGTERM and SIGHUP outside of sending: the command ends with one line, whatever it is doing.

The first signal raises KeyboardInterrupt, so that locks, files and processes are cleaned up. It may reach any line,
also one in a library that turns it into another error, or prints it. So from then on, standard error shows nothing but
the line that `say` prints, and whatever error comes out of the command is the interrupt. The second signal ends the
process at once.
"""

import contextlib
import io
import os
import signal
import sys

from runner.base import output

# Little is imported here, because until `install` is called, Python reacts to signals in its own way.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType

# The line, and the exit code of `StoppedError`, which this module can't import: it must be loaded quickly.
WORDS = "interrupted; run it again to continue"
EXIT_CODE = 3

_NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class _State:
    """`happened`: a signal has arrived. `stderr` is a copy of the real standard error while it is silent, else None."""

    happened = False
    is_held = False
    is_waiting = False  # a signal arrived while they were held
    is_over = False
    keeps_stderr = False
    stderr: int | None = None


def install() -> None:
    """Handle the signals from now on, unless this process was started to ignore them. Main thread only."""
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)
    sys.meta_path.insert(0, _PolarsFinder())
    sys.unraisablehook = _on_unraisable


def end() -> None:
    """The command has ended: a signal doesn't change its exit code any more."""
    _State.is_over = True


def check() -> None:
    """Raise KeyboardInterrupt if the command was interrupted, even if a library has swallowed the exception."""
    if _State.happened:
        raise KeyboardInterrupt


@contextlib.contextmanager
def held() -> "Iterator[None]":
    """Delay signals until the block has ended. For a few statements that must not be left half done."""
    _State.is_held = True
    try:
        yield
    finally:
        _State.is_held = False
        if _State.is_waiting:
            _State.is_waiting = False
            _interrupt()


@contextlib.contextmanager
def keeping_stderr() -> "Iterator[None]":
    """Let the block print on standard error after a signal. For a block that handles KeyboardInterrupt itself."""
    _State.keeps_stderr = True
    try:
        yield
    finally:
        _State.keeps_stderr = False


@contextlib.contextmanager
def quiet() -> "Iterator[None]":
    """Show nothing that is printed on standard error in the block: Rust code prints a panic before it raises it."""
    with held():
        copy = _silence()
    try:
        yield
    finally:
        with held():
            if copy is not None and not _State.happened:
                os.dup2(copy, 2)
                os.close(copy)
                _State.stderr = None


def say(words: str) -> None:
    """Print a line on standard error, also while it is silent."""
    if _State.stderr is None:
        sys.stderr.write(f"{words}\n")
    else:
        output.Output(io.FileIO(_State.stderr, "w", closefd=False)).write(f"{words}\n".encode())


def _on_signal(_number: int, _frame: "FrameType | None") -> None:
    if _State.is_over:
        return
    if _State.is_held:
        _State.is_waiting = True
    elif _State.happened:
        _exit_now()
    else:
        _interrupt()


def _interrupt() -> None:
    output.hurry()  # the end must not wait for a reader that doesn't read
    if not _State.keeps_stderr:
        _State.happened = True
        _silence()
    raise KeyboardInterrupt


def _silence() -> int | None:
    """Send standard error to nowhere. Not only `sys.stderr`: polars and the interpreter write to the descriptor.

    Returns a copy of the real one, or None if it was silent before.
    """
    if _State.stderr is not None:
        return None
    with contextlib.suppress(RuntimeError):  # the signal came while it was being written
        sys.stderr.flush()
    with contextlib.suppress(OSError):
        _State.stderr = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    return _State.stderr


def _exit_now() -> None:
    multiprocessing = sys.modules.get("multiprocessing")
    for child in multiprocessing.active_children() if multiprocessing else ():
        child.kill()
    say(WORDS)
    os._exit(EXIT_CODE)


def _on_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt) and _State.happened:
        _exit_now()  # raised where nobody can catch it, such as a finalizer: the command would go on
    sys.__unraisablehook__(unraisable)


class _PolarsFinder:
    """Takes the signals back after polars is imported: it installs a handler that panics in the middle of a query."""

    def find_spec(
        self, name: str, _path: "Sequence[str] | None" = None, _target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name != "polars":
            return None
        import importlib.util
        import threading

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_and_take_back(module: "ModuleType") -> None:
                try:
                    load(module)
                finally:
                    if threading.current_thread() is threading.main_thread():
                        for number in _NUMBERS:
                            signal.signal(number, signal.getsignal(number))

            spec.loader.exec_module = load_and_take_back  # type: ignore[method-assign]
        return spec
