"""What is wrong when a text is not YAML, in words for people who don't know YAML's."""

from typing import Final

import yaml

from runner.base.errors import Position, Problem
from runner.base.text import quoted

# What is wrong, and the remedy.
_Words = tuple[str, str]

_QUOTES: Final = "put the whole text in quotes"
_UNCLOSED: Final = ("the quote opened here is never closed", "add the closing quote")
_BRACKET: Final = ("the [ opened here lacks a comma or its ]", "write [a, b], or put text that starts with [ in quotes")
_BRACE: Final = ("the { opened here lacks a comma or its }", "write {a: b}, or put text that starts with { in quotes")
_UNFINISHED: Final = ("the file ends inside a [ or {", "close it, or put text that starts with one in quotes")
_INDENT: Final = (
    "this does not fit in with the lines above",
    "start the keys of one level in the same column, and write nothing after a closing quote",
)

# PyYAML's context ("while scanning a quoted scalar") names the reason, and its mark the place where that began.
_BY_CONTEXT: Final[dict[str, _Words]] = {
    "while scanning a quoted scalar": _UNCLOSED,
    "while parsing a flow sequence": _BRACKET,
    "while parsing a flow mapping": _BRACE,
    "while scanning a double-quoted scalar": ("a backslash in double quotes starts an escape that YAML does not know",
                                              "write \\\\ for a backslash and / in paths, or use single quotes"),
    "while scanning a simple key": ("a key without a colon", 'write "key: value"'),
    "while scanning an alias": ("text that starts with * is an alias for YAML", _QUOTES),
    "while scanning an anchor": ("text that starts with & is an anchor for YAML", _QUOTES),
    "while parsing a tag": ("text that starts with ! is a tag for YAML", _QUOTES),
    "while scanning a tag": ("text that starts with ! is a tag for YAML", _QUOTES),
    "while parsing a node": ("text that starts with ! is a tag for YAML", _QUOTES),
    "while scanning a block scalar": ("text stands in the line of the > or |", "start the text in the next line, "
                                      "indented, or put it in quotes"),
    "while scanning a directive": ("a line that starts with % is a directive for YAML", "remove it"),
}  # fmt: skip
_BY_PROBLEM: Final[dict[str, _Words]] = {
    "expected <block end>": _INDENT,
    "sequence entries are not allowed here": ("a list item (- ) cannot start here", "start each item in a line of its "
                                              "own, or write [a, b]"),
    "mapping keys are not allowed here": ("a question mark cannot start here", _QUOTES),
    "expected '<document start>'": _INDENT,
    "expected the node content, but found '<stream end>'": _UNFINISHED,
    "expected the node content": ("a value is expected here", "put text that holds , ] or } in quotes"),
    "found duplicate anchor": ("an anchor (&) is given twice", "write the values out"),
    "found incompatible YAML": ("this line asks for another version of YAML", "remove it"),
    "found duplicate YAML directive": ("a line that starts with % is a directive for YAML", "remove it"),
    "duplicate tag handle": ("a line that starts with % is a directive for YAML", "remove it"),
}  # fmt: skip
_UNKNOWN: Final = ("this is not YAML", "check the quotes, colons and indentation here and in the line above")


def problem(error: Exception, text: str, file: str, reached: tuple[int, int]) -> Problem:
    """The one problem that stopped the reading. `reached` is the 0-based line and column for errors without a mark."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("a number or escape here is too large", "check it", where=_position(file, *reached))
    mark = error.problem_mark
    line, column = (mark.line, mark.column) if mark else reached
    source = text.splitlines()[line] if line < len(text.splitlines()) else ""
    if "\t" in source[: len(source) - len(source.lstrip())]:
        tab = _position(file, line, source.index("\t"))
        return Problem("a tab indents this line, which YAML forbids", "indent with spaces", where=tab)
    begun = error.context_mark
    if begun and (words := _BY_CONTEXT.get(error.context or "")):
        return Problem(*words, where=_position(file, begun.line, begun.column))
    return Problem(*_by_problem(error, source, column), where=_position(file, line, column))


def unprintable(text: str, file: str) -> Problem | None:
    """A character that YAML forbids, such as one pasted from a terminal."""
    found = yaml.SafeLoader.NON_PRINTABLE.search(text)
    if not found:
        return None
    before = text[: found.start()]
    line, column = before.count("\n"), found.start() - (before.rfind("\n") + 1)
    return Problem(f"an invisible character, U+{ord(found.group()):04X}", "delete it and type the text around it again",
                   where=_position(file, line, column))  # fmt: skip


def not_utf8(content: bytes, error: UnicodeDecodeError, file: str) -> Problem:
    """Bytes in another encoding, at the first byte that proves it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem("the file is in UTF-16", "save it as UTF-8", where=_position(file, 0, 0))
    before = content[: error.start]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", errors="replace"))
    byte = f"0x{content[error.start]:02X}"
    return Problem(f"the file is not in UTF-8: byte {byte}", "save it as UTF-8",
                   where=_position(file, before.count(b"\n"), column))  # fmt: skip


def _by_problem(error: yaml.MarkedYAMLError, source: str, column: int) -> _Words:
    reason = error.problem or ""
    if reason.startswith("mapping values are not allowed"):
        return _unexpected_colon(source[:column])
    if reason.startswith("found undefined alias"):
        return f"text that starts with * is an alias for YAML, and {quoted(source[column:])} names nothing", _QUOTES
    if reason.endswith("cannot start any token"):
        return f"text cannot start with {source[column : column + 1]}", _QUOTES
    return next((words for start, words in _BY_PROBLEM.items() if reason.startswith(start)), _UNKNOWN)


def _unexpected_colon(before: str) -> _Words:
    if ": " in before:
        return "a colon and a space inside a text", _QUOTES
    return (
        "a key cannot stand here",
        "start the keys of one level in the same column, and check that the line above has a colon and a space",
    )


def _position(file: str, line: int, column: int) -> Position:
    return Position(file, line + 1, column + 1)
