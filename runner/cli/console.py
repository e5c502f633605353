"""Output: one JSON document or text for people, never both on one stream."""

import io
import itertools
import json
import select
import shlex
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.base import interrupts, output
from runner.base.errors import CampaignError, InputError, Problem, StoppedError
from runner.cli.masking import shown, shown_document

# Column options for rich tables.
LEFT: Mapping[str, Any] = {"no_wrap": True}
RIGHT: Mapping[str, Any] = {"no_wrap": True, "justify": "right"}
FOLD: Mapping[str, Any] = {"overflow": "fold"}


class NotConfirmedError(StoppedError):
    """The user answered no."""


class Console:
    """Prints text for people to standard output, or to standard error when a document goes to standard output."""

    def __init__(self, *, as_json: bool = False) -> None:
        from rich.console import Console as RichConsole

        self.rich = RichConsole(stderr=as_json, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def shown(self, text: str) -> str:
        """The text as it may be printed here: without control characters, and with numbers masked if necessary."""
        return shown(clean(text), self.rich.file)

    def print(self, text: str = "", style: str | None = None) -> None:
        """Print one line without wrapping."""
        self.rich.print(self.shown(text), style=style)

    def wrap(self, text: str, style: str | None = None) -> None:
        """Wrap the text between words, to the width of the terminal; indent all lines but the first."""
        depth = len(text) - len(text.lstrip())
        # A word that is longer than a line is a path or a link; it must stay whole to be copied.
        lines = textwrap.wrap(
            self.shown(text),
            max(self.rich.width, 40),
            subsequent_indent=" " * (depth + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.rich.print("\n".join(lines), style=style)

    def notice(self, text: str) -> None:
        """Print a line that nobody may miss, if there is one: as the first and the last of a command."""
        if text:
            self.wrap(text, "bold yellow")

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.wrap(f"warning: {text}", "yellow")

    def show_examples(self, what: str, examples: Iterable[str], more: str | None = None) -> None:
        """Print a warning with its first few cases, and where to find the others."""
        self.warn(f"{what}:")
        for example in [*examples, *([more] if more else [])]:
            self.wrap(f"  {example}")

    def show_table(
        self,
        columns: Mapping[str, Mapping[str, Any]],
        rows: Iterable[Sequence[str]],
        styles: Iterable[str | None] = itertools.repeat(None),
        *,
        header: bool = True,
    ) -> None:
        """Print a table without borders. `columns` are rich's options by label; `styles` has one style per row.

        Columns that are aligned to the right contain counts and amounts.
        """
        from rich.table import Table

        vertical: Any = "bottom" if any("\n" in label for label in columns) else "top"
        table = Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0))
        for label, column in columns.items():
            table.add_column(label, vertical=vertical, **column)
        shows = [clean if column.get("justify") == "right" else self.shown for column in columns.values()]
        for row, style in zip(rows, styles, strict=False):
            table.add_row(*(show(cell) for show, cell in zip(shows, row, strict=True)), style=style)
        if table.row_count:
            self.rich.print(table)

    def show_command_again(self, *, run: str | None = None) -> None:
        """Print the command as it was typed, but for this `run`, if it would mean another one at another time."""
        typed = sys.argv[1:]
        if run is not None:
            typed = [*(word for word in typed if word != "--new-run"), "--run", run]
        self.print(f"  campaign {shlex.join(typed)}")


def clean(text: str) -> str:
    """Replace control characters: cells and the provider's answers can hold terminal escape sequences."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def print_json(document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Print the document of `--json`. A file name that isn't UTF-8 is shown with question marks."""
    print_document(f"{json.dumps(shown_document(document, sys.stdout), indent=2, ensure_ascii=False)}\n")


def print_document(text: str) -> None:
    """Print output for a program or a file: unchanged, and always in UTF-8, as JSON must be (RFC 8259)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    output.expect_all()
    sys.stdout.write(text)


def print_stderr(text: str) -> None:
    """Print one line for people on standard error."""
    sys.stderr.write(f"{shown(clean(text), sys.stderr)}\n")


def print_error(error: Problem | CampaignError) -> None:
    """Print an error on standard error. It begins with its place in a file, or else with `error:`."""
    has_place = isinstance(error, Problem) and error.where is not None
    print_stderr(str(error) if has_place or isinstance(error, NotConfirmedError) else f"error: {error}")


def confirm(question: str, *, no: str, instead: str = "add --yes to skip it") -> None:
    """Ask for confirmation on standard error, because standard output may go to a file.

    Raises NotConfirmedError if the answer isn't yes, and InputError without a terminal. `no` is the effect of a no;
    `instead` says what to do without a terminal.
    """
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError.of(f"{no}: confirmation needs a terminal", instead)
    with interrupts.keeping_stderr():
        sys.stderr.write(f"\n{shown(clean(question), sys.stderr)} [y/N] ")
        sys.stderr.flush()
        try:
            # Waiting in short turns: a Ctrl-C in the moment before a blocking read has no effect until the next Enter.
            while sys.platform != "win32" and not select.select([sys.stdin], [], [], 0.2)[0]:
                pass
            answer = sys.stdin.readline().strip().lower()
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            raise
    if answer not in ("y", "yes"):
        raise NotConfirmedError(f"not confirmed: {no}")
