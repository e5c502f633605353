"""Text for people to read: cells and names quoted, words joined, the name that was meant. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# Marks without a width: soft hyphen, Arabic letter mark, zero-width spaces and joiners, directions, word joiner, BOM.
# Numbers copied from contact lists come as U+202D …U+202C. U+202E is not among them: it turns the digits around.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202d\u2060-\u2064\u2066-\u206f\ufeff]")


def quoted(text: str, limit: int = 40) -> str:
    """The text in double quotes, short, on one line, without marks that would turn the words around it."""
    shown = INVISIBLE.sub("", text[: limit + 1])
    shown = "".join(character if character.isprintable() else _escaped(character) for character in shown[:limit])
    return f'"{shown}…"' if len(text) > limit else f'"{shown}"'


def quoted_names(names: Sequence[str], limit: int = 20) -> str:
    """`"phone", "name" and 12 more`."""
    shown = ", ".join(f'"{name}"' for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def joined(words: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *init, end = words
    return f"{', '.join(init)} {last} {end}" if init else end


def closest(wanted: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `names` that was probably meant, whatever its case; None if none is like it."""
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.strip().casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None


def _escaped(character: str) -> str:
    """A control character by its number, because a space in its place would hide what is wrong."""
    is_control = unicodedata.category(character) == "Cc" and not character.isspace()
    return f"\\u{ord(character):04x}" if is_control else " "
