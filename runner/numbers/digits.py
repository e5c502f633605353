"""A cell as digits: characters added by accident are removed; characters that may have a meaning never are. Pure.

Spreadsheets add apostrophes, decimals and exponents. Web pages and contact lists add invisible marks. People add names,
second numbers and extensions. Only accidental characters can be removed without guessing; an exponent has lost digits.
"""

import re
import unicodedata
from typing import NamedTuple

from runner.base.placeholders import ROUNDED, SPREADSHEET_ERRORS, WHY_ROUNDED
from runner.base.text import INVISIBLE, quoted


class WrittenNumber(NamedTuple):
    """The digits of a cell, with the plus if there is one.

    `bare` is the same international number, with its plus, without the "(0)" after the country code. `repaired`:
    something other than a usual separator was removed or replaced.
    """

    digits: str
    bare: str | None = None
    repaired: bool = False


# Longer than any number with brackets, marks and quotes. Limits the work for a cell with a long text.
_LONGEST = 100

_ASCII = (
    # Full-width forms are shifted ASCII. Letters too, so that "６．５９Ｅ＋０９" gets the right message.
    {place + 0xFEE0: place for place in range(0x21, 0x7F)}
    | dict.fromkeys([0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
    | dict.fromkeys([*range(0x2010, 0x2014), 0x2212, 0xFE63], "-")
    | {0xFE62: "+", 0x3001: ","}
)
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033\u02b9\u02bc"
_AROUND = f"{_QUOTES} \t\r\n"
# Also those of ="1001".
_AROUND_KEY = f"{_AROUND}="
# How a CSV makes Excel show a number as text: ="6591234567"
_FORMULA = re.compile(r'= *"([^"]*)"')
# What other programs write before a number: links, messaging platforms (whatsapp:+65…), exports of leads (p:+65…).
LABEL = re.compile(r"\A\s*(?:(?:p|tel|sms|smsto|callto|whatsapp)\s*:\s*(?://\s*)?)+", re.IGNORECASE)
# Several pluses, of which one counts, perhaps after a bracket.
_PLUSES = re.compile(r"\A(\(? *)\+[ +]*\+")
# At the end of a cell, these separate nothing. But three dots may stand for digits that were cut off.
_TRAILING, _CUT_OFF = " .,-", "..."

_PLAIN = re.compile(r"\+?[0-9]+")
# One number in groups. With more digits it may be two numbers; with other or repeated marks, anything.
_GROUPED = re.compile(r"\+?[0-9]+(?:[ -][0-9]+)+")
_MOST_GROUPED = 13
# Spaces, hyphens, dots and brackets are separators. A slash or comma may separate two numbers; a line break does.
_SEPARATORS = " ().-"
_WRITTEN = re.compile(r"(?:\(? *\+[ (]*|\( *)?[0-9](?:[ ().-]*[0-9])* *\)?")
_DROP = dict.fromkeys(map(ord, _SEPARATORS))
# The national prefix as written for international readers, right after the country code: +44 (0)20 …
_TRUNK_ZERO = re.compile(r"(\(? *\+[ (]*|\(? *00 *|\( *)?([1-9][0-9]{0,2})[ ().-]*\( *0 *\)")

_FLOAT = re.compile(r"\A(\+?[0-9]+)\.0\Z")
_WHOLE = re.compile(r"\A(\+?[0-9]+)\.0+\Z")
# 1.23457E+11: a long key in a spreadsheet.
_SHORTENED = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{2}")
# A separator before zeros only, or before one or two digits after a whole number: 91234567.00, 6591234567.5
_DECIMAL = re.compile(r"[^.,]*[0-9] *[.,][ 0]+|\+?[0-9]{7,}[.,][0-9]{1,2}")
_TWO_RUNS = re.compile(r"[0-9]{7,}[^0-9]+[0-9]{7,}")
_WHY_ERROR = "is a spreadsheet error; correct it in the spreadsheet and export it again"
_WHY_TWO = "seems to be two numbers; write each number in a separate row"
_AS_TEXT = "format the column as text and export it again"
_WHY_SHORTENED = f"was shortened by a spreadsheet, and digits are lost; {_AS_TEXT}"
# Messages for cells without a single number; the first matching pattern counts.
_WHY_NOT = {
    r"\A[+-]? *[0-9][0-9 ]*[.,]?[0-9 ]*E[+-]?[0-9 ]+\Z": _WHY_SHORTENED,
    rf"\A(?:{_DECIMAL.pattern})\Z": f"was saved as a decimal number; {_AS_TEXT}",
    rf"\A{ROUNDED}": WHY_ROUNDED,
    r"\A-": "starts with a minus sign",
    r"\A(?:#|Err:)": _WHY_ERROR,
    _TWO_RUNS.pattern: _WHY_TWO,
    r"; *(?!ext)[a-z-]+=": "has text after a semicolon; write only the whole number",
    r"[0-9 )](?:[x#;]|ext).*[0-9]": "has an extension; SMS can't be sent to extensions",
}
_PARTED = re.compile(r"[0-9][^+/,;|&\n]*[+/,;|&\n].*[0-9]", re.DOTALL)


def read_digits(cell: str) -> WrittenNumber | str:
    """The digits of the cell, or why it has no single number, as words that follow the quoted cell."""
    if len(cell) > _LONGEST:
        return "is too long for a phone number"
    if _PLAIN.fullmatch(cell):
        return WrittenNumber(cell)
    if _GROUPED.fullmatch(cell) and len(digits := cell.translate(_DROP)) <= _MOST_GROUPED:
        return WrittenNumber(digits)
    if "\u202e" in cell:
        return "has a mark that reverses its digits (U+202E); type the number again"
    cell = cell.strip()
    text = _without_noise(cell)
    if not text:
        return "has no number"
    text = _FLOAT.sub(r"\1", text)
    if not _WRITTEN.fullmatch(text) or _DECIMAL.fullmatch(text) or _TWO_RUNS.search(text):
        return _why_not(text)
    digits = text.translate(_DROP)
    if zero := _TRUNK_ZERO.match(text):
        begins = "00" if "00" in (zero[1] or "") else "+"
        return WrittenNumber(digits, f"{begins}{zero[2]}{text[zero.end() :].translate(_DROP)}", repaired=True)
    return WrittenNumber(digits, repaired=text != cell)


def why_no_key(cell: str) -> str | None:
    """Why a cell can't be a key: the last digits of its number are lost, or it is an error value. None if it can."""
    if cell in SPREADSHEET_ERRORS:
        return f"{quoted(cell)} {_WHY_ERROR}"
    if cell.startswith(ROUNDED):
        return f"{quoted(cell)} {WHY_ROUNDED}"
    return f"{quoted(cell)} {_WHY_SHORTENED}" if "+" in cell and _SHORTENED.fullmatch(cell) else None


def folded_key(key: str) -> str:
    """The key without what people don't see, and what programs change: two keys with the same result are one for them.

    Without letter case, Unicode form, invisible marks, blanks and quotes around, and a number's leading zeros and `.0`;
    the digits of all scripts are the same.
    """
    if not key.isascii():
        key = unicodedata.normalize("NFKC", INVISIBLE.sub("", key)).translate(_ASCII)
        # A Turkish computer makes İ of i, and ı of I.
        key = unicodedata.normalize("NFKC", key.casefold()).replace("i\u0307", "i").replace("ı", "i")
        key = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in key)
    key = key.lower().strip(_AROUND_KEY)
    key = _WHOLE.sub(r"\1", key) if key.endswith((".0", ".00")) else key
    return key.lstrip("0") or "0" if key.startswith("0") and key.isdecimal() else key


def _without_noise(text: str) -> str:
    if not text.isascii():
        # A mark may be the only separator between two numbers, so it counts as a space.
        text = INVISIBLE.sub(" ", text).translate(_ASCII)
        text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    text = text.strip()
    if formula := _FORMULA.fullmatch(text):
        text = formula[1]
    text = _PLUSES.sub(r"\1+", LABEL.sub("", text.strip(_AROUND)))
    return text if text.endswith(_CUT_OFF) else text.rstrip(_TRAILING)


def _why_not(text: str) -> str:
    """Why a text is not one number."""
    for pattern, words in _WHY_NOT.items():
        if re.search(pattern, text, re.IGNORECASE):
            return words
    if any(map(str.isalpha, text)):
        return "has letters" if any(map(str.isdigit, text)) else "is not a number"
    if _PARTED.search(text):
        return _WHY_TWO
    strange = next((c for c in text if c not in f"+0123456789{_SEPARATORS}"), None)
    if strange is None:
        return "is not in the format of a phone number"
    shown = strange if strange.isprintable() else "a character"
    return f"has {shown} (U+{ord(strange):04X}), which is not allowed in a phone number"
