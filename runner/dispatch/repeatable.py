"""The source of requests that may be repeated without harm: conversion feedback, and cancelling scheduled messages.

Unlike a message's claim, nothing has to be durable before such a request leaves: what has no answer goes again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from typing import Generic, TypeVar

from runner.base.outcomes import Outcome, OutcomeReason, Then
from runner.dispatch.dispatcher import Departure, WorkSource
from runner.dispatch.progress import Stop

# The most requests without an answer. When as many wait to go again, new items wait for them.
IN_FLIGHT_LIMIT = 200

# So often one request is made while others get answers; then it is left for another time, or all would wait for it.
MOST_TRIES = 20

T = TypeVar("T")


@dataclass(slots=True)
class Attempt(Generic[T]):
    """An item that is asked about. `answers_before` is how many others had an answer when its first request was due."""

    item: T
    answers_before: int
    tries: int = 0


@dataclass(eq=False)
class RepeatableRequests(WorkSource[Attempt[T]], Generic[T]):
    """Gives one dispatcher its requests, those again that got no answer. Made in its event loop.

    :param items: may wait for its next item for ever; when the dispatcher stops, it is cancelled.
    :param ask: one request. It never raises for what the network or the provider does.
    :param answered: is told of each item whose answer is final, in the event loop.
    :param on_failure: is called when `items` raises, so that nobody waits for a provider that isn't there to be told.
    """

    items: AsyncIterator[T]
    _: KW_ONLY
    ask: Callable[[T], Awaitable[Outcome]]
    answered: Callable[[T, Outcome], object]
    on_failure: Callable[[], object]

    def __post_init__(self) -> None:
        # The next item, read ahead: None at the end of them, and then there is no such task any more.
        self._reading: asyncio.Future[T | None] | None = None
        self._again: deque[Attempt[T]] = deque()
        self._changed = asyncio.Event()
        self._was_again = False
        self._closed = False
        self._answers = 0
        self._left = 0

    async def send(self, attempt: Attempt[T], departure: Departure) -> Outcome:
        """The dispatcher's `send`. The rate is kept when a request begins: connecting may bring two starts closer."""
        await departure()
        return await self.ask(attempt.item)

    async def begin(self) -> None:
        self._read_on()

    async def has_more(self) -> bool:
        """Waits for the next item, or for one that goes again. Raises what `items` raises."""
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
        """A new item and one that goes again by turns, so that neither holds up the other."""
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
        """An answer that is final ends an item; without one it goes again, unless it alone never gets one."""
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
        """Read no further. Raises what `items` raised."""
        if self._reading and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        if self._reading and not self._reading.cancelled():
            self._reading.result()

    def left_out(self) -> Stop | None:
        """How many items never got an answer, though others did; their next start asks again."""
        if not self._left:
            return None
        return Stop(OutcomeReason.NOT_REACHED, f"the provider never answered about {self._left:,} of them")

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
