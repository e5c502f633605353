"""A cell as digits: what stands around a number by accident is taken away, what may mean something never is. Pure.

Spreadsheets add apostrophes, decimals and exponents, web pages and contact lists add invisible marks, people add
names, second numbers and extensions. Only the first kind can be undone without guessing; an exponent has lost digits.
"""

import re
import unicodedata
from typing import NamedTuple

from runner.base.text import INVISIBLE, quoted


class Written(NamedTuple):
    """The digits of a cell, with the plus if it has one.

    `bare` is the same international number, with its plus, without the "(0)" behind the country code. `repaired`:
    something was taken away or replaced that isn't a usual separator.
    """

    digits: str
    bare: str | None = None
    repaired: bool = False


# Longer than any number, with its brackets, marks and quotes. Bounds the work for a cell that holds a novel.
_LONGEST = 100

_REVERSING = "\u202e"

_ASCII = (
    # Full-width forms are ASCII at another place, letters too: so "６．５９Ｅ＋０９" gets the right words.
    {place + 0xFEE0: place for place in range(0x21, 0x7F)}
    | dict.fromkeys([0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
    | dict.fromkeys([*range(0x2010, 0x2014), 0x2212, 0xFE63], "-")
    | {0xFE62: "+", 0x3001: ","}
)
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033\u02b9\u02bc"
_AROUND = f"{_QUOTES} \t\r\n"
# How Excel is told to keep a number as text: ="6591234567"
_FORMULA = re.compile(r'= *"([^"]*)"')
_TEL = re.compile(r"tel: *", re.IGNORECASE)

_PLAIN = re.compile(r"\+?[0-9]+")
# One number in groups. With more digits it might be two; with other marks, or several in a row, anything.
_GROUPED = re.compile(r"\+?[0-9]+(?:[ -][0-9]+)+")
_MOST_GROUPED = 13
# Spaces, hyphens, dots and brackets separate; a slash or comma may part two numbers, and a line break does.
_SEPARATORS = " ().-"
_WRITTEN = re.compile(r"(?:\(? *\+[ (]*|\( *)?[0-9](?:[ ().-]*[0-9])* *\)?")
_DROP = dict.fromkeys(map(ord, _SEPARATORS))
# The national prefix as written for people abroad, behind nothing but the country code: +44 (0)20 …
_TRUNK_ZERO = re.compile(r"(\(? *\+[ (]*|\(? *00 *|\( *)?([1-9][0-9]{0,2})[ ().-]*\( *0 *\)")

_FLOAT = re.compile(r"(\+?[0-9]+)\.0")
# A separator in front of nothing but zeros, or of one or two digits behind a whole number: 91234567.00, 6591234567.5
_DECIMAL = re.compile(r"[^.,]*[0-9] *[.,][ 0]+|\+?[0-9]{7,}[.,][0-9]{1,2}")
# What the readers put before a number that its file holds only to some digits, such as a float in 32 bits.
_ROUNDED = "≈"
_WHY_ROUNDED = "is rounded: it was stored with too few digits; store the column as text and export it again"
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+[.,]?[0-9]*E[+-]?[0-9]+", re.IGNORECASE)
_EXTENSION = re.compile(r"[0-9 )](?:[x#;]|ext).*[0-9]", re.IGNORECASE)
_PARAMETERS = re.compile(r"; *(?!ext)[a-z-]+=", re.IGNORECASE)
_TWO_RUNS = re.compile(r"[0-9]{7,}[^0-9]+[0-9]{7,}")
_PARTED = re.compile(r"[0-9][^+/,;|&\n]*[+/,;|&\n].*[0-9]", re.DOTALL)


def read_digits(cell: str) -> Written | str:
    """The digits that the cell holds, or why it holds no single number, as words that follow the quoted cell."""
    if _PLAIN.fullmatch(cell):
        return Written(cell) if len(cell) <= _LONGEST else "is too long for a number"
    if len(cell) > _LONGEST:
        return "is too long for a number"
    if _GROUPED.fullmatch(cell) and len(digits := cell.translate(_DROP)) <= _MOST_GROUPED:
        return Written(digits)
    if _REVERSING in cell:
        return "holds a mark that turns its digits around (U+202E); type the number again"
    cell = cell.strip()
    text = _without_noise(cell)
    if not text:
        return "holds no number"
    text = _FLOAT.sub(r"\1", text) if _FLOAT.fullmatch(text) else text
    if not _WRITTEN.fullmatch(text) or _DECIMAL.fullmatch(text) or _TWO_RUNS.search(text):
        return _why_not(text)
    digits = text.translate(_DROP)
    if zero := _TRUNK_ZERO.match(text):
        begins = "00" if "00" in (zero[1] or "") else "+"
        return Written(digits, f"{begins}{zero[2]}{text[zero.end() :].translate(_DROP)}", repaired=True)
    return Written(digits, repaired=text != cell)


def has_invisible(cell: str) -> bool:
    """Whether the cell holds marks that `quoted` doesn't show."""
    return not cell.isascii() and INVISIBLE.search(cell) is not None


def why_no_key(cell: str) -> str | None:
    """Words for a cell that cannot tell persons apart, because the last digits of its number are lost."""
    return f"{quoted(cell)} {_WHY_ROUNDED}" if cell.startswith(_ROUNDED) else None


def _without_noise(text: str) -> str:
    if not text.isascii():
        # A mark between digits may be all that parts two numbers, so it counts as a space.
        text = INVISIBLE.sub(" ", text).translate(_ASCII)
        text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    text = text.strip()
    if formula := _FORMULA.fullmatch(text):
        text = formula[1]
    text = text.strip(_AROUND)
    if tel := _TEL.match(text):
        text = text[tel.end() :]
    return text


def _why_not(text: str) -> str:
    """Words for a text that is not one number."""
    if _SCIENTIFIC.fullmatch(text.replace(" ", "")):
        return "was shortened by a spreadsheet, and its digits are lost; format the column as text and export it again"
    if _DECIMAL.fullmatch(text):
        return "was saved as a decimal number; format the column as text and export it again"
    if text.startswith(_ROUNDED):
        return _WHY_ROUNDED
    if text.startswith("-"):
        return "begins with a minus"
    if text.startswith("#"):
        return "is what a spreadsheet shows in place of a value; mend the cell there and export it again"
    if _TWO_RUNS.search(text):
        return "looks like two numbers; give each a row of its own"
    if _PARAMETERS.search(text):
        return "has more behind a semicolon; write the whole number, and nothing else"
    if _EXTENSION.search(text):
        return "has an extension; texts cannot be sent to extensions"
    if any(map(str.isalpha, text)):
        return "holds letters" if any(map(str.isdigit, text)) else "is not a number"
    if _PARTED.search(text):
        return "looks like two numbers; give each a row of its own"
    strange = next((c for c in text if c not in f"+0123456789{_SEPARATORS}"), None)
    if strange is not None:
        shown = strange if strange.isprintable() else "a character"
        return f"holds {shown} (U+{ord(strange):04X}), which does not belong in a number"
    return "is not written as a number"
