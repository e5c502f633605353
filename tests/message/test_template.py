"""Templates: what is refused before any row is read, in whose words, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import InputError, Position
from runner.base.messages import Text
from runner.message.compose import Composer
from runner.message.environment import EmptyFieldError
from runner.message.template import RenderError, compile_template
from tests.message.composing import composed_row


def test_variables_with_the_place_of_their_first_use() -> None:
    template = compile_template(
        "Hi name\r\n{%- if b -%}\n name: {{ name }} {% endif %}{{ name }} {{ x.y }}{# z #}", "t"
    )
    assert [
        ("b", Position("t", 2, 8)),
        ("name", Position("t", 3, 11)),
        ("x", Position("t", 3, 44)),
    ] == template.variables


def test_own_names_are_no_variables_and_jinjas_globals_are_gone() -> None:
    template = compile_template("{% set a = b %}{% for c in a %}{{ c }}{{ loop.index }}{% endfor %}{{ range(3) }}", "t")
    assert ["b", "range"] == [name for name, _ in template.variables]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert "Hi" == compile_template("\ufeffHi", "t").render({})


@pytest.mark.parametrize("text", ["100% off", "50 %s, 20%d and %(name)s", "%%", "%"])
def test_percent_signs_are_only_text(text: str) -> None:
    """A template of words and fields alone is put together with `%`."""
    compiled = compile_template(f"{text} {{{{ name }}}}", "t")
    assert f"{text} Ann 5%" == compiled.render({"name": "Ann 5%"})
    composed = composed_row(Composer(compiled), {"name": "Ann 5%"})
    assert isinstance(composed, Text)
    assert f"{text} Ann 5%" == composed.text


ALLOWED = [
    ("{% if city %}in {{ city }}{% else %}near you{% endif %}", "near you"),
    ("{% if not city %}x{% endif %}", "x"),
    ("{{ city or 'x' }}", "x"),
    ("{{ city|default('x') }}", "x"),
    ("{{ city|d('x')|upper }}", "X"),
    ("{% if city is defined %}d{% else %}u{% endif %}", "u"),
    ("{% if city == '' %}x{% endif %}", "x"),
    ("{% if city != '' %}x{% endif %}", ""),
    ("{{ name|default(city) }}", "Ann"),
    ("{{ [name, city]|select|join(', ') }}", "Ann"),
    ("{% macro m(c) %}{% if c %}{{ c }}{% else %}x{% endif %}{% endmacro %}{{ m(city) }}", "x"),
]


@pytest.mark.parametrize(("source", "text"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_an_empty_field_can_be_decided_on(source: str, text: str) -> None:
    assert text == compile_template(source, "t").render({"name": "Ann", "city": ""})


REFUSED = [
    "{{ city }}",
    "{% set x = city %}{{ x }}",
    "{{ city ~ '!' }}",
    "{{ city + '!' }}",
    "{{ 'in ' + city }}",
    "{{ city * 2 }}",
    "{{ city[0] }}",
    "{{ city[:2] }}",
    "{{ city.upper() }}",
    "{{ name.replace('A', city) }}",
    "{{ '{}'.format(city) }}",
    "{{ '%s' % city }}",
    "{{ [name, city]|join }}",
    "{{ name|replace('A', city) }}",
    "{% if city == 'KL' %}x{% endif %}",
    "{% if 'KL' == city %}x{% endif %}",
    "{% if city < 'KL' %}x{% endif %}",
    "{% if city in ['KL'] %}x{% endif %}",
    "{% if 'K' in city %}x{% endif %}",
    "{% if city is lower %}x{% endif %}",
    "{% for c in city %}x{% endfor %}",
    "{% filter upper %}{{ city }}{% endfilter %}",
    "{{ {city: 1} }}",
    "{{ city and name }}",
    # Filters that Jinja answers with nothing, or with TypeError, for what is undefined.
    "{{ city|map('upper')|join }}",
    "{{ city|items|join }}",
    "{{ city|round }}",
    "{{ city|abs }}",
    "{{ city|int }}",
    "{{ city|length }}",
    *(f"{{{{ city|{name} }}}}" for name in ("upper", "title", "trim", "capitalize", "truncate", "first", "urlencode")),
]


@pytest.mark.parametrize("source", REFUSED)
def test_an_empty_field_never_becomes_text(source: str) -> None:
    with pytest.raises(EmptyFieldError, match="city"):
        compile_template(source, "t").render({"name": "Ann", "city": ""})


WRONG = [
    ("Hi\n{{ 1 / 0 }}", "t:2: this line cannot be rendered: division by zero"),
    ("{{ name.nope }}", "t:1: this line cannot be rendered: 'str object' has no attribute 'nope'"),
    (
        "{{ name + 1 }}",
        "t:1: this line cannot be rendered: + can't add a number and a text; write ~ to join them, or | int",
    ),
    ("{{ name() }}", "t:1: this line cannot be rendered: 'str' object is not callable"),
    (
        "{{ name.__class__ }}",
        "t:1: this line cannot be rendered: access to attribute '__class__' of 'str' object is unsafe.",
    ),
    ("{{ none }}", "t:1: this line cannot be rendered: a value of the type NoneType can't be used in a text"),
    ("{{ [name] }}", "t:1: this line cannot be rendered: a value of the type list can't be used in a text"),
    ("{{ 'x' * 10**9 }}", "t:1: this line cannot be rendered: ** makes a value that is too long for a text"),
    ("{{ 'x' * 9999999 }}", "t:1: this line cannot be rendered: * makes a value that is too long for a text"),
    (
        "{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}",
        "t:1: this line cannot be rendered: macros call each other without end, or the values are nested too deeply",
    ),
]


@pytest.mark.parametrize(("source", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_a_template_that_fails_on_a_row_names_its_line(source: str, message: str) -> None:
    with pytest.raises(RenderError) as error:
        compile_template(source, "t").render({"name": "Ann"})
    assert str(error.value).startswith(message)


@given(st.text(st.sampled_from("{}%# ab'\"|.()-+=\n\r") | st.characters(codec="utf-8"), max_size=40))
def test_any_source_compiles_or_has_problems_with_places(source: str) -> None:
    places: list[Position | None] = []
    try:
        places += [where for _, where in compile_template(source, "t").variables]
    except InputError as error:
        places += [problem.where for problem in error.problems]
    assert all(where and where.line >= 1 and where.column >= 1 for where in places)


# Where a character comes from.
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
    found = composed_row(Composer(compile_template(source, "t")), {"a": a, "b": b, "unused": "’’’’’’’’’"})
    assert isinstance(found, Text)
    assert expected == {(remark.source, remark.times) for remark in found.remarks}
