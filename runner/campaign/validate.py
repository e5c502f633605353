"""From the spelled-out tree to the model, in our words instead of pydantic's, with YAML's traps called by name.

Pydantic checks a rule over two keys only when both are right. So a wrong part is repaired, with what was meant or with
a harmless stand-in, and everything is validated again: all problems of a file are reported at once, and the caller can
go on to the template and the recipients.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runner.base.errors import Problem
from runner.base.text import quoted
from runner.campaign.model import Campaign
from runner.campaign.normalize import SECTIONS, SHORTHANDS, SourceMap, section_of
from runner.campaign.recipients_section import FORM_TAGS
from runner.campaign.values import InvalidValue
from runner.campaign.yaml_document import TRUE, KeyPath, Location, YamlKind, shown_path

# A repaired value may be wrong again, and so may the rules between keys that pydantic checks after it.
_ROUNDS: Final = 8

_FOUND: Final = {YamlKind.LIST: "a list", YamlKind.MAPPING: "a mapping of keys", YamlKind.EMPTY: "empty"}

_STAND_INS: Final[dict[KeyPath, Any]] = {
    ("name",): "unnamed",
    ("rate",): "1/s",
    ("account",): {"subAccountId": "unknown"},
    ("account", "subAccountId"): "unknown",
    ("recipients", "country", "column"): "unknown",
    ("recipients", "suppress", "file"): "unknown",
    ("recipients", "cooldown", "messages"): 1,
    ("recipients", "cooldown", "per"): "1d",
    ("window", "from"): "00:00",
    ("window", "to"): "24:00",
}
# Stand-ins for what nothing can go on without: the caller gets no campaign.
_NEEDED: Final[dict[KeyPath, Any]] = {
    ("recipients",): {"file": "unknown"},
    ("recipients", "file"): "unknown",
    ("message",): {"text": "unknown"},
    ("message", "template"): "unknown",
    ("message", "text"): "unknown",
}


@dataclass(frozen=True, slots=True)
class _Mistake:
    """A refused value: what is wrong with it and what to write instead.

    `correction` is the value to go on with, if it is clear; `is_surplus` when leaving it out helps.
    """

    path: KeyPath
    what: str
    remedy: str
    correction: str | int | bool | list[Any] | None = None
    is_surplus: bool = False


def validate(
    tree: dict[str, Any], source_map: SourceMap, folder: Path, broken: set[KeyPath]
) -> tuple[Campaign | None, dict[KeyPath, Problem]]:
    """The campaign, if its recipients and message can be understood, and each wrong path with its problem.

    `tree` is changed. `broken` are paths in the file that have been reported before; they are not reported again.
    """
    problems: dict[KeyPath, Problem] = {}
    is_understood = True
    for _ in range(_ROUNDS):
        try:
            campaign = Campaign.model_validate(tree, context=folder)
        except ValidationError as refusal:
            mistakes = [_mistake(error, source_map) for error in refusal.errors(include_url=False)]
        else:
            return campaign if is_understood else None, problems
        for wrong in mistakes:
            if source_map.path(wrong.path) not in broken:
                problems[wrong.path] = source_map.problem(wrong.path, wrong.what, wrong.remedy)
        # Corrections come first: they may be wrong again, and then their place must still be known, but removing items
        # of a list moves the others. From the back for the same reason.
        corrected = [wrong for wrong in mistakes if wrong.correction is not None]
        for wrong in corrected or sorted(mistakes, key=lambda wrong: wrong.path, reverse=True):
            is_understood &= _repair(tree, wrong)
    return None, problems


def _repair(tree: dict[str, Any], wrong: _Mistake) -> bool:
    """Repair the part for the next round. False when the campaign cannot be understood without it."""
    path = section_of(wrong.path)
    replacement = wrong.correction if wrong.correction is not None else _STAND_INS.get(path, _NEEDED.get(path))
    if wrong.is_surplus or replacement is None:
        _drop(tree, wrong.path)
        return True
    *parents, last = wrong.path
    part: Any = tree
    for name in parents:
        part = part.setdefault(name, {}) if isinstance(name, str) else part[name]
    part[last] = replacement.copy() if isinstance(replacement, dict) else replacement
    return wrong.correction is not None or path in _STAND_INS


def _drop(tree: Any, path: KeyPath) -> None:  # noqa: ANN401 - a tree of any data
    *parents, last = path
    part = tree
    for name in parents:
        part = part[name]
    del part[last]
    if part == []:  # the empty list would be reported too
        _drop(tree, tuple(parents))


def _mistake(error: ErrorDetails, source_map: SourceMap) -> _Mistake:
    """Pydantic's error in our words."""
    path = tuple(part for part in error["loc"] if part not in FORM_TAGS)
    if error["type"] == "missing":
        if len(path) > 1:
            return _Mistake(path, "is missing", f"add {_line(path)} under {shown_path(path[:-1])}:")
        # Of a section that has a shorthand, the shorthand is what most campaigns lack.
        short = next((long for long in SHORTHANDS.values() if long[:-1] == path), path)
        return _Mistake(path, "is missing", f"add {_line(short)}")
    invalid = error.get("ctx", {}).get("error")
    if isinstance(invalid, InvalidValue):
        wrong = (*path, invalid.key) if invalid.key else path
        return _Mistake(wrong, invalid.what, invalid.remedy, is_surplus=bool(invalid.key))
    location = source_map.location(path)
    assert location is not None
    return _wrong_type(error["type"], path, location)


def _wrong_type(wanted: str, path: KeyPath, location: Location) -> _Mistake:
    """A value of another type than the key takes; `wanted` is pydantic's name for the error."""
    text, kind = location.text, location.kind
    shown = _FOUND.get(kind) or (quoted(text) if kind is YamlKind.TEXT else _cut(text))
    write = f"write {_line(path)}"
    if kind is YamlKind.EMPTY:
        if text:
            return _Mistake(path, f"YAML reads {text} as empty", f"{write}, or put it in quotes")
        return _Mistake(path, "is empty", f"{write}, or remove the key")
    if wanted == "string_type":
        return _not_text(path, location)
    if wanted == "bool_type":
        if kind is YamlKind.TEXT and text.lower() in ("true", "false"):
            meant = text.lower()
            return _Mistake(path, f"{shown} is text", f"write {meant} without quotes", correction=meant == "true")
        return _Mistake(path, f"{shown} is neither true nor false", "write true or false, without quotes")
    if wanted == "int_type":
        if kind is YamlKind.TEXT and text.isdecimal() and len(text) < 10:
            return _Mistake(path, f"{shown} is text", f"write {int(text)} without quotes", correction=int(text))
        if kind is YamlKind.NUMBER and "." not in text:
            return _Mistake(path, _trap(location).removesuffix(", not as text"), f"write a plain number: {_line(path)}")
        return _Mistake(path, f"{shown} is not a whole number", write)
    if wanted == "tuple_type":
        if kind is YamlKind.MAPPING:
            return _Mistake(path, "is a mapping of keys where a list is expected", write)
        corrected_list = [text] if kind is YamlKind.TEXT else None
        return _Mistake(path, f"{shown} is not a list", f"write [{_cut(text)}]", correction=corrected_list)
    return _Mistake(path, f"{shown} where keys are expected", write)


def _not_text(path: KeyPath, location: Location) -> _Mistake:
    text, kind = location.text, location.kind
    if kind not in (YamlKind.LIST, YamlKind.MAPPING):
        return _Mistake(path, _trap(location), f"write {quoted(text)} in quotes", correction=text)
    if kind is YamlKind.LIST and text and "," not in text:
        return _Mistake(path, "is a list where text is expected", f"write {_cut(text[1:-1])} without brackets")
    if text:  # most likely text that starts with a brace, such as {date}
        return _Mistake(path, f"YAML reads {_cut(text)} as {_FOUND[kind]}", f"write {quoted(text)} in quotes")
    return _Mistake(path, f"is {_FOUND[kind]} where text is expected", f"write {_line(path)}")


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
    in_yaml = yaml.safe_dump(example[0], default_flow_style=True, sort_keys=False, width=1000).partition("\n")[0]
    return f'"{key}: {in_yaml}"'


def _cut(text: str) -> str:
    """The text as in quotes, without them."""
    return quoted(text)[1:-1]
