"""What `campaign feedback` and `campaign cancel` show alike: lines while requests are made, refusals, how it ended."""

import shlex
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from runner.base.errors import InputError
from runner.cli.console import clean, print_wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from runner.base.options import Rate
    from runner.dispatch.progress import Progress, Stop

LINE_EVERY_S = 5.0


def parse_rate(text: str) -> "Rate":
    """What --rate takes. Raises InputError for anything else."""
    from runner.campaign.values import InvalidValue, rate

    try:
        return rate(text)
    except InvalidValue as error:
        raise InputError.of(f"--rate: {error.what}", error.remedy) from error


class RequestLines:
    """Called a few times a second; prints a line every few seconds. While nothing happens, there is none."""

    def __init__(self, console: "Console", progress: "Progress", words: Callable[[], str]) -> None:
        self._console = console
        self._progress = progress
        self._words = words
        self._said = ""
        self._said_at = time.monotonic()
        self._has_said_stopping = False

    def __call__(self) -> None:
        if self._progress.stopping and self._progress.in_flight and not self._has_said_stopping:
            self._has_said_stopping = True
            self._console.print("stopping: waiting for answers; Ctrl-C again stops waiting")
        if time.monotonic() - self._said_at < LINE_EVERY_S:
            return
        self._said_at = time.monotonic()
        waiting_for = self._progress.waiting_for
        words = f"{self._words()}{f' · waiting for {waiting_for}' if waiting_for else ''}"
        if words != self._said:
            self._console.print(clean(words))
        self._said = words


def show_examples(console: "Console", what: str, examples: Iterable[str], more: str | None = None) -> None:
    """What deserves attention, with the first few of it, and where the others are."""
    print_wrapped(console, f"look: {what}:", "yellow")
    for example in examples:
        print_wrapped(console, f"  {example}")
    if more:
        print_wrapped(console, f"  {more}")


def show_stop(console: "Console", stop: "Stop | None", *, is_meant: bool = False) -> None:
    """Why it ended early; `is_meant`: that was the only way to end it."""
    from runner.base.outcomes import OutcomeReason

    if stop:
        words = stop.detail if stop.reason is OutcomeReason.INTERRUPTED else f"stopped: {stop.detail}"
        print_wrapped(console, words, None if is_meant else "bold red")


def show_command_again(console: "Console") -> None:
    """How to go on: the command as it was typed."""
    console.print(clean(f"  campaign {shlex.join(sys.argv[1:])}"))
