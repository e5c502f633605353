"""The clock of `campaign run`, set to another time: in this process, or in one that `set_clock` begins."""

import sys
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest

from runner.run import open as opening

# For `python -c`: the time, and the arguments of the command.
AT = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.cli.clock import set_clock
set_clock(sys.argv.pop(1))
from runner.cli.main import main
main()
"""


def at(now: datetime, *arguments: str) -> list[str]:
    """The command line of `campaign ARGUMENTS` in a process that begins at `now`."""
    return [sys.executable, "-c", AT, now.isoformat(), *arguments]


def set_clock(now: datetime | str, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Let the clock go on from `now` (aware)."""
    moment = datetime.fromisoformat(now) if isinstance(now, str) else now
    ahead = moment - datetime.now(UTC)
    ahead_ns = round(ahead.total_seconds() * 1e9)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    change = monkeypatch or pytest.MonkeyPatch()
    change.setattr(opening, "datetime", Clock)
    change.setattr(time, "time_ns", lambda: _time_ns() + ahead_ns)


_time_ns = time.time_ns
