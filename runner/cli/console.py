"""Where output goes: one JSON document or what people read, never both on one stream."""

import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def human(*, as_json: bool = False) -> "Console":
    """The console for people: standard output, or standard error when standard output carries JSON."""
    from rich.console import Console

    return Console(stderr=as_json, highlight=False, soft_wrap=True, markup=False, emoji=False)


def clean(text: str) -> str:
    """The text without what would steer a terminal: cells and the provider's words can hold escape sequences."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def print_json(document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Print the one document of `--json`."""
    import orjson

    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def say(text: str) -> None:
    """One line for people on standard error."""
    sys.stderr.write(f"{clean(text)}\n")


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask on standard error, so that the question is seen when standard output goes to a file."""
    # Polars puts a handler of its own before Python's, and with that Ctrl-C waits for the next Enter.
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
