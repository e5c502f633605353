"""Where a character comes from."""

import pytest

from runner.base.messages import Text
from runner.message.compose import Composer
from runner.message.template import compile_template

SOURCES = [
    ("it’s {{ a }}", "Bob", "", {("the template, line 1", 1)}, "the template"),
    ("its {{ a }}", "O’Neil", "", {("the column a", 1)}, "a column"),
    ("it’s {{ a }}", "O’Neil", "", {("the template, line 1", 1), ("the column a", 1)}, "both"),
    ("Hi\n\nit’s\n’{{ a }}", "x", "", {("the template, line 3", 1), ("the template, line 4", 1)}, "lines"),
    ("{%- if a -%}\n\n it’s {{ a }}\n{%- endif %}", "x", "", {("the template, line 3", 1)}, "white space is trimmed"),
    ("{% if b %}it’s{% endif %} {{ a }}", "O’Neil", "", {("the column a", 1)}, "a branch that wasn't taken"),
    ("{% if b %}it’s{% endif %} {{ a }}", "Bob", "x", {("the template, line 1", 1)}, "a branch that was"),
    ("{{ a }} {{ '’' if b else '' }}", "x", "y", {("the template, line 1", 1)}, "in quotes"),
    ("{{ a ~ '\\u2019' }}", "x", "", {("the template, line 1", 1)}, "by its code"),
    ("{{ a }} {{ a }}", "O’Neil", "", {("the column a", 2)}, "used twice"),
    ("{% for x in 'abc' %}’{% endfor %}{{ a }}", "x", "", {("the template, line 1", 3)}, "in a loop"),
    ("{{ a }}{{ b|default('') }}", "’", "’’", {("the column a", 1), ("the column b", 2)}, "two columns"),
    ("{{ a|upper }}", "ë", "", {("the column a", 1)}, "in other letters"),
    ("{{ a|currency('INR', symbol=true) }}", "5", "", {("an expression of the template", 1)}, "made by a filter"),
]


@pytest.mark.parametrize(("source", "a", "b", "expected", "why"), SOURCES, ids=[row[-1] for row in SOURCES])
def test_sources(source: str, a: str, b: str, expected: set[tuple[str, int]], why: str) -> None:
    found = Composer(compile_template(source, "t")).compose({"a": a, "b": b, "unused": "’’’’’’’’’"})
    assert isinstance(found, Text)
    assert expected == {(remark.source, remark.times) for remark in found.remarks}
