"""Where output goes: one JSON document or what people read, never both on one stream."""

import io
import json
import signal
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from runner.base.errors import InputError, StoppedError

if TYPE_CHECKING:
    from rich.console import Console


def human(*, as_json: bool = False) -> "Console":
    """The console for people: standard output, or standard error when standard output carries JSON."""
    from rich.console import Console

    return Console(stderr=as_json, highlight=False, soft_wrap=True, markup=False, emoji=False)


def clean(text: str) -> str:
    """The text without what would steer a terminal: cells and the provider's words can hold escape sequences."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def print_wrapped(console: "Console", words: str, style: str | None = None) -> None:
    """One line, or several that don't break inside of a word; those after the first stand deeper."""
    depth = len(words) - len(words.lstrip())
    # A word that is longer than a line is a path or a link: whole, it can be copied.
    lines = textwrap.wrap(
        clean(words),
        max(console.width, 40),
        subsequent_indent=" " * (depth + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print("\n".join(lines), style=style)


def print_json(document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Print the one document of `--json`."""
    import orjson

    try:
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:  # the name of a file isn't UTF-8: its bytes become question marks
        text = json.dumps(document, indent=2, ensure_ascii=False)
    print_document(f"{text}\n")


def print_document(text: str) -> None:
    """Print what is for a program or a file: in UTF-8, whatever the terminal has (JSON has to be: RFC 8259)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.stdout.write(text)


def forgive_encodings() -> None:
    """Show a character that the terminal's encoding lacks as its code: it must not end a run in the middle."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """One line for people on standard error."""
    sys.stderr.write(f"{clean(text)}\n")


def confirm(question: str, *, no: str, without: str) -> None:
    """Ask on standard error, so that the question is seen when standard output goes to a file.

    Raises StoppedError when the answer isn't yes, with `no` saying what that means; InputError when there is no
    terminal, with `without` as the way to do without a question.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError.of(f"{no}: there is no terminal to ask on", without)
    # Polars puts a handler of its own before Python's, and with that Ctrl-C waits for the next Enter.
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise StoppedError(f"not confirmed: {no}")
