"""Which branches of a template a row takes."""

import pytest

from runner.message.branches import Branches
from runner.message.template import compile_template


def branches(source: str) -> Branches:
    return Branches(compile_template(source, "hello.j2"))


def taken(source: str, **fields: str) -> list[str]:
    found = branches(source)
    return [found.names[branch] for branch in sorted(found.taken(fields))]


IF = "{% if vip == 'yes' %}a{% elif city %}b{% else %}c{% endif %}"


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        (IF, {"vip": "yes", "city": "X"}, ["line 1: {% if vip == 'yes' %} is true"]),
        (IF, {"vip": "no", "city": "X"}, ["line 1: {% elif city %} is true"]),
        (IF, {"vip": "no", "city": ""}, ["line 1: none of its conditions is true"]),
        ("\n{%- if vip -%} a {%- endif -%}", {"vip": ""}, ["line 2: {% if vip %} is false"]),
        ("{# {% if no %} #}{% if vip %}a{% endif %}", {"vip": "1"}, ["line 1: {% if vip %} is true"]),
        ("{{ 'a' if vip else 'b' }}", {"vip": ""}, ["line 1: the condition of the inline if is false"]),
        ("{{ name or 'you' }}", {"name": ""}, ["line 1: name is empty, so the fallback is used"]),
        ("{{ name or 'you' }}", {"name": "Ann"}, ["line 1: name is filled"]),
        ("{{ name | default('you') | upper }}", {"name": ""}, ["line 1: name is empty, so the fallback is used"]),
        ("{{ name | d('you', true) }}", {"name": "Ann"}, ["line 1: name is filled"]),
        ("{% set who = name or 'you' %}{{ who }}", {"name": "Ann"}, ["line 1: name is filled"]),
        ("{% for x in a.split() %}{{ x }}{% else %}-{% endfor %}", {"a": "1 2"}, ["line 1: the loop has items"]),
        ("{% for x in a.split() %}{{ x }}{% else %}-{% endfor %}", {"a": " "}, ["line 1: the loop has no items"]),
        (
            "{% macro m(x) %}{% if x %}a{% endif %}{% endmacro %}{{ m(name) }}{{ m('') }}",
            {"name": "Ann"},
            ["line 1: {% if x %} is false", "line 1: {% if x %} is true"],
        ),
    ],
)
def test_the_branch_is_named(source: str, fields: dict[str, str], expected: list[str]) -> None:
    assert expected == taken(source, **fields)


def test_a_condition_inside_another_is_only_reached_with_it() -> None:
    source = "{% if vip %}{% if city %}a{% endif %}{% endif %}"
    assert ["line 1: {% if vip %} is false"] == taken(source, vip="", city="X")
    assert 4 == len(branches(source).names)


def test_or_inside_a_condition_is_no_fallback() -> None:
    assert ["line 1: {% if a or b %} is true"] == taken("{% if a or b %}x{% endif %}", a="", b="1")


def test_a_template_without_branches_has_none() -> None:
    assert {} == branches("Hi {{ name | title }}").names
    assert set() == branches("Hi {{ name }}").taken({"name": "Ann"})


def test_a_row_on_which_the_template_fails_takes_what_it_reached() -> None:
    source = "{{ name or 'you' }}{{ 1 / (amount | int) }}{{ city or 'here' }}"
    assert ["line 1: name is filled"] == taken(source, name="Ann", amount="0", city="X")


def test_many_fallbacks_take_no_longer() -> None:
    names = [f"f{number}" for number in range(60)]
    source = f"{{{{ {' or '.join(names)} or 'x' }}}}{{{{ {' | default('.join(names)}{')' * (len(names) - 1)} }}}}"
    fields = dict.fromkeys(names, "") | {"f59": "1"}
    assert 119 == len(taken(source, **fields))


def test_a_branch_that_a_filter_of_constants_decides() -> None:
    """Jinja computes constants when it compiles, and must not take that for a row."""
    assert ["line 1: {% if 'a' | upper == 'B' %} is false"] == taken("{% if 'a' | upper == 'B' %}x{% endif %}")
