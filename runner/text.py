"""How words that a user wrote are shown in messages, and which known word may have been meant. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

LONGEST_SHOWN: Final = 40


def quoted(text: str) -> str:
    """The text in double quotes, on one line, short, and harmless to a terminal: `"NO"`, `"a\\nb"`."""
    if len(text) > LONGEST_SHOWN:
        text = f"{text[: LONGEST_SHOWN - 1]}…"
    return f'"{"".join(map(_printable, text))}"'


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, in any case; None when nothing is like it."""
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
