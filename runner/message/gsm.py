"""The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, once GSM 03.38)."""

import re

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The 127 characters of one septet each. The 128th, escape, announces an extension and is no character itself."""

EXTENSION = "\f^{}\\[~]|€"
"""The characters of two septets: an escape and one more, never parted by a segment's boundary."""

_GSM7 = re.compile(f"[{re.escape(BASIC + EXTENSION)}]*")
_ONE_SEPTET = re.compile(f"[{re.escape(BASIC.replace(chr(13), ''))}]+")
_OUTSIDE = re.compile(f"[^{re.escape(BASIC + EXTENSION)}]")
_EXTENDED = re.compile(f"[{re.escape(EXTENSION)}]")


def is_gsm7(text: str) -> bool:
    """Whether every character has a place in the alphabet. One regex, because every text is asked."""
    return _GSM7.fullmatch(text) is not None


def is_one_septet_each(text: str) -> bool:
    """Whether the text is nothing but characters of one septet, without a carriage return; an empty one isn't."""
    return _ONE_SEPTET.fullmatch(text) is not None


def outside_gsm7(text: str) -> list[tuple[int, str]]:
    """The characters that force UCS-2, each with its 0-based index in the text."""
    return [(match.start(), match.group()) for match in _OUTSIDE.finditer(text)]


def has_extended(text: str) -> bool:
    """Whether some character takes two septets."""
    return _EXTENDED.search(text) is not None
