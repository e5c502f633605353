"""Which encoding the provider finds in a text (the `encoding` of its answer)."""

import re

from runner.models import Encoding

# 3GPP TS 23.038, section 6.2.1: the default alphabet, then its extension table (ESC itself is not a character).
DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
GSM7_TEXT = re.compile(f"[{re.escape(DEFAULT_ALPHABET + EXTENSION)}]*")


def encoding_of(text: str, asked: str | None) -> Encoding:
    """The encoding that the text travels in: the one asked for, or else (AUTO) the one it needs.

    A text that cannot be written in the GSM7 it was asked for is answered as GSM7: what the provider does to its
    characters is not documented.
    """
    if asked in (Encoding.GSM7, Encoding.UCS2):
        return Encoding(asked)
    return Encoding.GSM7 if GSM7_TEXT.fullmatch(text) else Encoding.UCS2
