"""Which branches of a template's conditions and fallbacks a row takes, for the preview."""

import re
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from runner.message.bounds import BoundedContext
from runner.message.environment import EmptyField, environment
from runner.message.template import Template

# What the traced template calls with a branch's number and the value that decides. No column has this name.
_DECIDES = "__decides__"
_TAG = re.compile(r"\{%[-+]?\s*((?:el)?if\b.*?)\s*[-+]?%\}", re.DOTALL)
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)

_TRUE, _FALSE, _NOTHING = nodes.Const(True), nodes.Const(False), nodes.Const("")

# The number of a decision, and how it is decided.
Branch = tuple[int, bool]


class Branches:
    """The branches of a template. `names` describes each one that a row may take, in the template's order."""

    def __init__(self, template: Template) -> None:
        jinja = environment(template.phone)
        tracer = _Tracer(template.source)
        traced = tracer.visit(jinja.parse(template.source))
        self.names = tracer.names
        self._source = template.source
        self._compiled = jinja.from_string(traced) if self.names else None

    def taken(self, values: Mapping[str, str]) -> set[Branch]:
        """The branches that a row takes. `values` are its fields, by name in the template; "" is an empty field."""
        found: set[Branch] = set()

        def decides(number: int, value: object) -> bool:
            found.add((number, bool(value)))
            return bool(value)

        if self._compiled is not None:
            fields = {name: value or EmptyField(name) for name, value in values.items()}
            context = cast("BoundedContext", self._compiled.new_context({**fields, _DECIDES: decides}))
            with suppress(Exception):  # the template's own rendering has reported it
                deque(self._compiled.root_render_func(context.begin(self._source)), maxlen=0)
        return found & self.names.keys()


class _Tracer(NodeTransformer):
    """Lets each decision of a template be seen. What the template writes then means nothing."""

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
        where = f"line {node.lineno}: the loop has"
        some = self._decision(_TRUE, f"{where} items", f"{where} no items")
        self.generic_visit(node)
        for body, call in ((node.body, some), (node.else_, _call(some.args[0], _FALSE))):
            body.insert(0, nodes.Output([nodes.CondExpr(call, _NOTHING, _NOTHING)]))
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Expr:  # noqa: N802
        where = f"line {node.lineno}: the condition of the inline if is"
        test = self._decision(node.test, f"{where} true", f"{where} false")
        return nodes.CondExpr(test, self.visit(node.expr1), node.expr2 and self.visit(node.expr2))

    def visit_Or(self, node: nodes.Or) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return nodes.CondExpr(self._fallback(node.left, node), node.left, node.right)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        if node.name not in ("default", "d") or node.node is None:
            return node
        is_for_false = len(node.args) > 1 or any(pair.key == "boolean" for pair in node.kwargs)
        is_filled = node.node if is_for_false else nodes.Test(node.node, "defined", [], [], None, None)
        return nodes.CondExpr(self._fallback(is_filled, node, of=node.node), node, node)

    def _fallback(self, filled: nodes.Expr, node: nodes.Expr, of: nodes.Expr | None = None) -> nodes.Expr:
        value = of or filled
        name = value.name if isinstance(value, nodes.Name) else "the value"
        where = f"line {node.lineno}: {name} is"
        return self._decision(filled, f"{where} filled", f"{where} empty, so the fallback is used")

    def _decision(self, test: nodes.Expr, yes: str, no: str = "") -> nodes.Call:
        """The test, seen when it is evaluated. `yes` and `no` name the branches; "": it is another one's."""
        self.names |= {(self._count, outcome): name for outcome, name in ((True, yes), (False, no)) if name}
        self._count += 1
        # An empty field can't be an argument.
        return _call(nodes.Const(self._count - 1), nodes.Not(nodes.Not(test)))

    def _visited(self, body: list[nodes.Node]) -> list[nodes.Node]:
        return [self.visit(node) for node in body]


def _call(number: nodes.Expr, value: nodes.Expr) -> nodes.Call:
    return nodes.Call(nodes.Name(_DECIDES, "load"), [number, value], [], None, None)
