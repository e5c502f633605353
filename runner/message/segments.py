"""The characters of GSM-7 (3GPP TS 23.038), and how many segments a text takes, exactly as a handset joins them. Pure.

A segment is 140 octets. In a message of several, six of them hold the segment's place, so that less is left for text:
160 septets become 153, and 70 UTF-16 units become 67. A character of two units (an extension of GSM-7, a surrogate
pair of UCS-2) is never cut, so a segment can end one unit short.
"""

import re
import unicodedata
from dataclasses import dataclass

from runner.base.messages import Encoding

# The 127 characters of one septet each. The 128th, escape, announces an extension and is no character itself.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# The characters of two septets: an escape and one more, never split over two segments.
EXTENSION = "\f^{}\\[~]|€"
GSM7 = frozenset(BASIC + EXTENSION)

_GSM7 = re.compile(f"[{re.escape(BASIC + EXTENSION)}]*")
_ONE_SEPTET = re.compile(f"[{re.escape(BASIC.replace(chr(13), ''))}]+")
_OUTSIDE = re.compile(f"[^{re.escape(BASIC + EXTENSION)}]")

# Control characters but for newline and tab (a form feed too, though GSM-7 has it: no handset turns pages), halves of
# a surrogate pair, which have no encoding, the two that Unicode says are no characters, and U+FFFD, which stands for a
# letter that was lost where a file was read in a wrong encoding (Zo� for Zoë). They come from broken exports, and
# some networks cut the text there.
UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")

# The units of a text in one segment, and of each segment when there are several.
_ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}
_EXTENDED = frozenset(EXTENSION)
_OUTSIDE_GSM7 = "the text has characters outside of GSM-7"


def is_gsm7(text: str) -> bool:
    """Whether every character has a place in the alphabet. The fastest way, because every text is asked."""
    return _GSM7.fullmatch(text) is not None


def septet_segments(text: str) -> int | None:
    """The segments of a text of nothing but characters of one septet, as nearly every text is; None for another.

    None for a text with a carriage return and for an empty one, too.
    """
    return _count(len(text), Encoding.GSM7) if _ONE_SEPTET.fullmatch(text) else None


def outside_gsm7(text: str) -> list[tuple[int, str]]:
    """The characters that force UCS-2, each with its 0-based index in the text."""
    return [(match.start(), match.group()) for match in _OUTSIDE.finditer(text)]


def described(character: str) -> str:
    """A character in words: `’ (U+2019)`, or `U+0007 (a control character)` when it can't be shown."""
    code = f"U+{ord(character):04X}"
    category = unicodedata.category(character)
    if category == "Cc":
        return f"{code} (a control character)"
    if category[0] == "M":  # alone, it would sit on the character before it
        return f"{code} (a mark that joins the letter before it)"
    return f"{character} ({code})" if character.isprintable() else f"{code} (an invisible character)"


def segments(text: str, encoding: Encoding) -> int:
    """The number of segments; an empty text takes one.

    `encoding` is GSM7 or UCS2. Raises ValueError for GSM7 when the text has characters outside of it.
    """
    if encoding is Encoding.GSM7 and not is_gsm7(text):
        raise ValueError(_OUTSIDE_GSM7)
    # Nearly every text has only characters of one unit: simple arithmetic, without a look at each of them.
    has_wide = not _EXTENDED.isdisjoint(text) if encoding is Encoding.GSM7 else max(text, default="") > "\uffff"
    return len(_fill(text, encoding)) if has_wide else _count(len(text), encoding)


def _count(units: int, encoding: Encoding) -> int:
    """The segments of a text whose characters are of one unit each."""
    return 1 if units <= _ALONE[encoding] else -(-units // _JOINED[encoding])


def units(character: str, encoding: Encoding) -> int:
    """The units of one character: septets in GSM7, UTF-16 units in UCS2."""
    return 2 if (character in _EXTENDED if encoding is Encoding.GSM7 else character > "\uffff") else 1


@dataclass(frozen=True, slots=True)
class Measure:
    """What `campaign preview` shows of a text.

    `units` are septets or UTF-16 units; `left` is how many more fit before another segment begins. `forcing` are the
    characters that force UCS-2, with their 0-based indexes; empty for GSM7, and when only the campaign asks for UCS2.
    """

    encoding: Encoding
    segments: int
    units: int
    left: int
    forcing: list[tuple[int, str]]

    @property
    def next_segments(self) -> int:
        """What the text takes as soon as one unit more than `left` is added."""
        return self.segments + 1


def measure(text: str, encoding: Encoding = Encoding.AUTO) -> Measure:
    """Measures a text, as long as it may be. Raises ValueError as `segments` does."""
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
