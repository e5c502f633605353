"""An event loop whose clock only moves when everybody sleeps: hours pass in milliseconds, the same way each time."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

A_MOMENT = 1e-9


class _Jump(selectors.SelectSelector):
    """Instead of waiting, it moves the clock; `lateness` says by how much each waking is late."""

    def __init__(self, lateness: Callable[[], float]) -> None:
        super().__init__()
        self.now = 1000.0
        self._lateness = lateness

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        self.now += A_MOMENT  # real clocks move on by themselves, and rounding errors pass with that
        if timeout > 0:
            self.now += timeout + self._lateness()
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Jump) -> None:
        super().__init__(selector)
        self._jump = selector

    def time(self) -> float:
        return self._jump.now


def run(main: Coroutine[Any, Any, T], lateness: Callable[[], float] = lambda: 0.0) -> T:
    """Run `main` on a virtual clock that starts at 1000 s."""
    with asyncio.Runner(loop_factory=lambda: _Loop(_Jump(lateness))) as runner:
        return runner.run(main)
