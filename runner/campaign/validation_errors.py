"""One refused value: what is wrong with it and what to write instead, with YAML's traps called by name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import ErrorDetails

from runner.base.errors import Problem
from runner.base.text import quoted
from runner.campaign.normalize import SECTIONS, SHORTHANDS, SourceMap
from runner.campaign.values import InvalidValue
from runner.campaign.yaml_document import TRUE, KeyPath, Location, YamlKind, shown_path

_FOUND: Final = {YamlKind.LIST: "a list", YamlKind.MAPPING: "a mapping of keys", YamlKind.EMPTY: "empty"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A refused value. `meant` is the value to go on with, if it is clear; `is_surplus` when leaving it out helps."""

    path: KeyPath
    what: str
    remedy: str
    meant: str | int | bool | list[Any] | None = None
    is_surplus: bool = False
    at_key: bool = False

    def problem(self, source_map: SourceMap) -> Problem:
        """The mistake as a problem with its place in the file."""
        return source_map.problem(self.path, self.what, self.remedy, at_key=self.at_key)


def mistake(error: ErrorDetails, path: KeyPath, location: Location | None) -> Mistake:
    """Pydantic's error in our words. `location` tells how the value is written; None when it is absent."""
    kind = error["type"]
    if kind == "missing":
        return _missing(path)
    invalid = error.get("ctx", {}).get("error")
    if isinstance(invalid, InvalidValue):
        at = (*path, invalid.key) if invalid.key else path
        return Mistake(at, invalid.what, invalid.remedy, is_surplus=bool(invalid.key))
    assert location is not None
    if kind == "extra_forbidden":  # `normalize` reports these, with better words
        return Mistake(path, "no such key", "remove it", is_surplus=True, at_key=True)
    if location.kind is YamlKind.EMPTY:
        if location.text:
            return Mistake(path, f"YAML reads {location.text} as empty", f"write {_line(path)}, or put it in quotes")
        return Mistake(path, "is empty", f"write {_line(path)}, or remove the key")
    if kind in _BY_TYPE:
        return _BY_TYPE[kind](path, location)
    return Mistake(path, f"{_shown(location)} where keys are expected", f"write {_line(path)}")


def _missing(path: KeyPath) -> Mistake:
    if len(path) > 1:
        return Mistake(path, "is missing", f"add {_line(path)} under {shown_path(path[:-1])}:", at_key=True)
    # Of a section that has a shorthand, the shorthand is what most campaigns lack.
    short = next((long for long in SHORTHANDS.values() if long[:-1] == path), path)
    return Mistake(path, "is missing", f"add {_line(short)}", at_key=True)


def _not_text(path: KeyPath, location: Location) -> Mistake:
    text = location.text
    if location.kind not in (YamlKind.LIST, YamlKind.MAPPING):
        return Mistake(path, _trap(location), f"write {quoted(text)} in quotes", meant=text)
    if location.kind is YamlKind.LIST and text and "," not in text:
        return Mistake(path, "is a list where text is expected", f"write {_cut(text[1:-1])} without brackets")
    found = _FOUND[location.kind]
    if text:  # most likely text that starts with a brace, such as {date}
        return Mistake(path, f"YAML reads {_cut(text)} as {found}", f"write {quoted(text)} in quotes")
    return Mistake(path, f"is {found} where text is expected", f"write {_line(path)}")


def _not_bool(path: KeyPath, location: Location) -> Mistake:
    meant = location.text.lower()
    if location.kind is YamlKind.TEXT and meant in ("true", "false"):
        what, remedy = f"{quoted(location.text)} is text", f"write {meant} without quotes"
        return Mistake(path, what, remedy, meant=meant == "true")
    return Mistake(path, f"{_shown(location)} is neither true nor false", "write true or false, without quotes")


def _not_int(path: KeyPath, location: Location) -> Mistake:
    text = location.text
    if location.kind is YamlKind.TEXT and text.isdecimal() and len(text) < 10:
        meant = int(text)
        return Mistake(path, f"{quoted(text)} is text", f"write {meant} without quotes", meant=meant)
    if location.kind is YamlKind.NUMBER and "." not in text:
        return Mistake(path, _trap(location).removesuffix(", not as text"), f"write a plain number: {_line(path)}")
    return Mistake(path, f"{_shown(location)} is not a whole number", f"write {_line(path)}")


def _not_list(path: KeyPath, location: Location) -> Mistake:
    if location.kind is YamlKind.MAPPING:
        return Mistake(path, "is a mapping of keys where a list is expected", f"write {_line(path)}")
    meant = [location.text] if location.kind is YamlKind.TEXT else None
    return Mistake(path, f"{_shown(location)} is not a list", f"write [{_cut(location.text)}]", meant=meant)


_BY_TYPE: Final[Mapping[str, Callable[[KeyPath, Location], Mistake]]] = {
    "string_type": _not_text,
    "bool_type": _not_bool,
    "int_type": _not_int,
    "tuple_type": _not_list,
}


def _trap(location: Location) -> str:
    """What YAML makes of a scalar that looks like text."""
    text = location.text
    if location.kind is YamlKind.BOOLEAN:
        return f"YAML reads {text} as {'true' if text.lower() in TRUE else 'false'}, not as text"
    digits = text.lstrip("+-").replace("_", "")
    if re.fullmatch(r"[0-9]+(:[0-9.]+)+", digits):
        total = 0.0
        for part in digits.split(":"):
            total = total * 60 + float(part)
        return f"YAML reads {text} as a number in base 60, {total:.15g}, not as text"
    if digits[:1] == "0" and digits.isdigit() and len(digits) > 1:
        return f"YAML reads {text} as a number in octal, {int(digits[:40], 8)}, not as text"
    if text.startswith("+"):
        return f"YAML reads {text} as a number and drops the plus"
    return f"YAML reads {_cut(text)} as a number, not as text"


def _line(path: KeyPath) -> str:
    """An example of what to write: `"rate: 10/s"`."""
    *section, key = (part for part in path if isinstance(part, str))
    fields = SECTIONS[tuple(section)].model_fields
    example = next(field.examples for name, field in fields.items() if (field.alias or name) == key)
    assert example
    return f'"{key}: {_yaml(example[0])}"'


def _yaml(example: object) -> str:
    """The example in YAML's flow style."""
    if isinstance(example, dict):
        return f"{{{', '.join(f'{key}: {_yaml(value)}' for key, value in example.items())}}}"
    if isinstance(example, list):
        return f"[{', '.join(map(_yaml, example))}]"
    if isinstance(example, bool):
        return str(example).lower()
    # In quotes what YAML would not read as text.
    return f"'{example}'" if re.match(r"\{|[0-9]+:", str(example)) else str(example)


def _shown(location: Location) -> str:
    if location.kind in _FOUND:
        return _FOUND[location.kind]
    return quoted(location.text) if location.kind is YamlKind.TEXT else _cut(location.text)


def _cut(text: str) -> str:
    """The text as in quotes, without them."""
    return quoted(text)[1:-1]
