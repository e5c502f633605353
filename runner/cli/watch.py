"""`campaign status --watch`: looks again until nothing is going any more."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.cli.status_view import live_line, live_view, show_status
from runner.run.times import now_us

if TYPE_CHECKING:
    from rich.console import Console

    from runner.run.status import Look, Watch

LOOK_EVERY_S = 1.0
LINE_EVERY_S = 5.0

READING_SHARE = 0.1
"""At most this share of the time is spent reading: millions of messages take seconds to count, on a computer that is
sending them at the same time."""


def show_live(console: "Console", watch: "Watch") -> None:
    """Show the runs that are going until none is, or until Ctrl-C; then all that match, as `campaign status` does."""
    looks = _Looks(watch)
    try:
        if console.is_terminal and not console.is_dumb_terminal:
            _draw(console, looks)
        else:
            _tell(console, looks)
        show_status(console, watch.look(now_us()))
    except KeyboardInterrupt:  # nothing was broken off but the looking
        if looks.newest:
            show_status(console, looks.newest)


class _Looks:
    """One look after another while something is going. `watched` are the runs that were going at any of them."""

    def __init__(self, watch: "Watch") -> None:
        self._watch = watch
        self.newest: Look | None = None
        self.watched: dict[tuple[str, str], None] = {}

    def __iter__(self) -> Iterator["Look"]:
        while True:
            before = time.monotonic()
            self.newest = look = self._watch.look(now_us(), quick=True)
            took_s = time.monotonic() - before
            self.watched |= dict.fromkeys((run["campaign"], run["run"]) for run in look.going)
            if not look.going:
                return
            yield look
            time.sleep(max(LOOK_EVERY_S, took_s * (1 / READING_SHARE - 1)))


def _draw(console: "Console", looks: _Looks) -> None:
    from rich.live import Live

    # Drawn again four times a second, for a terminal that changes its size; looked at less often.
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        for look in looks:
            live.update(live_view(look, looks.watched, now_us()), refresh=True)


def _tell(console: "Console", looks: _Looks) -> None:
    said_at = -LINE_EVERY_S
    for look in looks:
        if time.monotonic() - said_at < LINE_EVERY_S:
            continue
        said_at = time.monotonic()
        for run in look.going:
            console.print(live_line(run, now_us()))
