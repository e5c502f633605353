"""The signals that end a sending, told to it in its event loop instead of breaking into it."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def told_of_signals(handle: Callable[[int], object]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP (a closed terminal) call `handle` with their number, for the length of the block."""
    loop = asyncio.get_running_loop()

    def on_windows(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handle, number)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if sys.platform == "win32":
            signal.signal(number, on_windows)
        else:
            loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            signal.signal(number, handler)


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[str], object], abandon: Callable[[], object]) -> Iterator[list[int]]:
    """The first signal stops gently, and `stop` is told by which; the second one `abandon`s what is in flight.

    Yields the signals that came.
    """
    seen: list[int] = []

    def on_signal(number: int) -> None:
        seen.append(number)
        if len(seen) == 1:
            stop(f"stopped by {'Ctrl-C' if number == signal.SIGINT else signal.Signals(number).name}")
        else:
            abandon()

    with told_of_signals(on_signal):
        yield seen
