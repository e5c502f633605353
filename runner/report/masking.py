"""What may be a phone number without its middle digits. Pure.

The first digits stay, so that the country can be told, and the last two, so that somebody who knows the number can find
it: `+1202•••••42`. The same number always reads the same.
"""

import re

# Seven digits or more, in any script, with what people write between them. Days, and the numbers of rows, stay.
_NUMBER = re.compile(
    r"(?P<kept>\b(?:row|limit) \d{1,7}\b|(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)(?:[ T]\d\d:\d\d)?)"
    r"|\d(?:[^\w+,;:\"'“”‘’]{0,3}\d){6,}"
)
_SHOWN_FIRST, _SHOWN_LAST, _MASKED = 4, 2, 3


def masked(text: str, *, besides: str = "") -> str:
    """Without the middle digits of what may be a phone number: `+1202•••••42`. What `besides` has too stays."""

    def mask(match: re.Match[str]) -> str:
        found = match.group()
        if match["kept"] or (besides and found in besides):
            return found
        digits = [index for index, character in enumerate(found) if character.isdecimal()]
        first = min(_SHOWN_FIRST, len(digits) - _MASKED - _SHOWN_LAST)
        hidden = set(digits[first:-_SHOWN_LAST])
        return "".join("•" if index in hidden else character for index, character in enumerate(found))

    return _NUMBER.sub(mask, text)


def masked_number(number: str) -> str:
    """A phone number without its middle, whatever else the cell holds."""
    return masked(number)
