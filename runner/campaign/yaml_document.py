"""From a YAML file's bytes to plain data, with the position of every key and value, and all problems. Pure.

PyYAML composes nodes and never constructs objects: a tag such as `!!python/object` is a problem, not a call. Features
that a campaign doesn't need (duplicate keys, merge keys, tags, recursive aliases) are refused: the tree contains only
mappings with text keys, lists, and scalars.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import yaml

from runner.base.errors import InputError, Position, Problem
from runner.base.text import quoted
from runner.campaign.yaml_errors import not_utf8, syntax_problem, unprintable

KeyPath = tuple[str | int, ...]

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20
# A campaign has about 40 nodes; nested aliases (nine of nine of nine …) expand to millions.
MAX_NODES: Final = 10_000

# Placeholder in the tree for a scalar that no key accepts: an empty value, a fraction, an octal or base-60 number. Not
# None, because None means that an optional key is absent.
UNUSABLE: Final = object()


class YamlKind(StrEnum):
    """YAML's type of a value."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    EMPTY = "empty"
    LIST = "list"
    MAPPING = "mapping"


@dataclass(frozen=True, slots=True)
class Location:
    """The positions of a key and its value, and how the value is written. `key` of a list item is the item's position.

    `text` is a scalar's text before YAML converts it, or the source of a list or mapping in brackets.
    """

    key: Position
    value: Position
    kind: YamlKind
    text: str = ""


@dataclass(slots=True)
class YamlDocument:
    """A file as data. `tree` is None if the file can't be parsed.

    `broken` are the paths of values with a reported problem.
    """

    file: str
    tree: dict[str, Any] | None = None
    locations: dict[KeyPath, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)


_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {
    "str": YamlKind.TEXT,
    "timestamp": YamlKind.TEXT,  # the rule of the key parses it, not YAML
    "value": YamlKind.TEXT,  # a bare =
    "merge": YamlKind.TEXT,  # a bare <<
    "int": YamlKind.NUMBER,
    "float": YamlKind.NUMBER,
    "bool": YamlKind.BOOLEAN,
    "null": YamlKind.EMPTY,
}
# Words that YAML reads as true; the other booleans are false.
TRUE: Final = {"yes", "true", "on"}
_WHOLE_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_THOUSANDS: Final = re.compile(r"[0-9]{3}")
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff\0]")
# A variable of a shell or a CI system. Nothing in these files is replaced.
_VARIABLE: Final = re.compile(r"\$\{\{?[^{}\n]*\}\}?|\A(?:\$[A-Z_][A-Z0-9_]*|%[A-Z_][A-Z0-9_]*%)\Z")
# Keys with texts for people. A comment behind such a text is rather its rest: "Reply #1 to book".
_TEXTS: Final = {"text", "requireText"}
_COMMENT: Final = re.compile(r"[ \t]+#[^\n]*")
# Elsewhere, what follows the # shows that it is no comment: "Phone #", "Order #1".
_NUMBER_SIGN: Final = re.compile(r"[ \t]+#(?=\d|[ \t]*(?:\n|\Z))[^\n]*")


def parse(content: bytes, file: str, *, may_be_empty: bool = False) -> YamlDocument:
    """Parse the bytes of a file; `file` is its name in problems."""
    document = YamlDocument(file)
    if len(content) > MAX_BYTES:
        what = "the file is larger than 1 MB, too large for a campaign file"
        document.problems.append(Problem(what, "check that it is not the recipient file", where=Position(file, 1, 1)))
        return document
    try:
        _read_text(content.decode("utf-8-sig"), document, may_be_empty=may_be_empty)
    except UnicodeDecodeError as error:
        document.problems.append(not_utf8(content, error, file))
    except InputError as error:  # parsing can't continue
        document.problems += error.problems
    return document


def _read_text(text: str, document: YamlDocument, *, may_be_empty: bool) -> None:
    if problem := unprintable(text, document.file):
        raise InputError([problem])
    start = Position(document.file, 1, 1)
    loader = _Loader(text, document.file)
    try:
        root = loader.get_node() if loader.check_node() else None
        following = loader.get_event() if loader.check_node() else None  # type: ignore[no-untyped-call]
    except (yaml.MarkedYAMLError, ValueError, OverflowError) as error:  # the last two: huge escapes and versions
        mark = loader.get_mark()
        raise InputError([syntax_problem(error, text, document.file, (mark.line, mark.column))]) from error
    if root is None and may_be_empty:
        document.tree = {}
        return
    if root is None:
        remedy = "add at least name, subAccountId, recipients, template and rate"
        raise InputError([Problem("the file is empty", remedy, where=start)])
    if following is not None:
        what, where = "a second YAML document starts here", _position(following, document.file)
        document.problems.append(Problem(what, "write one document per file, without ---", where=where))
    if not isinstance(root, yaml.MappingNode):
        remedy = 'write one key per line, such as "name: welcome"'
        raise InputError([Problem("the file has no keys", remedy, where=_position(root, document.file))])
    document.tree = _TreeBuilder(document, text).mapping(root, ())
    document.locations[()] = Location(start, start, YamlKind.MAPPING)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and stops if there are too many or they are nested too deeply."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self._file = file
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        where = _position(self.peek_event(), self._file)  # type: ignore[no-untyped-call]
        if self._nodes > MAX_NODES:
            what = f"more than {MAX_NODES:,} values, too many for a campaign file"
            raise InputError([Problem(what, "check that it is a campaign file", where=where)])
        if self._depth > MAX_DEPTH:
            remedy = "put text that starts with [ or { in quotes"
            raise InputError([Problem("values are nested too deeply", remedy, where=where)])
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _TreeBuilder:
    """Turns nodes into plain data, and records locations and problems."""

    def __init__(self, document: YamlDocument, text: str) -> None:
        self.document = document
        self.text = text
        self.unfinished: set[int] = set()  # ids of the collections that enclose the current node
        self.visited = 1  # the root

    def value(self, node: yaml.Node, path: KeyPath, key: Position) -> object:
        where = _position(node, self.document.file)
        self.visited += 1
        if self.visited > MAX_NODES:
            what = f"with its aliases expanded, the file has more than {MAX_NODES:,} values"
            raise InputError([Problem(what, "replace the aliases with their values", where=where)])
        kind = _kind(node)
        text: str = node.value
        if isinstance(node, yaml.CollectionNode):
            text = self.text[node.start_mark.index : node.end_mark.index] if node.flow_style else ""
        self.document.locations[path] = Location(key, where, kind or YamlKind.TEXT, text)
        if kind is None:
            tag = node.tag.replace(_TAG_PREFIX, "!!")
            remedy = "remove the tag, or put text that starts with ! in quotes"
            return self.refuse(path, where, f"the tag {quoted(tag)} is not supported", remedy)
        if isinstance(node, yaml.ScalarNode):
            if _HALF_CHARACTER.search(text):
                what = "has an escape such as \\ud83d, which is only half of a character"
                return self.refuse(path, where, what, "write the character itself")
            is_text = bool(_TEXTS.intersection(path))
            if node.style is None and (cut := (_COMMENT if is_text else _NUMBER_SIGN).match(self.text, _end(node))):
                what = f"YAML reads {quoted(cut.group().strip())} as a comment, which cuts the text"
                remedy = "on a line of its own" if is_text else "after # and a space"
                self.complain(path, where, what, f"put the whole text in quotes, or write a comment {remedy}")
            elif not is_text and (variable := _VARIABLE.search(text)):  # the template's check reports it in a text
                what = f"{quoted(variable.group())} is not replaced: this file can't use variables"
                return self.refuse(path, where, what, "write the value itself")
            return _scalar(text, kind)
        if id(node) in self.unfinished:
            return self.refuse(path, where, "this alias contains itself", "replace the alias with its values")
        self.unfinished.add(id(node))
        result = self.mapping(node, path) if isinstance(node, yaml.MappingNode) else self.items(node, path)
        self.unfinished.discard(id(node))
        return result

    def items(self, node: yaml.Node, path: KeyPath) -> list[object]:
        nodes = enumerate(node.value)
        return [self.value(item, (*path, index), _position(item, self.document.file)) for index, item in nodes]

    def mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = _position(key_node, self.document.file)
            key = self.key(key_node, path, where)
            if key is None:
                continue
            if key in result:
                first = self.document.locations[(*path, key)].key
                what = f"duplicate key, already on line {first.line}"
                self.complain((*path, key), where, what, "remove one of them")
                continue
            result[key] = self.value(value_node, (*path, key), where)
        return result

    def key(self, node: yaml.Node, path: KeyPath, where: Position) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            what = "YAML reads text that starts with { or [ as a mapping or a list"
            self.refuse(path, where, what, "put the text in quotes")
            return None
        text: str = node.value
        if node.tag == f"{_TAG_PREFIX}merge":
            self.complain((*path, text), where, "merge keys (<<) are not supported", "write the keys themselves")
            return None
        if _kind(node) is not YamlKind.TEXT:
            remedy = "correct the key; `campaign schema` lists all keys"
            if _THOUSANDS.fullmatch(text):  # {messages: 50,000} is two keys
                remedy = "write numbers without commas, such as 50000"
            self.complain((*path, text), where, f"YAML doesn't read the key {quoted(text)} as text", remedy)
            return None
        return text

    def complain(self, path: KeyPath, where: Position, what: str, remedy: str) -> None:
        self.document.problems.append(Problem(what, remedy, shown_path(path), where))

    def refuse(self, path: KeyPath, where: Position, what: str, remedy: str) -> object:
        self.document.broken.add(path)
        self.complain(path, where, what, remedy)
        return UNUSABLE


def shown_path(path: KeyPath) -> str:
    """`message.source`. List items have no number: line and value identify them."""
    keys = [key for key in path if isinstance(key, str)]
    return ".".join(key if key.isprintable() and key and len(key) <= 40 else quoted(key) for key in keys)


def _kind(node: yaml.Node) -> YamlKind | None:
    """None for a tag that isn't supported."""
    kinds = {yaml.ScalarNode: _SCALARS, yaml.MappingNode: {"map": YamlKind.MAPPING}}
    return kinds.get(type(node), {"seq": YamlKind.LIST}).get(node.tag.removeprefix(_TAG_PREFIX))


def _end(node: yaml.Node) -> int:
    assert node.end_mark is not None  # the composer marks every node
    return node.end_mark.index


def _scalar(text: str, kind: YamlKind) -> object:
    if kind is YamlKind.TEXT:
        return text
    if kind is YamlKind.BOOLEAN:
        return text.lower() in TRUE
    return int(text) if kind is YamlKind.NUMBER and _WHOLE_NUMBER.fullmatch(text) else UNUSABLE


def _position(node: yaml.Node | yaml.Event, file: str) -> Position:
    mark = node.start_mark
    assert mark is not None  # the composer marks every node
    return Position(file, mark.line + 1, mark.column + 1)
