"""A cell as digits: what stands around a number by accident is removed, what may mean something never is. Pure.

Spreadsheets add apostrophes, decimals and exponents, web pages and contact lists add invisible marks, people add
names, second numbers and extensions. Only the first kind can be undone without guessing; an exponent has lost digits.
"""

import re
import unicodedata
from typing import NamedTuple

from runner.base.text import INVISIBLE, quoted


class WrittenNumber(NamedTuple):
    """The digits of a cell, with the plus if it has one.

    `bare` is the same international number, with its plus, without the "(0)" behind the country code. `repaired`:
    something was taken away or replaced that isn't a usual separator.
    """

    digits: str
    bare: str | None = None
    repaired: bool = False


# Longer than any number, with its brackets, marks and quotes. Bounds the work for a cell that holds a novel.
_LONGEST = 100

_ASCII = (
    # Full-width forms are ASCII at another place, letters too: so "６．５９Ｅ＋０９" gets the right words.
    {place + 0xFEE0: place for place in range(0x21, 0x7F)}
    | dict.fromkeys([0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
    | dict.fromkeys([*range(0x2010, 0x2014), 0x2212, 0xFE63], "-")
    | {0xFE62: "+", 0x3001: ","}
)
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033\u02b9\u02bc"
_AROUND = f"{_QUOTES} \t\r\n"
# How a CSV makes Excel show a number as text: ="6591234567"
_FORMULA = re.compile(r'= *"([^"]*)"')
_TEL = re.compile(r"\Atel: *", re.IGNORECASE)

_PLAIN = re.compile(r"\+?[0-9]+")
# One number in groups. With more digits it might be two; with other marks, or several in a row, anything.
_GROUPED = re.compile(r"\+?[0-9]+(?:[ -][0-9]+)+")
_MOST_GROUPED = 13
# Spaces, hyphens, dots and brackets separate; a slash or comma may separate two numbers, and a line break does.
_SEPARATORS = " ().-"
_WRITTEN = re.compile(r"(?:\(? *\+[ (]*|\( *)?[0-9](?:[ ().-]*[0-9])* *\)?")
_DROP = dict.fromkeys(map(ord, _SEPARATORS))
# The national prefix as written for readers abroad, behind nothing but the country code: +44 (0)20 …
_TRUNK_ZERO = re.compile(r"(\(? *\+[ (]*|\(? *00 *|\( *)?([1-9][0-9]{0,2})[ ().-]*\( *0 *\)")

_FLOAT = re.compile(r"\A(\+?[0-9]+)\.0\Z")
# A separator in front of nothing but zeros, or of one or two digits behind a whole number: 91234567.00, 6591234567.5
_DECIMAL = re.compile(r"[^.,]*[0-9] *[.,][ 0]+|\+?[0-9]{7,}[.,][0-9]{1,2}")
# What the readers put before a number that its file holds only to some digits, such as a float in 32 bits.
_ROUNDED = "≈"
_WHY_ROUNDED = "is rounded: it was stored with too few digits; store the column as text and export it again"
_TWO_RUNS = re.compile(r"[0-9]{7,}[^0-9]+[0-9]{7,}")
_WHY_TWO = "looks like two numbers; give each a row of its own"
_AS_TEXT = "format the column as text and export it again"
_WHY_SHORTENED = f"was shortened by a spreadsheet, and its digits are lost; {_AS_TEXT}"
# What a cell is that holds no single number; the first pattern that is found counts.
_WHY_NOT = {
    r"\A[+-]? *[0-9][0-9 ]*[.,]?[0-9 ]*E[+-]?[0-9 ]+\Z": _WHY_SHORTENED,
    rf"\A(?:{_DECIMAL.pattern})\Z": f"was saved as a decimal number; {_AS_TEXT}",
    rf"\A{_ROUNDED}": _WHY_ROUNDED,
    r"\A-": "begins with a minus",
    r"\A#": "is what a spreadsheet shows in place of a value; mend the cell there and export it again",
    _TWO_RUNS.pattern: _WHY_TWO,
    r"; *(?!ext)[a-z-]+=": "has more behind a semicolon; write the whole number, and nothing else",
    r"[0-9 )](?:[x#;]|ext).*[0-9]": "has an extension; texts cannot be sent to extensions",
}
_PARTED = re.compile(r"[0-9][^+/,;|&\n]*[+/,;|&\n].*[0-9]", re.DOTALL)


def read_digits(cell: str) -> WrittenNumber | str:
    """The digits that the cell holds, or why it holds no single number, as words that follow the quoted cell."""
    if len(cell) > _LONGEST:
        return "is too long for a number"
    if _PLAIN.fullmatch(cell):
        return WrittenNumber(cell)
    if _GROUPED.fullmatch(cell) and len(digits := cell.translate(_DROP)) <= _MOST_GROUPED:
        return WrittenNumber(digits)
    if "\u202e" in cell:
        return "holds a mark that turns its digits around (U+202E); type the number again"
    cell = cell.strip()
    text = _without_noise(cell)
    if not text:
        return "holds no number"
    text = _FLOAT.sub(r"\1", text)
    if not _WRITTEN.fullmatch(text) or _DECIMAL.fullmatch(text) or _TWO_RUNS.search(text):
        return _why_not(text)
    digits = text.translate(_DROP)
    if zero := _TRUNK_ZERO.match(text):
        begins = "00" if "00" in (zero[1] or "") else "+"
        return WrittenNumber(digits, f"{begins}{zero[2]}{text[zero.end() :].translate(_DROP)}", repaired=True)
    return WrittenNumber(digits, repaired=text != cell)


def why_no_key(cell: str) -> str | None:
    """Words for a cell that cannot tell persons apart, because the last digits of its number are lost."""
    return f"{quoted(cell)} {_WHY_ROUNDED}" if cell.startswith(_ROUNDED) else None


def _without_noise(text: str) -> str:
    if not text.isascii():
        # A mark between digits may be the only separator of two numbers, so it counts as a space.
        text = INVISIBLE.sub(" ", text).translate(_ASCII)
        text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    text = text.strip()
    if formula := _FORMULA.fullmatch(text):
        text = formula[1]
    return _TEL.sub("", text.strip(_AROUND))


def _why_not(text: str) -> str:
    """Words for a text that is not one number."""
    for pattern, words in _WHY_NOT.items():
        if re.search(pattern, text, re.IGNORECASE):
            return words
    if any(map(str.isalpha, text)):
        return "holds letters" if any(map(str.isdigit, text)) else "is not a number"
    if _PARTED.search(text):
        return _WHY_TWO
    strange = next((c for c in text if c not in f"+0123456789{_SEPARATORS}"), None)
    if strange is None:
        return "is not written as a number"
    shown = strange if strange.isprintable() else "a character"
    return f"holds {shown} (U+{ord(strange):04X}), which does not belong in a number"
