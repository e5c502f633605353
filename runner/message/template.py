"""A message's template: compiled once, rendered for each row."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches

from jinja2 import Template as Compiled
from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from runner.errors import InputError, Position, Problem
from runner.message.environment import MAX_LENGTH, EmptyField, EmptyFieldError, environment
from runner.message.filters import UNKNOWN, USAGE, PhoneFormat, misuse
from runner.message.origins import Literal, Origins
from runner.message.syntax import Word, explain, position, words
from runner.message.unsendable import UNSENDABLE, named

_ONE_BRACE = re.compile(r"\{\s*(\w+)\s*\}")
_NEWLINES = re.compile(r"\r\n?")
_REASON_SHOWN = 300
_ELSEWHERE: dict[type[nodes.Stmt], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Extends: "extends",
}


Variables = list[tuple[str, Position]]
"""The names that have to come from the row, each with the place of its first use, in the template's order."""


class TooLongError(Exception):
    """A row's text is far beyond what any message holds: a cell with a whole page in it, or a loop without end."""


class RenderError(Exception):
    """The template fails on a row: `str()` has its file and line, and why."""


class Template:
    """A template that is known to be valid. Made by `compile_template`. `origins` knows what is its own text.

    `plain` is the same template where it is nothing but text and fields: as a format for `%`, and the fields' names.
    """

    def __init__(
        self,
        compiled: Compiled,
        file: str,
        variables: Variables,
        origins: Origins,
        plain: tuple[str, tuple[str, ...]] | None,
        source: str,
        phone: PhoneFormat | None,
    ) -> None:
        self.source = source
        self._phone = phone
        self._compiled = compiled
        self._root = compiled.root_render_func
        self._variables = variables
        self._plain = plain
        self.origins = origins
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., "Template"], tuple[str, str, PhoneFormat | None]]:
        """Another process compiles it again: what Jinja has made can't be handed on. `phone` must be."""
        return _compile_again, (self.source, self.file, self._phone)

    def variables(self) -> Variables:
        return list(self._variables)

    def render(self, values: Mapping[str, str]) -> str:
        """The text for `values`, which holds each of `variables()`; "" is an empty field.

        Raises EmptyFieldError when an empty field is put into the text, TooLongError beyond `MAX_LENGTH`, and
        RenderError when the template can't be rendered with these values: an amount that is none, a division by zero.
        """
        if self._plain is not None:
            # Several times as fast (`python -m benchmarks.steps`). What is wrong with a field Jinja can say.
            text, names = self._plain
            fields = tuple([values[name] for name in names])
            if all(fields) and len(text := text % fields) <= MAX_LENGTH:
                return text
        given = {name: value or EmptyField(name=name) for name, value in values.items()}
        try:
            # What Template.render does, but that it would also collect what never ends.
            return _joined(self._root(self._compiled.new_context(given)))
        except (EmptyFieldError, TooLongError):
            raise
        except Exception as error:  # whatever the template's author managed to do wrong
            raise RenderError(self._failure(error)) from error

    def _failure(self, error: Exception) -> str:
        line, trace = 1, error.__traceback__
        while trace:
            if "__jinja_template__" in trace.tb_frame.f_globals:
                line = self._compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        reason = str(error).partition("\n")[0] or type(error).__name__
        return f"{self.file}:{line}: this line cannot be rendered: {reason[:_REASON_SHOWN]}"


def _joined(pieces: Iterable[str]) -> str:
    text: list[str] = []
    length = 0
    for piece in pieces:
        text.append(piece)
        length += len(piece)
        if length > MAX_LENGTH:
            raise TooLongError
    return "".join(text)


def compile_template(
    source: str,
    file: str,
    *,
    phone: PhoneFormat | None = None,
    unknown_fields: Callable[[Variables], list[Problem]] = lambda _: [],
) -> Template:
    """Compile a template strictly. `file` is what errors call it; `phone` is what the filter of that name formats with.

    Raises InputError with every problem that can be told without a row: syntax, unknown filters and tests, a filter's
    arguments, other files, characters that no text may hold, and what `unknown_fields` says of its variables.
    """
    # A byte order mark would be the text's first character, and force UCS-2 on every message.
    source = _NEWLINES.sub("\n", source.removeprefix("\ufeff"))
    if not source.strip():
        raise InputError([Problem("the template is empty", "write the text to send", where=Position(file, 1, 1))])
    made = environment(phone)
    try:
        tree = made.parse(source)
        names = list(words(made, source))
        problems = [*_unsendable(source, file), *_forgotten(tree, source, file), *_misuses(tree, names, file)]
        _make_known(tree)
        variables = _variables(tree, names, file)
        if problems := [*problems, *unknown_fields(variables)]:
            raise InputError(problems)
        compiled = made.from_string(source)
    except TemplateSyntaxError as error:
        raise InputError([explain(error, source, file)]) from error
    return Template(compiled, file, variables, Origins(_literals(tree)), _plain(tree, variables), source, phone)


def _compile_again(source: str, file: str, phone: PhoneFormat | None) -> Template:
    return compile_template(source, file, phone=phone)


def _plain(tree: nodes.Template, variables: Variables) -> tuple[str, tuple[str, ...]] | None:
    """The template as a format for `%` and the names that go into it, if there is nothing else in it."""
    known = {name for name, _ in variables}
    text: list[str] = []
    names: list[str] = []
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            return None
        for node in statement.nodes:
            if isinstance(node, nodes.TemplateData):
                text.append(node.data.replace("%", "%%"))
            elif isinstance(node, nodes.Name) and node.name in known:
                text.append("%s")
                names.append(node.name)
            else:
                return None
    return "".join(text), tuple(names)


def _literals(tree: nodes.Template) -> Iterator[Literal]:
    """The template's own text, with what stands in quotes in its expressions."""
    # What stands at the top, outside of every block, is in each text.
    top = {id(piece) for node in tree.body if isinstance(node, nodes.Output) for piece in node.nodes}
    for data in tree.find_all(nodes.TemplateData):
        yield Literal(data.data, data.lineno, certain=id(data) in top)
    for constant in tree.find_all(nodes.Const):
        if isinstance(constant.value, str):
            yield Literal(constant.value, constant.lineno, certain=id(constant) in top)


def _unsendable(source: str, file: str) -> Iterator[Problem]:
    for match in UNSENDABLE.finditer(source):
        where = position(source, match.start(), file)
        yield Problem(f"there is {named(match.group())}, which cannot be sent", "delete it", where=where)


def _forgotten(tree: nodes.Template, source: str, file: str) -> Iterator[Problem]:
    """`Hi {first_name}`: the one slip that is valid, and would go out to everybody as it stands."""
    for data in tree.find_all(nodes.TemplateData):
        for match in _ONE_BRACE.finditer(data.data):
            where = position(source, max(source.find(match.group()), 0), file)
            remedy = f'write {{{{ {match[1]} }}}}, or {{{{ "{match.group()}" }}}} if the braces are meant'
            yield Problem(f'"{match.group()}" would be sent just like that', remedy, where=where)


def _misuses(tree: nodes.Template, names: list[Word], file: str) -> Iterator[Problem]:
    """What Jinja would refuse only at the first row, or not at all."""
    made = environment()
    for node in [*tree.find_all(nodes.Filter), *tree.find_all(nodes.Test)]:
        kind, known = ("filter", made.filters) if isinstance(node, nodes.Filter) else ("test", made.tests)
        if node.name not in known:
            close = get_close_matches(node.name, known, n=1)
            remedy = f'did you mean "{close[0]}"?' if close else f"{kind}s are {', '.join(sorted(known))}"
            before = ("|",) if kind == "filter" else ("is", "not")
            where = _find(names, node.name, node.lineno, file, before)
            yield Problem(f'there is no {kind} "{node.name}"', remedy, where=where)
        elif isinstance(node, nodes.Filter) and node.name in USAGE and (wrong := _wrong_arguments(node)):
            where = _find(names, node.name, node.lineno, file, ("|",))
            yield Problem(f"{node.name}: {wrong[0]}", wrong[1], where=where)
    for statement_kind, word in _ELSEWHERE.items():
        for statement in tree.find_all(statement_kind):
            where = _find(names, word, statement.lineno, file, ("{%", "{%-", "{%+"))
            yield Problem(f"{word} reads another file", "write the whole text into this one", where=where)
    for choice in tree.find_all(nodes.CondExpr):
        if choice.expr2 is None:
            where = _find(names, "if", choice.lineno, file, ())
            yield Problem('this "if" says nothing for the other case', 'write else "" after it', where=where)


def _make_known(tree: nodes.Template) -> None:
    """Looking for variables stops at a filter or test that there isn't, and `_misuses` has told of it."""
    made = environment()
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        known, other = (made.filters, "string") if isinstance(node, nodes.Filter) else (made.tests, "defined")
        node.name = node.name if node.name in known else other


def _wrong_arguments(node: nodes.Filter) -> tuple[str, str] | None:
    if node.dyn_args or node.dyn_kwargs:
        return None
    args = [_constant(argument) for argument in node.args]
    named_args = {str(pair.key): _constant(pair.value) for pair in node.kwargs}
    return misuse(node.name, environment().filters[node.name], args, named_args)


def _constant(node: nodes.Expr) -> object:
    return node.value if isinstance(node, nodes.Const) else UNKNOWN


def _variables(tree: nodes.Template, names: list[Word], file: str) -> Variables:
    undeclared = find_undeclared_variables(tree)
    first: dict[str, Position] = {}
    for node in tree.find_all(nodes.Name):
        if node.name in undeclared and node.ctx == "load":
            where = _find(names, node.name, node.lineno, file, ())
            first[node.name] = min(where, first.get(node.name, where))
    return sorted(first.items(), key=lambda item: item[1])


def _find(names: list[Word], name: str, line: int, file: str, before: tuple[str, ...]) -> Position:
    """Where `name` stands on `line`; `before` is what comes before it, or else anything but a dot or a bar."""
    for word in names:
        fits = word.before in before if before else word.before not in (".", "|")
        if (word.text, word.line) == (name, line) and fits:
            return Position(file, line, word.column)
    return Position(file, line, 1)
