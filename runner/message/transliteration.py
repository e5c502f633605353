"""Smart encoding: replace typographic characters with similar ones in GSM-7. Pure.

Replacements keep the meaning. Letters are never changed: Zoë stays Zoë, and the message stays UCS-2. Fractions also
stay (1½ would become 11/2), as do ©, ™, arrows and the middle dot, which Catalan uses in words.
"""

import re
import unicodedata
from collections.abc import Mapping
from itertools import islice

from runner.base.wording import counted
from runner.message.links import link_spans
from runner.message.segments import BASIC, EXTENSION, is_gsm7

# The maximum number of replacements named in a note, and words for invisible replacements.
_MOST_NAMED = 5
_IN_WORDS = {" ": "a space", "\n": "a line break"}

_LIKE: dict[str, str] = {
    # Quotes, primes (5′ 11″), accents that people type as apostrophes (it´s), and the ʻokina.
    "'": "‘’‚‛′‵ʹʻʼ`´❛❜",
    '"': "“”„‟″‶ʺ❝❞〝〞〟",
    # Not ": people write "Shop now »" as well as « quotes ».
    "<<": "«",
    ">>": "»",
    "<": "‹",
    ">": "›",
    # Hyphens, figure, en and em dashes, the minus.
    "-": "‐‑‒–—―−⁃",
    "...": "…",
    "..": "‥",
    # Not - : "• 5% off" would become -5%.
    "*": "•",
    "/": "⁄∕",
    # A tab, and every space of special width, including non-breaking spaces.
    " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "\n": "\u2028\u2029",
}

# Soft hyphen, zero-width space and joiners, left-to-right marks, variation selectors, byte order mark.
# Between GSM-7 letters they have no meaning. In emoji or Arabic they do, but such a text is not replaced.
# Marks that reverse text (U+202B, U+202D, U+202E, U+2067) are not here: without them the text reads differently.
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u2066\u2068\u2069\ufe0e\ufe0f\ufeff"

# Duplicate characters of Unicode that NFC turns into GSM-7 characters or into replaceable ones.
_SINGLETONS = "\u0374\u037e\u1fef\u1ffd\u2000\u2001\u2126\u212a\u212b"


_TABLE = {ord(character): like for like, characters in _LIKE.items() for character in characters}
_TABLE |= dict.fromkeys(map(ord, INVISIBLE), "")
# Ligatures (ﬁ), Dutch ĳ, small and full-width forms: Unicode defines their equivalents.
for _code in (0x132, 0x133, *range(0xFB00, 0xFB07), *range(0xFE50, 0xFE6C), *range(0xFF01, 0xFF5F), 0xFFE1, 0xFFE5):
    _stands_for = unicodedata.normalize("NFKC", chr(_code)).translate(_TABLE)
    if is_gsm7(_stands_for):
        _TABLE[_code] = _stands_for
# Letters of other scripts: found without composing and translating the whole text. Marks may combine with a letter, and
# the signs for Kelvin, Ångström and Ohm have duplicates in Unicode.
_IRREPLACEABLE = re.compile(f"[^{re.escape(BASIC + EXTENSION + ''.join(map(chr, _TABLE)))}\u0300-\u036f{_SINGLETONS}]")
_VISIBLE = re.compile(f"[^\\s{INVISIBLE}]")


def in_gsm7(text: str) -> str | None:
    """The text with every character outside GSM-7 replaced; None if that is not possible.

    All or nothing: one remaining character makes the message UCS-2 anyway. A link is never changed, because it would
    lead elsewhere. Idempotent; a GSM-7 text is returned unchanged.
    """
    if _IRREPLACEABLE.search(text):
        return None
    # Compose first: e and U+0301 become é, which is in GSM-7.
    replaced = unicodedata.normalize("NFC", text).translate(_TABLE)
    if not is_gsm7(replaced) or any(not is_gsm7(text[start:end]) for start, end in link_spans(text)):
        return None
    return replaced


def likeness(text: str, index: int) -> str | None:
    """Smart encoding's replacement for the character at `index`; for a combining mark, the letter with it."""
    character = text[index]
    if unicodedata.combining(character):
        composed = unicodedata.normalize("NFC", text[max(index - 1, 0) : index + 1])
        return composed if len(composed) == 1 and is_gsm7(composed) else None
    like = unicodedata.normalize("NFC", character).translate(_TABLE)
    return like if is_gsm7(like) else None


def has_visible(text: str) -> bool:
    """Whether a phone shows any of the text."""
    return _VISIBLE.search(text) is not None


def replacements(counts: Mapping[tuple[str, str], int]) -> str:
    """`3 characters replaced: ’ by ' (2 times), … by ...`. `counts` is by character and replacement."""
    words: list[str] = []
    for (character, like), times in islice(counts.items(), _MOST_NAMED):
        can_be_read = character.isprintable() and unicodedata.category(character)[0] != "M"
        name = character if can_be_read else f"U+{ord(character):04X}"
        change = f"by {_IN_WORDS.get(like, like)}" if like else "removed"
        if unicodedata.combining(character):
            change = "combined with its letter"
        words.append(f"{name} {change}" + (f" ({times} times)" if times > 1 else ""))
    more = f" and {len(counts) - _MOST_NAMED} more" if len(counts) > _MOST_NAMED else ""
    return f"{counted(sum(counts.values()), 'character')} replaced: {', '.join(words)}{more}"
