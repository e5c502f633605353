"""The template filters: `title`, `truncate_gsm`, `phone`, `currency`, `date`, `int`, `float` and `bool`. Pure.

docs/reference/templates.md describes each, with tested examples. `currency` and `date` use Babel's CLDR data. Babel is
imported only if a template uses them, so that `campaign check` stays fast.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError

from runner.base.cells import written
from runner.base.messages import Encoding
from runner.base.text import joined, quoted
from runner.base.time_zones import is_zone, not_a_zone
from runner.message.segments import is_gsm7, units
from runner.message.transliteration import in_gsm7, likeness

if TYPE_CHECKING:
    from babel import Locale

# `(number, style, country)` → the formatted number; `style` is national or international, `country` alpha-2 or None.
# Raises ValueError with a message for an invalid number.
PhoneFormat = Callable[..., str]

# A run of letters, with digits before it and apostrophes in it.
_APOSTROPHES = "'’‘ʼ`´"
_WORD = re.compile(rf"(\d*)([^\W\d_]+(?:[{_APOSTROPHES}][^\W\d_]+)*)")
_AT_APOSTROPHE = re.compile(rf"([{_APOSTROPHES}])")
# Endings after an apostrophe that aren't names: John's, we'll.
_ENDINGS = frozenset({"s", "t", "ll", "re", "ve", "m", "d"})
_MC = re.compile(r"Mc[^\W\d_]{3,}")
_LAST_NUMERAL = re.compile(r"(?<=\s)(ii|iii|iv)$", re.IGNORECASE)

# Words for false and true in files: English, one letter as PostgreSQL writes it, Excel's in other languages, and more.
NO = frozenset({
    "false", "no", "f", "n", "off", "0", "falsch", "nein", "faux", "non", "falso", "não", "nao", "onwaar", "nee",
    "fałsz", "nie", "ложь", "нет", "salah", "tidak", "sai", "không", "否", "いいえ", "아니요", "เท็จ", "ไม่",
})  # fmt: skip
YES = frozenset({
    "true", "yes", "t", "y", "on", "1", "wahr", "ja", "vrai", "oui", "verdadero", "vero", "sí", "si", "sì",
    "verdadeiro", "sim", "waar", "prawda", "tak", "истина", "да", "benar", "ya", "đúng", "có", "是", "はい", "예",
    "จริง", "ใช่",
})  # fmt: skip

_JOINER = "\u200d"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_LAST_SPACE = re.compile(r"\s+(?=\S*$)")


class FilterError(TemplateRuntimeError):
    """A filter got an invalid value or argument: `str()` is the error and the remedy."""


def only_text(value: object) -> str:
    """What the text shows for a value. Lists and Python's None don't belong in a message: raises FilterError."""
    if isinstance(value, str | Undefined):
        return str(value)
    if isinstance(value, int | float | Decimal | dt.date):
        return written(value)
    remedy = '; write | join(", ")' if isinstance(value, list) else ""
    raise FilterError(f"a value of the type {type(value).__name__} can't be used in a text{remedy}")


def text_of(value: object) -> str:
    """The text of a field or number. Raises FilterError for another type, UndefinedError for a missing value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | dt.date | Undefined):
        raise FilterError(f"a value of the type {type(value).__name__} is not text")
    return only_text(value)


def whole(value: object, default: object = None, base: object = 10) -> object:
    """The whole number in a text, or a number without its fraction. `default` is for what isn't a number.

    Raises FilterError for what isn't a number, if there is no default: Jinja's filter makes it 0.
    """
    if isinstance(value, str) and isinstance(base, int) and base != 10:
        with suppress(ValueError):
            return int(value, base)
    if isinstance(value, str) and len(value) <= 30 and value.isascii() and value.isdigit():
        return int(value)  # in a third of the time
    found = _number(value)
    return int(found) if found is not None else _else(default, value, "a number such as 12")


def decimal(value: object, default: object = None) -> object:
    """The number in a text as a float; like `whole`."""
    found = _number(value)
    return float(found) if found is not None else _else(default, value, "a number such as 12.50")


def truth(value: object, default: object = None) -> object:
    """True for yes, true, 1 and their like; False for no, false, 0. Raises FilterError for another value."""
    text = written(value).strip().casefold()
    if text in YES or text in NO:
        return text in YES
    return _else(default, value, "true or false; write yes or no")


def _number(value: object) -> Decimal | None:
    text = written(value).strip()
    return Decimal(text) if not isinstance(value, bool) and _NUMBER.fullmatch(text) else None


def _else(default: object, value: object, noun: str) -> object:
    if default is None:
        raise FilterError(f"{quoted(written(value))} is not {noun}")
    return default


def title(value: object) -> str:
    """The name in title case: ANNA-MARIA O'NEIL becomes Anna-Maria O'Neil, john's shop becomes John's Shop.

    A value in mixed case (McDonald, van der Berg, DeShawn, LaToya J.) is not changed: it was probably typed with care.
    Raises FilterError for a value that isn't text.
    """
    text = text_of(value)
    if text != text.lower() and text != text.upper():
        return text
    titled = _WORD.sub(lambda match: match[1] + _word(match[2], after_digit=bool(match[1])), text)
    return _LAST_NUMERAL.sub(lambda match: match[0].upper(), titled)


def _word(word: str, *, after_digit: bool) -> str:
    if after_digit:  # 2nd, 10th
        return _lower(word)
    first, *rest = _AT_APOSTROPHE.split(word)
    written = [_capital(first)]
    before = first
    for apostrophe, piece in zip(rest[0::2], rest[1::2], strict=True):
        # O'Neil, D'Or and De'Andre continue with a capital; John's, we'll and ma'am don't.
        begins_name = piece.lower() not in _ENDINGS and (len(before) <= 1 or len(piece) > 2)
        written += [apostrophe, _capital(piece) if begins_name else _lower(piece)]
        before = piece
    return "".join(written)


def _capital(piece: str) -> str:
    if piece[:1] in ("", "ʻ"):  # ʻAlika: a Hawaiian letter; inside a name (Oʻahu) no capital follows it
        return piece[:1] + (_capital(piece[1:]) if piece else "")
    capital = piece[0].title() + _lower(piece)[len(_lower(piece[0])) :]
    return capital[:2] + capital[2].upper() + capital[3:] if _MC.fullmatch(capital) else capital


def _lower(piece: str) -> str:
    # Turkish İ would become i with a combining dot, which forces UCS-2.
    return piece.lower().replace("i\u0307", "i")


def truncate_gsm(value: object, length: object, end: object = "") -> str:
    """The text if it takes at most `length` septets, else its start plus `end`, together at most `length` septets.

    An extension character takes two septets and is never split. A character outside GSM-7 counts as itself (one or two
    UTF-16 units) or as its GSM-7 replacement, whichever is longer, so that the limit holds with and without smart
    encoding. The cut is at a space if there is one in the second half of the result. Accents and emoji are never split.
    Raises FilterError for a length that isn't a whole number above 0, and for an `end` longer than `length`.
    """
    text, ending = text_of(value), text_of(end)
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise FilterError("the length must be a whole number above 0; write for example truncate_gsm(20)")
    room = length - _size(ending)
    if room < 0:
        raise FilterError(f"the end takes {_size(ending)} septets, more than the length {length}; write a shorter end")
    # Every character takes at least one septet, so a very long cell needn't be read to its end.
    beginning = text[: room + _size(ending) + 1]
    if _size(beginning) <= room + _size(ending):
        return text
    clusters = _clusters(beginning)
    fitting = sum(1 for size in accumulate(map(_size, clusters)) if size <= room)
    shortened = "".join(clusters[:fitting])
    space = _LAST_SPACE.search(shortened)
    if space and not clusters[fitting].isspace() and space.start() * 2 >= len(shortened):
        shortened = shortened[: space.start()]
    return shortened.rstrip() + ending


def _size(text: str) -> int:
    return sum(map(_units, text))


@cache
def _units(character: str) -> int:
    if is_gsm7(character):
        return units(character, Encoding.GSM7)
    like = likeness(character, 0) or ""
    return max(units(character, Encoding.UCS2), sum(units(septet, Encoding.GSM7) for septet in like))


def _clusters(text: str) -> list[str]:
    """Split into user-perceived characters: a letter with its accents, an emoji sequence, a flag."""
    clusters: list[str] = []
    for character in text:
        last = clusters[-1] if clusters else ""
        is_flag = character in _FLAG_LETTERS and len(last) == 1 and last in _FLAG_LETTERS
        joins = character == _JOINER or character in _SKIN_TONES or unicodedata.category(character)[0] == "M"
        if last and (is_flag or joins or last[-1] == _JOINER):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def phone_filter(phone_format: PhoneFormat | None) -> Callable[..., str]:
    """The filter `phone`, which formats with `phone_format`; None makes the filter unavailable."""

    def phone(value: object, style: object = "international", country: object = None) -> str:
        if style not in ("international", "national"):
            raise FilterError('unknown style; write "international" or "national"')
        if phone_format is None:
            raise FilterError("the filter phone is not available here")
        try:
            return phone_format(text_of(value), style, None if country is None else text_of(country))
        except ValueError as error:
            raise FilterError(str(error)) from error

    return phone


_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{1,30})?")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
# PostgreSQL writes +08, BigQuery UTC. A date alone may have an offset of four digits.
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?P<time>[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?"
    r"( ?(?P<offset>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|(?(time)[+-][0-9]{2}|(?!))))?"
)
_STYLES = ("short", "medium", "long", "full")
# CLDR's letters for parts of a date, and for parts of a time of day.
_DAY_LETTERS = frozenset("yMLdEec")
_TIME_LETTERS = frozenset("hHKkmsSabB")
_TRAPS = {
    "Y": "YYYY is the week year, which is wrong on some days around New Year; write yyyy",
    "D": "D is the day of the year; write d or dd for the day of the month",
}
# A letter next to a digit: CLDR has a space between them ("SGD 5", "RM 5"), which Babel omits.
_TOUCHING = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def currency(value: object, code: object, locale: object = "en", symbol: object = None) -> str:
    """The amount with its currency: `1234.5` in SGD is "SGD 1,234.50", in the locale en_SG "$1,234.50".

    Half a cent is rounded up. If only the currency symbol would make the message UCS-2 (₹, ₱, ₩), the code is used
    instead; `symbol` true or false overrides this. Spaces are plain, because Babel's (U+00A0, U+202F) are outside
    GSM-7. Raises FilterError for an amount that isn't plain digits, and for an unknown code or locale.
    """
    written = text_of(value).strip()
    if not _AMOUNT.fullmatch(written):
        raise FilterError(f"{quoted(written)} is not an amount; write digits and a point, such as 1234.50")
    capitals = text_of(code).strip().upper()
    if not _is_currency(capitals):
        raise FilterError(f"{quoted(text_of(code))} is not a currency code; write three letters such as SGD")
    if symbol is not None and not isinstance(symbol, bool):
        raise FilterError("symbol must be true or false")
    return _currency(written, capitals, _locale(text_of(locale).strip()), symbol)


def date_filter(own_zone: str | None) -> Callable[..., str]:
    """The filter `date`; times with an offset are shown in `own_zone` (IANA), or as they are written for None."""

    def date(value: object, pattern: object = "medium", locale: object = "en", zone: object = own_zone) -> str:
        """The date, and the time of day if the pattern has it: 2026-12-01 becomes "Dec 1, 2026".

        `value` is a date, or a date and time, in ISO 8601. A time with an offset is converted to the time zone `zone`.
        `pattern` is short, medium, long or full, or CLDR letters such as "EEE d MMM yyyy" or "h:mm a" (Unicode TS 35).
        Raises FilterError for another date format, for misleading or unknown letters in the pattern, for an unknown
        zone, and if the pattern needs a time of day that the value doesn't have.
        """
        written = text_of(value).strip()
        shape = text_of(pattern)
        if wrong := None if shape in _STYLES else _wrong_pattern(shape):
            raise FilterError(wrong)
        if zone is not None and not is_zone(text_of(zone)):
            raise FilterError(not_a_zone(text_of(zone)))
        match = _ISO.fullmatch(written)
        if not match:
            raise FilterError(f"{quoted(written)} is not a date; write it like 2026-12-01 or 2026-12-01T18:30")
        if not match["time"] and _letters(shape) & _TIME_LETTERS and shape not in _STYLES:
            words = "has no time of day; write MM for the month, or add a time to the cell"
            raise FilterError(f"{quoted(written)} {words}")
        try:
            moment = _moment(match, None if zone is None else text_of(zone))
        except (ValueError, OverflowError) as error:
            raise FilterError(f"{quoted(written)} is not a date: {error}") from error
        return _date(moment, shape, _locale(text_of(locale).strip()))

    return date


def moment_of(text: str, zone: str | None) -> datetime | None:
    """The date and time that a text in ISO 8601 has in the time zone `zone`, without an offset; None for other text."""
    match = _ISO.fullmatch(text.strip())
    try:
        return _moment(match, zone) if match else None
    except (ValueError, OverflowError):
        return None


def _moment(match: re.Match[str], zone: str | None) -> datetime:
    """The date and time of a match of `_ISO`, without an offset: a time with one is in the time zone `zone`."""
    written = match["day"] + (match["time"] or "").replace(",", ".")
    offset = match["offset"]
    if offset is None or not match["time"]:
        return datetime.fromisoformat(written)
    moment = datetime.fromisoformat(written + ("Z" if offset in ("UTC", "GMT") else offset))
    return (moment if zone is None else moment.astimezone(ZoneInfo(zone))).replace(tzinfo=None)


@lru_cache(maxsize=1024)
def _is_currency(code: str) -> bool:
    from babel.numbers import list_currencies

    return code in list_currencies()


@lru_cache(maxsize=256)
def _wrong_pattern(pattern: str) -> str | None:
    """Why the pattern is invalid, and the remedy."""
    from babel.dates import parse_pattern

    if "%" in pattern:
        return f"{quoted(pattern)} uses %; write letters instead, such as dd MMM yyyy for %d %b %Y"
    if pattern.count("'") % 2:
        return f"{quoted(pattern)}: a quote is not closed; write '' for an apostrophe"
    letters = _letters(pattern)
    for letter in sorted(letters):
        if letter in _TRAPS:
            return _TRAPS[letter]
        if letter not in _DAY_LETTERS | _TIME_LETTERS:
            letters_and_words = "d, M, y, E, H, h, m, a, with other words in 'quotes'"
            return f"{quoted(pattern)}: unknown letter {letter}; use {letters_and_words}, or {joined(_STYLES, 'or')}"
    if "m" in letters and not letters & frozenset("hHkK"):
        return f"{quoted(pattern)}: mm means minutes; write MM for the month"
    if not letters:
        return f"{quoted(pattern)} shows no part of a date; write d MMM, or {joined(_STYLES, 'or')}"
    try:
        parse_pattern(pattern)
    except ValueError:
        return f"{quoted(pattern)} is not a date pattern; write one such as EEE d MMM yyyy"
    return None


def _letters(pattern: str) -> frozenset[str]:
    """The letters outside 'quotes'."""
    return frozenset(filter(str.isalpha, re.sub(r"'[^']*'", "", pattern)))


@lru_cache(maxsize=64)
def _locale(name: str) -> "Locale":
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise FilterError(f"{quoted(name)} is not a locale; write one such as en, en_GB or id_ID") from error


@lru_cache(maxsize=4096)
def _currency(amount: str, code: str, locale: "Locale", symbol: bool | None) -> str:
    from babel.numbers import format_currency, get_currency_precision

    exact = Decimal(amount).quantize(Decimal(1).scaleb(-get_currency_precision(code)), ROUND_HALF_UP)
    exact += 0  # removes the sign of a zero: -0.00

    def formatted(pattern: str | None) -> str:
        return _plain(_TOUCHING.sub(" ", format_currency(exact, code, pattern, locale=locale)))

    with_symbol = formatted(None)
    if symbol or (symbol is None and is_gsm7(with_symbol)):
        return with_symbol
    # ¤¤ is CLDR's placeholder for the code.
    with_code = formatted(locale.currency_formats["standard"].pattern.replace("¤", "¤¤"))
    return with_code if symbol is False or is_gsm7(with_code) else with_symbol


@lru_cache(maxsize=4096)
def _date(moment: datetime, pattern: str, locale: "Locale") -> str:
    from babel.dates import format_date, parse_pattern

    if pattern in _STYLES:
        return _plain(format_date(moment, pattern, locale=locale))
    return _plain(parse_pattern(pattern).apply(moment, locale))


def _plain(text: str) -> str:
    """Replace CLDR's typographic spaces, apostrophes and minus signs, if the text then is GSM-7."""
    spaced = text.replace("\u00a0", " ").replace("\u202f", " ")
    return in_gsm7(spaced) or spaced
