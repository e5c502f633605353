"""The reference of the campaign file, `docs/reference/campaign-file.md`, generated from the model to stay current.

    python -m docs.campaign_file > docs/reference/campaign-file.md

Nothing here is about a single key: description, example, default and what it may hold are the model's.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runner.base.text import joined
from runner.campaign.fields import TextRule, ThresholdRule, WholeNumberRule
from runner.campaign.normalize import SECTIONS, SHORTHANDS
from runner.campaign.yaml_document import KeyPath, shown_path

INTRODUCTION: Final = """\
# The campaign file

<!-- Made by `python -m docs.campaign_file` from the model in runner/campaign: change the words there. -->

A campaign is a YAML file. The smallest one:

```yaml
name: welcome
subAccountId: acme_hq
recipients: recipients/welcome.csv
template: ../templates/welcome.txt.j2
rate: 10/s
```

A short form replaces a section if no other key of the section is needed. Use either the short form or the section:

| short form | same as |
|---|---|
SHORT_FORMS

- **Paths** are relative to the campaign file, not to the folder in which you run the command.
- **Unknown keys** are errors, with a suggestion. `campaign check FILE` shows every error with its line and column. An
  editor with the YAML language server does the same while you type, because of the file's first line:
  `# yaml-language-server: $schema=campaign.schema.json` (`campaign schema` prints that file).
- **Secrets** never go into the file: the API key is `EIGHTXEIGHT_API_KEY` in the environment.
- **Variables** such as `${SENDER}` are refused, because nothing replaces them.
- **Examples** below omit the keys of the smallest campaign. [spring-sale.yaml](../../campaigns/spring-sale.yaml) has
  every key in one file. See also [templates](templates.md) for the message text, and [files](files.md) for the reasons
  why rows are left out.

YAML converts or cuts some unquoted values. `campaign check` refuses those that can't be meant. Put them in quotes:

| written | YAML reads | write |
|---|---|---|
| `country: NO` | false | `country: "NO"` |
| `from: 21:00` | the number 1260 | `from: "21:00"` |
| `source: 0123` | the number 83 | `source: "0123"` |
| `source: +12025550142` | a number without its plus | `source: "+12025550142"` |
| `run: {date}` | a mapping | `run: "{date}"` |
| `text: {{ name }}, hello` | an invalid mapping | `text: "{{ name }}, hello"` |
| `text: Reply #1` | `Reply` and a comment | `text: "Reply #1"` |
| `phone: Phone #` | `Phone` and a comment | `phone: "Phone #"` |
"""

# A rule ties the key to another one, so that its example shows both.
_TIED: Final[Mapping[KeyPath, KeyPath]] = {("limits",): ("prices",), ("limits", "cost"): ("prices",)}
_ONE_OF_TWO: Final[Mapping[KeyPath, KeyPath]] = {
    ("message", "template"): ("message", "text"),
    ("message", "text"): ("message", "template"),
}
_SHORT_FORM: Final[Mapping[KeyPath, str]] = {("recipients",): "a path, or "}
# Every campaign has these sections, and an example of one of their keys needn't repeat what is required there.
_ALWAYS_THERE: Final = frozenset({("account",), ("recipients",), ("message",)})
_PLAIN: Final = re.compile(r"[A-Za-z0-9./][\w./@%+:=' -]*")
# What YAML would read as a number, a truth value, nothing, or a count of seconds.
_TRAP: Final = re.compile(r"[0-9]+(\.[0-9]*)?|[0-9]+:[0-9:]+|y|n|yes|no|on|off|true|false|null", re.IGNORECASE)


def guide_text() -> str:
    """The text of `docs/reference/campaign-file.md`."""
    top = list(_keys(()))
    sections = [path for path in top if path in SECTIONS]
    others = [path for path in top if path not in SECTIONS]
    contents = [f"- [The top level](#the-top-level): {_links(others)}"]
    contents += [f"- {_links([section])}: {_links(paths(section))}" for section in sections]
    parts = [INTRODUCTION.replace("SHORT_FORMS", _short_forms()), "## Keys", "\n".join(contents)]
    parts += ["## The top level"]
    parts += map(_entry, others)
    for section in sections:
        parts += map(_entry, [section, *paths(section)])
    return "\n\n".join(part.strip() for part in parts) + "\n"


def paths(section: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every key in a section and the sections in it, in the model's order, without the short forms."""
    for path in _keys(section):
        yield path
        if path in SECTIONS:
            yield from paths(path)


def example(path: KeyPath) -> str:
    """A piece of a campaign file that shows the key: all that it needs beside the keys of the smallest campaign."""
    tree: dict[str, Any] = {}
    if path in _TIED:
        _put(tree, _TIED[path])
    for length in range(1, len(path)):
        section = path[:length]
        if section not in _ALWAYS_THERE:
            for key in _keys(section):
                if _field(key).is_required() or key == path:
                    _put(tree, key)
    _put(tree, path)
    node = tree
    for length, name in enumerate(map(str, path[:-1]), 1):
        inner = node[name]
        if _is_list(_kind(path[:length])):  # the section is one item of it
            node[name] = [inner]
        node = inner
    return as_yaml(tree)


def as_yaml(tree: Mapping[str, Any]) -> str:
    """A tree as people write it: one key on a line, a list of plain values on one line, quotes where needed."""
    return "".join(f"{line}\n" for line in _lines(tree))


def _entry(path: KeyPath) -> str:
    """One key: its heading, what it may hold, what it means, an example."""
    is_section_of_file = len(path) == 1 and path in SECTIONS
    field = _field(path)
    kind = _SHORT_FORM.get(path, "") + _accepted(_kind(path))[0]
    return "\n\n".join(
        [
            f"{'##' if is_section_of_file else '###'} {shown_path(path)}",
            f"_{kind[0].upper()}{kind[1:]}. {_need(path)}_",
            str(field.description),
            f"```yaml\n{example(path)}```",
        ]
    )


def _need(path: KeyPath) -> str:
    if path in _ONE_OF_TWO:
        return f"Required, unless {shown_path(_ONE_OF_TWO[path])} is given."
    field = _field(path)
    default = _shown_default(field.default)
    return "Required." if field.is_required() else f"Default: `{default}`." if default else "Optional."


def _accepted(kind: Any) -> tuple[str, str]:  # noqa: ANN401 - a type as it is annotated
    """The words for a value of this type, and for several: "a path", "a list of names of columns"."""
    rules: list[Any] = []
    if get_origin(kind) is Annotated:
        kind, *rules = get_args(kind)
    for rule in rules:
        if isinstance(rule, TextRule | ThresholdRule | WholeNumberRule):
            return rule.singular, rule.plural
    if get_origin(kind) in (Union, UnionType):
        forms = [_accepted(form) for form in get_args(kind) if form is not NoneType]
        return joined((singular for singular, _ in forms), "or"), joined((plural for _, plural in forms), "or")
    if get_origin(kind) is tuple:
        return f"a list of {_accepted(get_args(kind)[0])[1]}", "lists"
    return ("true or false",) * 2 if kind is bool else ("a section with the keys below", "sections with the keys below")


def _is_list(kind: Any) -> bool:  # noqa: ANN401 - a type as it is annotated
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is tuple


def _shown_default(value: object) -> str | None:
    """A default as it would stand in the file; None for one that says nothing."""
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


def _keys(section: KeyPath) -> Iterator[KeyPath]:
    for name, field in SECTIONS[section].model_fields.items():
        yield (*section, field.alias or name)


def _field(path: KeyPath) -> FieldInfo:
    return _named(path)[1]


def _kind(path: KeyPath) -> Any:  # noqa: ANN401 - a type as it is annotated
    return get_type_hints(SECTIONS[path[:-1]], include_extras=True)[_named(path)[0]]


def _named(path: KeyPath) -> tuple[str, FieldInfo]:
    fields = SECTIONS[path[:-1]].model_fields.items()
    return next((name, field) for name, field in fields if path[-1] == (field.alias or name))


def _put(tree: dict[str, Any], path: KeyPath) -> None:
    """Put the key with its example into the tree, if it isn't there."""
    *parents, last = map(str, path)
    for parent in parents:
        tree = tree.setdefault(parent, {})
    examples = _field(path).examples
    assert examples, path
    tree.setdefault(last, examples[0])


def _lines(tree: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            yield f"{indent}{key}:"
            for item in value:
                first, *more = _lines(item) if isinstance(item, Mapping) else [_scalar(item)]
                yield f"{indent}  - {first}"
                yield from (f"{indent}    {line}" for line in more)
        elif isinstance(value, list):
            yield f"{indent}{key}: [{', '.join(map(_scalar, value))}]"
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _scalar(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = _PLAIN.fullmatch(value) and not _TRAP.fullmatch(value) and ": " not in value
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _links(linked: Iterable[KeyPath]) -> str:
    """Links to headings, by the anchors that GitHub gives them."""
    shown = ((shown_path(path[1:] or path), shown_path(path)) for path in linked)
    return ", ".join(f"[{words}](#{re.sub(r'[^a-z0-9_-]', '', heading.lower())})" for words, heading in shown)


def _short_forms() -> str:
    rows = [("recipients: FILE", "recipients: {file: FILE}")]
    rows += [(f"{short}: …", f"{section}: {{{key}: …}}") for short, (section, key) in SHORTHANDS.items()]
    return "\n".join(f"| `{short}` | `{long}` |" for short, long in rows)


if __name__ == "__main__":
    sys.stdout.buffer.write(guide_text().encode())  # whatever the terminal's encoding and line ends
