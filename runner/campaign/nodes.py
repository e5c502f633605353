"""From YAML nodes to plain data, noting the place of every key and value on the way.

PyYAML composes nodes and never constructs objects: a tag such as `!!python/object` is a problem, not a call. What a
campaign has no use for (duplicate keys, merge keys, tags, endless aliases) is refused here, so that whoever reads the
tree meets only mappings with text keys, lists, and scalars.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import yaml

from runner.campaign.words import quoted, shown_path
from runner.errors import Position, Problem

KeyPath = tuple[str | int, ...]

# A campaign has about 40 nodes; nine aliases of nine aliases of nine … have millions.
MAX_NODES: Final = 10_000

# Stands in the tree for a scalar that no key takes: an empty value, a fraction, a number in octal or base 60. Not None,
# which an optional key would take for absence.
ODD: Final = object()


class Kind(StrEnum):
    """What YAML makes of a value."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    EMPTY = "empty"
    LIST = "list"
    MAPPING = "mapping"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key and its value stand, and how the value is written. `key` of a list item is the item itself.

    `text` is a scalar's text before YAML gave it a type, or the source of a list or mapping in brackets.
    """

    key: Position
    value: Position
    kind: Kind
    text: str = ""
    is_plain: bool = False


@dataclass(slots=True)
class Document:
    """A file as data. `tree` is None when it cannot be understood at all; `broken` are paths already complained of."""

    file: str
    tree: dict[str, Any] | None = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)


class Refused(Exception):  # noqa: N818 - never leaves this room
    """The file cannot be understood any further."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {
    "str": Kind.TEXT,
    "timestamp": Kind.TEXT,  # a moment is read by the rules of its key, not by YAML's
    "value": Kind.TEXT,  # a bare =
    "int": Kind.NUMBER,
    "float": Kind.NUMBER,
    "bool": Kind.BOOLEAN,
    "null": Kind.EMPTY,
}
_TRUE: Final = {"yes", "true", "on"}
_WHOLE_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_THOUSANDS: Final = re.compile(r"[0-9]{3}")
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff\0]")


class Walk:
    """From nodes to plain data, noting places and problems on the way."""

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self.text = text
        self.open: set[int] = set()
        self.visited = 0

    def value(self, node: yaml.Node, path: KeyPath, key: Position) -> object:
        kind = self.kind(node)
        where = position(self.document.file, node)
        is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
        text = node.value if isinstance(node, yaml.ScalarNode) else "" if is_block else self.source(node)
        is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
        self.document.places[path] = Place(key, where, kind or Kind.TEXT, text, is_plain)
        if kind is None:
            tag = node.tag.replace(_TAG_PREFIX, "!!")
            return self.refuse(path, where, f"the tag {quoted(tag)} is not supported", "write the plain value, or put "
                               "text that starts with ! in quotes")  # fmt: skip
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(text, kind, path, where)
        if id(node) in self.open:
            return self.refuse(path, where, "an alias that contains itself", "write the values out")
        self.open.add(id(node))
        result = self.mapping(node, path) if isinstance(node, yaml.MappingNode) else self.sequence(node, path)
        self.open.discard(id(node))
        return result

    def kind(self, node: yaml.Node) -> Kind | None:
        """None for a tag that has no place in a campaign."""
        name = node.tag.removeprefix(_TAG_PREFIX)
        if isinstance(node, yaml.ScalarNode):
            return Kind.TEXT if name == "merge" else _SCALARS.get(name)
        if isinstance(node, yaml.MappingNode):
            return Kind.MAPPING if name == "map" else None
        return Kind.LIST if name == "seq" else None

    def scalar(self, text: str, kind: Kind, path: KeyPath, where: Position) -> object:
        self.count(where)
        if _HALF_CHARACTER.search(text):
            return self.refuse(path, where, "holds an escape such as \\ud83d that is only half a character",
                               "write the character itself")  # fmt: skip
        if kind is Kind.TEXT:
            return text
        if kind is Kind.BOOLEAN:
            return text.lower() in _TRUE
        if kind is Kind.NUMBER and _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        return ODD

    def sequence(self, node: yaml.Node, path: KeyPath) -> list[object]:
        self.count(position(self.document.file, node))
        return [self.value(item, (*path, n), position(self.document.file, item)) for n, item in enumerate(node.value)]

    def mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        self.count(position(self.document.file, node))
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = position(self.document.file, key_node)
            key = self.key(key_node, path, where)
            if key is None:
                continue
            if key in result:
                first = self.document.places[(*path, key)].key
                self.complain((*path, key), where, f"written twice, first on line {first.line}", "keep one of the two")
                continue
            result[key] = self.value(value_node, (*path, key), where)
        return result

    def key(self, node: yaml.Node, path: KeyPath, where: Position) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(path, where, "YAML reads what starts with { or [ as keys and lists",
                        "put the text in quotes")  # fmt: skip
            return None
        text: str = node.value
        if node.tag == f"{_TAG_PREFIX}merge":
            self.complain((*path, text), where, "merge keys (<<) are not supported", "write the keys out")
            return None
        if self.kind(node) is not Kind.TEXT:
            remedy = "put the key in quotes, or see the schema for the keys"
            if _THOUSANDS.fullmatch(text):  # {messages: 50,000} is two keys
                remedy = "write a number without a comma in it, such as 50000"
            self.complain((*path, text), where, f"the key {quoted(text)} is not text for YAML", remedy)
            return None
        return text

    def count(self, where: Position) -> None:
        """Every scalar and collection as often as aliases repeat it."""
        self.visited += 1
        if self.visited > MAX_NODES:
            raise Refused(Problem(f"aliases blow the file up to more than {MAX_NODES:,} values",
                                   "write the values out", where=where))  # fmt: skip

    def source(self, node: yaml.Node) -> str:
        return self.text[node.start_mark.index : node.end_mark.index]

    def complain(self, path: KeyPath, where: Position, what: str, remedy: str) -> None:
        self.document.problems.append(Problem(what, remedy, shown_path(path), where))

    def refuse(self, path: KeyPath, where: Position, what: str, remedy: str) -> object:
        self.document.broken.add(path)
        self.complain(path, where, what, remedy)
        return ODD


def position(file: str, node: yaml.Node | yaml.Event) -> Position:
    mark = node.start_mark
    assert mark is not None  # the composer marks every node
    return Position(file, mark.line + 1, mark.column + 1)
