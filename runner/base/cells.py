"""Cells of recipient files as values for templates: true or false, numbers, dates and lists.

A cell is the text that people read. Where a file has types, as Parquet files and spreadsheets do, the value is read
from that text only for the fields of a template that calculates or decides with them.
"""

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Self

# A float has 15 to 17 digits; the last ones are noise: 0.30000000000000004.
DIGITS = 15


class Kind(StrEnum):
    """The kind of a cell's value."""

    TEXT = "text"
    BOOLEAN = "true or false"
    NUMBER = "a number"
    DATE = "a date"
    INSTANT = "a time with a zone"
    LIST = "a list"


# Column → kind. A column of a spreadsheet is missing: each of its cells has a kind of its own, see `TypedText`.
Kinds = Mapping[str, Kind]


class TypedText(str):
    """A cell of a spreadsheet that isn't text, as text."""

    __slots__ = ("kind",)
    kind: Kind

    def __new__(cls, text: str, kind: Kind) -> Self:
        typed = super().__new__(cls, text)
        typed.kind = kind
        return typed

    def __reduce__(self) -> tuple[type["TypedText"], tuple[str, Kind]]:
        return TypedText, (str(self), self.kind)


class CellNumber(Decimal):
    """The number of a cell, which a text shows as the cell does: 19.90. What is calculated with it is a Decimal."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def written(value: object) -> str:
    """A value as people write it: true, 12.5, 0.0000001, 2026-12-01 10:00:00; the opposite of `value_of`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        shown = str(value)
        if "e" in shown or len(shown) > DIGITS + 1:
            shown = format(Decimal(f"{value:.{DIGITS}g}"), "f")
        return shown
    if isinstance(value, CellNumber):
        return value.text
    if isinstance(value, Decimal):
        shown = format(value, "f")
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else str(value)


def value_of(text: str, kind: Kind | None) -> object:
    """The value of a cell that isn't empty; None is the kind of the cell itself.

    A number is an int or a CellNumber, a date a date or a datetime. What isn't of its kind stays text: "≈6591234600".
    """
    if kind is None:
        kind = text.kind if isinstance(text, TypedText) else Kind.TEXT
    try:
        match kind:
            case Kind.BOOLEAN:
                return {"true": True, "false": False}.get(text, text)
            case Kind.NUMBER:
                return int(text) if text.lstrip("-").isdecimal() else _exact(text)
            case Kind.DATE | Kind.INSTANT:
                return (dt.date if len(text) == len("2026-12-01") else dt.datetime).fromisoformat(text)
            case Kind.LIST:
                return json.loads(text, parse_float=lambda digits: Decimal(written(float(digits))))
    except (ValueError, ArithmeticError):
        pass
    return text


def _exact(text: str) -> CellNumber:
    """Raises ValueError for infinity, ArithmeticError for what is no number."""
    if not (exact := CellNumber(text)).is_finite():
        raise ValueError(text)
    return exact
