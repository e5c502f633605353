"""A message's template: compiled once, rendered for each row."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, nodes

from runner.base.errors import InputError, Position, Problem
from runner.message.environment import MAX_LENGTH, EmptyField, EmptyFieldError, environment
from runner.message.filters import PhoneFormat
from runner.message.origins import Origins, TemplateText
from runner.message.template_lint import Linter, Variables, explain

_NEWLINES = re.compile(r"\r\n?")
_REASON_SHOWN = 300


class TooLongError(Exception):
    """A row's text is far beyond what any message holds: a cell with a whole page in it, or a loop without end."""


class RenderError(Exception):
    """The template fails on a row: `str()` has its file and line, and why."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template that is known to be valid; `compile_template` makes it.

    `variables` are the names that have to come from the row. `plain` is the same template where it is nothing but text
    and fields: as a format for `%`, and the fields' names. `phone` is what the filter of that name formats with.
    """

    source: str
    file: str
    variables: Variables
    origins: Origins
    compiled: JinjaTemplate
    plain: tuple[str, tuple[str, ...]] | None
    phone: PhoneFormat | None

    def __reduce__(self) -> tuple[Callable[..., "Template"], tuple[str, str]]:
        """Another process compiles it again: what Jinja made can't be pickled, but `phone` can."""
        return partial(compile_template, phone=self.phone), (self.source, self.file)

    def render(self, values: Mapping[str, str]) -> str:
        """The text for `values`, which holds each of `variables`; "" is an empty field.

        Raises EmptyFieldError when an empty field is put into the text, TooLongError beyond `MAX_LENGTH`, and
        RenderError when the template can't be rendered with these values: an amount that is none, a division by zero.
        """
        if self.plain is not None:
            # Several times as fast (`python -m benchmarks.steps`). What is wrong with a field Jinja can say.
            text, names = self.plain
            fields = tuple([values[name] for name in names])
            if all(fields) and len(text := text % fields) <= MAX_LENGTH:
                return text
        given = {name: value or EmptyField(name=name) for name, value in values.items()}
        try:
            # What Template.render does, but that it would also collect what never ends.
            return _joined(self.compiled.root_render_func(self.compiled.new_context(given)))
        except (EmptyFieldError, TooLongError):
            raise
        except Exception as error:  # whatever the template's author managed to do wrong
            raise RenderError(self._failure(error)) from error

    def _failure(self, error: Exception) -> str:
        line, trace = 1, error.__traceback__
        while trace:
            if "__jinja_template__" in trace.tb_frame.f_globals:
                line = self.compiled.get_corresponding_lineno(trace.tb_lineno)
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

    Raises InputError with every problem that can be found without a row: syntax, unknown filters and tests, a filter's
    arguments, other files, characters that no text may hold, and what `unknown_fields` says of its variables.
    """
    # A byte order mark would be the text's first character, and force UCS-2 on every message.
    source = _NEWLINES.sub("\n", source.removeprefix("\ufeff"))
    if not source.strip():
        raise InputError([Problem("the template is empty", "write the text to send", where=Position(file, 1, 1))])
    jinja = environment(phone)
    try:
        tree = jinja.parse(source)
        linter = Linter(tree, source, file)
        problems = linter.problems()
        variables = linter.variables()
        if problems := [*problems, *unknown_fields(variables)]:
            raise InputError(problems)
        compiled = jinja.from_string(source)
    except TemplateSyntaxError as error:
        raise InputError([explain(error, source, file)]) from error
    origins = Origins(_literals(tree))
    return Template(source, file, variables, origins, compiled, _plain(tree, variables), phone)


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


def _literals(tree: nodes.Template) -> Iterator[TemplateText]:
    """The template's own text, and the quoted texts in its expressions."""
    # Text outside of every block is in each message.
    top = {id(piece) for node in tree.body if isinstance(node, nodes.Output) for piece in node.nodes}
    for data in tree.find_all(nodes.TemplateData):
        yield TemplateText(data.data, data.lineno, certain=id(data) in top)
    for constant in tree.find_all(nodes.Const):
        if isinstance(constant.value, str):
            yield TemplateText(constant.value, constant.lineno, certain=id(constant) in top)
