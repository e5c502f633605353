"""A message's template: compiled once, rendered for each row; and the origin of each character."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, nodes

from runner.base.cells import Kinds, value_of
from runner.base.errors import InputError, Position, Problem
from runner.message.bounds import BoundedContext, TooMuchError
from runner.message.environment import MAX_LENGTH, EmptyField, EmptyFieldError, environment
from runner.message.filters import PhoneFormat
from runner.message.garbled import may_be_garbled, mended
from runner.message.links import TemplateLink, template_links
from runner.message.operators import TextAsTruthError
from runner.message.segments import outside_gsm7
from runner.message.template_lint import Linter, Variables, explain, too_complex

# Characters of a template. The longest message has 1,530; a template may hold it in many languages.
MAX_SOURCE = 100_000

_NO_COLUMNS: Mapping[str, str] = {}

# The source of a character or link that is neither in the template nor in a column.
COMPUTED = "an expression of the template"


class MistakeError(Exception):
    """The template takes a text for what it isn't, on this row and probably on others."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self._remedy = remedy

    def in_row(self, row: int) -> InputError:
        return InputError.of(f"{self} (row {row})", self._remedy)


class TooLongError(Exception):
    """A row's text is far too long for a message: a cell with a whole page, or an endless loop."""


class RenderError(Exception):
    """The template fails on a row: `str()` has the file, the line and the reason."""


class TooMuchWorkError(RenderError):
    """The template would take too much memory or time on a row."""


class Origins:
    """Finds the template line or column that a character comes from. Costs nothing for GSM-7 texts.

    `own_text` is the template's literal text; the rest of a message comes from a row. `links` are the links that start
    in the template, `garbled` its garbled words with their lines.

    Jinja doesn't track origins, so this counts occurrences: first in template text that is in every message, then in
    the columns, then in template text inside conditions, loops and expressions.
    """

    def __init__(self, tree: nodes.Template) -> None:
        # Character → source → count.
        self._certain: dict[str, Counter[str]] = {}
        self._possible: dict[str, Counter[str]] = {}
        links: list[TemplateLink] = []
        self.garbled: list[tuple[str, int]] = []
        texts: list[str] = []
        # Text outside all blocks is in every message.
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
            if may_be_garbled(text):
                lines = enumerate(text.split("\n"), node.lineno)
                self.garbled += [(word, at) for at, line in lines for word in line.split() if mended(word) != word]
        self.links = tuple(links)
        self.own_text = "\n".join(texts)

    def of(self, character: str, times: int, columns: Mapping[str, str]) -> dict[str, int]:
        """Source → its share of the `times` that `character` occurs in the text."""
        in_columns = _columns_with(character, columns)
        taken: Counter[str] = Counter()
        for counts in (self._certain.get(character, {}), in_columns, self._possible.get(character, {})):
            for source, most in counts.items():
                if number := min(most, times - taken.total()):
                    taken[source] += number
        if rest := times - taken.total():  # a field used twice, a loop, or a filter that produced the character
            taken[next(iter(in_columns), next(iter(taken), COMPUTED))] += rest
        return taken


def _columns_with(character: str, columns: Mapping[str, str]) -> dict[str, int]:
    """How often the character is in each column, or else its other case: `upper` turns ë into Ë."""
    for form in (character, character.lower(), character.upper()):
        counts = {f"the column {column}": value.count(form) for column, value in columns.items() if form in value}
        if counts:
            return counts
    return {}


@dataclass(frozen=True, slots=True)
class Template:
    """A valid template, created by `compile_template`.

    `variables` are the names that must come from the row. `plain` is set if the template has only text and fields: a
    format for `%`, and the field names. `phone` is the function behind the filter `phone`, and `zone` the time
    zone of the filter `date`.
    """

    source: str
    file: str
    variables: Variables
    origins: Origins
    compiled: JinjaTemplate
    plain: tuple[str, tuple[str, ...]] | None
    phone: PhoneFormat | None
    zone: str | None

    def __reduce__(self) -> tuple[Callable[..., "Template"], tuple[str, str]]:
        """Another process compiles it again: Jinja's result can't be pickled, but `phone` can."""
        return partial(compile_template, phone=self.phone, zone=self.zone), (self.source, self.file)

    def render(self, values: Mapping[str, str], kinds: Kinds | None = None) -> str:
        """The text for `values`, which has the cell for each of `variables`; "" is an empty field.

        `kinds` are the kinds of the cells by name; a missing one is the cell's own, and for None all cells are text.

        Raises EmptyFieldError if the text uses an empty field, MistakeError if it decides on a text that means no as if
        it were true, TooLongError beyond `MAX_LENGTH`, and RenderError if rendering fails with these values, such as an
        invalid amount or a division by zero; TooMuchWorkError if it would take too much memory or time.
        """
        if self.plain is not None:
            # Several times as fast (`python -m benchmarks.steps`). Jinja reports problems with fields.
            text, names = self.plain
            fields = tuple([values[name] for name in names])
            if all(fields) and len(text := text % fields) <= MAX_LENGTH:
                return text
        try:
            # Like Template.render, which would also collect endless output.
            context = cast("BoundedContext", self.compiled.new_context(fields_of(values, kinds))).begin(self.source)
            return _joined(self.compiled.root_render_func(context))
        except (EmptyFieldError, TooLongError):
            raise
        except TextAsTruthError as error:
            raise MistakeError(f"{self.file}:{self._line(error)}: {error}", error.remedy) from error
        except Exception as error:  # any mistake in the template
            kind = TooMuchWorkError if isinstance(error, TooMuchError) else RenderError
            raise kind(self._failure(error)) from error

    def _line(self, error: Exception) -> int:
        line, trace = 1, error.__traceback__
        while trace:
            if "__jinja_template__" in trace.tb_frame.f_globals:
                line = self.compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line

    def _failure(self, error: Exception) -> str:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if isinstance(error, RecursionError):
            reason = "macros call each other without end, or the values are nested too deeply"
        if isinstance(error, TypeError):  # Python's words don't say what to do
            reason += "; write | int for a number, | string for a text"
        return f"{self.file}:{self._line(error)}: this line cannot be rendered: {reason[:300]}"


def fields_of(values: Mapping[str, str], kinds: Kinds | None) -> dict[str, object]:
    """The fields of a row as a template sees them; the arguments are those of `Template.render`."""
    if kinds is None:
        return {name: value or EmptyField(name) for name, value in values.items()}
    return {name: value_of(value, kinds.get(name)) if value else EmptyField(name) for name, value in values.items()}


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
    columns: Mapping[str, str] = _NO_COLUMNS,
    zone: str | None = None,
    kinds: Kinds | None = None,
    unknown_fields: Callable[[Variables], list[Problem]] = lambda _: [],
) -> Template:
    """Compile a template strictly. Errors call it `file`; `phone` is the function behind the filter `phone`. The filter
    `date` shows times with an offset in `zone` (IANA), or as they are written for None. `columns` is the name in the
    template → column, to recognise other tools' placeholders; `kinds` are the known kinds of fields.

    Raises InputError with every problem that can be found without a row: syntax, unknown filters and tests, filter
    arguments, use of other files, forbidden characters, other tools' placeholders, what means nothing for these
    `kinds`, and the problems from `unknown_fields`.
    """
    # A byte order mark would be the first character of every text, and force UCS-2.
    source = re.sub(r"\r\n?", "\n", source.removeprefix("\ufeff"))
    if len(source) > MAX_SOURCE:
        what = f"the template has more than {MAX_SOURCE:,} characters"
        raise InputError([Problem(what, "check that this is the template", where=Position(file, 1, 1))])
    if not source.strip():
        raise InputError([Problem("the template is empty", "write the text to send", where=Position(file, 1, 1))])
    jinja = environment(phone, zone)
    try:
        tree = jinja.parse(source)
        linter = Linter(tree, source, file, columns)
        problems = linter.problems()
        variables = linter.variables()  # changes the tree if a filter is unknown
        problems += linter.misuses({name: kind for name, _ in variables if (kind := (kinds or {}).get(name))})
        if problems := [*problems, *unknown_fields(variables)]:
            raise InputError(problems)
        compiled = jinja.from_string(source)
    except TemplateSyntaxError as error:
        raise InputError([explain(error, source, file)]) from error
    except (RecursionError, SyntaxError, MemoryError, ValueError, OverflowError) as error:
        raise InputError([too_complex(error, source, file)]) from error
    return Template(source, file, variables, Origins(tree), compiled, _plain(tree, variables), phone, zone)


def _plain(tree: nodes.Template, variables: Variables) -> tuple[str, tuple[str, ...]] | None:
    """The template as a format for `%` and its field names, if it has only text and fields."""
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
