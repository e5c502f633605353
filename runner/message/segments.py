"""The characters of GSM-7 (3GPP TS 23.038), and the exact number of segments of a text. Pure.

A segment has 140 octets. In a message with several segments, six octets of each are a header, so that 160 septets
become 153, and 70 UTF-16 units become 67. A character of two units (a GSM-7 extension, a UCS-2 surrogate pair) is
never split, so a segment can end one unit short.
"""

import re
import unicodedata
from dataclasses import dataclass

from runner.base.messages import Encoding

# The 127 characters of one septet. The 128th, escape, starts an extension character.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# The characters of two septets: an escape and another septet, never split over two segments.
EXTENSION = "\f^{}\\[~]|€"
GSM7 = frozenset(BASIC + EXTENSION)

_GSM7 = re.compile(f"[{re.escape(BASIC + EXTENSION)}]*")
_ONE_SEPTET = re.compile(f"[{re.escape(BASIC.replace(chr(13), ''))}]+")
_OUTSIDE = re.compile(f"[^{re.escape(BASIC + EXTENSION)}]")

# Control characters except newline and tab (including the form feed, which GSM-7 has but phones don't use), halves of a
# surrogate pair, two Unicode noncharacters, and U+FFFD, which replaces a letter lost by reading a file in the wrong
# encoding (Zo� for Zoë). They come from broken exports, and some networks truncate the text there.
UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")

# The units of a single segment, and of each segment in a longer message.
_ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}
_EXTENDED = frozenset(EXTENSION)
_OUTSIDE_GSM7 = "the text has characters outside GSM-7"


def is_gsm7(text: str) -> bool:
    """Whether every character is in GSM-7. Optimised for speed, because every text is checked."""
    return _GSM7.fullmatch(text) is not None


def septet_segments(text: str) -> int | None:
    """The segments of a text with only one-septet characters (nearly every text); None for other texts.

    Also None for an empty text and a text with a carriage return.
    """
    return _count(len(text), Encoding.GSM7) if _ONE_SEPTET.fullmatch(text) else None


def outside_gsm7(text: str) -> list[tuple[int, str]]:
    """The characters that force UCS-2, each with its 0-based index in the text."""
    return [(match.start(), match.group()) for match in _OUTSIDE.finditer(text)]


def described(character: str) -> str:
    """A character as shown to users: `’ (U+2019)`, or `U+0007 (control character)` if it isn't printable."""
    code = f"U+{ord(character):04X}"
    category = unicodedata.category(character)
    if category == "Cc":
        return f"{code} (control character)"
    if category[0] == "M":  # alone, it would combine with the character before it
        return f"{code} (combining mark)"
    return f"{character} ({code})" if character.isprintable() else f"{code} (invisible character)"


def segments(text: str, encoding: Encoding) -> int:
    """The number of segments; an empty text has one.

    `encoding` is GSM7 or UCS2. Raises ValueError for GSM7 if the text has characters outside it.
    """
    if encoding is Encoding.GSM7 and not is_gsm7(text):
        raise ValueError(_OUTSIDE_GSM7)
    # Nearly every text has only one-unit characters: simple arithmetic, without a loop over them.
    has_wide = not _EXTENDED.isdisjoint(text) if encoding is Encoding.GSM7 else max(text, default="") > "\uffff"
    return len(_fill(text, encoding)) if has_wide else _count(len(text), encoding)


def _count(units: int, encoding: Encoding) -> int:
    """The segments of a text with only one-unit characters."""
    return 1 if units <= _ALONE[encoding] else -(-units // _JOINED[encoding])


def units(character: str, encoding: Encoding) -> int:
    """The units of one character: septets in GSM7, UTF-16 units in UCS2."""
    return 2 if (character in _EXTENDED if encoding is Encoding.GSM7 else character > "\uffff") else 1


@dataclass(frozen=True, slots=True)
class Measure:
    """The figures that `campaign preview` shows for a text.

    `units` are septets or UTF-16 units; `left` is how many more fit into the last segment. `forcing` are the characters
    that force UCS-2, with their 0-based indexes; empty for GSM7, and if only the campaign requires UCS2.
    """

    encoding: Encoding
    segments: int
    units: int
    left: int
    forcing: list[tuple[int, str]]

    @property
    def next_segments(self) -> int:
        """The segments with one unit more than `left`."""
        return self.segments + 1


def measure(text: str, encoding: Encoding = Encoding.AUTO) -> Measure:
    """Measure a text of any length. Raises ValueError like `segments`."""
    outside = outside_gsm7(text)
    chosen = (Encoding.UCS2 if outside else Encoding.GSM7) if encoding is Encoding.AUTO else encoding
    if outside and chosen is Encoding.GSM7:
        raise ValueError(_OUTSIDE_GSM7)
    filled = _fill(text, chosen)
    capacity = _ALONE[chosen] if len(filled) == 1 else _JOINED[chosen]
    return Measure(chosen, len(filled), sum(filled), capacity - filled[-1], outside)


def _fill(text: str, encoding: Encoding) -> list[int]:
    """The units in each segment."""
    widths = [units(character, encoding) for character in text]
    if sum(widths) <= _ALONE[encoding]:
        return [sum(widths)]
    filled = [0]
    for width in widths:
        if filled[-1] + width > _JOINED[encoding]:
            filled.append(0)
        filled[-1] += width
    return filled
