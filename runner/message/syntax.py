"""Jinja's syntax errors in plain words, and where in the template they are.

Jinja knows the line, and its words name tokens of its grammar. The people who write these templates know neither
"end of print statement" nor where on a long line to look.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError

from runner.errors import Position, Problem

# (Jinja's message, what is wrong, what to write instead). Its first group is looked for on the line.
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        r"Unexpected end of template.*needs to be closed is '(\w+)'",
        "{{% {0} %}} is never closed",
        "write {{% end{0} %}} where it ends",
    ),
    (
        r"Encountered unknown tag '(\w+)'.*needs to be closed is '(\w+)'",
        "{{% {0} %}} does not belong inside of {{% {1} %}}",
        "close that first, with {{% end{1} %}}",
    ),
    (r"Encountered unknown tag '(end\w+|else|elif)'", "{{% {0} %}} closes nothing", "remove it, or open it before"),
    (r"Encountered unknown tag '(elseif|elsif)'", "there is no tag {{% {0} %}}", "write {{% elif … %}}"),
    (r"Encountered unknown tag '(\w+)'", "there is no tag {{% {0} %}}", "use if, elif, else, endif, for or set"),
    (
        r"expected token 'end of print statement', got '(\w+)'",
        'there is an unexpected "{0}" between {{{{ and }}}}',
        "a name holds no spaces (First Name is First_Name); texts stand in quotes",
    ),
    (
        r"expected token 'end of statement block', got '='",
        "a single = compares nothing",
        "write ==",
    ),
    (
        r"expected token 'end of statement block', got '(.+)'",
        'there is an unexpected "{0}" between {{% and %}}',
        "remove it",
    ),
    (r"unexpected end of template, expected 'end of print", "{{{{ is never closed", "write }}}} after the name"),
    (r"unexpected end of template, expected 'end of statement", "{{% is never closed", "write %}} at its end"),
    (r"unexpected '}'$", "{{{{ is closed by a single }}", "write }}}}"),
    (r"unexpected '(.+)', expected '(.+)'", 'there is "{0}" where "{1}" has to come first', "close it"),
    (r"unexpected char '([“”‘’„])'", "typographic quotes ({0}) mean nothing to a template", "write \" or '"),
    (r"unexpected char '([\"'])'|unexpected char \"(')\"", "a quote is opened and never closed", "close it"),
    (r"unexpected char '(.)'", 'there is an unexpected "{0}"', "remove it"),
    (r"Expected an expression|tag name expected", "there is nothing between the braces", "write a column's name"),
    (r"expected token ':', got '}'", "there is one brace too many", "write {{{{ name }}}}"),
    (r"expected token 'name', got|expected name or number", "a name is missing", "write one, or remove what precedes"),
    (r"unexpected 'end of", "something is missing before the closing braces", "finish it, or remove what precedes"),
    (r"unexpected '(.+)'", 'there is an unexpected "{0}"', "remove it"),
    (r"Missing end of comment", "{{# is never closed", "write #}} at its end"),
)


@dataclass(frozen=True, slots=True)
class Word:
    """A name in a template, and the significant token before it, which tells what it is the name of."""

    text: str
    before: str
    line: int
    column: int


def words(environment: Environment, source: str) -> Iterator[Word]:
    """Every name between braces of a valid template, in order. `source` has plain newlines.

    Jinja's lexer gives lines only; its tokens come in order and hold the source's own text (but for white space that
    a `-` trims), so each is found by looking onwards from the one before.
    """
    offset = 0
    before = ""
    for _, kind, value in environment.lex(source):
        found = source.find(value, offset)
        if found < 0:
            continue
        if kind == "name":
            where = position(source, found, "")
            yield Word(value, before, where.line, where.column)
        offset = found + len(value)
        if kind != "whitespace":
            before = value


def explain(error: TemplateSyntaxError, source: str, file: str) -> Problem:
    """One problem for a syntax error, at the line that Jinja names and the column that the mistake is likely at."""
    message = error.message or ""
    for pattern, what, remedy in _WORDS:
        if match := re.search(pattern, message, re.DOTALL):
            groups = [group for group in match.groups() if group]
            where = _place(error.lineno, pattern, groups, source, file)
            return Problem(what.format(*groups), remedy.format(*groups), where=where)
    plain = message[:1].lower() + message[1:].rstrip(".")
    return Problem(plain or "this is not a template", where=_place(error.lineno, "", [], source, file))


def _place(line: int, pattern: str, groups: list[str], source: str, file: str) -> Position:
    if "never closed" in pattern or "Unexpected end" in pattern:
        return _unclosed(source, groups[0], file) or Position(file, line, 1)
    lines = source.split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    inside = re.search(r"\{[{%#]", text)
    start = inside.start() if inside else 0
    looked_for = groups[0] if groups else "{"
    column = text.find(looked_for, start)
    return Position(file, line, (column if column >= 0 else start) + 1)


def _unclosed(source: str, tag: str, file: str) -> Position | None:
    """Where the innermost block that is still open begins: Jinja names the last line of the file instead."""
    open_tags: list[re.Match[str]] = []
    for match in re.finditer(r"\{%[-+]?\s*(?:(end)?(\w+))", source):
        if match[2] != tag:
            continue
        if not match[1]:
            open_tags.append(match)
        elif open_tags:
            open_tags.pop()
    if not open_tags:
        return None
    return position(source, open_tags[-1].start(), file)


def position(source: str, offset: int, file: str) -> Position:
    """The place of the character at `offset`, in a source with plain newlines."""
    return Position(file, source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset))
