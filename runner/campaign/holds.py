"""What a key of the campaign file may hold, in words that are told from the model's types."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, WithJsonSchema

from runner.campaign import times, values
from runner.campaign.countries import COUNTRIES
from runner.campaign.fields import Column
from runner.campaign.words import listed

Words = tuple[str, str]
"""Of one value, and of several."""

_PLAIN: Final[Mapping[type, Words]] = {
    Path: ("a path", "paths"),
    bool: ("true or false", "true or false"),
    str: ("text", "texts"),
}
# What a rule of `values` comes to.
_PATTERNS: Final[Mapping[str, Words]] = {
    values.NAME_PATTERN: ("1 to 64 letters, digits, dots, dashes and underscores", "names"),
    values.RUN_PATTERN: ("1 to 64 letters, digits, dots, dashes, underscores, {date}, {week}, {month}", "run ids"),
    values.SUB_ACCOUNT_PATTERN: ("3 to 50 letters, digits and `-._&`", "sub-account ids"),
    values.SOURCE_PATTERN: ("a sender id", "sender ids"),
    values.RATE_PATTERN: ("a whole number per s, min or h", "rates"),
    times.DURATION_PATTERN: ("a length of time in s, min, h or d", "lengths of time"),
    values.SHARE_PATTERN: ("a share in per cent", "shares"),
    times.TIME_PATTERN: ("a time of day in quotes", "times of day"),
    times.CLOSING_PATTERN: ("a time of day in quotes", "times of day"),
    values.COST_PATTERN: ("an amount and the three letters of its currency", "amounts"),
    values.UUID_PATTERN: ("a UUID", "UUIDs"),
    values.VARIABLE_PATTERN: ("the name of an environment variable", "names of environment variables"),
    "^https?://": ("a web address", "web addresses"),
}
_FORMATS: Final[Mapping[str, Words]] = {
    "date-time": ("a moment with its offset from UTC", "moments"),
    "ipv4": ("an IPv4 address", "IPv4 addresses"),
    "ipv6": ("an IPv6 address", "IPv6 addresses"),
}


def holds(kind: Any) -> str:  # noqa: ANN401 - a type as it is annotated, which is no class
    """What a value of this type is: "a path", "a list of names of columns", "`wait`, `skip` or `schedule`"."""
    return _words(kind)[0]


def is_list(kind: Any) -> bool:  # noqa: ANN401
    """Whether it is several values."""
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is tuple


def written(value: object) -> str | None:
    """A default as it would stand in the file; None for one that says nothing of its own."""
    match value:
        case None | () | BaseModel():
            return None
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.0%}"
        case timedelta():
            return f"{int(value.total_seconds() // 60)}min"
        case _:
            return str(value)


def _words(kind: Any) -> Words:  # noqa: ANN401
    rules: list[Any] = []
    if get_origin(kind) is Annotated:
        kind, *rules = get_args(kind)
    if get_args(Column)[1] in rules:
        return "the name of a column", "names of columns"
    schemas = [rule.json_schema for rule in rules if isinstance(rule, WithJsonSchema) and rule.json_schema]
    if schemas and kind is not Path:
        return _of_schema(schemas[-1])
    if get_origin(kind) in (Union, UnionType):
        return _either([_words(form) for form in get_args(kind) if form is not NoneType])
    if get_origin(kind) is tuple:
        return f"a list of {_words(get_args(kind)[0])[1]}", "lists"
    return _PLAIN.get(kind, ("a section with the keys below", "sections with the keys below"))


def _of_schema(schema: Mapping[str, Any]) -> Words:
    if forms := schema.get("anyOf"):
        return _either([_of_schema({"type": "string", **form}) for form in forms])
    if schema["type"] == "integer":
        most = f" to {schema['maximum']}" if "maximum" in schema else " or more"
        return f"a whole number, {schema['minimum']}{most}", "whole numbers"
    if choices := schema.get("enum"):
        if set(choices) == COUNTRIES:
            return "a two-letter country code", "two-letter country codes"
        words = [f"`{choice}`" for choice in choices]
        return listed(words), ", ".join(words)
    return _PATTERNS.get(schema.get("pattern", "")) or _FORMATS.get(schema.get("format", "")) or _PLAIN[str]


def _either(forms: list[Words]) -> Words:
    return listed(one for one, _ in forms), listed(many for _, many in forms)
