"""What is wrong when a text is not YAML, in words for people who don't know YAML's."""

from typing import Final

import yaml

from runner.base.errors import Position, Problem
from runner.base.text import quoted

# What is wrong, and the remedy.
_Words = tuple[str, str]

_QUOTES: Final = "put the whole text in quotes"
_ONE_COLUMN: Final = "start the keys of one level in the same column"
_INDENT: Final = (
    "this does not fit in with the lines above",
    f"{_ONE_COLUMN}, and write nothing after a closing quote",
)
_TAG: Final = ("text that starts with ! is a tag for YAML", _QUOTES)

# By PyYAML's context, whose mark is the place where the trouble began.
_BY_CONTEXT: Final[dict[str, _Words]] = {
    "while scanning a quoted scalar": ("the quote opened here is never closed", "add the closing quote"),
    "while parsing a flow sequence": ("the [ opened here lacks a comma or its ]",
                                      "write [a, b], or put text that starts with [ in quotes"),
    "while parsing a flow mapping": ("the { opened here lacks a comma or its }",
                                     "write {a: b}, or put text that starts with { in quotes"),
    "while scanning a double-quoted scalar": ("a backslash in double quotes starts an escape that YAML does not know",
                                              "write \\\\ for a backslash and / in paths, or use single quotes"),
    "while scanning a simple key": ("a key without a colon", 'write "key: value"'),
    "while scanning an alias": ("text that starts with * is an alias for YAML", _QUOTES),
    "while scanning an anchor": ("text that starts with & is an anchor for YAML", _QUOTES),
    "while parsing a tag": _TAG,
    "while scanning a tag": _TAG,
    "while parsing a node": _TAG,
    "while scanning a block scalar": ("text stands in the line of the > or |", "start the text in the next line, "
                                      "indented, or put it in quotes"),
    "while scanning a directive": ("a line that starts with % is a directive for YAML", "remove it"),
}  # fmt: skip
# By the beginning of PyYAML's problem.
_BY_PROBLEM: Final[dict[str, _Words]] = {
    "expected <block end>": _INDENT,
    "sequence entries are not allowed here": ("a list item (- ) cannot start here", "start each item in a line of its "
                                              "own, or write [a, b]"),
    "mapping keys are not allowed here": ("a question mark cannot start here", _QUOTES),
    "expected '<document start>'": _INDENT,
    "expected the node content, but found '<stream end>'": ("the file ends inside a [ or {",
                                                            "close it, or put text that starts with one in quotes"),
    "expected the node content": ("a value is expected here", "put text that holds , ] or } in quotes"),
}  # fmt: skip
_UNKNOWN: Final = ("this is not YAML", "check the quotes, colons and indentation here and in the line above")


def syntax_problem(error: Exception, text: str, file: str, reached: tuple[int, int]) -> Problem:
    """The one problem that stopped the reading. `reached` is the 0-based line and column for errors without a mark."""
    line, column = reached
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("a number or escape here is too large", "check it", where=Position(file, line + 1, column + 1))
    if mark := error.problem_mark:
        line, column = mark.line, mark.column
    lines = text.splitlines()
    source = lines[line] if line < len(lines) else ""
    words = _BY_CONTEXT.get(error.context or "")
    if "\t" in source[: len(source) - len(source.lstrip())]:
        column = source.index("\t")
        words = "a tab indents this line, which YAML forbids", "indent with spaces"
    elif words and (start := error.context_mark):
        line, column = start.line, start.column
    else:
        words = _by_problem(error.problem or "", source, column)
    return Problem(*words, where=Position(file, line + 1, column + 1))


def _by_problem(reason: str, source: str, column: int) -> _Words:
    if reason.startswith("mapping values are not allowed"):
        if ": " in source[:column]:
            return "a colon and a space inside a text", _QUOTES
        return "a key cannot stand here", f"{_ONE_COLUMN}, and check that the line above has a colon and a space"
    if reason.startswith("found undefined alias"):
        return f"text that starts with * is an alias for YAML, and {quoted(source[column:])} names nothing", _QUOTES
    if reason.endswith("cannot start any token"):
        return f"text cannot start with {source[column : column + 1]}", _QUOTES
    return next((words for beginning, words in _BY_PROBLEM.items() if reason.startswith(beginning)), _UNKNOWN)


def unprintable(text: str, file: str) -> Problem | None:
    """A character that YAML forbids, such as one pasted from a terminal."""
    found = yaml.SafeLoader.NON_PRINTABLE.search(text)
    if not found:
        return None
    what = f"an invisible character, U+{ord(found.group()):04X}"
    return Problem(what, "delete it and type the text around it again", where=_end_of(text[: found.start()], file))


def not_utf8(content: bytes, error: UnicodeDecodeError, file: str) -> Problem:
    """Bytes in another encoding, at the first byte that proves it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem("the file is in UTF-16", "save it as UTF-8", where=Position(file, 1, 1))
    what = f"the file is not in UTF-8: byte 0x{content[error.start]:02X}"
    where = _end_of(content[: error.start].decode("utf-8", errors="replace"), file)
    return Problem(what, "save it as UTF-8", where=where)


def _end_of(before: str, file: str) -> Position:
    """The place behind a text that begins the file."""
    return Position(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
