"""From the keys that the user wrote to the full form that the model knows.

Unknown keys are reported here, with a suggestion. A simple mistake (`nmae`, `sub_account_id`) is then read as the
suggested key, so that all other problems are reported at the same time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from pydantic import BaseModel

from runner.base.errors import Position, Problem
from runner.base.text import closest, quoted
from runner.campaign.model import Campaign
from runner.campaign.yaml_document import KeyPath, Location, YamlDocument, YamlKind, shown_path


def _sections_in(kind: Any, path: KeyPath) -> Iterator[tuple[KeyPath, type[BaseModel]]]:  # noqa: ANN401 - an annotation
    """Each section within a type, with its path; list items have the path of the list."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield path, kind
        for name, field_info in kind.model_fields.items():
            yield from _sections_in(field_info.annotation, (*path, field_info.alias or name))
    for part in get_args(kind):
        yield from _sections_in(part, path)


Sections = Mapping[KeyPath, type[BaseModel]]


def sections_of(model: type[BaseModel]) -> Sections:
    """The sections of a file, by their paths; `()` is the top level."""
    return dict(_sections_in(model, ()))


SECTIONS: Final = sections_of(Campaign)
SHORTHANDS: Final[Mapping[str, tuple[str, str]]] = {
    "subAccountId": ("account", "subAccountId"),
    "template": ("message", "template"),
}
# Other tools' names for our keys, in lower case and without separators.
_OTHER_NAMES: Final[Mapping[str, KeyPath]] = {
    "from": ("message", "source"),
    "sender": ("message", "source"),
    "senderid": ("message", "source"),
    "body": ("message", "text"),
    "content": ("message", "text"),
    "callbackurl": ("message", "dlrCallbackUrl"),
    "subaccount": ("account", "subAccountId"),
    "csv": ("recipients", "file"),
}
_SECRETS: Final = {"apikey", "token", "secret", "password", "authorization", "bearer", "eightxeightapikey"}


def section_of(path: KeyPath) -> KeyPath:
    """The path as in SECTIONS, without list indexes."""
    return tuple(part for part in path if isinstance(part, str))


def keys_of(section: KeyPath, sections: Sections) -> list[str]:
    """The keys of a section in its full form; `()` is the top level."""
    return [field.alias or name for name, field in sections[section_of(section)].model_fields.items()]


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Maps key paths to their positions and names in the file.

    Paths use the full form (`message`, `template`); `names` has the path in the file if it differs.
    """

    file: str
    locations: Mapping[KeyPath, Location] = field(default_factory=dict)
    names: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def path(self, path: KeyPath) -> KeyPath:
        """The path in the file: `("template",)` if the file uses the shorthand."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.names:
                return self.names[path[:length]] + path[length:]
        if path not in self.locations:
            # Report a section that is not in the file under the name of its shorthand.
            return next(((short,) for short, long in SHORTHANDS.items() if long[:-1] == path), path)
        return path

    def location(self, path: KeyPath) -> Location | None:
        """The positions of a key and its value; None if the key isn't in the file."""
        return self.locations.get(self.path(path))

    def position(self, path: KeyPath) -> Position:
        """The value's position; for an absent key, that of the nearest enclosing key."""
        if location := self.location(path):
            return location.value
        around = (self.location(path[:length]) for length in range(len(path) - 1, 0, -1))
        return next((location.key for location in around if location), Position(self.file, 1, 1))

    def problem(self, path: KeyPath, what: str, remedy: str = "") -> Problem:
        """A problem with a value, under the key that the user wrote."""
        return Problem(what, remedy, shown_path(self.path(path)), self.position(path))


def normalize(document: YamlDocument, sections: Sections = SECTIONS) -> tuple[dict[str, Any], SourceMap, list[Problem]]:
    """The full form of a document, its source map, and the problems with its keys."""
    assert document.tree is not None
    reader = _Normalizer(document, sections)
    tree = reader.section((), document.tree, ())
    reader.expand(tree)
    for path, in_file, value in reader.misplaced:  # grows if a misplaced section has misplaced keys
        reader.put(tree, path, in_file, reader.value(path, value, in_file))
    return tree, reader.source_map, reader.problems


class _Normalizer:
    """Walks the tree and collects names and problems."""

    def __init__(self, document: YamlDocument, sections: Sections) -> None:
        self.sections = sections
        self.names: dict[KeyPath, KeyPath] = {}
        self.source_map = SourceMap(document.file, document.locations, self.names)
        self.problems: list[Problem] = []
        self.misplaced: list[tuple[KeyPath, KeyPath, object]] = []  # correct path, path in the file, value

    def section(self, section: KeyPath, tree: Mapping[str, Any], at: KeyPath) -> dict[str, Any]:
        """The section with its known keys; `at` is its path in the file."""
        known = keys_of(section, self.sections)
        if not section:
            known += [
                short
                for short, (around, key) in SHORTHANDS.items()
                if (around,) in self.sections and key in keys_of((around,), self.sections)
            ]
        result: dict[str, Any] = {}
        for word, value in tree.items():
            in_file = (*at, word)
            key = word if word in known else self.meant_key(in_file, section, known, tree)
            if key is None or (key != word and key in result):
                continue
            path = (*section, key)
            if path != in_file:
                self.names[path] = in_file
            result[key] = self.value(path, value, in_file)
        return result

    def value(self, path: KeyPath, value: object, in_file: KeyPath) -> object:
        if section_of(path) in self.sections:
            if isinstance(value, list):
                return [self.value((*path, n), item, (*in_file, n)) for n, item in enumerate(value)]
            if isinstance(value, dict):
                return self.section(path, value, in_file)
        return value

    def meant_key(self, in_file: KeyPath, section: KeyPath, known: list[str], present: Mapping[str, Any]) -> str | None:
        """Report an unknown key. Return the key of this section to read it as, if any."""
        word = str(in_file[-1])
        here, elsewhere = _suggestions(word, section, known, self.sections)
        what = "unknown key"
        if _plain(word) in _SECRETS:
            here, what = None, "secrets are not allowed in the file"
            remedy = "remove it, and set EIGHTXEIGHT_API_KEY in the environment"
        elif here and here in present:
            remedy = f"remove it; {quoted(here)} is already given"
            here = None
        elif here:
            remedy = f'did you mean "{here}"?'
        elif elsewhere:
            place = f"under {shown_path(elsewhere[:-1])}:" if elsewhere[:-1] else "at the top level"
            remedy = f'write "{elsewhere[-1]}" {place}'
            self.misplaced.append((elsewhere, in_file, present[word]))
        else:
            remedy = f"the keys {f'of {shown_path(section)}' if section else 'at the top level'} are {', '.join(known)}"
        self.complain(in_file, what, remedy)
        return here

    def complain(self, in_file: KeyPath, what: str, remedy: str) -> None:
        where = self.source_map.locations[in_file].key
        self.problems.append(Problem(what, remedy, shown_path(in_file), where))

    def expand(self, tree: dict[str, Any]) -> None:
        """Expand `recipients: FILE`, `template:` and `subAccountId:`."""
        location = self.source_map.location(("recipients",))
        if "recipients" in tree and location and location.kind not in (YamlKind.MAPPING, YamlKind.LIST, YamlKind.EMPTY):
            self.names["recipients", "file"] = self.source_map.path(("recipients",))
            tree["recipients"] = {"file": tree["recipients"]}
        for short, (section, key) in SHORTHANDS.items():
            if short not in tree:
                continue
            value, in_file = tree.pop(short), self.names.pop((short,), (short,))
            if section in tree:
                self.complain(in_file, f"can't be combined with {section}", f'write "{key}" under {section}:')
            self.put(tree, (section, key), in_file, value)

    def put(self, tree: dict[str, Any], path: KeyPath, in_file: KeyPath, value: object) -> None:
        """Read a key as if it were at `path`, unless that path has a value."""
        *parents, key = map(str, path)
        for parent in parents:
            section: object = tree.setdefault(parent, {})
            if not isinstance(section, dict):
                return
            tree = section
        is_second_text = path == ("message", "template") and "text" in tree
        if key not in tree and not is_second_text:
            tree[key] = value
            self.names[path] = in_file


def _suggestions(
    word: str, section: KeyPath, known: list[str], sections: Sections
) -> tuple[str | None, KeyPath | None]:
    """The key of this section to suggest, or the path of a key in another section."""
    plain = _plain(word)
    other = _OTHER_NAMES.get(plain)
    other = other if other and other[:-1] in sections else None
    here = next((key for key in known if _plain(key) == plain), None)
    if here is None and section:  # `message: 2` in a cooldown isn't the section `message`
        here = next((key for key in known if _plain(key).rstrip("s") == plain.rstrip("s")), None)
    if here is None and other and other[:-1] == section:
        here = str(other[-1])
    if here:
        return here, None
    elsewhere = ((*path, key) for path in sections if path != section for key in keys_of(path, sections))
    other = other or next((path for path in elsewhere if _plain(str(path[-1])) == plain), None)
    return (None, other) if other else (closest(word, known), None)


def _plain(word: str) -> str:
    return re.sub("[-_ ]", "", word.lower())
