"""The restricted Jinja environment: strict, closed and repeatable.

Closed: no files, no Python internals, and a limit on the length of a text. Repeatable: the same row always gives the
same text, because the plan shows what will be sent. So there is no `random`, no `lipsum`, no clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial, wraps
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Undefined, pass_context
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runner.base.text import quoted
from runner.message import filters
from runner.message.bounds import GROWING, MAX_VALUE, BoundedCode, BoundedContext, bounded, check_call, check_operator
from runner.message.filters import PhoneFormat, date_filter, phone_filter
from runner.message.operators import calculated, check_order, compared, tested

# Ten segments have 1,530 characters. A much longer text is a mistake; the limit stops it before memory runs out.
MAX_LENGTH = 20_000

# `random` isn't repeatable; the others produce Python or HTML code, which phones don't display.
_REFUSED_FILTERS = ("random", "pprint", "xmlattr", "urlize", "tojson", "escape", "e", "forceescape", "safe")


# Jinja's tests that compare: their names and the operators' names.
_COMPARISONS = {
    **dict.fromkeys(("eq", "==", "equalto"), "eq"), **dict.fromkeys(("ne", "!="), "ne"), "in": "in",
    **dict.fromkeys(("gt", ">", "greaterthan"), "gt"), **dict.fromkeys(("ge", ">="), "gteq"),
    **dict.fromkeys(("lt", "<", "lessthan"), "lt"), **dict.fromkeys(("le", "<="), "lteq"),
}  # fmt: skip

# Tests that text never passes.
NO_TESTS_OF_TEXT = (
    "true", "false", "boolean", "number", "integer", "float", "odd", "even", "divisibleby",
)  # fmt: skip


class OwnFilter(NamedTuple):
    """A filter of this program; `sample` replaces arguments that come from a row."""

    function: Callable[..., object]
    usage: str
    sample: tuple[object, ...]


OWN_FILTERS: Mapping[str, OwnFilter] = {
    "title": OwnFilter(filters.title, "{{ first_name | title }}", ("ann",)),
    "currency": OwnFilter(filters.currency, '{{ amount | currency("SGD") }}', ("5", "SGD")),
    "date": OwnFilter(date_filter(None), '{{ day | date("d MMM") }}', ("2026-12-01T18:30",)),
    "phone": OwnFilter(phone_filter(lambda *_: ""), '{{ branch | phone("national") }}', ("+12025550142",)),
    "int": OwnFilter(filters.whole, "{{ points | int }}", ("5",)),
    "float": OwnFilter(filters.decimal, "{{ weight | float }}", ("5",)),
    "bool": OwnFilter(filters.truth, "{% if vip | bool %}", ("yes",)),
    "truncate_gsm": OwnFilter(filters.truncate_gsm, "{{ product | truncate_gsm(20) }}", ("x", 160)),
}


class EmptyFieldError(UndefinedError):
    """The text uses a field that is empty in this row. `name` is its name in the template."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class EmptyField(Undefined):  # noqa: PLW1641 - hashing is refused below
    """An empty cell: allowed in a condition, not in the text.

    `{% if city %}`, `city is defined`, `city or "x"`, `city|default("x")` and `city == ""` work. Any use in the text or
    in a comparison with other text raises EmptyFieldError. So the row is excluded, and nobody reads "Hi ,".
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(hint=name, exc=EmptyFieldError)  # Jinja passes only the hint to the exception

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other == "" or bool(str(self))

    def __ne__(self, other: object) -> bool:
        return not self == other

    # The base class already refuses arithmetic, comparisons, calls and attributes this way.
    _refuse = Undefined._fail_with_undefined_error  # noqa: SLF001 - Jinja has no public name for it
    __str__ = __repr__ = __iter__ = __len__ = __contains__ = __hash__ = _refuse


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    code_generator_class = BoundedCode
    context_class = BoundedContext
    bounded = staticmethod(bounded)
    tested = staticmethod(tested)

    def call_binop(self, _context: Context, operator: str, left: object, right: object) -> object:
        check_operator(operator, left, right)
        return bounded(calculated(operator, left, right), operator)

    def bounded_concat(self, values: Iterable[object]) -> object:
        """What `~` makes."""
        return bounded("".join(map(filters.only_text, values)), "~")

    compared: Callable[..., bool]

    def looped(self, context: BoundedContext, items: Iterable[object]) -> Iterator[object]:
        """The items of a loop, each a step of the rendering."""
        for item in items:
            context.charge(context.step)
            yield item

    def call(self, context: Context, called: object, /, *args: object, **kwargs: object) -> object:
        assert isinstance(context, BoundedContext)
        context.charge(context.step)
        # Python's methods would raise TypeError. A macro may handle an empty field itself.
        if isinstance(called, Macro):
            return bounded(super().call(context, called, *args, **kwargs))
        _refuse_empty(*args, *kwargs.values())
        if called == self.looped:
            return super().call(context, called, *args, **kwargs)
        method = getattr(called, "__wrapped__", called)  # the sandbox wraps `str.format`
        name, owner = getattr(method, "__name__", "a call"), getattr(method, "__self__", None)
        if isinstance(owner, type | date | Decimal):  # now() differs from start to start, scaleb() makes huge numbers
            raise SecurityError(f"{name}() is not allowed; use a filter such as date or round")
        check_call(name, owner, (*args, *kwargs.values()))
        return bounded(super().call(context, called, *args, **kwargs), name)


@pass_context
def _finalize(context: BoundedContext, value: object) -> object:
    """What an expression writes. It counts as work, because a block or a macro keeps it."""
    if isinstance(value, str):
        context.work -= len(value)  # like `charge`, in half the time
        if context.work < 0:
            context.charge(0)
        return value
    return filters.only_text(value)


def _compares(compared: Callable[..., bool], word: str, left: object, right: object) -> bool:
    return compared(left, word, right)


def _no_text(name: str, test: Callable[..., object], value: object, *given: object) -> object:
    if isinstance(value, str):
        wanted = "bool" if name in ("true", "false", "boolean") else "int"
        raise filters.FilterError(f'{quoted(value)} is text, so the test "{name}" means nothing; write | {wanted}')
    if name in ("true", "false") and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        raise filters.FilterError(f'{value} is a number, so the test "{name}" means nothing; write | bool')
    return test(value, *given)


def _refuse_empty(*values: object) -> None:
    for value in values:
        if isinstance(value, EmptyField):
            str(value)


def _guarded(name: str, filtered: Callable[..., object]) -> Callable[..., object]:
    """The filter, but refusing an empty field and too large a result.

    Some Jinja filters read an empty field as an empty list, others raise TypeError.
    """

    grows = name in GROWING
    orders = name in ("max", "min", "sort")

    @wraps(filtered)  # copies the attribute that makes Jinja pass the context
    def guarded(*args: object, **kwargs: object) -> object:
        _refuse_empty(*args, *kwargs.values())
        if grows:
            # Jinja passes the context or the environment before the value.
            value, *given = args[1:] if isinstance(args[0], Context | EvalContext | Environment) else args
            check_call(name, value, (*given, *kwargs.values()))
        if orders:
            check_order(args[1])
        result = filtered(*args, **kwargs)
        return result if type(result) is str and len(result) <= MAX_VALUE else bounded(result, name)

    return guarded


@lru_cache(maxsize=8)
def environment(phone_format: PhoneFormat | None = None, zone: str | None = None) -> _Environment:
    """The environment; the filter `phone` uses `phone_format`, and `date` the time zone `zone`. Created for the first
    template that needs it."""
    jinja = _Environment(autoescape=False, undefined=StrictUndefined, finalize=_finalize, loader=None)
    # range, dict, lipsum, cycler, joiner, namespace: not needed for one text to one person, and each name would hide a
    # missing column.
    jinja.globals.clear()
    allowed = {name: function for name, function in jinja.filters.items() if name not in _REFUSED_FILTERS}
    allowed |= {name: own.function for name, own in OWN_FILTERS.items()}
    allowed |= {"phone": phone_filter(phone_format), "date": date_filter(zone), "string": filters.only_text}
    for_empty = ("default", "d")
    jinja.filters = {n: function if n in for_empty else _guarded(n, function) for n, function in allowed.items()}
    jinja.compared = partial(compared, zone)
    # Two cells with the same value aren't the same object.
    tests: dict[str, Any] = {name: test for name, test in jinja.tests.items() if name != "sameas"}
    tests |= {name: partial(_no_text, name, tests[name]) for name in NO_TESTS_OF_TEXT}
    tests |= {name: partial(_compares, jinja.compared, word) for name, word in _COMPARISONS.items()}
    jinja.tests = tests
    return jinja
