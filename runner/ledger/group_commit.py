"""Group commits: one thread beside the event loop writes all that waits in one transaction, and then the next.

Everything that is waiting when a commit begins goes into it, so that a slow disk makes larger groups instead of a
longer queue.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Generic, Self, TypeVar

from runner.base.errors import LedgerError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class GroupCommit(Generic[Item, Result]):
    """Commits items in groups, in the order in which they came. An async context manager; leaving it commits all that
    waits. All callbacks run in the thread.

    :param commit: writes a group, durably when it returns; returns a result for each item.
    :param on_failure: called when `commit` raised; returns the error that the callers of `submit` get.
    :param name: the thread's.
    :param most: items in a group.
    :param linger_s: how long an item from `put` may wait for others.
    :param most_pause_s: after a commit, the ledger is left to other processes for as long as the commit took, but no
        longer than this.
    :param isolates: after an error that isn't a LedgerError, each item of the group is tried alone.
    :param on_idle: called when nothing has come for `idle_s`; None: never.
    """

    commit: Callable[[Sequence[Item]], Sequence[Result]]
    on_failure: Callable[[Sequence[Item], Exception], LedgerError]
    _: KW_ONLY
    name: str
    most: int = sys.maxsize
    linger_s: float = 0.0
    most_pause_s: float = 0.0
    isolates: bool = False
    on_idle: Callable[[], object] | None = None
    idle_s: float | None = None

    def __post_init__(self) -> None:
        self._condition = threading.Condition()
        self._queue: list[tuple[Item, asyncio.Future[Result] | None]] = []
        self._is_awaited = False
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @property
    def waiting(self) -> int:
        """How many items wait for a commit."""
        return len(self._queue)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)

    async def submit(self, item: Item) -> Result:
        """Commit an item; it is durable when this returns. Raises LedgerError when it isn't.

        The commit goes on when the caller is cancelled.
        """
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._condition:
            self._queue.append((item, done))
            self._is_awaited = True
            self._condition.notify()
        return await done

    def put(self, item: Item) -> None:
        """Commit an item soon, with the next ones."""
        with self._condition:
            self._queue.append((item, None))
            if len(self._queue) == 1:
                self._condition.notify()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the event loop; for the callbacks."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self) -> None:
        """The thread: until closed and empty."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._queue or self._is_closing, self.idle_s)
                if self._queue:
                    self._condition.wait_for(lambda: self._is_awaited or self._is_closing, self.linger_s)
                group, self._queue = self._queue[: self.most], self._queue[self.most :]
                self._is_awaited = bool(self._queue)
                if self._is_closing and not group:
                    return
            if group:
                began = time.perf_counter()
                results = self._committed([item for item, _ in group])
                seconds = time.perf_counter() - began
                self.call(_resolve, [done for _, done in group], results)
                if self.most_pause_s:
                    time.sleep(min(seconds, self.most_pause_s))
            elif self.on_idle:
                self.on_idle()

    def _committed(self, items: Sequence[Item]) -> Sequence[Result | LedgerError]:
        try:
            return self.commit(items)
        except Exception as error:  # also a bug: the thread must go on, or all callers would wait for ever
            if self.isolates and len(items) > 1 and not isinstance(error, LedgerError):
                return [result for item in items for result in self._committed([item])]
            return [self.on_failure(items, error)] * len(items)


def _resolve(futures: Sequence[asyncio.Future[Result] | None], results: Sequence[Result | LedgerError]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future is None or future.done():
            continue
        if isinstance(result, LedgerError):
            future.set_exception(result)
        else:
            future.set_result(result)
