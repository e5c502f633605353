"""Which encoding the provider finds in a text (the `encoding` of its answer), and how many segments it takes."""

import re

from runner.models import Encoding

# 3GPP TS 23.038, section 6.2.1: the default alphabet, then its extension table (ESC itself is not a character).
DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
SEGMENT_LIMIT = 10
GSM7_TEXT = re.compile(f"[{re.escape(DEFAULT_ALPHABET + EXTENSION)}]*")


def encoding_of(text: str, asked: str | None) -> Encoding:
    """The encoding that the text travels in: the one asked for, or else (AUTO) the one it needs.

    A text that cannot be written in the GSM7 it was asked for is answered as GSM7: what the provider does to its
    characters is not documented.
    """
    if asked in (Encoding.GSM7, Encoding.UCS2):
        return Encoding(asked)
    return Encoding.GSM7 if GSM7_TEXT.fullmatch(text) else Encoding.UCS2


def segments_of(text: str, encoding: Encoding) -> int:
    """How many segments the provider counts, ten at most: what is longer, it cuts.

    A pair (an extension character's two septets, a surrogate pair) is never cut by the end of a segment.
    """
    if encoding is Encoding.GSM7:
        alone, joined, sizes = 160, 153, [2 if character in EXTENSION else 1 for character in text]
    else:
        alone, joined, sizes = 70, 67, [2 if character > "\uffff" else 1 for character in text]
    if sum(sizes) <= alone:
        return 1
    segments, left = 1, joined
    for size in sizes:
        if size > left:
            segments, left = segments + 1, joined
        left -= size
    return min(segments, SEGMENT_LIMIT)
