"""Feeding conversions back as they happen: what comes is noted at once, and told as fast as the rate allows."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from runner.ledger.feedback import Pending, note_conversions, pending_among
from runner.models import Conversion
from runner.run.feedback import Feedback, Job, noted, tell
from runner.run.lines import Line, Lines
from runner.run.times import now_us
from runner.run.told import Matched, Matcher, Unmatched, told_by_object
from runner.run.unmatched import Add, unmatched_log

MOST_WAITING = 10_000
"""So much is kept in memory for telling; what is more waits in the ledger alone."""


def follow_file(job: Job, file: Path | None, progress: Feedback, show: Callable[[], object]) -> None:
    """Feed back JSON lines as they come: of a file that grows, or, None, of standard input until its end.

    Raises InputError when there is no such file, StoppedError when it can't be read or nothing can be noted any more.
    """
    lines = Lines(file)
    with unmatched_log(job.places.unmatched, anew=file is not None) as unmatched:
        tell(job, progress, show, _Following(job, progress, lines, unmatched).pending())


class _Following:
    """Two walk side by side, so that lines are noted while the provider isn't reached.

    One reads lines and notes what they tell, the other hands on what is to be told: first what came just now, then what
    earlier starts have left, or what was too much to be kept in memory.
    """

    def __init__(self, job: Job, progress: Feedback, lines: Lines, unmatched: Add) -> None:
        self._job = job
        self._progress = progress
        self._lines = lines
        self._unmatched = unmatched
        self._matcher = Matcher(job.ledger, job.record)
        self._waiting: deque[Pending] = deque()
        self._handed_on: dict[str, Conversion] = {}
        self._more_in_ledger = True  # what earlier starts have left
        self._changed = asyncio.Event()

    async def pending(self) -> AsyncGenerator[Pending, None]:
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(lambda _: self._changed.set())
        try:
            while True:
                self._changed.clear()
                while one := self._next():
                    yield one
                if self._more_in_ledger:
                    self._more_in_ledger = False
                    async with aclosing(noted(self._job)) as rest:
                        async for one in rest:
                            while newer := self._next():  # what happens now is worth the most
                                yield newer
                            if self._is_new(one):
                                yield one
                elif reading.done():
                    reading.result()  # raises what it raised
                    if not self._waiting:
                        return
                else:
                    await self._changed.wait()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _next(self) -> Pending | None:
        while self._waiting:
            one = self._waiting.popleft()
            if self._is_new(one):
                return one
        return None

    def _is_new(self, one: Pending) -> bool:
        """Whether it wasn't handed on before: what comes just now is in the ledger, too."""
        if self._handed_on.get(one.message_id) == one.conversion:
            return False
        self._handed_on[one.message_id] = one.conversion
        if len(self._handed_on) > MOST_WAITING:
            del self._handed_on[next(iter(self._handed_on))]
        return True

    async def _read(self) -> None:
        async with aclosing(self._lines.batches()) as batches:
            async for some in batches:
                matched, news = await asyncio.to_thread(self._note, some)
                self._progress.add(matched)
                for _, conversion in matched.found:
                    outcome = conversion.outcome.value
                    self._progress.messages[outcome] = self._progress.messages.get(outcome, 0) + 1
                if len(self._waiting) + len(news) <= MOST_WAITING:
                    self._waiting.extend(news)
                else:
                    self._more_in_ledger = True
                self._changed.set()

    def _note(self, lines: list[Line]) -> tuple[Matched, list[Pending]]:
        now = now_us()
        told = [
            Unmatched(number, "", "it is not a JSON object") if line is None else told_by_object(number, line)
            for number, line in lines
        ]
        matched = self._matcher.match(told, now=now)
        self._unmatched(matched.unmatched)
        newest: dict[str, Conversion] = {}
        for message_id, conversion in matched.found:
            known = newest.pop(message_id, None)  # the order is that of the newest
            is_older = known is not None and known.at is not None and (conversion.at or 0) < known.at
            newest[message_id] = known if known is not None and is_older else conversion
        note_conversions(
            self._job.ledger, self._job.record.id, list(newest.items()), now=now, only_newer=True, untimed_at=now
        )
        return matched, pending_among(self._job.ledger, self._job.record.id, list(newest))
