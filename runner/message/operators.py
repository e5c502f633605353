"""What the operators of a template do with the values of fields, which may be text, numbers, dates or truths. Pure.

Python compares a text with a number without an error (`"1" == 1` is false), orders numbers in text by letters ("9" is
after "100"), repeats text (`"5" * 2` is 55), and takes every text as true ("no", "0"). All of these make wrong texts,
so they are errors here that say which filter to use.
"""

import datetime as dt
import operator as op
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from jinja2 import Undefined

from runner.base.cells import DIGITS, written
from runner.base.text import quoted
from runner.message.filters import NO, FilterError, moment_of

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": op.eq, "ne": op.ne, "lt": op.lt, "lteq": op.le, "gt": op.gt, "gteq": op.ge, "in": op.contains,
    "+": op.add, "-": op.sub, "*": op.mul, "/": op.truediv, "//": op.floordiv, "%": op.mod, "**": op.pow,
}  # fmt: skip
ORDERS = frozenset({"lt", "lteq", "gt", "gteq"})
_NUMBER = re.compile(r"\s*[-+]?[0-9][0-9.,]*\s*")
# Also in another script, and in 15% or $5.
_DIGIT = re.compile(r"\d")
_DIGITS_FIRST = re.compile(r"\s*[-+]?[0-9]")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}")
_ZERO = re.compile(r"[-+]?0+([.,]0+)?")
# What programs write for no value.
_NOTHING = frozenset({"none", "null", "nil", "nan", "n/a", "na", "-", "\\n"})
# Most texts begin with another character.
_BEGINS_NO = frozenset(character for word in (*NO, *_NOTHING, "+", " ") for character in (word[0], word[0].upper()))


class TextAsTruthError(Exception):
    """A condition takes a text that means no as true: `str()` is the error, `remedy` the remedy."""

    def __init__(self, name: str, text: str) -> None:
        kind = "int" if _ZERO.fullmatch(text.strip()) else "bool"
        if text.strip().casefold() in _NOTHING:
            kind = "bool(false)"
        self.remedy = f'write {name} | {kind}, or {name} != "" to ask whether the cell is filled'
        super().__init__(f"{name} is the text {quoted(text)}, which a condition takes as true")


def tested(value: object, name: str, is_shown: bool) -> object:
    """The value that a condition tests. Raises TextAsTruthError for a text that means no.

    `name` is the field. A field that the text also shows may be a name such as No, so only 0 and false are refused.
    """
    if isinstance(value, str) and value[:1] in _BEGINS_NO and len(value) < 16:
        text = value.strip().casefold()
        if text == "false" or _ZERO.fullmatch(text) or (not is_shown and (text in NO or text in _NOTHING)):
            raise TextAsTruthError(name, value)
    return value


def compared(zone: str | None, left: object, *chain: object) -> bool:
    """Whether a chain of comparisons is true: `1 < n <= 3` is (1, "lt", n, "lteq", 3).

    Times with an offset are compared as times in `zone`; for None, as written. Raises FilterError for values that can't
    be compared.
    """
    if len(chain) == 2:  # nearly always
        return bool(_compare(zone, str(chain[0]), left, chain[1]))
    for word, right in zip(chain[::2], chain[1::2], strict=True):
        if not _compare(zone, str(word), left, right):
            return False
        left = right
    return True


def _compare(zone: str | None, word: str, left: object, right: object) -> object:
    if type(left) is str and type(right) is str and word in ("eq", "ne"):  # faster than what follows
        return (left == right) is (word == "eq")
    if word in ("in", "notin"):
        return _is_in(zone, left, right) is (word == "in")
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return _OPERATORS[word](left, right)
    if isinstance(left, str) and isinstance(right, str):
        if word in ORDERS and (wrong := why_no_order(left, right)):
            raise FilterError(wrong)
        return _OPERATORS[word](left, right)
    return _OPERATORS[word](*_alike(zone, left, right))


def _is_in(zone: str | None, left: object, right: object) -> bool:
    if isinstance(left, Undefined) or not isinstance(right, list | tuple):
        if isinstance(right, str) and not isinstance(left, str | Undefined):
            raise FilterError(f"{_described(left)} can't be in a text; write the value | string")
        return bool(_OPERATORS["in"](right, left))
    return any(_compare(zone, "eq", left, item) for item in right)


def why_no_order(left: str, right: str) -> str | None:
    """Why the order of two texts isn't that of what they mean, and the remedy."""
    for text in (left, right):
        if _DIGITS_FIRST.match(text) and not (_ISO_DATE.match(left) and _ISO_DATE.match(right)):
            remedy = "write | int or | float" if _NUMBER.fullmatch(text) else "write dates like 2026-12-31"
            return f"{quoted(text)} is text, which is ordered by letters; {remedy}"
    return None


def check_order(values: object) -> None:
    """Raises FilterError for a list with texts whose order isn't that of what they mean."""
    texts = [value for value in values if isinstance(value, str)] if isinstance(values, list | tuple) else []
    for left, right in pairwise(texts):
        if wrong := why_no_order(left, right):
            raise FilterError(wrong)


def _alike(zone: str | None, left: object, right: object) -> tuple[object, ...]:
    """Two values that aren't both text, as values of one type."""
    if isinstance(left, dt.date | str) and isinstance(right, dt.date | str):
        return _moments(zone, left, right)
    for text, other in ((left, right), (right, left)):
        if isinstance(text, str) and isinstance(other, int | float | Decimal):
            if isinstance(other, bool):
                raise FilterError(f"{quoted(text)} is text, and is compared with true or false; write | bool")
            remedy = "write | int or | float for the text, or | string for the number"
            raise FilterError(f"{quoted(text)} is text, and is compared with a number; {remedy}")
    numbers = [value for value in (left, right) if isinstance(value, int | float | Decimal)]
    if len(numbers) == 1 and isinstance(left if numbers[0] is right else right, dt.date | list):
        raise FilterError(f"{_described(numbers[0])} can't be compared with a date or a list")
    return _exact(left), _exact(right)


def _moments(zone: str | None, *values: dt.date | str) -> tuple[object, ...]:
    """Dates and times, comparable; one of them may be text."""
    found = [moment_of(written(value), zone) for value in values]
    if None in found:
        what = f"{quoted(next(value for value in values if isinstance(value, str)))} is compared with a date"
        raise FilterError(f"{what}; write it like 2026-12-31 or 2026-12-31T18:30")
    return tuple(found)


def _exact(value: object) -> object:
    """A float as the decimal number that it stands for, so that 0.1 + 0.2 equals 0.3, and 19.9 equals a DECIMAL."""
    return Decimal(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def calculated(word: str, left: object, right: object) -> object:
    """The result of an arithmetic operator. Raises FilterError for text with a number in it."""
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return _OPERATORS[word](left, right)
    if type(left) is int and type(right) is int:
        return _OPERATORS[word](left, right)
    texts = [value for value in (left, right) if isinstance(value, str)]
    # "+" joins texts, "%" fills a text in, and "*" repeats one: a line of hyphens, but never 15%.
    meant = [left] if word == "%" and isinstance(left, str) else texts
    is_number = any(map(_DIGIT.search, texts)) if word == "*" else all(map(_NUMBER.fullmatch, meant))
    if texts and (word not in "+*%" or is_number):
        joins = " to calculate, or ~ to join texts" if word == "+" else ""
        raise FilterError(f"{quoted(texts[0])} is text, and {word} needs numbers; write | int or | float{joins}")
    if word == "+" and len(texts) == 1:
        raise FilterError("+ can't add a number and a text; write ~ to join them, or | int to calculate")
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = _exact(left), _exact(right)
    result = _OPERATORS[word](left, right)
    # A third has 28 digits.
    return Decimal(f"{result:.{DIGITS}g}") if isinstance(result, Decimal) and word == "/" else result


def _described(value: object) -> str:
    return "true or false" if isinstance(value, bool) else f"the number {written(value)}"
