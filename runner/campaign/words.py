"""How values and keys are shown in messages."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_LONGEST_SHOWN: Final = 40


def quoted(text: str) -> str:
    """The text in double quotes, on one line, short, and harmless to a terminal: `"NO"`, `"a\\nb"`."""
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN - 1]}…"
    return f'"{"".join(map(_printable, text))}"'


def shown_path(path: Iterable[str | int]) -> str:
    """`message.source`. Items of a list are not numbered: the line and the value tell them apart."""
    keys = [key for key in path if isinstance(key, str)]
    return ".".join(key if key.isprintable() and key and len(key) <= _LONGEST_SHOWN else quoted(key) for key in keys)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The one known word that is most like this one, whatever its case."""
    by_lower = {other.lower(): other for other in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


def listed(words: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *init, last = words
    return f"{', '.join(init)} or {last}" if init else last


def _printable(character: str) -> str:
    if character.isprintable() and character != '"':
        return character
    escape = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"'}.get(character)
    return escape or f"\\u{ord(character):04x}"
