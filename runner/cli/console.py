"""Where output goes: one JSON document or what people read, never both on one stream."""

import io
import itertools
import json
import shlex
import signal
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.base.errors import InputError, StoppedError

# The columns of a table, as rich takes them.
LEFT: Mapping[str, Any] = {"no_wrap": True}
RIGHT: Mapping[str, Any] = {"no_wrap": True, "justify": "right"}
FOLD: Mapping[str, Any] = {"overflow": "fold"}


class Console:
    """Where people read: standard output, or standard error when standard output carries a document.

    Every text is printed `clean`.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        from rich.console import Console as RichConsole

        self.rich = RichConsole(stderr=as_json, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def print(self, text: str = "", style: str | None = None) -> None:
        """One line, as long as it is."""
        self.rich.print(clean(text), style=style)

    def wrap(self, text: str, style: str | None = None) -> None:
        """One line, or several that don't break inside of a word; those after the first stand deeper."""
        depth = len(text) - len(text.lstrip())
        # A word that is longer than a line is a path or a link: whole, it can be copied.
        lines = textwrap.wrap(
            clean(text),
            max(self.rich.width, 40),
            subsequent_indent=" " * (depth + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.rich.print("\n".join(lines), style=style)

    def warn(self, text: str) -> None:
        """Something that a person should judge."""
        self.wrap(f"look: {text}", "yellow")

    def show_examples(self, what: str, examples: Iterable[str], more: str | None = None) -> None:
        """A warning with the first few cases of it, and where the others are."""
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
        """A table without lines: columns by their label, and a style for each row."""
        from rich.table import Table

        vertical: Any = "bottom" if any("\n" in label for label in columns) else "top"
        table = Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0))
        for label, column in columns.items():
            table.add_column(label, vertical=vertical, **column)
        for row, style in zip(rows, styles, strict=False):
            table.add_row(*map(clean, row), style=style)
        if table.row_count:
            self.rich.print(table)

    def show_command_again(self) -> None:
        """How to go on: the command as it was typed."""
        self.print(f"  campaign {shlex.join(sys.argv[1:])}")


def clean(text: str) -> str:
    """The text without what would steer a terminal: cells and the provider's words can hold escape sequences."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def print_json(document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Print the one document of `--json`. A file's name that isn't UTF-8 gets question marks for its bytes."""
    print_document(f"{json.dumps(document, indent=2, ensure_ascii=False)}\n")


def print_document(text: str) -> None:
    """Print what is for a program or a file: in UTF-8, whatever the terminal has (JSON has to be: RFC 8259)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.stdout.write(text)


def print_stderr(text: str) -> None:
    """One line for people on standard error."""
    sys.stderr.write(f"{clean(text)}\n")


def confirm(question: str, *, no: str) -> None:
    """Ask on standard error, so that the question is seen when standard output goes to a file.

    Raises StoppedError when the answer isn't yes, InputError without a terminal; `no` says what that means.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError.of(f"{no}: there is no terminal to ask on", "add --yes to go on without asking")
    # Polars puts a handler of its own before Python's, and with that Ctrl-C waits for the next Enter.
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise StoppedError(f"not confirmed: {no}")
