"""Bounds on what one rendering makes, so that no template takes all memory or never ends. Pure.

Every value that an operator, a filter, a method or a list makes has at most `MAX_VALUE` characters in all, so
a chain of them stays small. What can make far more than it gets (`center`, `replace`, `format`) is estimated before it
is called. Loops and calls use up a fixed amount of work.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from jinja2 import Undefined
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.nodes import (
    And,
    BinExpr,
    Call,
    Compare,
    Concat,
    CondExpr,
    Const,
    ContextReference,
    Dict,
    EnvironmentAttribute,
    Expr,
    For,
    If,
    List,
    Name,
    Node,
    Not,
    Or,
    Output,
    Template,
    Test,
    Tuple,
    UnaryExpr,
)
from jinja2.runtime import Context

from runner.message.filters import text_of

# Characters. A cell has at most a million, and one of them may become two (ß, SS).
MAX_VALUE = 2_100_000
# What an item of a list counts as, so that a list has at most 50,000 items.
_ITEM = 40
# The bits of the largest whole number, about 1,200 digits.
_MAX_BITS = 4_096
# The characters that all steps of a rendering may write. A step is a turn of a loop, a call of a macro or method: it
# writes at most the whole template. This allows 25,000 steps, about 10 ms.
_MAX_WORK = 5_000_000
_LEAST_STEP = 200
# 10 to the power of the digits that `round` keeps.
_MAX_DIGITS = 100
_DIGITS = re.compile(r"\d+")
_NESTED = re.compile(r"\{[^{}]*\{")
# They make bytes, or letters from a table: no text needs them.
_REFUSED_METHODS = frozenset({"encode", "translate", "maketrans", "to_bytes", "from_bytes", "fromhex"})
# The filters and methods that `check_call` has a case for.
GROWING = frozenset(
    {
        "center", "ljust", "rjust", "zfill", "batch", "slice", "indent", "expandtabs", "wordwrap", "replace", "join",
        "format", "format_map", "round",
    }
)  # fmt: skip


class TooMuchError(TemplateRuntimeError):
    """The template makes too large a value, or takes too many steps."""


class BoundedContext(Context):
    """The fields of one rendering, and the work that it may still do. `step` is what one step writes at most."""

    work = _MAX_WORK
    step = _LEAST_STEP

    def begin(self, source: str) -> "BoundedContext":
        self.step = max(len(source), _LEAST_STEP)
        return self

    def charge(self, characters: int) -> None:
        """Raises TooMuchError if the work is used up."""
        self.work -= characters
        if self.work < 0:
            raise TooMuchError("its loops and macros repeat too often for one text")


class BoundedCode(CodeGenerator):
    """Compiles what Jinja doesn't allow to intercept (`~`, lists, loops) to calls of the environment."""

    def visit_Concat(self, node: Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self.write("environment.bounded_concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Template(self, node: Template, frame: Frame | None = None) -> None:  # noqa: N802
        self._shown = frozenset(name for output in node.find_all(Output) for name in _shown(output))
        super().visit_Template(node, frame)

    def visit_Compare(self, node: Compare, frame: Frame) -> None:  # noqa: N802
        self.write("environment.compared(")
        self.visit(node.expr, frame)
        for operand in node.ops:
            self.write(f", {operand.op!r}, ")
            self.visit(operand.expr, frame)
        self.write(")")

    def visit_And(self, node: BinExpr, frame: Frame) -> None:  # noqa: N802
        self._choice(node, frame)

    def visit_Or(self, node: BinExpr, frame: Frame) -> None:  # noqa: N802
        self._choice(node, frame)

    def _choice(self, node: BinExpr, frame: Frame, *, is_tested: bool = False) -> None:
        self.write("(")
        self._tested(node.left, frame)
        self.write(" and " if isinstance(node, And) else " or ")
        if is_tested:
            self._tested(node.right, frame)
        else:
            self.visit(node.right, frame)
        self.write(")")

    def visit_Not(self, node: UnaryExpr, frame: Frame) -> None:  # noqa: N802
        self.write("(not ")
        self._tested(node.node, frame)
        self.write(")")

    def visit_If(self, node: If, frame: Frame) -> None:  # noqa: N802
        for choice in (node, *node.elif_):
            choice.test = _truth(choice.test)
        super().visit_If(node, frame)

    def visit_CondExpr(self, node: CondExpr, frame: Frame) -> None:  # noqa: N802
        node.test = _truth(node.test)
        super().visit_CondExpr(node, frame)

    def _tested(self, node: Expr, frame: Frame) -> None:
        if isinstance(node, Compare | Test | Not | Const):
            self.visit(node, frame)
            return
        if isinstance(node, And | Or):
            self._choice(node, frame, is_tested=True)
            return
        names = [name.name for name in _with_all(node) if isinstance(name, Name)]
        self.write("environment.tested(")
        self.visit(node, frame)
        self.write(f", {next(iter(names), 'a value')!r}, {not self._shown.isdisjoint(names)})")

    def visit_List(self, node: List, frame: Frame) -> None:  # noqa: N802
        with_bound = self._open(node.items)
        super().visit_List(node, frame)
        self.write(with_bound)

    def visit_Dict(self, node: Dict, frame: Frame) -> None:  # noqa: N802
        with_bound = self._open([pair.value for pair in node.items])
        super().visit_Dict(node, frame)
        self.write(with_bound)

    def visit_Tuple(self, node: Tuple, frame: Frame) -> None:  # noqa: N802
        with_bound = self._open(node.items if node.ctx == "load" else [])
        super().visit_Tuple(node, frame)
        self.write(with_bound)

    def visit_For(self, node: For, frame: Frame) -> None:  # noqa: N802
        looped = EnvironmentAttribute("looped", lineno=node.lineno)
        node.iter = Call(looped, [ContextReference(), node.iter], [], None, None, lineno=node.lineno)
        node.test = _truth(node.test) if node.test is not None else None
        super().visit_For(node, frame)

    def _open(self, items: Sequence[Expr]) -> str:
        if all(isinstance(item, Const) for item in items):
            return ""
        self.write("environment.bounded(")
        return ")"


def _truth(test: Node) -> Expr:
    """A condition whose value `visit_Not` tests; Jinja has no node for that."""
    assert isinstance(test, Expr)
    return test if isinstance(test, Compare | Test | Not) else Not(Not(test, lineno=test.lineno), lineno=test.lineno)


def _with_all(node: Node) -> Iterator[Node]:
    yield node
    yield from node.find_all(Node)


def _shown(node: Node) -> Iterator[str]:
    """The names whose values are written, not only decided on."""
    if isinstance(node, Name):
        yield node.name
    for child in node.iter_child_nodes(exclude=("test",)):
        if not isinstance(child, Compare | Test | Not):
            yield from _shown(child)


def size(value: object) -> int:
    """The characters of a value with everything in it; an item counts as `_ITEM`. Stops above `MAX_VALUE`."""
    if isinstance(value, str):
        return len(value)
    total, waiting = 0, [value]
    while waiting and total <= MAX_VALUE:
        item = waiting.pop()
        total += _ITEM
        if isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, int) and item.bit_length() > _MAX_BITS:
            return MAX_VALUE + 1
        elif isinstance(item, Decimal):
            total += abs(item.adjusted())  # what it has as text
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, Collection) and not isinstance(item, Undefined):
            waiting += item
    return total


def bounded(value: object, name: str = "a list") -> object:
    """The value, if it isn't too large; an iterator as a list. Raises TooMuchError."""
    if isinstance(value, Iterator):
        items: list[object] = []
        total = 0
        for item in value:
            total += size(item) + _ITEM
            _check(name, total)
            items.append(item)
        return items
    if not isinstance(value, str) or len(value) > MAX_VALUE:
        _check(name, size(value))
    return value


def check_operator(operator: str, left: object, right: object) -> None:
    """Raises TooMuchError if the operator would make too large a value."""
    most = 0.0
    if operator == "**":
        most = MAX_VALUE + 1
    elif operator == "*":
        if isinstance(left, int) and isinstance(right, int):
            most = MAX_VALUE + 1 if left.bit_length() + right.bit_length() > _MAX_BITS else 0
        else:
            most = max(size(a) * b for a, b in ((left, right), (right, left), ("", 0)) if isinstance(b, int))
    elif operator == "+" and isinstance(left, str | list | tuple):
        most = size(left) + size(right)
    elif operator == "%" and isinstance(left, str):
        most = _of_format(left, [right])
    _check(operator, most)


def check_call(name: str, value: object, given: Sequence[object]) -> None:
    """Raises TooMuchError if a filter or method of this name, of `value` and with the arguments `given`, would make too
    large a value; SecurityError for a method that no text needs."""
    if name in _REFUSED_METHODS:
        raise SecurityError(f"{name} is not allowed")
    if name not in GROWING:
        return
    numbers = [abs(number) for number in given if isinstance(number, int | float)]
    texts = [text for text in given if isinstance(text, str)]
    widest = max(numbers, default=0)
    longest = max(map(len, texts), default=0)
    most: float = 0
    match name:
        case "center" | "ljust" | "rjust" | "zfill" | "batch" | "slice":
            most = size(value) + widest
        case "indent" | "expandtabs":
            breaks = 1 + len(re.findall(r"[\n\t]", value)) if isinstance(value, str) else size(value)
            most = size(value) + breaks * max(widest, longest)
        case "wordwrap":
            most = size(value) * (1 + longest)
        case "replace":
            text = text_of(value)
            parts = [text_of(part) for part in given]
            most = size(value) + max((text.count(a) * len(b) for a in parts for b in parts), default=0)
        case "join":
            lists = [each for each in (value, *given) if not isinstance(each, str) and isinstance(each, Collection)]
            count = max(map(len, lists)) if lists else max(len(text_of(value)), longest)
            most = size([value, *given]) + count * (longest if lists and lists[0] is value else size(value))
        case "format" | "format_map":
            most = _of_format(text_of(value), given)
        case "round":
            most = MAX_VALUE + 1 if widest > _MAX_DIGITS else 0
    _check(name, most)


def _of_format(text: str, given: Sequence[object]) -> float:
    widths: list[float] = [float(digits) for digits in _DIGITS.findall(text)]
    if "*" in text or _NESTED.search(text):
        flat = [one for each in given for one in (each if isinstance(each, tuple | list) else [each])]
        widths += [abs(number) for number in flat if isinstance(number, int | float)]
    return len(text) + (text.count("%") + text.count("{")) * (size(list(given)) + max(widths, default=0))


def _check(name: str, most: float) -> None:
    if most > MAX_VALUE:
        raise TooMuchError(f"{name} makes a value that is too long for a text")
