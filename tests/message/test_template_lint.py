"""What is refused before any row is read, in whose words, and where."""

import pytest

from runner.base.errors import InputError
from runner.message.template import compile_template


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


def test_all_problems_at_once() -> None:
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
