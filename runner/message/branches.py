"""Which branches of a template's conditions and fallbacks a row takes, for the preview."""

import re
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes, pass_context
from jinja2.visitor import NodeTransformer

from runner.base.cells import Kinds
from runner.message.bounds import BoundedContext
from runner.message.environment import environment
from runner.message.template import Template, fields_of

# The filter through which the traced template shows what decides. No other filter has this name.
_DECIDES = "__decides__"
_TAG = re.compile(r"\{%[-+]?\s*((?:el)?if\b.*?)\s*[-+]?%\}", re.DOTALL)
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)

_NOTHING = nodes.Const("")

# The number of a decision, and how it is decided.
Branch = tuple[int, bool]


class Branches:
    """The branches of a template. `names` describes each one that a row may take, in the template's order. `kinds` are
    those of `Template.render`.
    """

    def __init__(self, template: Template, kinds: Kinds | None = None) -> None:
        self._kinds = kinds
        self.names: Mapping[Branch, str] = {}
        self._source = template.source
        self._compiled: JinjaTemplate | None = None
        self._found: set[Branch] = set()
        jinja = environment(template.phone, template.zone).overlay()
        jinja.filters = {**jinja.filters, _DECIDES: self._note}
        tracer = _Tracer(template.source)
        # A template that can just be compiled may be too deep with more filters.
        with suppress(RecursionError, SyntaxError, MemoryError):
            traced = tracer.visit(jinja.parse(template.source))
            if tracer.names:
                self._compiled, self.names = jinja.from_string(traced), tracer.names

    def taken(self, values: Mapping[str, str]) -> set[Branch]:
        """The branches that a row takes. `values` are its fields, by name in the template; "" is an empty field."""
        self._found.clear()
        if self._compiled is not None:
            context = cast("BoundedContext", self._compiled.new_context(fields_of(values, self._kinds))).begin(
                self._source
            )
            with suppress(Exception):  # the template's own rendering has reported it
                deque(self._compiled.root_render_func(context), maxlen=0)
        return self._found & self.names.keys()

    @pass_context  # else Jinja would call it once for a constant, when it compiles
    def _note(self, _context: object, value: object, number: int, outcome: bool | None = None) -> object:
        """The value of a decision, unchanged. `outcome` None: whether it is true."""
        self._found.add((number, bool(value) if outcome is None else outcome))
        return value


class _Tracer(NodeTransformer):
    """Lets each decision of a template be seen, by a filter around it that changes nothing."""

    def __init__(self, source: str) -> None:
        self.names: dict[Branch, str] = {}
        self._count = 0
        self._tags: defaultdict[int, deque[str]] = defaultdict(deque)
        for tag in _TAG.finditer(_COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), source)):
            self._tags[tag.string.count("\n", 0, tag.start()) + 1].append(" ".join(tag[1].split()))

    def visit_If(self, node: nodes.If) -> nodes.If:  # noqa: N802 - Jinja's name
        chain: list[nodes.If] = [node, *node.elif_]
        for one in chain:
            tags = self._tags[one.lineno]
            what = f"{{% {tags.popleft()} %}}" if tags else "the condition"
            where = f"line {one.lineno}: {what} is"
            no = ""
            if one is chain[-1]:
                no = f"{where} false" if len(chain) == 1 else f"line {node.lineno}: none of its conditions is true"
            one.test = self._decision(cast("nodes.Expr", one.test), f"{where} true", no)
            one.body = self._visited(one.body)
        node.else_ = self._visited(node.else_)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        if not node.else_:
            return self.generic_visit(node)
        where, number = f"line {node.lineno}: the loop has", self._count
        self._decision(_NOTHING, f"{where} items", f"{where} no items")
        self.generic_visit(node)
        for body, has_items in ((node.body, True), (node.else_, False)):
            body.insert(0, nodes.Output([_seen(_NOTHING, number, nodes.Const(has_items))]))
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        where = f"line {node.lineno}: the condition of the inline if is"
        node.test = self._decision(node.test, f"{where} true", f"{where} false")
        node.expr1, node.expr2 = self.visit(node.expr1), node.expr2 and self.visit(node.expr2)
        return node

    def visit_Or(self, node: nodes.Or) -> nodes.Node:  # noqa: N802
        name = _name_of(node.left)
        self.generic_visit(node)
        node.left = self._decision(node.left, *_filled_or_not(name, node.lineno))
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        name = _name_of(node.node)
        self.generic_visit(node)
        if node.name in ("default", "d") and node.node is not None:
            node.node = self._decision(node.node, *_filled_or_not(name, node.lineno))
        return node

    def _decision(self, test: nodes.Expr, yes: str, no: str = "") -> nodes.Filter:
        """The test, seen when it is evaluated. `yes` and `no` name the branches; "": it is another one's."""
        self.names |= {(self._count, outcome): name for outcome, name in ((True, yes), (False, no)) if name}
        self._count += 1
        return _seen(test, self._count - 1)

    def _visited(self, body: list[nodes.Node]) -> list[nodes.Node]:
        return [self.visit(node) for node in body]


def _seen(value: nodes.Expr, number: int, *outcome: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, _DECIDES, [nodes.Const(number), *outcome], [], None, None)


def _name_of(node: nodes.Expr | None) -> str:
    return node.name if isinstance(node, nodes.Name) else "the value"


def _filled_or_not(name: str, line: int) -> tuple[str, str]:
    return f"line {line}: {name} is filled", f"line {line}: {name} is empty, so the fallback is used"
