"""From the full tree to the model, with our messages instead of pydantic's, and explanations of YAML's traps.

Pydantic checks a rule between two keys only if both are valid. So each invalid part is replaced with the likely value
or a placeholder, and everything is validated again. This reports all problems of a file at once, and the caller can
continue with the template and the recipients.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runner.base.errors import Problem
from runner.base.text import quoted
from runner.campaign.normalize import SECTIONS, SHORTHANDS, Sections, SourceMap, section_of
from runner.campaign.recipients_section import FORM_TAGS, ONE_FILE
from runner.campaign.values import InvalidValue
from runner.campaign.yaml_document import TRUE, KeyPath, Location, YamlKind, shown_path

Model = TypeVar("Model", bound=BaseModel)

# A replaced value may be invalid again, and pydantic checks rules between keys only after that.
_ROUNDS: Final = 8

_FOUND: Final = {YamlKind.LIST: "a list", YamlKind.MAPPING: "a mapping", YamlKind.EMPTY: "empty"}

_STAND_INS: Final[dict[KeyPath, Any]] = {
    ("name",): "unnamed",
    ("rate",): "1/s",
    ("account",): {"subAccountId": "unknown"},
    ("account", "subAccountId"): "unknown",
    ("recipients", "country", "column"): "unknown",
    ("recipients", "suppress", "file"): "unknown",
    ("recipients", "expect", "freshWithin", "column"): "unknown",
    ("recipients", "expect", "freshWithin", "within"): "1d",
    ("recipients", "cooldown", "messages"): 1,
    ("recipients", "cooldown", "per"): "1d",
    ("window", "from"): "00:00",
    ("window", "to"): "24:00",
}
# Placeholders for required parts; with one of these the caller gets no campaign.
_NEEDED: Final[dict[KeyPath, Any]] = {
    ("recipients",): {"file": "unknown"},
    ("recipients", "file"): "unknown",
    ("message",): {"text": "unknown"},
    ("message", "template"): "unknown",
    ("message", "text"): "unknown",
}


@dataclass(frozen=True, slots=True)
class _Mistake:
    """An invalid value, why it is invalid, and what to write instead.

    `correction` is the value to continue with, if it is clear; `is_surplus` if removing the key helps.
    """

    path: KeyPath
    what: str
    remedy: str
    correction: str | int | bool | list[Any] | None = None
    is_surplus: bool = False


def validate(
    model: type[Model],
    tree: dict[str, Any],
    source_map: SourceMap,
    folder: Path,
    broken: set[KeyPath],
    sections: Sections = SECTIONS,
) -> tuple[Model | None, dict[KeyPath, Problem]]:
    """The campaign, if its recipients and message can be understood, and the problem of each invalid path.

    Changes `tree`. `sections` are those of `model`. `broken` are paths in the file with a reported problem; they are
    not reported again.
    """
    problems: dict[KeyPath, Problem] = {}
    is_understood = True
    for _ in range(_ROUNDS):
        try:
            understood = model.model_validate(tree, context=folder)
        except ValidationError as refusal:
            mistakes = [_mistake(error, source_map, sections) for error in refusal.errors(include_url=False)]
        else:
            return understood if is_understood else None, problems
        for wrong in mistakes:
            if source_map.path(wrong.path) not in broken:
                problems[wrong.path] = source_map.problem(wrong.path, wrong.what, wrong.remedy)
        # Apply corrections first: a correction may be invalid again, and its path must still be right. But removing
        # list items shifts the others. Remove from the back for the same reason.
        corrected = [wrong for wrong in mistakes if wrong.correction is not None]
        for wrong in corrected or sorted(mistakes, key=lambda wrong: wrong.path, reverse=True):
            is_understood &= _repair(tree, wrong)
    return None, problems


def _repair(tree: dict[str, Any], wrong: _Mistake) -> bool:
    """Replace or remove the part for the next round. False if the campaign can't be understood without it."""
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
    if part == []:  # otherwise the empty list would be reported too
        _drop(tree, tuple(parents))


def _mistake(error: ErrorDetails, source_map: SourceMap, sections: Sections) -> _Mistake:
    """Translate pydantic's error."""
    path = tuple(part for part in error["loc"] if part not in FORM_TAGS)
    if error["type"] == "missing":
        if len(path) > 1:
            return _Mistake(path, "is missing", f"add {_line(path, sections)} under {shown_path(path[:-1])}:")
        # Suggest the shorthand of a section if it has one.
        short = next((long for long in SHORTHANDS.values() if long[:-1] == path), path)
        return _Mistake(path, "is missing", f"add {_line(short, sections)}")
    invalid = error.get("ctx", {}).get("error")
    if isinstance(invalid, InvalidValue):
        wrong = (*path, invalid.key) if invalid.key else path
        return _Mistake(wrong, invalid.what, invalid.remedy, is_surplus=bool(invalid.key))
    location = source_map.location(path)
    assert location is not None
    return _wrong_type(error["type"], path, location, sections)


def _wrong_type(wanted: str, path: KeyPath, location: Location, sections: Sections) -> _Mistake:
    """A value of the wrong type; `wanted` is pydantic's name for the error."""
    text, kind = location.text, location.kind
    shown = _FOUND.get(kind) or (quoted(text) if kind is YamlKind.TEXT else _cut(text))
    write = f"write {_line(path, sections)}"
    if kind is YamlKind.EMPTY:
        if text:
            return _Mistake(path, f"YAML reads {text} as an empty value", f"{write}, or put it in quotes")
        return _Mistake(path, "is empty", f"{write}, or remove the key")
    if wanted == "string_type":
        return _not_text(path, location, write)
    if wanted == "bool_type":
        if kind is YamlKind.TEXT and text.lower() in ("true", "false"):
            meant = text.lower()
            return _Mistake(path, f"{shown} is text", f"write {meant} without quotes", correction=meant == "true")
        return _Mistake(path, f"{shown} is not true or false", "write true or false without quotes")
    if wanted == "int_type":
        if kind is YamlKind.TEXT and text.isdecimal() and len(text) < 10:
            return _Mistake(path, f"{shown} is text", f"write {int(text)} without quotes", correction=int(text))
        if kind is YamlKind.NUMBER and "." not in text:
            what = _trap(location).removesuffix(", not as text")
            return _Mistake(path, what, f"write a plain number such as {_line(path, sections)}")
        return _Mistake(path, f"{shown} is not a whole number", write)
    if wanted == "tuple_type":
        if kind is YamlKind.MAPPING:
            return _Mistake(path, "must be a list, not a mapping", write)
        corrected_list = [text] if kind is YamlKind.TEXT else None
        return _Mistake(path, f"{shown} is not a list", f"write [{_cut(text)}]", correction=corrected_list)
    if path == ("recipients",) and kind is YamlKind.LIST:
        write = ONE_FILE
    return _Mistake(path, f"must be a section with keys, not {shown}", write)


def _not_text(path: KeyPath, location: Location, write: str) -> _Mistake:
    text, kind = location.text, location.kind
    if kind not in (YamlKind.LIST, YamlKind.MAPPING):
        return _Mistake(path, _trap(location), f"write {quoted(text)} in quotes", correction=text)
    if kind is YamlKind.LIST and path == ("recipients", "file") and ("," in text or not text):
        return _Mistake(path, "must be one file, not a list", ONE_FILE)
    if kind is YamlKind.LIST and text and "," not in text:
        return _Mistake(path, "must be text, not a list", f"write {_cut(text[1:-1])} without brackets")
    if text:  # probably text that starts with a brace, such as {date}
        return _Mistake(path, f"YAML reads {_cut(text)} as {_FOUND[kind]}", f"write {quoted(text)} in quotes")
    return _Mistake(path, f"must be text, not {_FOUND[kind]}", write)


def _trap(location: Location) -> str:
    """How YAML reads a scalar that looks like text."""
    text = location.text
    if location.kind is YamlKind.BOOLEAN:
        return f"YAML reads {text} as {'true' if text.lower() in TRUE else 'false'}, not as text"
    digits = text.lstrip("+-").replace("_", "")
    if re.fullmatch(r"[0-9]+(:[0-9.]+)+", digits):
        total = 0.0
        for part in digits.split(":"):
            total = total * 60 + float(part)
        return f"YAML reads {text} as the base-60 number {total:.15g}, not as text"
    if digits[:1] == "0" and digits.isdigit() and len(digits) > 1:
        return f"YAML reads {text} as the octal number {int(digits[:40], 8)}, not as text"
    if text.startswith("+"):
        return f"YAML reads {text} as a number and drops the plus"
    return f"YAML reads {_cut(text)} as a number, not as text"


def _line(path: KeyPath, sections: Sections) -> str:
    """An example of what to write: `"rate: 10/s"`."""
    *section, key = (part for part in path if isinstance(part, str))
    fields = sections[tuple(section)].model_fields
    example = next(field.examples for name, field in fields.items() if (field.alias or name) == key)
    assert example
    in_yaml = yaml.safe_dump(example[0], default_flow_style=True, sort_keys=False, width=1000).partition("\n")[0]
    return f'"{key}: {in_yaml}"'


def _cut(text: str) -> str:
    """The text shortened as in quotes, without the quotes."""
    return quoted(text)[1:-1]
