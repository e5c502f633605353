"""Who waits for something that comes one at a time: first come, first served."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Those who wait. Some may have given up meanwhile; they are passed over.

    :param give_back: takes what somebody was handed who gave up in the same moment.
    """

    def __init__(self, give_back: Callable[[T], object]) -> None:
        self._give_back = give_back
        self._waiting: deque[asyncio.Future[T]] = deque()

    def __len__(self) -> int:
        """How many wait; too many rather than too few."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return len(self._waiting)

    def begin(self) -> asyncio.Future[T]:
        """Take a place at the end. To be awaited by `get` at once, with nothing but what makes things come between."""
        turn: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn

    async def get(self, turn: asyncio.Future[T]) -> T:
        """Wait for what comes. Raises what `fail` is told."""
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self._give_back(turn.result())
            raise

    def hand(self, thing: T) -> bool:
        """Give it to who waits longest; False when nobody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(thing)
                return True
        return False

    def fail(self, error: Exception) -> None:
        """Tell all who wait that nothing comes."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(error)
