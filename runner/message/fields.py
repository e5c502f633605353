"""Columns of a recipient file under the names by which a template can call them. Pure."""

import re
from collections.abc import Sequence

# What Jinja reads as something else, so that no template can call a column by it.
_RESERVED = frozenset(
    ("and", "else", "false", "False", "if", "in", "is", "loop", "none", "None", "not", "or", "self", "super", "true",
     "True", "caller", "varargs", "kwargs"),
)  # fmt: skip
_NOT_IN_NAMES = re.compile(r"\W")


def field_names(header: Sequence[str]) -> dict[str, str]:
    """Name in the template → column. A column that cannot be written in a template has an alias: "First Name" is
    First_Name, "2nd-line" is _2nd_line.

    An alias that would also be another column's name or alias is left out: which of the two was meant would be a
    guess.
    """
    names = {column: column for column in header if _callable(column)}
    aliases: dict[str, list[str]] = {}
    for column in header:
        if column not in names:
            aliases.setdefault(_alias(column), []).append(column)
    for alias, columns in aliases.items():
        if len(columns) == 1 and alias not in names and _callable(alias):
            names[alias] = columns[0]
    return names


def _callable(name: str) -> bool:
    return name.isidentifier() and name not in _RESERVED


def _alias(column: str) -> str:
    alias = _NOT_IN_NAMES.sub("_", column)
    return alias if alias.isidentifier() else f"_{alias}"
