"""Progress display: a bar on a terminal, a line every few seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.base.errors import BlockedError
from runner.base.outcomes import OutcomeReason, Status
from runner.base.wording import counted, listed_counts
from runner.cli.console import Console

if TYPE_CHECKING:
    from runner.dispatch.progress import Progress, Stop

LOOK_EVERY_S = 0.1
LINE_EVERY_S = 5.0
# What to do first, where the message doesn't say it.
_FIRST = {
    OutcomeReason.LIMIT_REACHED: "raise the limit in the campaign file",
    OutcomeReason.TOO_LATE: "set a later time in the campaign file, if the message is still useful",
}
# Waiting all night for sending hours must not fill a job's log, but the job must not look dead either.
SAME_LINE_EVERY_S = 600.0


async def show_progress(console: Console, progress: "Progress", total: int) -> None:
    """Show `progress` of `total` messages until cancelled."""
    import asyncio  # not needed for `--help`

    if not total:
        return
    with (_bar if console.rich.is_terminal else _lines)(console, progress, total) as show:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            show()


@contextmanager
def _bar(console: Console, progress: "Progress", total: int) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    speed, asleep_until = _speed_of(progress), None

    def show() -> None:
        nonlocal asleep_until
        words = _waiting(progress) or speed()
        if progress.stopping:
            words = _stopping(progress)
        elif progress.sleeps_until is not None:
            if progress.sleeps_until != asleep_until:
                console.print(words)  # too long for the line of the bar at 80 columns
            words = "waiting"
        asleep_until = progress.sleeps_until
        bar.update(task, completed=progress.settled.total(), description=console.shown(words))

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=console.rich, transient=False, refresh_per_second=10) as bar:
        task = bar.add_task("", total=total)
        try:
            yield show
        finally:
            bar.update(task, completed=progress.settled.total(), description=_counts(progress))


@contextmanager
def _lines(console: Console, progress: "Progress", total: int) -> Iterator[Callable[[], None]]:
    speed = _speed_of(progress)

    def words() -> str:
        done = progress.settled.total()
        pace = speed()  # called every time, because it averages
        parts = (f"{done:,} of {total:,} ({done / total:.0%})", _counts(progress), "" if progress.waiting_for else pace)
        return " · ".join(part for part in parts if part)

    yield ProgressLines(console, progress, words)


class ProgressLines:
    """Prints a line every few seconds: `words`, and what the run waits for. Call it a few times a second.

    A line that is the same as the one before is printed only every few minutes.
    """

    def __init__(self, console: Console, progress: "Progress", words: Callable[[], str]) -> None:
        self._console = console
        self._progress = progress
        self._words = words
        self._line, self._printed_at = "", time.monotonic()
        self._has_announced_stop = False

    def __call__(self) -> None:
        progress = self._progress
        line = " · ".join(filter(None, (self._words(), _waiting(progress))))
        if progress.stopping and progress.in_flight and not self._has_announced_stop:
            self._has_announced_stop = True
            self._console.print(_stopping(progress))
        every_s = SAME_LINE_EVERY_S if line == self._line else LINE_EVERY_S
        if time.monotonic() - self._printed_at >= every_s:
            self._line, self._printed_at = line, time.monotonic()
            self._console.print(line)


def _counts(progress: "Progress") -> str:
    """`accepted 120, rejected 1`."""
    return listed_counts((status.value, count) for status in Status if (count := progress.settled[status]))


def _waiting(progress: "Progress") -> str:
    return f"waiting for {progress.waiting_for}" if progress.waiting_for else ""


def _stopping(progress: "Progress") -> str:
    if not progress.in_flight:
        return "stopping"
    return f"stopping: waiting for {counted(progress.in_flight, 'answer')}; press Ctrl-C again to stop now"


def _speed_of(progress: "Progress") -> Callable[[], str]:
    """Requests started per second over the last few seconds, as text. Call the result a few times a second."""
    samples: list[tuple[float, int]] = []

    def words() -> str:
        now = time.monotonic()
        samples[:] = [(at, count) for at, count in samples if now - at <= LINE_EVERY_S]
        samples.append((now, progress.started))
        then, before = samples[0]
        per_second = (progress.started - before) / (now - then) if now > then else 0.0
        return f"{per_second:,.1f}/s · {progress.in_flight} in flight"

    return words


def run_it_again(stop: "Stop | None") -> str:
    """What to do to continue after a stop."""
    if stop is None or stop.exit_code != BlockedError.exit_code:
        return "run it again"
    return f"{_FIRST.get(stop.reason, 'fix this')}, then run it again"


def show_stop(console: Console, stop: "Stop") -> None:
    """Show why the command stopped early."""
    is_interrupted = stop.reason is OutcomeReason.INTERRUPTED
    console.wrap(stop.detail if is_interrupted else f"stopped: {stop.detail}", "bold red")
