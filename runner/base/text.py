"""Text for people to read: quoting, joining, suggesting a name, defusing formulas, sanitizing. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# Marks without a width: soft hyphen, Arabic letter mark, zero-width spaces and joiners, directions, word joiner, BOM.
# Numbers copied from contact lists come as U+202D …U+202C. U+202E is not among them: it turns the digits around.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202d\u2060-\u2064\u2066-\u206f\ufeff]")


def quoted(text: str, limit: int = 40) -> str:
    """The text in double quotes, cut, on one line, without invisible marks."""
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
    """The name that was probably meant, whatever its case; None if no name is like it."""
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.strip().casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None


def _escaped(character: str) -> str:
    """A control character by its number, because a space in its place would hide what is wrong."""
    is_control = unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
    return f"\\u{ord(character):04x}" if is_control else " "


# What a spreadsheet runs as a formula, and the signed numbers (an E.164 number is one) that it only reads as numbers.
# Both are read by Python and by polars. Source: OWASP, "CSV Injection".
_FORMULA = r"^\s*[=+\-@＝＋－＠\t\r]"
_SIGNED_NUMBER = r"[+-]?\d+(\.\d+)?"


def defused(cell: str) -> str:
    """The cell for a CSV file, with a quote before what a spreadsheet would run as a formula: `'=1+1`."""
    is_formula = re.match(_FORMULA, cell) and not re.fullmatch(_SIGNED_NUMBER, cell)
    return f"'{cell}" if is_formula else cell


def defused_column(name: str) -> "pl.Expr":
    """A column of texts, each of them `defused`."""
    import polars as pl

    cell = pl.col(name)
    is_formula = cell.str.contains(_FORMULA) & ~cell.str.contains(f"^{_SIGNED_NUMBER}$")
    return pl.when(is_formula).then(pl.lit("'") + cell).otherwise(cell).alias(name)


# Characters that move or hide others: controls but for line ends and tabs, the marks that turn the
# direction of writing, what has no width, halves of surrogate pairs (they have no UTF-8).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def sanitized(text: str, most: int | None = None) -> str:
    """The text with U+FFFD for each unsafe character; cut visibly after `most` characters."""
    if most is not None and len(text) > most:
        text = f"{text[:most].rstrip()}… ({len(text) - most:,} more characters)"
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))
