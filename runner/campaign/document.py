"""A YAML file to a document: plain data, the place of every key and value, and what is wrong with it."""

from pathlib import Path
from typing import Final

import yaml

from runner.campaign import syntax
from runner.campaign.files import trouble_with
from runner.campaign.nodes import MAX_NODES, Document, Kind, Place, Refused, Walk, position
from runner.errors import Position, Problem

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20


def read(path: Path) -> Document:
    """The document in a file. Never raises for what is in the file, or for a file that cannot be read."""
    document = Document(str(path))
    if trouble := trouble_with(path, written=str(path)):
        document.problems.append(Problem(*trouble))
        return document
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        document.problems.append(Problem(f"cannot read {path}: {error.strerror}"))
        return document
    return parse(content, document.file)


def parse(content: bytes, file: str) -> Document:
    """The document in the bytes of a file; `file` is its name in problems."""
    document = Document(file)
    if len(content) > MAX_BYTES:
        document.problems.append(
            Problem(
                "larger than 1 MB, so this is not a campaign file",
                "is it the recipient file?",
                where=Position(file, 1, 1),
            )
        )
        return document
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        document.problems.append(syntax.not_utf8(content, error, file))
        return document
    try:
        _read_text(text, document)
    except Refused as refused:
        document.problems.append(refused.problem)
    return document


def _read_text(text: str, document: Document) -> None:
    if problem := syntax.unprintable(text, document.file):
        raise Refused(problem)
    loader = _Loader(text, document.file)
    try:
        root = loader.get_node() if loader.check_node() else None
        following = loader.get_event() if loader.check_node() else None  # type: ignore[no-untyped-call]
    except (yaml.MarkedYAMLError, ValueError, OverflowError) as error:  # the last two: absurd escapes and versions
        mark = loader.get_mark()
        raise Refused(syntax.problem(error, text, document.file, (mark.line, mark.column))) from error
    if root is None:
        raise Refused(
            Problem(
                "the file is empty",
                "write at least name, subAccountId, recipients, template and rate",
                where=loader.start,
            )
        )
    if following is not None:
        document.problems.append(
            Problem(
                "a second YAML document starts here",
                "write one campaign per file, without ---",
                where=loader.at(following),
            )
        )
    if not isinstance(root, yaml.MappingNode):
        raise Refused(Problem("the file holds no keys", 'write lines such as "name: welcome"', where=loader.at(root)))
    document.tree = Walk(document, text).mapping(root, ())
    document.places[()] = Place(loader.start, loader.start, Kind.MAPPING)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and stops before size or depth become a burden."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self.start = Position(file, 1, 1)
        self._nodes = self._depth = 0

    def at(self, node: yaml.Node | yaml.Event) -> Position:
        return position(self.start.file, node)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        where = self.at(self.peek_event())  # type: ignore[no-untyped-call]
        if self._nodes > MAX_NODES:
            raise Refused(Problem(f"more than {MAX_NODES:,} values, so this is not a campaign file", where=where))
        if self._depth > MAX_DEPTH:
            raise Refused(Problem("nested too deeply", "put text that starts with [ or { in quotes", where=where))
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node
