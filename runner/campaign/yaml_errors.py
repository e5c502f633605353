"""YAML syntax errors in words for people who don't know YAML."""

from typing import Final

import yaml

from runner.base.errors import Position, Problem
from runner.base.text import quoted

# The error and the remedy.
_Words = tuple[str, str]

_QUOTES: Final = "put the whole text in quotes"
_ONE_COLUMN: Final = "start the keys of one level in the same column"
_INDENT: Final = (
    "this doesn't match the structure of the lines above",
    f"{_ONE_COLUMN}, and write nothing after a closing quote or bracket",
)
_TAG: Final = ("YAML reads text that starts with ! as a tag", _QUOTES)

# By PyYAML's context, whose mark is where the error begins.
_BY_CONTEXT: Final[dict[str, _Words]] = {
    "while scanning a quoted scalar": ("this quote is not closed", "add the closing quote"),
    "while parsing a flow sequence": ("a comma or ] is missing after this [",
                                      "write [a, b], or put text that starts with [ in quotes"),
    "while parsing a flow mapping": ("a comma or } is missing after this {",
                                     "write {a: b}, or put text that starts with { in quotes"),
    "while scanning a double-quoted scalar": ("unknown escape: a backslash in double quotes starts an escape",
                                              "write \\\\ for a backslash, use / in paths, or use single quotes"),
    "while scanning a simple key": ("this key has no colon", 'write "key: value"'),
    "while scanning an alias": ("YAML reads text that starts with * as an alias", _QUOTES),
    "while scanning an anchor": ("YAML reads text that starts with & as an anchor", _QUOTES),
    "while parsing a tag": _TAG,
    "while scanning a tag": _TAG,
    "while parsing a node": _TAG,
    "while scanning a block scalar": ("there is text on the same line as > or |", "start the text on the next line, "
                                      "indented, or put it in quotes"),
    "while scanning a directive": ("YAML reads a line that starts with % as a directive", "remove it"),
}  # fmt: skip
# By the start of PyYAML's message.
_BY_PROBLEM: Final[dict[str, _Words]] = {
    "expected <block end>": _INDENT,
    "sequence entries are not allowed here": ("a list item (- ) can't start here", "start each item on a new line, "
                                              "or write [a, b]"),
    "mapping keys are not allowed here": ("a question mark can't start here", _QUOTES),
    "expected '<document start>'": _INDENT,
    "expected the node content, but found '<stream end>'": ("a [ or { is not closed",
                                                            "close it, or put text that starts with one in quotes"),
    "expected the node content": ("a value is missing here", "add a value, or put text with , ] or } in quotes"),
}  # fmt: skip
_UNKNOWN: Final = ("this is not valid YAML", "check the quotes, colons and indentation here and on the line above")


def syntax_problem(error: Exception, text: str, file: str, reached: tuple[int, int]) -> Problem:
    """The error that stopped the parser. `reached` is the 0-based line and column, for errors without a mark."""
    line, column = reached
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("a number or escape here is too large", "correct it", where=Position(file, line + 1, column + 1))
    if mark := error.problem_mark:
        line, column = mark.line, mark.column
    lines = text.splitlines()
    source = lines[line] if line < len(lines) else ""
    words = _BY_CONTEXT.get(error.context or "")
    if "\t" in source[: len(source) - len(source.lstrip())]:
        column = source.index("\t")
        words = "this line is indented with a tab", "indent with spaces"
    elif words and (start := error.context_mark):
        line, column = start.line, start.column
    else:
        words = _by_problem(error.problem or "", source, column)
    return Problem(*words, where=Position(file, line + 1, column + 1))


def _by_problem(reason: str, source: str, column: int) -> _Words:
    if reason.startswith("mapping values are not allowed"):
        if ": " in source[:column]:
            return "the text contains a colon and a space", _QUOTES
        return "a key can't start here", f"{_ONE_COLUMN}, and check that the line above has a colon and a space"
    if reason.startswith("found undefined alias"):
        return f"YAML reads text that starts with * as an alias, and {quoted(source[column:])} is not defined", _QUOTES
    if reason.endswith("cannot start any token"):
        return f"text can't start with {source[column : column + 1]}", _QUOTES
    return next((words for beginning, words in _BY_PROBLEM.items() if reason.startswith(beginning)), _UNKNOWN)


def unprintable(text: str, file: str) -> Problem | None:
    """A control character that YAML forbids, such as one copied from a terminal."""
    found = yaml.SafeLoader.NON_PRINTABLE.search(text)
    if not found:
        return None
    what = f"invisible character U+{ord(found.group()):04X}"
    return Problem(what, "delete it, or retype the text around it", where=_end_of(text[: found.start()], file))


def not_utf8(content: bytes, error: UnicodeDecodeError, file: str) -> Problem:
    """Bytes in another encoding, at the first byte that isn't UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem("the file is in UTF-16", "save it as UTF-8", where=Position(file, 1, 1))
    what = f"the file is not in UTF-8: byte 0x{content[error.start]:02X}"
    where = _end_of(content[: error.start].decode("utf-8", errors="replace"), file)
    return Problem(what, "save it as UTF-8", where=where)


def _end_of(before: str, file: str) -> Position:
    """The position after `before`, the start of the file."""
    return Position(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
