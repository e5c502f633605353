"""Characters that must never reach a phone, and how characters are named to people."""

import re
import unicodedata

# Control characters but for newline and tab (a form feed too, though GSM-7 has it: no handset turns pages), halves of
# a surrogate pair, which have no encoding, the two that Unicode says are no characters, and U+FFFD, which stands for a
# letter that was lost where a file was read in a wrong encoding (Zo� for Zoë). They come from broken exports, and
# some networks cut the text there.
UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")


def named(character: str) -> str:
    """A character in words: `’ (U+2019)`, or `U+0007 (a control character)` when it can't be shown."""
    code = f"U+{ord(character):04X}"
    category = unicodedata.category(character)
    if category == "Cc":
        return f"{code} (a control character)"
    if category[0] == "M":  # alone, it would sit on the character before it
        return f"{code} (a mark that joins the letter before it)"
    return f"{character} ({code})" if character.isprintable() else f"{code} (an invisible character)"


def shown(character: str) -> str:
    """The shortest that can be read: the character itself, or its code."""
    readable = character.isprintable() and unicodedata.category(character)[0] != "M"
    return character if readable else f"U+{ord(character):04X}"
