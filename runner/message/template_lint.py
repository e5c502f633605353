"""Problems of a template that are found before any row is read: syntax errors in plain words, and misuse of Jinja.

Jinja reports only the line, and its messages name tokens of its grammar. People who write templates don't know "end of
print statement", and need the column on a long line.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from itertools import chain

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from runner.base.cells import Kind, Kinds
from runner.base.errors import Position, Problem
from runner.base.text import closest, quoted
from runner.message.environment import NO_TESTS_OF_TEXT, OWN_FILTERS, environment
from runner.message.filters import FilterError
from runner.message.operators import ORDERS, why_no_order
from runner.message.placeholders import escapes, placeholders
from runner.message.segments import UNSENDABLE, described

# The names that must come from the row, each with the position of its first use, in the template's order.
Variables = list[tuple[str, Position]]

# (Jinja's message, the error, the remedy). The column is where the first group is on the line.
_SYNTAX_ERRORS: tuple[tuple[str, str, str], ...] = (
    (r"Unexpected end of template.*needs to be closed is '(\w+)'",
     "{{% {0} %}} is not closed", "write {{% end{0} %}} at the end of its block"),
    (r"Encountered unknown tag '(\w+)'.*needs to be closed is '(\w+)'",
     "{{% {0} %}} is not allowed inside {{% {1} %}}", "write {{% end{1} %}} first"),
    (r"Encountered unknown tag '(end\w+|else|elif)'",
     "{{% {0} %}} has no start tag", "remove it, or add the start tag before it"),
    (r"Encountered unknown tag '(elseif|elsif)'", "unknown tag {{% {0} %}}", "write {{% elif … %}}"),
    (r"Encountered unknown tag '(\w+)'", "unknown tag {{% {0} %}}", "use if, elif, else, endif, for or set"),
    (r"expected token 'end of print statement', got '(\w+)'",
     'unexpected "{0}" between {{{{ and }}}}',
     "write names without spaces (First_Name for First Name), and put text in quotes"),
    (r"expected token 'end of statement block', got '='", "a single = is not a comparison", "write =="),
    (r"expected token 'end of statement block', got '(.+)'",
     'unexpected "{0}" between {{% and %}}', "remove it"),
    (r"unexpected end of template, expected 'end of print", "{{{{ is not closed", "write }}}} after the name"),
    (r"unexpected end of template, expected 'end of statement", "{{% is not closed", "write %}} at the end of the tag"),
    (r"unexpected '}'$", "{{{{ is closed with a single }}", "write }}}}"),
    (r"unexpected '(.+)', expected '(.+)'", '"{0}" comes before "{1}"', "write {1} first"),
    (r"unexpected char '([“”‘’„])'", "typographic quotes ({0}) are not allowed in code", "write \" or '"),
    (r"unexpected char '([\"'])'|unexpected char \"(')\"", "a quote is not closed", "close it"),
    (r"unexpected char '(.)'", 'unexpected "{0}"', "remove it"),
    (r"Expected an expression|tag name expected", "the braces are empty", "write a column name between them"),
    (r"expected token ':', got '}'", "there is one brace too many", "write {{{{ name }}}}"),
    (r"expected token 'name', got|expected name or number",
     "a name is missing here", "add it, or remove the code before it"),
    (r"unexpected 'end of", "the expression is incomplete", "complete it before the closing braces"),
    (r"unexpected '(.+)'", 'unexpected "{0}"', "remove it"),
    (r"Missing end of comment", "{{# is not closed", "write #}} at the end of the comment"),
)  # fmt: skip

# What to write instead of an escape of other formats.
_ESCAPES = {
    "n": "start a new line there (in a campaign file, write `text: |` and the text on the next lines, or put the text "
    "in double quotes)",
    "r": "start a new line there",
    "t": "write a space",
    "'": "remove the backslash",
    '"': "remove the backslash",
}
_OTHER_FILES: dict[type[nodes.Stmt], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Extends: "extends",
}

# A filter argument that depends on the row.
_UNKNOWN = object()


def explain(error: TemplateSyntaxError, source: str, file: str) -> Problem:
    """The problem of a syntax error, with Jinja's line and the likely column."""
    message = error.message or ""
    for pattern, what, remedy in _SYNTAX_ERRORS:
        if match := re.search(pattern, message, re.DOTALL):
            groups = [group for group in match.groups() if group]
            where = _error_position(error.lineno, pattern, groups, source, file)
            return Problem(what.format(*groups), remedy.format(*groups), where=where)
    what = message[:1].lower() + message[1:].rstrip(".")
    return Problem(what or "this is not a valid template", where=_error_position(error.lineno, "", [], source, file))


def too_complex(error: Exception, source: str, file: str) -> Problem:
    """The problem of a template that Jinja or Python can't compile; the place is the line with the most brackets."""
    if isinstance(error, ValueError):
        return Problem("a number has too many digits", "put it in quotes", where=Position(file, 1, 1))
    lines = source.split("\n")
    line = max(range(len(lines)), key=lambda index: sum(map(lines[index].count, "([{")))
    what = "the template is nested too deeply"
    return Problem(
        what, "use fewer brackets, blocks and operators inside each other", where=Position(file, line + 1, 1)
    )


def _error_position(line: int, pattern: str, groups: list[str], source: str, file: str) -> Position:
    if pattern.startswith("Unexpected end"):  # Jinja names the last line, not the line of the innermost open block
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
    """Checks a template that parses. `tree` is Jinja's tree of `source`, which has plain newlines.

    `columns` is the name in the template → column.
    """

    def __init__(self, tree: nodes.Template, source: str, file: str, columns: Mapping[str, str]) -> None:
        self._environment = environment()
        self._tree = tree
        self._source = source
        self._file = file
        self._columns = columns
        # Text outside braces and quoted text inside them become spaces, so that names are found where they are used.
        self._code = re.sub(r"\{[{%].*?[%}]\}|.", _only_code, source, flags=re.DOTALL).split("\n")

    def problems(self) -> list[Problem]:
        """Characters that can't be sent, and mistakes that Jinja reports only at the first row or never."""
        found = self._unsendable(), self._literals(), self._filters_and_tests(), self._statements(), self._truths()
        return [*chain.from_iterable(found), *self._repeated()]

    def variables(self) -> Variables:
        """The names that must come from the row."""
        # Jinja's search stops at an unknown filter or test; `problems` has reported it.
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
            what = f"the character {described(match.group())} can't be sent"
            yield Problem(what, "delete it", where=_position(self._source, match.start(), self._file))

    def _literals(self) -> Iterator[Problem]:
        """`Hi {first_name}` and a backslash with an n: valid for Jinja, but everybody would get them literally."""
        for data in self._tree.find_all(nodes.TemplateData):
            found = {written: _in_jinja(written, name) for written, name in placeholders(data.data, self._columns)}
            found |= {written: _unescaped(written) for written in escapes(data.data)}
            for written, remedy in found.items():
                where = _position(self._source, max(self._source.find(written), 0), self._file)
                yield Problem(f"{quoted(written)} would be sent literally", remedy, where=where)

    def _filters_and_tests(self) -> Iterator[Problem]:
        for node in [*self._tree.find_all(nodes.Filter), *self._tree.find_all(nodes.Test)]:
            is_filter = isinstance(node, nodes.Filter)
            kind, known = ("filter", self._environment.filters) if is_filter else ("test", self._environment.tests)
            where = self._find(r"\|\s*" if is_filter else r"\b(?:is|not)\s+", node.name, node.lineno)
            if node.name not in known:
                meant = closest(node.name, known)
                remedy = f'did you mean "{meant}"?' if meant else f"the {kind}s are {', '.join(sorted(known))}"
                yield Problem(f'unknown {kind} "{node.name}"', remedy, where=where)
            elif isinstance(node, nodes.Filter) and (wrong := _wrong_arguments(node)):
                yield Problem(f"{node.name}: {wrong[0]}", wrong[1], where=where)

    def _statements(self) -> Iterator[Problem]:
        for statement_kind, word in _OTHER_FILES.items():
            for statement in self._tree.find_all(statement_kind):
                where = self._find(r"\{%[-+]?\s*", word, statement.lineno)
                what = f"{word} is not allowed: it reads another file"
                yield Problem(what, "write the whole text in this template", where=where)
        for loop in self._tree.find_all(nodes.For):
            if loop.recursive:
                where = self._find(r"(?<![%+-]) ", "recursive", loop.lineno)
                yield Problem("recursive loops are not allowed", "use a loop inside a loop", where=where)
        for choice in self._tree.find_all(nodes.CondExpr):
            if choice.expr2 is None:
                where = self._find(r"(?<![%+-]) ", "if", choice.lineno)
                yield Problem('this "if" has no else', 'add else ""', where=where)

    def _repeated(self) -> Iterator[Problem]:
        """An argument or a macro's parameter that is given twice, which Python can't compile."""
        find = self._tree.find_all
        calls: list[nodes.Filter | nodes.Test | nodes.Call]
        calls = [*find(nodes.Filter), *find(nodes.Test), *find(nodes.Call)]
        blocks: list[nodes.Macro | nodes.CallBlock] = [*find(nodes.Macro), *find(nodes.CallBlock)]
        lists = [(call.lineno, [str(pair.key) for pair in call.kwargs]) for call in calls]
        lists += [(block.lineno, [parameter.name for parameter in block.args]) for block in blocks]
        for line, names in lists:
            for name in dict.fromkeys(name for name in names if names.count(name) > 1):
                where = self._find(r"(?<![.|\w])", name, line)
                yield Problem(f'"{name}" is given twice', "remove one of them", where=where)

    def _truths(self) -> Iterator[Problem]:
        for output in self._tree.find_all(nodes.Output):
            for node in output.nodes:
                if _is_truth(node):
                    what = "the text would have the word true or false here"
                    remedy = "write {{ 'a text' if … else 'another' }}"
                    yield Problem(what, remedy, where=self._find(r"\{\{[-+]?.*?", _first_name(node), node.lineno))

    def misuses(self, kinds: Kinds) -> Iterator[Problem]:
        """What means nothing for fields of these kinds, by name: a text is never 1, nor a number "1"."""
        for output in self._tree.find_all(nodes.Output):
            for node in output.nodes:
                if isinstance(node, nodes.Name) and kinds.get(node.name) is Kind.LIST:
                    where = self._find(r"(?<![.|\w])", node.name, node.lineno)
                    yield Problem(f"{node.name} is a list", f'write {node.name} | join(", ")', where=where)
        for compare in self._tree.find_all(nodes.Compare):
            left: nodes.Expr = compare.expr
            for operand in compare.ops:
                for right in _items(operand.expr):
                    if wrong := _mismatch(left, operand.op, right, kinds):
                        name = _first_name(left) or _first_name(right)
                        yield Problem(*wrong, where=self._find(r"(?<![.|\w])", name, compare.lineno))
                        break
                left = operand.expr
        for test in self._tree.find_all(nodes.Test):
            if test.name in NO_TESTS_OF_TEXT and _kind(test.node, kinds) is Kind.TEXT:
                name = _first_name(test.node)
                remedy = f"write {name} | {'bool' if test.name in ('true', 'false', 'boolean') else 'int'}"
                where = self._find(r"(?<![.|\w])", name, test.lineno)
                yield Problem(
                    f'{name} is text in this file, so the test "{test.name}" means nothing', remedy, where=where
                )

    def _find(self, before: str, name: str, line: int) -> Position:
        """The first use of the name on `line`, after a match of `before`; Jinja gives only lines."""
        match = re.search(rf"{before}({re.escape(name)})\b", self._code[line - 1])
        return Position(self._file, line, match.start(1) + 1 if match else 1)


def _in_jinja(written: str, name: str | None) -> str:
    """How to write a placeholder of another tool; `name` is the field's name in the template, if it is known."""
    name = name or (written[1:-1].strip() if re.fullmatch(r"\{\s*\w+\s*\}", written) else "column_name")
    return f"write {{{{ {name} }}}}, or {_as_text(written)} to send the characters"


def _unescaped(written: str) -> str:
    """How to write what an escape of another format stands for."""
    what = _ESCAPES.get(written[1]) or f"write the characters themselves{_decoded(written)}"
    return f"{what}; write {_as_text(written)} to send the backslash"


def _decoded(written: str) -> str:
    """`: €` for its escape; "" if the escape stands for no character. JSON writes an emoji as two escapes."""
    try:
        decoded = written.encode().decode("unicode_escape")
        return f": {decoded.encode('utf-16', 'surrogatepass').decode('utf-16')}"
    except UnicodeError:
        return ""


def _as_text(written: str) -> str:
    """Jinja that sends this text literally."""
    quote = "'" if '"' in written else '"'
    return "{{ " + quote + written.replace("\\", "\\\\") + quote + " }}"


# Filters whose result is of a known kind.
_KINDS_OF_FILTERS = {
    **dict.fromkeys(("int", "float", "round", "abs", "length", "count", "wordcount"), Kind.NUMBER),
    **dict.fromkeys(("lower", "upper", "trim", "title", "string", "capitalize", "replace", "date"), Kind.TEXT),
    "bool": Kind.BOOLEAN,
}


def _kind(node: nodes.Node, kinds: Kinds) -> Kind | None:
    """The kind of an expression's value, if it is known from the template and the kinds of fields."""
    if isinstance(node, nodes.Name):
        return kinds.get(node.name)
    if isinstance(node, nodes.Filter) and node.node is not None:
        return _kind(node.node, kinds) if node.name in ("default", "d") else _KINDS_OF_FILTERS.get(node.name)
    value = node.value if isinstance(node, nodes.Const) else None
    if _is_truth(node) or isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER if isinstance(value, int | float) else None


def _mismatch(left: nodes.Expr, word: str, right: nodes.Expr, kinds: Kinds) -> tuple[str, str] | None:
    """Why a comparison means nothing, and the remedy."""
    if isinstance(left, nodes.Const) and isinstance(right, nodes.Const):
        return None
    sides = {_kind(left, kinds): left, _kind(right, kinds): right}
    if len(sides) == 1:
        is_order = Kind.TEXT in sides and word in ORDERS
        if is_order and isinstance(right, nodes.Const) and why_no_order(right.value, right.value):
            what = f'{_first_name(left)} is text in this file, which is ordered by letters: "9" is after "100"'
            return what, f"write {_first_name(left)} | int, and the number without quotes"
        return None
    text = sides.pop(Kind.TEXT, None)
    kind, other = next(iter(sides.items()))
    if text is None or kind not in (Kind.NUMBER, Kind.BOOLEAN):
        return None
    if isinstance(text, nodes.Const):
        name = _first_name(other)
        remedy = f"write {{% if {name} %}}" if kind is Kind.BOOLEAN else "write the number without quotes"
        return f"{name} is {kind} in this file, and is compared with text", remedy
    name = _first_name(text)
    filter_name = "bool" if kind is Kind.BOOLEAN else "int"
    return f"{name} is text in this file, and is compared with {kind}", f"write {name} | {filter_name}"


def _items(node: nodes.Expr) -> list[nodes.Expr]:
    """The items of a list, or else the node itself."""
    if isinstance(node, nodes.Const) and isinstance(node.value, list | tuple):  # Jinja folds constants
        return [nodes.Const(value) for value in node.value]
    return node.items if isinstance(node, nodes.List | nodes.Tuple) else [node]


def _is_truth(node: nodes.Node) -> bool:
    """Whether the value is always true or false."""
    if isinstance(node, nodes.And | nodes.Or):
        return _is_truth(node.left) and _is_truth(node.right)
    return isinstance(node, nodes.Compare | nodes.Test | nodes.Not)


def _first_name(node: nodes.Node) -> str:
    names = [node, *node.find_all(nodes.Name)]
    return next((name.name for name in names if isinstance(name, nodes.Name)), "")


def _only_code(match: re.Match[str]) -> str:
    if len(match[0]) == 1:
        return "\n" if match[0] == "\n" else " "
    return re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", lambda text: " " * len(text[0]), match[0])


def _wrong_arguments(node: nodes.Filter) -> tuple[str, str] | None:
    """Why the arguments of one of our filters are invalid, and the remedy; None if they look valid."""
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
        return str(error), f"write {own.usage}"
    except FilterError as error:
        what, _, remedy = str(error).partition("; ")
        return what, remedy
    except Exception:
        return None
    return None


def _constant(node: nodes.Expr) -> object:
    return node.value if isinstance(node, nodes.Const) else _UNKNOWN


def _position(source: str, offset: int, file: str) -> Position:
    """The position of the character at `offset`, in a source with plain newlines."""
    return Position(file, source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset))
