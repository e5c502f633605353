"""Text for people to read: quoting, joining, suggesting a name, defusing formulas, sanitizing. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# Invisible marks: soft hyphen, Arabic letter mark, zero-width spaces and joiners, directions, word joiner, BOM. Numbers
# copied from contact lists often are enclosed in U+202D and U+202C. U+202E isn't included, because it reverses digits.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202d\u2060-\u2064\u2066-\u206f\ufeff]")


def quoted(text: str, limit: int = 40) -> str:
    """The text in double quotes, shortened, on one line, without invisible marks."""
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


def folded(name: str) -> str:
    """The form in which names are compared: letter case, blanks around the name and Unicode's forms don't matter."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def closest(wanted: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that was probably meant, ignoring case; None if no name is similar."""
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.strip().casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None


def _escaped(character: str) -> str:
    """A control character as `\\uXXXX`, because a space would hide the problem. Other characters become a space."""
    is_control = unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
    return f"\\u{ord(character):04x}" if is_control else " "


# Cells that a spreadsheet runs as formulas, and signed numbers (such as E.164 numbers), which are harmless. Both
# patterns work in Python and in polars. Source: OWASP, "CSV Injection".
_FORMULA = r"^\s*[=+\-@＝＋－＠\t\r]"
_SIGNED_NUMBER = r"[+-]?\d+(\.\d+)?"


# Control characters except line breaks and tabs: a terminal would run them (Escape) when somebody prints the file.
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"


def defused(cell: str) -> str:
    """The cell for a CSV file. If a spreadsheet would run it as a formula, it gets a leading quote: `'=1+1`.

    Control characters, which a terminal would run, become U+FFFD.
    """
    is_formula = re.match(_FORMULA, cell) and not re.fullmatch(_SIGNED_NUMBER, cell)
    safe = re.sub(_CONTROL, "\ufffd", cell.replace("\r\n", "\n"))
    return f"'{safe}" if is_formula else safe


def defused_column(name: str) -> "pl.Expr":
    """A column of texts, with `defused` applied to each."""
    import polars as pl

    cell = pl.col(name)
    is_formula = cell.str.contains(_FORMULA) & ~cell.str.contains(f"^{_SIGNED_NUMBER}$")
    safe = cell.str.replace_all("\r\n", "\n", literal=True).str.replace_all(_CONTROL, "\ufffd")
    return pl.when(is_formula).then(pl.lit("'") + safe).otherwise(safe).alias(name)


# Characters that move or hide others: control characters except line breaks and tabs, marks that change the writing
# direction, characters without a width, and lone surrogates (which UTF-8 can't encode).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def sanitized(text: str, most: int | None = None) -> str:
    """The text with U+FFFD for each unsafe character. If it is longer than `most`, it is cut off, with a note."""
    if most is not None and len(text) > most:
        text = f"{text[:most].rstrip()}… ({len(text) - most:,} more characters)"
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))
