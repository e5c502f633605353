"""Masking of details and cells: phone numbers lose their middle digits, and quoted cells go. Pure.

The first digits show the country, and the last two let somebody who knows the number find it: `+1202•••••42`. The same
number is always masked alike. This is no encryption: four hidden digits are ten thousand numbers.
"""

import re

from runner.base.exclusions import ExclusionReason
from runner.message.redact import REDACTED

_SHORTEST = 7
# Seven digits or more, in any script, with what people write between them. Days, and the numbers of rows, stay.
_DAY = r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)(?:[ T]\d\d:\d\d)?"
_NUMBER = re.compile(rf"(?P<harmless>\b(?:row|limit) \d{{1,7}}\b|{_DAY})|\d(?:(?:_|[^\w+,;:\"'“”‘’]){{0,3}}\d){{6,}}")
# Nobody lists rows in a cell, so any punctuation between digits may belong to a number: 9123,4567.
_IN_CELL = re.compile(rf"(?P<harmless>{_DAY})|\d(?:[\W_]{{0,3}}\d){{6,}}")
_SHOWN_FIRST, _SHOWN_LAST, _MASKED = 4, 2, 3
# From the first quote to the last one, because a quoted cell can have quotes in it; or to the end, where it was cut.
_QUOTED = re.compile(r'"(?P<cell>.*)"|"(?P<cut>.*)', re.DOTALL)
# Quotes in texts that aren't ours.
_ALSO_QUOTED = re.compile(r"(?<!\w)'.*'(?!\w)|‘.*’|“.*”|«.*»|`.*`", re.DOTALL)
_WHY = "cannot be rendered: "


def masked(text: str, *, besides: str = "") -> str:
    """Without the middle digits of what may be a phone number: `+1202•••••42`. Parts of `besides` stay."""
    if len(text) < _SHORTEST:
        return text

    def mask(match: re.Match[str]) -> str:
        found = match.group()
        return found if match["harmless"] or (besides and found in besides) else _without_middle(found)

    return _NUMBER.sub(mask, text)


def masked_cell(cell: str) -> str:
    """The same for a cell of the recipient file, whatever stands between the digits."""
    if len(cell) < _SHORTEST:
        return cell
    return _IN_CELL.sub(lambda match: match.group() if match["harmless"] else _without_middle(match.group()), cell)


def _without_middle(text: str) -> str:
    digits = [index for index, character in enumerate(text) if character.isdecimal()]
    first = min(_SHOWN_FIRST, len(digits) - _MASKED - _SHOWN_LAST)
    hidden = set(digits[first:-_SHOWN_LAST])
    return "".join("•" if index in hidden else character for index, character in enumerate(text))


def masked_detail(detail: str, reason: str | None) -> str:
    """The words for a reason, without the cells that they quote: a cell may be a name, or a part of a text.

    Of an invalid number the form stays readable, because people correct it by that.
    """
    if reason == ExclusionReason.TEMPLATE_ERROR:
        # Python and Jinja quote a value in many ways.
        place, why, _ = detail.partition(_WHY)
        return masked(f"{place}{why}{REDACTED}") if why else REDACTED

    def hide(match: re.Match[str]) -> str:
        cell = match["cell"] if match["cell"] is not None else match["cut"]
        if reason != ExclusionReason.INVALID_NUMBER or any(map(str.isalpha, cell)):
            return f'"{REDACTED}"'
        # Whatever stands between the digits: a comma between two numbers in one cell.
        return f'"{_without_middle(cell) if sum(map(str.isdecimal, cell)) >= _SHORTEST else cell}"'

    hidden = _QUOTED.sub(hide, detail)
    if reason != ExclusionReason.INVALID_NUMBER:
        hidden = _ALSO_QUOTED.sub(lambda match: f"{match.group()[0]}{REDACTED}{match.group()[-1]}", hidden)
    return masked(hidden)
