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
        't.j2:2:10: unexpected "name" between {{ and }}; '
        "write names without spaces (First_Name for First Name), and put text in quotes",
    ),
    ("Hi {{ name", "t.j2:1:4: {{ is not closed; write }} after the name"),
    ("Hi {{ name }", "t.j2:1:4: {{ is closed with a single }; write }}"),
    ("Hi {{{ name }}}", "t.j2:1:4: there is one brace too many; write {{ name }}"),
    (
        "Hi {name}",
        't.j2:1:4: "{name}" would be sent literally; write {{ name }}, or {{ "{name}" }} to send the characters',
    ),
    ("{{ }}", "t.j2:1:1: the braces are empty; write a column name between them"),
    ("{{ a | }}", "t.j2:1:1: a name is missing here; add it, or remove the code before it"),
    ("{{ a + }}", "t.j2:1:1: the expression is incomplete; complete it before the closing braces"),
    ("{{ a ? b }}", 't.j2:1:6: unexpected "?"; remove it'),
    ("{{ “a” }}", "t.j2:1:4: typographic quotes (“) are not allowed in code; write \" or '"),
    ("{{ a|default('x) }}", "t.j2:1:14: a quote is not closed; close it"),
    ("{{ (a }}", 't.j2:1:7: "}" comes before ")"; write ) first'),
    ("{# note", "t.j2:1:1: {# is not closed; write #} at the end of the comment"),
    ("{% if a = 'b' %}{% endif %}", "t.j2:1:1: a single = is not a comparison; write =="),
    ("{% if a then %}{% endif %}", 't.j2:1:9: unexpected "then" between {% and %}; remove it'),
    (
        "{% if a %}\n{% if b %}x{% endif %}",
        "t.j2:1:1: {% if %} is not closed; write {% endif %} at the end of its block",
    ),
    ("a\nb {% endif %}", "t.j2:2:6: {% endif %} has no start tag; remove it, or add the start tag before it"),
    ("{% fi a %}", "t.j2:1:4: unknown tag {% fi %}; use if, elif, else, endif, for or set"),
    ("{% elseif a %}", "t.j2:1:4: unknown tag {% elseif %}; write {% elif … %}"),
    (
        "{% if a %}{% for x in b %}{% endif %}",
        "t.j2:1:30: {% endif %} is not allowed inside {% for %}; write {% endfor %} first",
    ),
    ("{{ a|uper }}", 't.j2:1:6: unknown filter "uper"; did you mean "upper"?'),
    ("{% if a is lowr %}{% endif %}", 't.j2:1:12: unknown test "lowr"; did you mean "lower"?'),
    ("{{ a|default('b', boolean=true, boolean=false) }}", 't.j2:1:19: "boolean" is given twice; remove one of them'),
    ("{{ a|currency('SGD', locale='en', locale='id') }}", 't.j2:1:22: "locale" is given twice; remove one of them'),
    ("{% macro m(b, b) %}{% endmacro %}{{ a }}", 't.j2:1:12: "b" is given twice; remove one of them'),
    ("Hi {{ 'Dr' if a }}", 't.j2:1:12: this "if" has no else; add else ""'),
    (
        "a\n{% include 'b' %}",
        "t.j2:2:4: include is not allowed: it reads another file; write the whole text in this template",
    ),
    (
        "{% extends 'b' %}",
        "t.j2:1:4: extends is not allowed: it reads another file; write the whole text in this template",
    ),
    (
        "{% import 'b' as c %}",
        "t.j2:1:4: import is not allowed: it reads another file; write the whole text in this template",
    ),
    (
        "{% from 'b' import c %}",
        "t.j2:1:4: from is not allowed: it reads another file; write the whole text in this template",
    ),
    ("Hi\n\x07", "t.j2:2:1: the character U+0007 (control character) can't be sent; delete it"),
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
    assert problems(f"{{{{ a|{name} }}}}")[0].startswith(f't.j2:1:6: unknown filter "{name}"')
