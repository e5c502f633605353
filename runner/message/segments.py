"""How many segments a text takes, exactly as a handset puts them together.

A segment is 140 octets. In a message of several, six of them tell the segments' order, so that each holds less:
160 septets become 153, and 70 UTF-16 units become 67. A character of two units (an extension of GSM-7, a surrogate
pair of UCS-2) is never cut, so a segment can end one unit short.
"""

from dataclasses import dataclass

from runner.base.messages import Encoding
from runner.message.characters import EXTENSION, is_gsm7, outside_gsm7

_ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}
_EXTENDED = frozenset(EXTENSION)
_OUTSIDE_GSM7 = "the text has characters outside of GSM-7"


def segments(text: str, encoding: Encoding) -> int:
    """The number of segments; an empty text takes one.

    `encoding` is GSM7 or UCS2. Raises ValueError for GSM7 when the text has characters outside of it.
    """
    if encoding is Encoding.GSM7 and not is_gsm7(text):
        raise ValueError(_OUTSIDE_GSM7)
    # Nearly every text has only characters of one unit: simple arithmetic, without a look at each of them.
    has_wide = not _EXTENDED.isdisjoint(text) if encoding is Encoding.GSM7 else max(text, default="") > "\uffff"
    return len(_fill(text, encoding)) if has_wide else segments_of_units(len(text), encoding)


def segments_of_units(count: int, encoding: Encoding) -> int:
    """The number of segments of a text whose characters are of one unit each."""
    return 1 if count <= _ALONE[encoding] else -(-count // _JOINED[encoding])


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
