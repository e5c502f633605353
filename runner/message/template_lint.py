"""What is wrong with a template, found before any row is read: syntax errors in plain words, and misuses of Jinja.

Jinja knows the line, and its words name tokens of its grammar. The people who write these templates know neither
"end of print statement" nor where on a long line to look.
"""

import inspect
import re
from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from runner.base.errors import Position, Problem
from runner.base.text import closest
from runner.message.environment import OWN_FILTERS, environment
from runner.message.filters import FilterError
from runner.message.segments import UNSENDABLE, described

# The names that have to come from the row, each with the place of its first use, in the template's order.
Variables = list[tuple[str, Position]]

# (Jinja's message, what is wrong, what to write instead). Its first group is looked for on the line.
_SYNTAX_ERRORS: tuple[tuple[str, str, str], ...] = (
    (r"Unexpected end of template.*needs to be closed is '(\w+)'",
     "{{% {0} %}} is never closed", "write {{% end{0} %}} where it ends"),
    (r"Encountered unknown tag '(\w+)'.*needs to be closed is '(\w+)'",
     "{{% {0} %}} does not belong inside of {{% {1} %}}", "close that first, with {{% end{1} %}}"),
    (r"Encountered unknown tag '(end\w+|else|elif)'", "{{% {0} %}} closes nothing", "remove it, or open it before"),
    (r"Encountered unknown tag '(elseif|elsif)'", "there is no tag {{% {0} %}}", "write {{% elif … %}}"),
    (r"Encountered unknown tag '(\w+)'", "there is no tag {{% {0} %}}", "use if, elif, else, endif, for or set"),
    (r"expected token 'end of print statement', got '(\w+)'",
     'there is an unexpected "{0}" between {{{{ and }}}}',
     "a name holds no spaces (First Name is First_Name); texts stand in quotes"),
    (r"expected token 'end of statement block', got '='", "a single = compares nothing", "write =="),
    (r"expected token 'end of statement block', got '(.+)'",
     'there is an unexpected "{0}" between {{% and %}}', "remove it"),
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
)  # fmt: skip

_ONE_BRACE = re.compile(r"\{\s*(\w+)\s*\}")
_OTHER_FILES: dict[type[nodes.Stmt], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Extends: "extends",
}

# An argument of a filter that is known only with a row.
_UNKNOWN = object()


def explain(error: TemplateSyntaxError, source: str, file: str) -> Problem:
    """One problem for a syntax error, at the line that Jinja names and the column that the mistake is likely at."""
    message = error.message or ""
    for pattern, what, remedy in _SYNTAX_ERRORS:
        if match := re.search(pattern, message, re.DOTALL):
            groups = [group for group in match.groups() if group]
            where = _error_position(error.lineno, pattern, groups, source, file)
            return Problem(what.format(*groups), remedy.format(*groups), where=where)
    what = message[:1].lower() + message[1:].rstrip(".")
    return Problem(what or "this is not a template", where=_error_position(error.lineno, "", [], source, file))


def _error_position(line: int, pattern: str, groups: list[str], source: str, file: str) -> Position:
    if pattern.startswith("Unexpected end"):  # Jinja names the last line, not that of the innermost block that is open
        open_tags: list[int] = []
        for match in re.finditer(rf"\{{%[-+]?\s*(end)?{groups[0]}\b", source):
            if not match[1]:
                open_tags.append(match.start())
            elif open_tags:
                open_tags.pop()
        return _position(source, open_tags[-1], file) if open_tags else Position(file, line, 1)
    text = [*source.split("\n"), ""][line - 1]
    braces = re.search(r"\{[{%#]", text)
    start = braces.start() if braces else 0
    column = text.find(groups[0] if groups else "{", start)
    return Position(file, line, (column if column >= 0 else start) + 1)


class Linter:
    """Looks through a template that parses. `tree` is what Jinja made of `source`, which has plain newlines."""

    def __init__(self, tree: nodes.Template, source: str, file: str) -> None:
        self._environment = environment()
        self._tree = tree
        self._source = source
        self._file = file
        # With spaces for what is not in braces, and for what is in quotes there: a name is found where it is used.
        self._code = re.sub(r"\{[{%].*?[%}]\}|.", _only_code, source, flags=re.DOTALL).split("\n")

    def problems(self) -> list[Problem]:
        """What cannot be sent, and what Jinja would refuse only at the first row, or not at all."""
        return [*self._unsendable(), *self._single_braces(), *self._filters_and_tests(), *self._statements()]

    def variables(self) -> Variables:
        """The names that have to come from the row."""
        # Jinja's search stops at a filter or test that doesn't exist, which `problems` has reported.
        for node in self._tree.find_all((nodes.Filter, nodes.Test)):
            is_filter = isinstance(node, nodes.Filter)
            if node.name not in (self._environment.filters if is_filter else self._environment.tests):
                node.name = "string" if is_filter else "defined"
        undeclared = find_undeclared_variables(self._tree)
        first: dict[str, Position] = {}
        for use in self._tree.find_all(nodes.Name):
            if use.name in undeclared and use.ctx == "load":
                where = self._find(r"(?<![.|\w])", use.name, use.lineno)
                first[use.name] = min(where, first.get(use.name, where))
        return sorted(first.items(), key=lambda item: item[1])

    def _unsendable(self) -> Iterator[Problem]:
        for match in UNSENDABLE.finditer(self._source):
            what = f"there is {described(match.group())}, which cannot be sent"
            yield Problem(what, "delete it", where=_position(self._source, match.start(), self._file))

    def _single_braces(self) -> Iterator[Problem]:
        """`Hi {first_name}`: the one slip that is valid, and would go out to everybody as it stands."""
        for data in self._tree.find_all(nodes.TemplateData):
            for match in _ONE_BRACE.finditer(data.data):
                where = _position(self._source, max(self._source.find(match.group()), 0), self._file)
                remedy = f'write {{{{ {match[1]} }}}}, or {{{{ "{match.group()}" }}}} if the braces are meant'
                yield Problem(f'"{match.group()}" would be sent just like that', remedy, where=where)

    def _filters_and_tests(self) -> Iterator[Problem]:
        for node in [*self._tree.find_all(nodes.Filter), *self._tree.find_all(nodes.Test)]:
            is_filter = isinstance(node, nodes.Filter)
            kind, known = ("filter", self._environment.filters) if is_filter else ("test", self._environment.tests)
            where = self._find(r"\|\s*" if is_filter else r"\b(?:is|not)\s+", node.name, node.lineno)
            if node.name not in known:
                meant = closest(node.name, known)
                remedy = f'did you mean "{meant}"?' if meant else f"{kind}s are {', '.join(sorted(known))}"
                yield Problem(f'there is no {kind} "{node.name}"', remedy, where=where)
            elif isinstance(node, nodes.Filter) and (wrong := _wrong_arguments(node)):
                yield Problem(f"{node.name}: {wrong[0]}", wrong[1], where=where)

    def _statements(self) -> Iterator[Problem]:
        for statement_kind, word in _OTHER_FILES.items():
            for statement in self._tree.find_all(statement_kind):
                where = self._find(r"\{%[-+]?\s*", word, statement.lineno)
                yield Problem(f"{word} reads another file", "write the whole text into this one", where=where)
        for choice in self._tree.find_all(nodes.CondExpr):
            if choice.expr2 is None:
                where = self._find(r"(?<![%+-]) ", "if", choice.lineno)
                yield Problem('this "if" says nothing for the other case', 'write else "" after it', where=where)

    def _find(self, before: str, name: str, line: int) -> Position:
        """Where the name is first used on `line`, behind what the pattern `before` matches; Jinja gives lines only."""
        match = re.search(rf"{before}({re.escape(name)})\b", self._code[line - 1])
        return Position(self._file, line, match.start(1) + 1 if match else 1)


def _only_code(match: re.Match[str]) -> str:
    if len(match[0]) == 1:
        return "\n" if match[0] == "\n" else " "
    return re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", lambda text: " " * len(text[0]), match[0])


def _wrong_arguments(node: nodes.Filter) -> tuple[str, str] | None:
    """What is wrong with the arguments of one of our filters, and the remedy; None if it looks right."""
    own = OWN_FILTERS.get(node.name)
    if own is None or node.dyn_args or node.dyn_kwargs:
        return None
    args = [_constant(argument) for argument in node.args]
    named_args = {str(pair.key): _constant(pair.value) for pair in node.kwargs}
    signature = inspect.signature(own.function)
    sample = signature.bind(*own.sample)
    sample.apply_defaults()
    try:
        bound = signature.bind(own.sample[0], *args, **named_args)
        known = {name: value for name, value in bound.arguments.items() if value is not _UNKNOWN}
        own.function(**sample.arguments | known)
    except TypeError as error:
        return str(error), f"write it like {own.usage}"
    except FilterError as error:
        what, _, remedy = str(error).partition("; ")
        return what, remedy
    except Exception:
        return None
    return None


def _constant(node: nodes.Expr) -> object:
    return node.value if isinstance(node, nodes.Const) else _UNKNOWN


def _position(source: str, offset: int, file: str) -> Position:
    """The place of the character at `offset`, in a source with plain newlines."""
    return Position(file, source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset))
