"""Words and cells for people who mustn't know the person: numbers without their middle, and nothing quoted. Pure.

The first digits stay, so that the country can be told, and the last two, so that somebody who knows the number can find
it: `+1202•••••42`. The same number always reads the same. It is no encryption: four hidden digits are ten thousand
numbers, so who has the list of all numbers, or can ask somebody who does, finds out.
"""

import re

from runner.base.exclusions import ExclusionReason
from runner.message.redact import REDACTED

_SHORTEST = 7
# Seven digits or more, in any script, with what people write between them. Days, and the numbers of rows, stay.
_DAY = r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)(?:[ T]\d\d:\d\d)?"
_NUMBER = re.compile(rf"(?P<kept>\b(?:row|limit) \d{{1,7}}\b|{_DAY})|\d(?:(?:_|[^\w+,;:\"'“”‘’]){{0,3}}\d){{6,}}")
# Nobody lists rows in a cell, so that whatever parts the digits may be a part of the number: 9123,4567.
_IN_CELL = re.compile(rf"(?P<kept>{_DAY})|\d(?:[\W_]{{0,3}}\d){{6,}}")
_SHOWN_FIRST, _SHOWN_LAST, _MASKED = 4, 2, 3
# From the first quote to the last one, because a quoted cell can have quotes in it; or to the end, where it was cut.
_QUOTED = re.compile(r'"(?P<cell>.*)"|"(?P<cut>.*)', re.DOTALL)
# As others than we quote.
_ALSO_QUOTED = re.compile(r"(?<!\w)'.*'(?!\w)|‘.*’|“.*”|«.*»|`.*`", re.DOTALL)
_WHY = "cannot be rendered: "


def masked(text: str, *, besides: str = "") -> str:
    """Without the middle digits of what may be a phone number: `+1202•••••42`. What `besides` has too stays."""
    if len(text) < _SHORTEST:
        return text

    def mask(match: re.Match[str]) -> str:
        found = match.group()
        return found if match["kept"] or (besides and found in besides) else _without_middle(found)

    return _NUMBER.sub(mask, text)


def masked_cell(cell: str) -> str:
    """The same for a cell of the recipient file, whatever parts the digits."""
    if len(cell) < _SHORTEST:
        return cell
    return _IN_CELL.sub(lambda match: match.group() if match["kept"] else _without_middle(match.group()), cell)


def _without_middle(text: str) -> str:
    digits = [index for index, character in enumerate(text) if character.isdecimal()]
    first = min(_SHOWN_FIRST, len(digits) - _MASKED - _SHOWN_LAST)
    hidden = set(digits[first:-_SHOWN_LAST])
    return "".join("•" if index in hidden else character for index, character in enumerate(text))


def masked_detail(detail: str, reason: str | None) -> str:
    """The words for a reason, without the cells that they quote: a cell may be a name, or a part of a text.

    Only what is no number stays readable, and how it is written: that is what people mend by it.
    """
    if reason == ExclusionReason.TEMPLATE_ERROR:
        # What Python or Jinja say of a value quotes it in ways of their own.
        place, why, _ = detail.partition(_WHY)
        return masked(f"{place}{why}{REDACTED}") if why else REDACTED

    def hide(match: re.Match[str]) -> str:
        cell = match["cell"] if match["cell"] is not None else match["cut"]
        if reason != ExclusionReason.INVALID_NUMBER or any(map(str.isalpha, cell)):
            return f'"{REDACTED}"'
        # Whatever parts its digits: two numbers in one cell are parted by a comma.
        return f'"{_without_middle(cell) if sum(map(str.isdecimal, cell)) >= _SHORTEST else cell}"'

    hidden = _QUOTED.sub(hide, detail)
    if reason != ExclusionReason.INVALID_NUMBER:
        hidden = _ALSO_QUOTED.sub(lambda match: f"{match.group()[0]}{REDACTED}{match.group()[-1]}", hidden)
    return masked(hidden)
