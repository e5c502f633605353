"""One refused value: what is wrong with it and what to write instead, with YAML's traps called by name."""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import ErrorDetails

from runner.campaign.normalize import SECTIONS, SHORTHANDS, SourceMap
from runner.campaign.values import InvalidValue
from runner.campaign.yaml_document import KeyPath, Location, YamlKind, shown_path
from runner.errors import Problem
from runner.text import quoted

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
        return source_map.problem(self.path, self.what, self.remedy, at_key=self.at_key)


def mistake(error: ErrorDetails, path: KeyPath, place: Location | None) -> Mistake:
    """Pydantic's error in our words. `place` is how the value is written, None when it is absent."""
    kind = error["type"]
    if kind == "missing":
        return _missing(path)
    wrong = error.get("ctx", {}).get("error")
    if isinstance(wrong, InvalidValue):
        if wrong.key:
            return Mistake((*path, wrong.key), wrong.what, wrong.remedy, is_surplus=True)
        return Mistake(path, wrong.what, wrong.remedy)
    assert place is not None
    if kind == "extra_forbidden":  # `canonical` tells these, with better words
        return Mistake(path, "no such key", "remove it", is_surplus=True, at_key=True)
    if place.kind is YamlKind.EMPTY:
        return _empty(path, place)
    if kind == "string_type":
        return _not_text(path, place)
    if kind == "bool_type":
        return _not_bool(path, place)
    if kind == "int_type":
        return _not_int(path, place)
    if kind == "tuple_type":
        return _not_list(path, place)
    return Mistake(path, f"{_shown(place)} where keys are expected", f"write {_line(path)}")


def _missing(path: KeyPath) -> Mistake:
    if len(path) > 1:
        return Mistake(path, "is missing", f"add {_line(path)} under {shown_path(path[:-1])}:", at_key=True)
    # Of a section that has a shorthand, the shorthand is what most campaigns lack.
    short = next((long for long in SHORTHANDS.values() if long[:-1] == path), path)
    return Mistake(path, "is missing", f"add {_line(short)}", at_key=True)


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


def _empty(path: KeyPath, place: Location) -> Mistake:
    if place.text:
        return Mistake(path, f"YAML reads {place.text} as empty", f"write {_line(path)}, or put it in quotes")
    return Mistake(path, "is empty", f"write {_line(path)}, or remove the key")


def _not_text(path: KeyPath, place: Location) -> Mistake:
    if place.kind in (YamlKind.LIST, YamlKind.MAPPING):
        if place.kind is YamlKind.LIST and place.text and "," not in place.text:
            return Mistake(path, "is a list where text is expected", f"write {_cut(place.text[1:-1])} without brackets")
        if place.text:  # most likely text that starts with a brace, such as {date}
            what = f"YAML reads {_cut(place.text)} as {_FOUND[place.kind]}"
            return Mistake(path, what, f"write {quoted(place.text)} in quotes")
        return Mistake(path, f"is {_FOUND[place.kind]} where text is expected", f"write {_line(path)}")
    return Mistake(path, _trap(place), f"write {quoted(place.text)} in quotes", meant=place.text)


def _trap(place: Location) -> str:
    """What YAML makes of a scalar that looks like text."""
    text = place.text
    if place.kind is YamlKind.BOOLEAN:
        truth = "true" if text.lower() in ("yes", "true", "on") else "false"
        return f"YAML reads {text} as {truth}, not as text"
    digits = text.lstrip("+-").replace("_", "")
    if re.fullmatch(r"[0-9]+(:[0-9.]+)+", digits):
        return f"YAML reads {text} as a number in base 60, {_sexagesimal(digits)}, not as text"
    if digits[:1] == "0" and digits.isdigit() and len(digits) > 1:
        return f"YAML reads {text} as a number in octal, {int(digits[:40], 8)}, not as text"
    if text.startswith("+"):
        return f"YAML reads {text} as a number and drops the plus"
    return f"YAML reads {_cut(text)} as a number, not as text"


def _sexagesimal(digits: str) -> str:
    total = 0.0
    for part in digits.split(":"):
        total = total * 60 + float(part)
    return f"{total:.15g}"


def _not_bool(path: KeyPath, place: Location) -> Mistake:
    if place.kind is YamlKind.TEXT and place.text.lower() in ("true", "false"):
        meant = place.text.lower()
        return Mistake(path, f"{quoted(place.text)} is text", f"write {meant} without quotes", meant=meant == "true")
    return Mistake(path, f"{_shown(place)} is neither true nor false", "write true or false, without quotes")


def _not_int(path: KeyPath, place: Location) -> Mistake:
    if place.kind is YamlKind.TEXT and place.text.isdecimal() and len(place.text) < 10:
        meant = int(place.text)
        return Mistake(path, f"{quoted(place.text)} is text", f"write {meant} without quotes", meant=meant)
    if place.kind is YamlKind.NUMBER and ("." not in place.text):
        return Mistake(path, _trap(place).removesuffix(", not as text"), f"write a plain number: {_line(path)}")
    return Mistake(path, f"{_shown(place)} is not a whole number", f"write {_line(path)}")


def _not_list(path: KeyPath, place: Location) -> Mistake:
    if place.kind is YamlKind.MAPPING:
        return Mistake(path, "is a mapping of keys where a list is expected", f"write {_line(path)}")
    meant = [place.text] if place.kind is YamlKind.TEXT else None
    return Mistake(path, f"{_shown(place)} is not a list", f"write [{_cut(place.text)}]", meant=meant)


def _shown(place: Location) -> str:
    if place.kind in _FOUND:
        return _FOUND[place.kind]
    return quoted(place.text) if place.kind is YamlKind.TEXT else _cut(place.text)


def _cut(text: str) -> str:
    return quoted(text)[1:-1]
