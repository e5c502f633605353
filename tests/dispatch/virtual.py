"""An event loop whose clock only moves when everybody sleeps: hours pass in milliseconds, the same way each time.

What happens on other threads takes no time on that clock: while somebody is `outside`, it stands still.
"""

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from tests.deadline import DEADLINE_S

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BEGIN = 1000.0
A_MOMENT = 1e-9


class _Jump(selectors.SelectSelector):
    """Instead of waiting, it moves the clock; `lateness` says by how much each waking is late."""

    def __init__(self, lateness: Callable[[], float]) -> None:
        super().__init__()
        self.now = BEGIN
        self.outside = 0
        self._lateness = lateness

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.outside:
            has_to_wait = timeout is None or timeout > 0
            ready = super().select(DEADLINE_S if has_to_wait else 0)
            assert ready or not has_to_wait, "another thread doesn't come to its end"
            return ready
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        self.now += A_MOMENT  # real clocks move on by themselves, and rounding errors pass with that
        if timeout > 0:
            self.now += timeout + self._lateness()
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Jump) -> None:
        super().__init__(selector)
        self.jump = selector

    def time(self) -> float:
        return self.jump.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Done here and now: a thread of the loop's own would take time that no clock shows."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


@contextlib.contextmanager
def outside() -> Iterator[None]:
    """Around waiting for another thread: the clock stands still meanwhile."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    loop.jump.outside += 1
    try:
        yield
    finally:
        loop.jump.outside -= 1


def run(main: Coroutine[Any, Any, T], lateness: Callable[[], float] = lambda: 0.0) -> T:
    """Run `main` on a virtual clock that starts at 1000 s."""
    with asyncio.Runner(loop_factory=lambda: _Loop(_Jump(lateness))) as runner:
        return runner.run(main)
