"""Which characters GSM-7 has (3GPP TS 23.038), which must never reach a phone, and how each is named. Pure."""

import re
import unicodedata

# The 127 characters of one septet each. The 128th, escape, announces an extension and is no character itself.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# The characters of two septets: an escape and one more, never split over two segments.
EXTENSION = "\f^{}\\[~]|€"

_GSM7 = re.compile(f"[{re.escape(BASIC + EXTENSION)}]*")
_ONE_SEPTET = re.compile(f"[{re.escape(BASIC.replace(chr(13), ''))}]+")
_OUTSIDE = re.compile(f"[^{re.escape(BASIC + EXTENSION)}]")

# Control characters but for newline and tab (a form feed too, though GSM-7 has it: no handset turns pages), halves of
# a surrogate pair, which have no encoding, the two that Unicode says are no characters, and U+FFFD, which stands for a
# letter that was lost where a file was read in a wrong encoding (Zo� for Zoë). They come from broken exports, and
# some networks cut the text there.
UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")


def is_gsm7(text: str) -> bool:
    """Whether every character has a place in the alphabet. One regex, because every text is asked."""
    return _GSM7.fullmatch(text) is not None


def is_one_septet_each(text: str) -> bool:
    """Whether the text is nothing but characters of one septet, without a carriage return; an empty one isn't."""
    return _ONE_SEPTET.fullmatch(text) is not None


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


def visible(character: str) -> str:
    """The shortest that can be read: the character itself, or its code."""
    readable = character.isprintable() and unicodedata.category(character)[0] != "M"
    return character if readable else f"U+{ord(character):04X}"
