"""`currency` and `date`: money and dates as people of a country write them, by the CLDR data in Babel.

Babel is imported only when a template uses one of the two: `campaign check` needn't wait for it.
"""

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.base.text import quoted
from runner.message.characters import is_gsm7
from runner.message.filters import FilterError, text_of
from runner.message.transliteration import in_gsm7

if TYPE_CHECKING:
    from babel import Locale

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?P<time>[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_STYLES = ("short", "medium", "long", "full")
# CLDR's letters that a date has an answer to, and those that need a time of day.
_DAY_LETTERS = frozenset("yMLdEec")
_TIME_LETTERS = frozenset("hHKkmsSabB")
_TRAPS = {
    "Y": "YYYY is the year of the week, wrong in some last days of December; write yyyy",
    "D": "D is the day of the year; write d or dd for the day of the month",
}
# A letter and a digit that touch: CLDR has a space there ("SGD 5", "RM 5"), and Babel leaves it out.
_TOUCHING = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def currency(value: object, code: object, locale: object = "en", symbol: object = None) -> str:
    """The amount with its currency: `1234.5` in SGD is "SGD 1,234.50", in the locale en_SG "$1,234.50".

    Half a cent is rounded up. Where the currency's symbol alone would make the message UCS-2 (₹, ₱, ₩), its code
    stands instead; `symbol` true or false decides otherwise. Spaces are plain ones, because Babel's (U+00A0, U+202F)
    are outside of GSM-7. Raises FilterError for an amount that isn't plain digits, an unknown code or locale.
    """
    written = text_of(value).strip()
    if not _AMOUNT.fullmatch(written):
        raise FilterError(f"{quoted(written)} is not a plain amount; write digits and a point, such as 1234.50")
    return _currency(written, checked_currency(code), checked_locale(locale), checked_symbol(symbol))


def date(value: object, pattern: object = "medium", locale: object = "en") -> str:
    """The day, and the time of day if the pattern has it: 2026-12-01 is "Dec 1, 2026".

    `value` is a date or a moment in ISO 8601; its offset is not applied: the text shows what the cell says. `pattern`
    is short, medium, long or full, or CLDR's letters such as "EEE d MMM yyyy" or "h:mm a" (Unicode TS 35). Raises
    FilterError for another kind of date, for a pattern with letters that mean something unexpected or nothing, and for
    a time of day that the value doesn't have.
    """
    written = text_of(value).strip()
    shape = checked_pattern(pattern)
    match = _ISO.fullmatch(written)
    if not match:
        raise FilterError(f"{quoted(written)} is not a date; write it as 2026-12-01, or 2026-12-01T18:30")
    try:
        moment = datetime.fromisoformat(match["date"] + (match["time"] or "").replace(",", "."))
    except ValueError as error:
        raise FilterError(f"{quoted(written)} is not a date: {error}") from error
    if not match["time"] and _letters(shape) & _TIME_LETTERS and shape not in _STYLES:
        raise FilterError(f"{quoted(written)} has no time of day; write MM for the month, or a time into the column")
    return _date(moment, shape, checked_locale(locale))


def checked_currency(code: object) -> str:
    """An ISO 4217 code in capitals. Raises FilterError."""
    capitals = text_of(code).strip().upper()
    if not _is_currency(capitals):
        raise FilterError(f"{quoted(text_of(code))} is no currency; write its three letters, such as SGD")
    return capitals


@lru_cache(maxsize=1024)
def _is_currency(code: str) -> bool:
    from babel.numbers import list_currencies

    return code in list_currencies()


def checked_locale(locale: object) -> "Locale":
    """Raises FilterError for what Babel has no data for."""
    return _locale(text_of(locale).strip())


def checked_symbol(symbol: object) -> bool | None:
    """Raises FilterError for what is neither true, false nor none."""
    if symbol is None or isinstance(symbol, bool):
        return symbol
    raise FilterError("symbol is true or false")


def checked_pattern(pattern: object) -> str:
    """A style's name, or a pattern whose letters mean what they seem to. Raises FilterError."""
    text = text_of(pattern)
    if wrong := None if text in _STYLES else _wrong_pattern(text):
        raise FilterError(wrong)
    return text


@lru_cache(maxsize=256)
def _wrong_pattern(pattern: str) -> str | None:
    """What is wrong with the pattern, and the remedy."""
    from babel.dates import parse_pattern

    if "%" in pattern:
        return f"{quoted(pattern)} has signs of another notation; write dd MMM yyyy for %d %b %Y"
    if pattern.count("'") % 2:
        return f"{quoted(pattern)}: a quote is opened and never closed; write '' for an apostrophe"
    letters = _letters(pattern)
    for letter in sorted(letters):
        if letter in _TRAPS:
            return _TRAPS[letter]
        if letter not in _DAY_LETTERS | _TIME_LETTERS:
            meaningful = "d, M, y, E, H, h, m, a, other words in 'quotes'"
            return f"{quoted(pattern)}: {letter} means nothing here; use {meaningful}, or one of {', '.join(_STYLES)}"
    if "m" in letters and not letters & frozenset("hHkK"):
        return f"{quoted(pattern)}: mm are minutes; write MM for the month"
    if not letters:
        return f"{quoted(pattern)} shows nothing of a date; write d MMM, or one of {', '.join(_STYLES)}"
    try:
        parse_pattern(pattern)
    except ValueError:
        return f"{quoted(pattern)} is no pattern for a date; write one such as EEE d MMM yyyy"
    return None


def _letters(pattern: str) -> frozenset[str]:
    """The letters outside of 'quotes'."""
    return frozenset(filter(str.isalpha, re.sub(r"'[^']*'", "", pattern)))


@lru_cache(maxsize=64)
def _locale(name: str) -> "Locale":
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise FilterError(f"{quoted(name)} is no locale; write one such as en, en_GB or id_ID") from error


@lru_cache(maxsize=4096)
def _currency(amount: str, code: str, locale: "Locale", symbol: bool | None) -> str:
    from babel.numbers import format_currency, get_currency_precision

    exact = Decimal(amount).quantize(Decimal(1).scaleb(-get_currency_precision(code)), ROUND_HALF_UP)
    exact += 0  # without the sign of a zero: nobody owes -0.00

    def formatted(pattern: str | None) -> str:
        return _plain(_TOUCHING.sub(" ", format_currency(exact, code, pattern, locale=locale)))

    with_symbol = formatted(None)
    if symbol or (symbol is None and is_gsm7(with_symbol)):
        return with_symbol
    # ¤¤ is CLDR's sign for the code.
    with_code = formatted(locale.currency_formats["standard"].pattern.replace("¤", "¤¤"))
    return with_code if symbol is False or is_gsm7(with_code) else with_symbol


@lru_cache(maxsize=4096)
def _date(moment: datetime, pattern: str, locale: "Locale") -> str:
    from babel.dates import format_date, parse_pattern

    if pattern in _STYLES:
        return _plain(format_date(moment, pattern, locale=locale))
    return _plain(parse_pattern(pattern).apply(moment, locale))


def _plain(text: str) -> str:
    """Without the typographic spaces, apostrophes and minus signs that CLDR has, if it then is GSM-7."""
    spaced = text.replace("\u00a0", " ").replace("\u202f", " ")
    return in_gsm7(spaced) or spaced
