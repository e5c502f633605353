"""From a YAML file's bytes to plain data, with the place of every key and value, and what is wrong with the file. Pure.

PyYAML composes nodes and never constructs objects: a tag such as `!!python/object` is a problem, not a call. What a
campaign has no use for (duplicate keys, merge keys, tags, endless aliases) is refused here: the tree holds only
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
# A campaign has about 40 nodes; nine aliases of nine aliases of nine … have millions.
MAX_NODES: Final = 10_000

# Stands in the tree for a scalar that no key takes: an empty value, a fraction, a number in octal or base 60. Not None,
# which an optional key would take for absence.
UNUSABLE: Final = object()


class YamlKind(StrEnum):
    """What YAML makes of a value."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    EMPTY = "empty"
    LIST = "list"
    MAPPING = "mapping"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a key and its value stand, and how the value is written. Of a list item, `key` is the place of the item.

    `text` is a scalar's text before YAML gave it a type, or the source of a list or mapping in brackets.
    """

    key: Position
    value: Position
    kind: YamlKind
    text: str = ""


@dataclass(slots=True)
class YamlDocument:
    """A file as data. `tree` is None when the file cannot be understood at all.

    `broken` are the paths of values that a problem names already.
    """

    file: str
    tree: dict[str, Any] | None = None
    locations: dict[KeyPath, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)


_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {
    "str": YamlKind.TEXT,
    "timestamp": YamlKind.TEXT,  # a moment is read by the rules of its key, not by YAML's
    "value": YamlKind.TEXT,  # a bare =
    "merge": YamlKind.TEXT,  # a bare <<
    "int": YamlKind.NUMBER,
    "float": YamlKind.NUMBER,
    "bool": YamlKind.BOOLEAN,
    "null": YamlKind.EMPTY,
}
# Words that YAML reads as true; others that are no text are false.
TRUE: Final = {"yes", "true", "on"}
_WHOLE_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_THOUSANDS: Final = re.compile(r"[0-9]{3}")
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff\0]")


def parse(content: bytes, file: str) -> YamlDocument:
    """The document in the bytes of a file; `file` is its name in problems."""
    document = YamlDocument(file)
    if len(content) > MAX_BYTES:
        what = "larger than 1 MB, so this is not a campaign file"
        document.problems.append(Problem(what, "is it the recipient file?", where=Position(file, 1, 1)))
        return document
    try:
        _read_text(content.decode("utf-8-sig"), document)
    except UnicodeDecodeError as error:
        document.problems.append(not_utf8(content, error, file))
    except InputError as error:  # the file cannot be understood any further
        document.problems += error.problems
    return document


def _read_text(text: str, document: YamlDocument) -> None:
    if problem := unprintable(text, document.file):
        raise InputError([problem])
    start = Position(document.file, 1, 1)
    loader = _Loader(text, document.file)
    try:
        root = loader.get_node() if loader.check_node() else None
        following = loader.get_event() if loader.check_node() else None  # type: ignore[no-untyped-call]
    except (yaml.MarkedYAMLError, ValueError, OverflowError) as error:  # the last two: absurd escapes and versions
        mark = loader.get_mark()
        raise InputError([syntax_problem(error, text, document.file, (mark.line, mark.column))]) from error
    if root is None:
        remedy = "write at least name, subAccountId, recipients, template and rate"
        raise InputError([Problem("the file is empty", remedy, where=start)])
    if following is not None:
        what, where = "a second YAML document starts here", _position(following, document.file)
        document.problems.append(Problem(what, "write one campaign per file, without ---", where=where))
    if not isinstance(root, yaml.MappingNode):
        remedy = 'write lines such as "name: welcome"'
        raise InputError([Problem("the file holds no keys", remedy, where=_position(root, document.file))])
    document.tree = _TreeBuilder(document, text).mapping(root, ())
    document.locations[()] = Location(start, start, YamlKind.MAPPING)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and stops before size or depth become a burden."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self._file = file
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        where = _position(self.peek_event(), self._file)  # type: ignore[no-untyped-call]
        if self._nodes > MAX_NODES:
            raise InputError([Problem(f"more than {MAX_NODES:,} values, so this is not a campaign file", where=where)])
        if self._depth > MAX_DEPTH:
            raise InputError([Problem("nested too deeply", "put text that starts with [ or { in quotes", where=where)])
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _TreeBuilder:
    """Makes plain data of nodes, and notes locations and problems on the way."""

    def __init__(self, document: YamlDocument, text: str) -> None:
        self.document = document
        self.text = text
        self.unfinished: set[int] = set()  # ids of the collections around the node that is read
        self.visited = 1  # the root

    def value(self, node: yaml.Node, path: KeyPath, key: Position) -> object:
        where = _position(node, self.document.file)
        self.visited += 1
        if self.visited > MAX_NODES:
            what = f"aliases blow the file up to more than {MAX_NODES:,} values"
            raise InputError([Problem(what, "write the values out", where=where)])
        kind = _kind(node)
        text: str = node.value
        if isinstance(node, yaml.CollectionNode):
            text = self.text[node.start_mark.index : node.end_mark.index] if node.flow_style else ""
        self.document.locations[path] = Location(key, where, kind or YamlKind.TEXT, text)
        if kind is None:
            tag = node.tag.replace(_TAG_PREFIX, "!!")
            remedy = "write the plain value, or put text that starts with ! in quotes"
            return self.refuse(path, where, f"the tag {quoted(tag)} is not supported", remedy)
        if isinstance(node, yaml.ScalarNode):
            if _HALF_CHARACTER.search(text):
                what = "holds an escape such as \\ud83d that is only half a character"
                return self.refuse(path, where, what, "write the character itself")
            return _scalar(text, kind)
        if id(node) in self.unfinished:
            return self.refuse(path, where, "an alias that contains itself", "write the values out")
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
                self.complain((*path, key), where, f"written twice, first on line {first.line}", "keep one of the two")
                continue
            result[key] = self.value(value_node, (*path, key), where)
        return result

    def key(self, node: yaml.Node, path: KeyPath, where: Position) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            what = "YAML reads what starts with { or [ as keys and lists"
            self.refuse(path, where, what, "put the text in quotes")
            return None
        text: str = node.value
        if node.tag == f"{_TAG_PREFIX}merge":
            self.complain((*path, text), where, "merge keys (<<) are not supported", "write the keys out")
            return None
        if _kind(node) is not YamlKind.TEXT:
            remedy = "put the key in quotes, or see the schema for the keys"
            if _THOUSANDS.fullmatch(text):  # {messages: 50,000} is two keys
                remedy = "write a number without a comma in it, such as 50000"
            self.complain((*path, text), where, f"the key {quoted(text)} is not text for YAML", remedy)
            return None
        return text

    def complain(self, path: KeyPath, where: Position, what: str, remedy: str) -> None:
        self.document.problems.append(Problem(what, remedy, shown_path(path), where))

    def refuse(self, path: KeyPath, where: Position, what: str, remedy: str) -> object:
        self.document.broken.add(path)
        self.complain(path, where, what, remedy)
        return UNUSABLE


def shown_path(path: KeyPath) -> str:
    """`message.source`. Items of a list are not numbered: the line and the value identify them."""
    keys = [key for key in path if isinstance(key, str)]
    return ".".join(key if key.isprintable() and key and len(key) <= 40 else quoted(key) for key in keys)


def _kind(node: yaml.Node) -> YamlKind | None:
    """None for a tag that has no place in a campaign."""
    kinds = {yaml.ScalarNode: _SCALARS, yaml.MappingNode: {"map": YamlKind.MAPPING}}
    return kinds.get(type(node), {"seq": YamlKind.LIST}).get(node.tag.removeprefix(_TAG_PREFIX))


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
