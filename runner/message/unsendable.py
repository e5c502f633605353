"""Characters that must never reach a phone."""

import re
import unicodedata

# Control characters but for newline and tab (a form feed too, though GSM-7 has it: no handset turns pages), halves of
# a surrogate pair, which have no encoding, and the two that Unicode says are no characters. They come from broken
# exports, and some networks cut the text there.
UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def named(character: str) -> str:
    """A character in words: `’ (U+2019)`, or `U+0007 (a control character)` when it can't be shown."""
    code = f"U+{ord(character):04X}"
    if unicodedata.category(character) == "Cc":
        return f"{code} (a control character)"
    return f"{character} ({code})" if character.isprintable() else f"{code} (an invisible character)"
