"""Templates: what is refused before any row is read, in whose words, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InputError, Position
from runner.message.environment import EmptyFieldError
from runner.message.template import RenderError, compile_template


def problems(source: str) -> list[str]:
    with pytest.raises(InputError) as error:
        compile_template(source, "t.j2")
    return [str(problem) for problem in error.value.problems]


SLIPS = [
    (
        "Hi\n{{ first name }}",
        't.j2:2:10: there is an unexpected "name" between {{ and }}; '
        "a name holds no spaces (First Name is First_Name); texts stand in quotes",
    ),
    ("Hi {{ name", "t.j2:1:4: {{ is never closed; write }} after the name"),
    ("Hi {{ name }", "t.j2:1:4: {{ is closed by a single }; write }}"),
    ("Hi {{{ name }}}", "t.j2:1:4: there is one brace too many; write {{ name }}"),
    (
        "Hi {name}",
        't.j2:1:4: "{name}" would be sent just like that; write {{ name }}, or {{ "{name}" }} if the braces are meant',
    ),
    ("{{ }}", "t.j2:1:1: there is nothing between the braces; write a column's name"),
    ("{{ a | }}", "t.j2:1:1: a name is missing; write one, or remove what precedes"),
    ("{{ a + }}", "t.j2:1:1: something is missing before the closing braces; finish it, or remove what precedes"),
    ("{{ a ? b }}", 't.j2:1:6: there is an unexpected "?"; remove it'),
    ("{{ “a” }}", "t.j2:1:4: typographic quotes (“) mean nothing to a template; write \" or '"),
    ("{{ a|default('x) }}", "t.j2:1:14: a quote is opened and never closed; close it"),
    ("{{ (a }}", 't.j2:1:7: there is "}" where ")" has to come first; close it'),
    ("{# note", "t.j2:1:1: {# is never closed; write #} at its end"),
    ("{% if a = 'b' %}{% endif %}", "t.j2:1:1: a single = compares nothing; write =="),
    ("{% if a then %}{% endif %}", 't.j2:1:9: there is an unexpected "then" between {% and %}; remove it'),
    ("{% if a %}\n{% if b %}x{% endif %}", "t.j2:1:1: {% if %} is never closed; write {% endif %} where it ends"),
    ("a\nb {% endif %}", "t.j2:2:6: {% endif %} closes nothing; remove it, or open it before"),
    ("{% fi a %}", "t.j2:1:4: there is no tag {% fi %}; use if, elif, else, endif, for or set"),
    ("{% elseif a %}", "t.j2:1:4: there is no tag {% elseif %}; write {% elif … %}"),
    (
        "{% if a %}{% for x in b %}{% endif %}",
        "t.j2:1:30: {% endif %} does not belong inside of {% for %}; close that first, with {% endfor %}",
    ),
    ("{{ a|uper }}", 't.j2:1:6: there is no filter "uper"; did you mean "upper"?'),
    ("{% if a is lowr %}{% endif %}", 't.j2:1:12: there is no test "lowr"; did you mean "lower"?'),
    ("Hi {{ 'Dr' if a }}", 't.j2:1:12: this "if" says nothing for the other case; write else "" after it'),
    ("a\n{% include 'b' %}", "t.j2:2:4: include reads another file; write the whole text into this one"),
    ("{% extends 'b' %}", "t.j2:1:4: extends reads another file; write the whole text into this one"),
    ("{% import 'b' as c %}", "t.j2:1:4: import reads another file; write the whole text into this one"),
    ("{% from 'b' import c %}", "t.j2:1:4: from reads another file; write the whole text into this one"),
    ("Hi\n\x07", "t.j2:2:1: there is U+0007 (a control character), which cannot be sent; delete it"),
]


@pytest.mark.parametrize(("source", "message"), SLIPS, ids=[row[0] for row in SLIPS])
def test_slips_in_plain_words(source: str, message: str) -> None:
    assert [message] == problems(source)


@pytest.mark.parametrize("source", ["", " \n\t", "\ufeff"])
def test_an_empty_template_is_a_slip(source: str) -> None:
    assert ["t.j2:1:1: the template is empty; write the text to send"] == problems(source)


def test_all_that_can_be_told_at_once() -> None:
    assert [(1, 6), (2, 6)] == [
        (problem.where.line, problem.where.column)
        for problem in _caught("{{ a|uper }}\n{{ a|lowr }}").problems
        if problem.where
    ]


def _caught(source: str) -> InputError:
    with pytest.raises(InputError) as error:
        compile_template(source, "t.j2")
    return error.value


@pytest.mark.parametrize("name", ["random", "pprint", "tojson", "urlize"])
def test_filters_that_make_no_repeatable_readable_text_are_unknown(name: str) -> None:
    assert problems(f"{{{{ a|{name} }}}}")[0].startswith(f't.j2:1:6: there is no filter "{name}"')


def test_variables_with_the_place_of_their_first_use() -> None:
    template = compile_template(
        "Hi name\r\n{%- if b -%}\n name: {{ name }} {% endif %}{{ name }} {{ x.y }}{# z #}", "t"
    )
    assert [
        ("b", Position("t", 2, 8)),
        ("name", Position("t", 3, 11)),
        ("x", Position("t", 3, 44)),
    ] == template.variables()


def test_own_names_are_no_variables_and_jinjas_globals_are_gone() -> None:
    template = compile_template("{% set a = b %}{% for c in a %}{{ c }}{{ loop.index }}{% endfor %}{{ range(3) }}", "t")
    assert ["b", "range"] == [name for name, _ in template.variables()]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert "Hi" == compile_template("\ufeffHi", "t").render({})


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
    ("{{ name + 1 }}", 't:1: this line cannot be rendered: can only concatenate str (not "int") to str'),
    ("{{ name() }}", "t:1: this line cannot be rendered: 'str' object is not callable"),
    (
        "{{ name.__class__ }}",
        "t:1: this line cannot be rendered: access to attribute '__class__' of 'str' object is unsafe.",
    ),
    ("{{ none }}", "t:1: this line cannot be rendered: a value of the kind NoneType cannot be put into a text"),
    ("{{ name == 'x' }}", "t:1: this line cannot be rendered: a value of the kind bool cannot be put into a text"),
    ("{{ [name] }}", "t:1: this line cannot be rendered: a value of the kind list cannot be put into a text"),
    ("{{ 'x' * 10**9 }}", "t:1: this line cannot be rendered: ** would make a value that is too long for a text"),
    ("{{ 'x' * 99999 }}", "t:1: this line cannot be rendered: * would make a value that is too long for a text"),
    (
        "{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}",
        "t:1: this line cannot be rendered: maximum recursion depth exceeded",
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
        places += [where for _, where in compile_template(source, "t").variables()]
    except InputError as error:
        places += [problem.where for problem in error.problems]
    assert all(where and where.line >= 1 and where.column >= 1 for where in places)
