"""Text for people to read: cells and names quoted, words joined, the name that was meant. Pure."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# Marks without a width: soft hyphen, Arabic letter mark, zero-width spaces and joiners, directions, word joiner, BOM.
# Numbers copied from contact lists come as U+202D …U+202C. U+202E is not among them: it turns the digits around.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202d\u2060-\u2064\u2066-\u206f\ufeff]")


def quoted(cell: str, limit: int = 40) -> str:
    """A cell for people to read: shortened, on one line, without marks that would turn the words around it."""
    shown = INVISIBLE.sub("", cell[: limit + 1])
    shown = "".join(character if character.isprintable() else " " for character in shown[:limit])
    return f'"{shown}…"' if len(cell) > limit else f'"{shown}"'


def quoted_names(names: Sequence[str], limit: int = 20) -> str:
    """`"phone", "name" and 12 more`."""
    shown = ", ".join(f'"{name}"' for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def joined(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def closest(wanted: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `names` that was probably meant, whatever its case; None if none is like it."""
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.strip().casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None
