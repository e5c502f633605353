"""How sending shows itself: a bar on a terminal, a line every few seconds elsewhere."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runner.base.outcomes import Status
from runner.base.wording import listed_counts
from runner.cli.console import clean

if TYPE_CHECKING:
    from rich.console import Console

    from runner.dispatch.progress import Progress

LOOK_EVERY_S = 0.1
LINE_EVERY_S = 5.0
# A night of waiting for sending hours shall not fill a job's log, and not look dead either.
ASLEEP_LINE_EVERY_S = 600.0


async def shown(console: "Console", progress: "Progress", total: int) -> None:
    """Show `progress` of `total` messages until cancelled."""
    if not total:
        return
    if console.is_terminal:
        await _bar(console, progress, total)
    else:
        await _lines(console, progress, total)


async def _bar(console: "Console", progress: "Progress", total: int) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=False, refresh_per_second=10) as bar:
        task = bar.add_task("", total=total)
        speed, asleep_until = _Speed(progress), None
        try:
            while True:
                words = _stopping(progress) if progress.stopping else speed.words()
                if progress.sleeps_until is not None and not progress.stopping:
                    if progress.sleeps_until != asleep_until:
                        console.print(clean(words))  # too long to stand beside the bar at 80 columns
                    words = "asleep"
                asleep_until = progress.sleeps_until
                bar.update(task, completed=progress.settled.total(), description=clean(words))
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            bar.update(task, completed=progress.settled.total(), description=_counts(progress.settled))


async def _lines(console: "Console", progress: "Progress", total: int) -> None:
    speed = _Speed(progress)
    said_at, has_said_stopping = time.monotonic(), False
    asleep_until: float | None = None
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        words = speed.words()
        if progress.stopping and not has_said_stopping:
            console.print(_stopping(progress))
            has_said_stopping = True
        falls_asleep = progress.sleeps_until not in (None, asleep_until)
        asleep_until = progress.sleeps_until
        every_s = LINE_EVERY_S if asleep_until is None else ASLEEP_LINE_EVERY_S
        if falls_asleep or time.monotonic() - said_at >= every_s:
            done, counts = progress.settled.total(), _counts(progress.settled)
            parts = (f"{done:,} of {total:,} ({done / total:.0%})", counts, words)
            console.print(clean(" · ".join(part for part in parts if part)))
            said_at = time.monotonic()


def _counts(settled: Mapping[Status, int]) -> str:
    """`accepted 120, rejected 1`."""
    return listed_counts((status.value, settled[status]) for status in Status if settled.get(status))


def _stopping(progress: "Progress") -> str:
    if not progress.in_flight:
        return "stopping"
    answers = "1 answer" if progress.in_flight == 1 else f"{progress.in_flight} answers"
    return f"stopping: waiting for {answers}; Ctrl-C again stops waiting"


class _Speed:
    """Requests started per second, over the last few seconds."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._seen: list[tuple[float, int]] = []

    def words(self) -> str:
        now = time.monotonic()
        self._seen = [seen for seen in self._seen if now - seen[0] <= LINE_EVERY_S]
        self._seen.append((now, self._progress.started))
        (then, before), (_, started) = self._seen[0], self._seen[-1]
        if self._progress.waiting_for:
            return f"waiting for {self._progress.waiting_for}"
        per_second = (started - before) / (now - then) if now > then else 0.0
        return f"{per_second:,.1f}/s · {self._progress.in_flight} in flight"
