"""Masking of details and cells: hides the middle digits of phone numbers, and quoted cells. Pure.

The first digits show the country, and the last two help somebody who knows the number to find it: `+1202•••••42`. The
same number is always masked in the same way. Masking isn't encryption: four hidden digits are only 10,000 numbers.
"""

import re

from runner.base.exclusions import ExclusionReason
from runner.message.redact import REDACTED

_SHORTEST = 7
# Seven digits or more, in any script, with the usual separators. Dates and row numbers stay.
_DAY = r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)(?:[ T]\d\d:\d\d)?"
_NUMBER = re.compile(rf"(?P<harmless>\b(?:row|limit) \d{{1,7}}\b|{_DAY})|\d(?:(?:_|[^\w+,;:\"'“”‘’]){{0,3}}\d){{6,}}")
# Cells don't list rows, so any punctuation between digits may belong to a phone number: 9123,4567.
_IN_CELL = re.compile(rf"(?P<harmless>{_DAY})|\d(?:[\W_]{{0,3}}\d){{6,}}")
_SHOWN_FIRST, _SHOWN_LAST, _MASKED = 4, 2, 3
# From the first quote to the last, because a quoted cell may contain quotes; or to the end if the detail was cut.
_QUOTED = re.compile(r'"(?P<cell>.*)"|"(?P<cut>.*)', re.DOTALL)
# Quotes in texts from the provider or from Python.
_ALSO_QUOTED = re.compile(r"(?<!\w)'.*'(?!\w)|‘.*’|“.*”|«.*»|`.*`", re.DOTALL)
_WHY = "cannot be rendered: "


def masked(text: str) -> str:
    """The text with the middle digits of possible phone numbers hidden: `+1202•••••42`."""
    if len(text) < _SHORTEST:
        return text

    def mask(match: re.Match[str]) -> str:
        found = match.group()
        return found if match["harmless"] else without_middle(found)

    return _NUMBER.sub(mask, text)


def masked_cell(cell: str) -> str:
    """The same for a cell of the recipient file, with any separators between the digits."""
    if len(cell) < _SHORTEST:
        return cell
    return _IN_CELL.sub(lambda match: match.group() if match["harmless"] else without_middle(match.group()), cell)


def without_middle(text: str) -> str:
    """A text of seven digits or more with the middle ones hidden. The same digits are always hidden."""
    digits = [index for index, character in enumerate(text) if character.isdecimal()]
    first = min(_SHOWN_FIRST, len(digits) - _MASKED - _SHOWN_LAST)
    hidden = set(digits[first:-_SHOWN_LAST])
    return "".join("•" if index in hidden else character for index, character in enumerate(text))


def without_numbers(detail: str) -> str:
    """The detail with whole numbers and quoted texts hidden, for a record that is never deleted."""

    def hide(match: re.Match[str]) -> str:
        return match.group() if match["harmless"] else REDACTED

    return _NUMBER.sub(hide, _ALSO_QUOTED.sub(REDACTED, _QUOTED.sub(REDACTED, detail)))


def masked_detail(detail: str, reason: str | None) -> str:
    """The detail of a reason without the cells that it quotes: a cell may be a name, or part of a text.

    The form of an invalid number stays readable, because people need it to correct the number.
    """
    if reason == ExclusionReason.TEMPLATE_ERROR:
        # Python and Jinja quote values in many ways, so everything after the place is hidden.
        place, why, _ = detail.partition(_WHY)
        return masked(f"{place}{why}{REDACTED}") if why else REDACTED

    def hide(match: re.Match[str]) -> str:
        cell = match["cell"] if match["cell"] is not None else match["cut"]
        if reason != ExclusionReason.INVALID_NUMBER or any(map(str.isalpha, cell)):
            return f'"{REDACTED}"'
        # With any separators, such as a comma between two numbers in one cell.
        return f'"{without_middle(cell) if sum(map(str.isdecimal, cell)) >= _SHORTEST else cell}"'

    hidden = _QUOTED.sub(hide, detail)
    if reason != ExclusionReason.INVALID_NUMBER:
        hidden = _ALSO_QUOTED.sub(lambda match: f"{match.group()[0]}{REDACTED}{match.group()[-1]}", hidden)
    return masked(hidden)
