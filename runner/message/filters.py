"""The template filters for text: `title`, `truncate_gsm` and `phone`, and how every filter reads its arguments. Pure.

`locale_filters` has `currency` and `date`. docs/templates.md describes each, with examples that a test runs.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import accumulate

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError

from runner.base.messages import Encoding
from runner.message.characters import is_gsm7
from runner.message.segments import units
from runner.message.transliteration import likeness

# `(number, style, country)` → the number for people; `style` is national or international, `country` alpha-2 or None.
# Raises ValueError, in words, for what is no number.
PhoneFormat = Callable[..., str]

# A run of letters, with digits before it and apostrophes in it.
_APOSTROPHES = "'’‘ʼ`´"
_WORD = re.compile(rf"(\d*)([^\W\d_]+(?:[{_APOSTROPHES}][^\W\d_]+)*)")
_AT_APOSTROPHE = re.compile(rf"([{_APOSTROPHES}])")
# What follows an apostrophe without being a name: John's, we'll.
_ENDINGS = frozenset({"s", "t", "ll", "re", "ve", "m", "d"})
_MC = re.compile(r"Mc[^\W\d_]{3,}")
_LAST_NUMERAL = re.compile(r"(?<=\s)(ii|iii|iv)$", re.IGNORECASE)

_JOINER = "\u200d"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_LAST_SPACE = re.compile(r"\s+(?=\S*$)")


class FilterError(TemplateRuntimeError):
    """A filter can't do what it is asked to: `str()` says what is wrong and what to write instead."""


def only_text(value: object, why_not: str = "cannot be put into a text") -> object:
    """The value, if it is a text or a number: Python's view of True, None or a list is not for phones."""
    if isinstance(value, str | Undefined) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise FilterError(f"a value of the kind {type(value).__name__} {why_not}")


def text_of(value: object) -> str:
    """A field's or a number's text. Raises FilterError for what is neither, UndefinedError for what isn't there."""
    return str(only_text(value, "is no text"))


def title(value: object) -> str:
    """The name with its capitals: ANNA-MARIA O'NEIL is Anna-Maria O'Neil, john's shop is John's Shop.

    A value that has capitals and small letters already (McDonald, van der Berg, DeShawn, LaToya J.) stays as it is:
    its owner knows better. Raises FilterError for what is no text.
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
        # O'Neil, D'Or and De'Andre go on with a capital; John's, we'll and ma'am don't.
        begins_name = piece.lower() not in _ENDINGS and (len(before) <= 1 or len(piece) > 2)
        written += [apostrophe, _capital(piece) if begins_name else _lower(piece)]
        before = piece
    return "".join(written)


def _capital(piece: str) -> str:
    if piece[:1] in ("", "ʻ"):  # ʻAlika: a letter of Hawaiian; inside of a name (Oʻahu) no capital follows it
        return piece[:1] + (_capital(piece[1:]) if piece else "")
    capital = piece[0].title() + _lower(piece)[len(_lower(piece[0])) :]
    return capital[:2] + capital[2].upper() + capital[3:] if _MC.fullmatch(capital) else capital


def _lower(piece: str) -> str:
    # Turkish İ would become an i with a combining dot, a character that forces UCS-2.
    return piece.lower().replace("i\u0307", "i")


def truncate_gsm(value: object, length: object, end: object = "") -> str:
    """The text if it takes at most `length` septets; or else its beginning and `end`, together at most that.

    A character of the extension takes two septets and is never cut. A character outside of GSM-7 counts as much as
    itself (one or two UTF-16 units) or as its likeness in GSM-7, whichever is more, so that the promise holds with
    smart encoding and without. The cut is at a space where there is one in the second half of what would remain; an
    accent or an emoji is never torn apart. Raises FilterError for a length that isn't a whole number above 0, or an
    `end` that is longer.
    """
    text, ending = text_of(value), text_of(end)
    room = checked_length(length) - _size(ending)
    if room < 0:
        raise FilterError(f"the end takes {_size(ending)} of {length} septets; write a shorter one")
    # Every character takes at least one, so that a page in a cell need not be looked at to its end.
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


def checked_length(length: object) -> int:
    """Raises FilterError for what isn't a whole number above 0."""
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise FilterError("the length is a whole number of septets above 0, such as truncate_gsm(20)")
    return length


def _size(text: str) -> int:
    return sum(map(_units, text))


@cache
def _units(character: str) -> int:
    if is_gsm7(character):
        return units(character, Encoding.GSM7)
    like = likeness(character, 0) or ""
    return max(units(character, Encoding.UCS2), sum(units(septet, Encoding.GSM7) for septet in like))


def _clusters(text: str) -> list[str]:
    """What people take for one character, in one piece: a letter with its accents, an emoji of several, a flag."""
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
    """The filter `phone`, which formats with `phone_format`; without one, a text can't use it."""

    def phone(value: object, style: object = "international", country: object = None) -> str:
        if phone_format is None:
            raise FilterError("the filter phone is not available here")
        checked_style(style)
        try:
            return phone_format(text_of(value), style, None if country is None else text_of(country))
        except ValueError as error:
            raise FilterError(str(error)) from error

    return phone


def checked_style(style: object) -> object:
    """Raises FilterError for what is neither national nor international."""
    if style not in ("international", "national"):
        raise FilterError('the style is "international" or "national"')
    return style
