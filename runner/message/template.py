"""A message's template: compiled once, rendered for each row; and from which part of it a character comes."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, nodes

from runner.base.errors import InputError, Position, Problem
from runner.message.environment import MAX_LENGTH, EmptyField, EmptyFieldError, environment
from runner.message.filters import PhoneFormat
from runner.message.links import TemplateLink, template_links
from runner.message.segments import outside_gsm7
from runner.message.template_lint import Linter, Variables, explain

# The source of a character or link that neither the template nor a column holds.
COMPUTED = "an expression of the template"


class TooLongError(Exception):
    """A row's text is far beyond what any message holds: a cell with a whole page in it, or a loop without end."""


class RenderError(Exception):
    """The template fails on a row: `str()` has its file and line, and why."""


class Origins:
    """Tells which line of the template or which column a character is from. Costs nothing for GSM-7 texts.

    `own_text` is all of the template's own text: what in a message isn't in it comes from a row. `links` are the links
    that the template begins.

    Jinja doesn't keep track, so this counts: what every text has from the template, then what the columns hold, then
    what the template may have added in a condition, a loop or an expression.
    """

    def __init__(self, tree: nodes.Template) -> None:
        # Character → source → how often.
        self._certain: dict[str, Counter[str]] = {}
        self._possible: dict[str, Counter[str]] = {}
        links: list[TemplateLink] = []
        texts: list[str] = []
        # Text outside of every block is in each message.
        top = {id(piece) for node in tree.body if isinstance(node, nodes.Output) for piece in node.nodes}
        pieces: list[tuple[nodes.Node, str]] = [(node, node.data) for node in tree.find_all(nodes.TemplateData)]
        pieces += [(node, node.value) for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
        for node, text in pieces:
            texts.append(text)
            counts = self._certain if id(node) in top else self._possible
            for index, character in outside_gsm7(text):
                line = node.lineno + text.count("\n", 0, index)
                counts.setdefault(character, Counter())[f"the template, line {line}"] += 1
            links += template_links(text, node.lineno)
        self.links = tuple(links)
        self.own_text = "\n".join(texts)

    def of(self, character: str, times: int, columns: Mapping[str, str]) -> dict[str, int]:
        """Source → how many of the `times` that the text holds `character` are from there."""
        in_columns = _columns_with(character, columns)
        taken: Counter[str] = Counter()
        for counts in (self._certain.get(character, {}), in_columns, self._possible.get(character, {})):
            for source, most in counts.items():
                if number := min(most, times - taken.total()):
                    taken[source] += number
        if rest := times - taken.total():  # a field that is used twice, a loop, or a filter that made the character
            taken[next(iter(in_columns), next(iter(taken), COMPUTED))] += rest
        return taken


def _columns_with(character: str, columns: Mapping[str, str]) -> dict[str, int]:
    """How often each column holds the character, or else its other case: `upper` makes Ë of ë."""
    for form in (character, character.lower(), character.upper()):
        counts = {f"the column {column}": value.count(form) for column, value in columns.items() if form in value}
        if counts:
            return counts
    return {}


@dataclass(frozen=True, slots=True)
class Template:
    """A valid template; `compile_template` makes it.

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
        fields_or_empty = {name: value or EmptyField(name) for name, value in values.items()}
        try:
            # What Template.render does, but that it would also collect what never ends.
            return _joined(self.compiled.root_render_func(self.compiled.new_context(fields_or_empty)))
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
        return f"{self.file}:{line}: this line cannot be rendered: {reason[:300]}"


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
    source = re.sub(r"\r\n?", "\n", source.removeprefix("\ufeff"))
    if not source.strip():
        raise InputError([Problem("the template is empty", "write the text to send", where=Position(file, 1, 1))])
    jinja = environment(phone)
    try:
        tree = jinja.parse(source)
        linter = Linter(tree, source, file)
        problems = linter.problems()
        variables = linter.variables()  # changes the tree where a filter is unknown
        if problems := [*problems, *unknown_fields(variables)]:
            raise InputError(problems)
        compiled = jinja.from_string(source)
    except TemplateSyntaxError as error:
        raise InputError([explain(error, source, file)]) from error
    return Template(source, file, variables, Origins(tree), compiled, _plain(tree, variables), phone)


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
