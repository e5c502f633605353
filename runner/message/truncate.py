"""`truncate_gsm`: a text cut to a number of septets. Pure."""

import re
import unicodedata
from functools import cache
from itertools import accumulate

from runner.message.given import FilterError, text_of
from runner.message.gsm import EXTENSION, is_gsm7
from runner.message.likeness import likeness

_EXTENSION = frozenset(EXTENSION)
_JOINER = "\u200d"
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
_LAST_SPACE = re.compile(r"\s+(?=\S*$)")


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
    whole = _clusters(beginning)
    fitting = sum(1 for units in accumulate(map(_size, whole)) if units <= room)
    kept = "".join(whole[:fitting])
    if not whole[fitting].isspace() and (space := _LAST_SPACE.search(kept)) and space.start() * 2 >= len(kept):
        kept = kept[: space.start()]
    return kept.rstrip() + ending


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
        return 2 if character in _EXTENSION else 1
    own = 2 if character > "\uffff" else 1
    like = likeness(character, 0) or ""
    return max(own, sum(2 if septet in _EXTENSION else 1 for septet in like))


def _clusters(text: str) -> list[str]:
    """What people take for one character, in one piece: a letter with its accents, an emoji of several, a flag."""
    clusters: list[str] = []
    for character in text:
        last = clusters[-1] if clusters else ""
        flag = character in _FLAG_LETTERS and len(last) == 1 and last in _FLAG_LETTERS
        joins = character == _JOINER or character in _SKIN_TONES or unicodedata.category(character)[0] == "M"
        if last and (flag or joins or last[-1] == _JOINER):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters
