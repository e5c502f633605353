"""The source of requests that are safe to repeat: conversion feedback, and cancelling scheduled messages.

Unlike messages, these need no claim in the ledger before they leave: a request without an answer is simply retried.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from typing import Generic, TypeVar

from runner.base.outcomes import Outcome, OutcomeReason, Then
from runner.base.wording import counted
from runner.dispatch.dispatcher import Departure, WorkSource
from runner.dispatch.progress import Stop

# The most requests that may wait for an answer. If this many wait for a retry, no new items are read.
IN_FLIGHT_LIMIT = 200

# The most tries for one request while others get answers. After that it is left for the next start, so that the command
# can end.
MOST_TRIES = 20

T = TypeVar("T")


@dataclass(slots=True)
class Attempt(Generic[T]):
    """An item and its tries. `answers_before` is how many other items had an answer before its first try."""

    item: T
    answers_before: int
    tries: int = 0


@dataclass(eq=False)
class RepeatableRequests(WorkSource[Attempt[T]], Generic[T]):
    """Gives a dispatcher its requests, and retries those without an answer. Create it in the dispatcher's event loop.

    :param items: may wait forever for its next item; it is cancelled when the dispatcher stops.
    :param ask: makes one request. It never raises for errors of the network or the provider.
    :param answered: called in the event loop for each item with a final answer.
    :param on_failure: called when `items` raises. It should stop the dispatcher, which may be waiting for a provider
        that can't be reached.
    """

    items: AsyncIterator[T]
    _: KW_ONLY
    ask: Callable[[T], Awaitable[Outcome]]
    answered: Callable[[T, Outcome], object]
    on_failure: Callable[[], object]

    def __post_init__(self) -> None:
        # Reads the next item ahead. Its result is None at the end of the items; after that there is no task.
        self._reading: asyncio.Future[T | None] | None = None
        self._again: deque[Attempt[T]] = deque()
        self._changed = asyncio.Event()
        self._was_again = False
        self._closed = False
        self._answers = 0
        self._left = 0

    async def send(self, attempt: Attempt[T], departure: Departure) -> Outcome:
        """The dispatcher's `send`. The rate applies to the start of `ask`, which may still have to connect."""
        await departure()
        return await self.ask(attempt.item)

    async def begin(self) -> None:
        self._read_on()

    async def has_more(self) -> bool:
        """Wait for the next item, or for one to retry. Raises what `items` raises."""
        while not self._closed:
            if self._reading and self._reading.done():
                if self._reading.result() is not None:
                    return True
                self._reading = None
            if self._again or self._reading is None:
                return bool(self._again)
            self._changed.clear()
            await self._changed.wait()
        return False

    async def next(self) -> Attempt[T] | None:
        """Alternates between new items and retries, so that neither blocks the other."""
        is_new = self._reading is not None and self._reading.done() and len(self._again) < IN_FLIGHT_LIMIT
        if self._again and not (is_new and self._was_again):
            self._was_again = True
            return self._again.popleft()
        if not is_new or self._reading is None or (item := self._reading.result()) is None:
            return None
        self._was_again = False
        self._read_on()
        return Attempt(item, self._answers)

    def settle(self, item: Attempt[T], answer: Outcome | None) -> None:
        """A final answer ends an item. Otherwise it is retried, unless it got `MOST_TRIES` while others got answers."""
        if answer is None:
            self._go_again(item)
        elif answer.then is Then.GO_ON:
            self._answers += 1
            self.answered(item.item, answer)
        elif answer.then is not Then.STOP:
            item.tries += 1
            if item.tries >= MOST_TRIES and self._answers > item.answers_before:
                self._left += 1
            else:
                self._go_again(item)

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    async def end(self) -> None:
        """Stop reading items. Raises what `items` raised."""
        if self._reading and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        if self._reading and not self._reading.cancelled():
            self._reading.result()

    def left_out(self) -> Stop | None:
        """How many items never got an answer although others did. The next start tries them again."""
        if not self._left:
            return None
        requests = counted(self._left, "request")
        return Stop(OutcomeReason.NOT_REACHED, f"the provider never answered {requests}; run the command again")

    def _read_on(self) -> None:
        self._reading = asyncio.ensure_future(anext(self.items, None))
        self._reading.add_done_callback(self._noted)

    def _noted(self, reading: asyncio.Future[T | None]) -> None:
        self._changed.set()
        if not reading.cancelled() and reading.exception():
            self.on_failure()

    def _go_again(self, attempt: Attempt[T]) -> None:
        self._again.append(attempt)
        self._changed.set()
