"""Group commit: a background thread writes all waiting items in one transaction, then the next group.

A commit takes everything that is waiting when it begins. On a slow disk the groups get larger, but the queue doesn't
get longer.
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
    """Commits items in groups, in the order they arrive. An async context manager; leaving it commits all waiting
    items. All callbacks run in the background thread.

    :param commit: writes a group and returns one result per item; the group must be durable by then.
    :param on_failure: called when `commit` raised; returns the error that callers of `submit` get.
    :param name: the name of the thread.
    :param most: the maximum number of items in a group.
    :param linger_s: how long an item from `put` may wait for others.
    :param most_pause_s: the longest pause after a commit. The thread pauses for as long as the commit took, so that
        other processes can write to the ledger.
    :param isolates: after an error that isn't a LedgerError, retry each item of the group alone.
    :param on_idle: called when nothing arrived for `idle_s`; None: never.
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
        """Commit an item; it is durable when this returns. Raises LedgerError if the commit fails.

        The commit continues even if the caller is cancelled.
        """
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._condition:
            self._queue.append((item, done))
            self._is_awaited = True
            self._condition.notify()
        return await done

    def put(self, item: Item) -> None:
        """Commit an item soon, together with the next ones, without waiting for it."""
        with self._condition:
            self._queue.append((item, None))
            if len(self._queue) == 1:
                self._condition.notify()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the event loop. For callbacks, which run in the thread."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self) -> None:
        """The thread's loop; it ends once the queue is closed and empty."""
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
        except Exception as error:  # also for a bug: if the thread ended, all callers would wait forever
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
