"""Templates that would take all memory or never end: each is refused quickly, in words."""

import pickle
import re

import pytest

from runner.base.errors import InputError
from runner.base.exclusions import Exclusion
from runner.base.messages import Text
from runner.message.compose import Composer
from runner.message.template import MAX_SOURCE, RenderError, compile_template
from tests.message.composing import composed_row

BOMBS = [
    "{{ name|center(3000000000) }}",
    "{{ name.center(3000000000) }}",
    "{{ name.ljust(3000000000) }}",
    "{{ name.zfill(3000000000) }}",
    "{{ ('\\n' * 9999)|indent(3000000) }}",
    "{{ ('\\t' * 9999).expandtabs(3000000) }}",
    "{{ (name * 999)|wordwrap(1, true, 'x' * 9999) }}",
    "{{ [1]|batch(3000000000, 'x')|list|length }}",
    "{{ [1]|slice(3000000000)|list|length }}",
    "{{ '%3000000000d' % 5 }}",
    "{{ '%*d' % (3000000000, 5) }}",
    "{{ '%3000000000d'|format(5) }}",
    "{{ '{:>3000000000}'.format(name) }}",
    "{{ '{:{}}'.format(name, 3000000000) }}",
    "{{ (name * 6000)|replace('A', name * 6000) }}",
    "{{ (name * 6000).replace('', name * 6000) }}",
    "{{ (name * 6000)|join(name * 6000) }}",
    "{{ (name * 6000).join(name * 6000) }}",
    "{{ (name * 6000)|list|map('replace', 'A', name * 6000)|join }}",
    "{{ 1.5|round(1000000000, 'ceil') }}",
    "{{ (5).to_bytes(3000000000) }}",
    "{{ name.translate({65: 'x' * 9999}) }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ name * 3000000000 }}",
    "{{ [name] * 3000000000 }}",
    "{% set a = name * 100 %}" + "{% set a = a ~ a %}" * 32 + "{{ a|length }}",
    "{% set a = name * 100 %}" + "{% set a = a + a %}" * 32 + "{{ a|length }}",
    "{% set a = name %}" + "{% set a = [a, a] %}" * 32 + "{{ a|string|length }}",
    "{% set a = name %}" + "{% set a = {1: a, 2: a} %}" * 32 + "{{ a|string|length }}",
    "{% set a = 99999999 %}" + "{% set a = a * a %}" * 32 + "{{ a }}",
    "{% set l = (name * 3000)|list %}" + "{% for a in l %}" * 4 + "{% endfor %}" * 4,
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% set l = (name * 3000)|list %}"
    "{% set x %}{% for a in l %}{{ name * 5000 }}{% endfor %}{% endset %}{{ x|length }}",
]


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_is_refused_with_its_line(source: str) -> None:
    template = compile_template(source, "t")
    with pytest.raises(RenderError, match=r"^t:1: this line cannot be rendered: .*(too long|too often|not allowed)"):
        template.render({"name": "Ann"})


TOO_COMPLEX = [
    "{{ " + "(" * 3000 + "name" + ")" * 3000 + " }}",
    "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{{ " + "name + " * 3000 + "name }}",
    "{{ " + "not " * 3000 + "name }}",
    "{% if name %}" * 3000 + "{% endif %}" * 3000,
    "{% for a in name %}" * 30 + "{% endfor %}" * 30,
    "{{ " + "9" * 5000 + " }}",
    "x" * (MAX_SOURCE + 1),
]


@pytest.mark.parametrize("source", TOO_COMPLEX, ids=range(len(TOO_COMPLEX)))
def test_a_template_that_is_too_complex_is_an_error_in_words(source: str) -> None:
    words = "t:1:1: (the template is nested too deeply|a number has too many digits|the template has more than)"
    with pytest.raises(InputError, match=words):
        compile_template(source, "t")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ name|center(9) }}", "   Ann   "),
        ("{{ '%05.1f' % 7.25 }}", "007.2"),
        ("{{ '{:,}'.format(5000000) }}", "5,000,000"),
        ("{{ '%s: %d'|format(name, 5000000) }}", "Ann: 5000000"),
        ("{{ 1234567 * 1000 + 1 }}", "1234567001"),
        ("{{ 'a,b'.split(',')|map('upper')|join(' + ') }}", "A + B"),
        ("{{ ' - '.join(['a', name]) }}", "a - Ann"),
        ("{{ ['a', name, 5]|join(', ') }}", "a, Ann, 5"),
        ("{{ name|replace('n', 'N')|lower }}", "ann"),
        ("{% for a in 'a,b'.split(',') %}{{ loop.index }}/{{ loop.length }}{{ a }} {% endfor %}", "1/2a 2/2b "),
        ("{% for k, v in {'a': name}.items() %}{{ k }}{{ v }}{% endfor %}", "aAnn"),
        ("{% set x %}{% for a in name %}{{ a }}-{% endfor %}{% endset %}{{ x|upper }}", "A-N-N-"),
        ("{{ 5.678|round(1) }} {{ 'x\\ny'|indent(2) }}", "5.7 x\n  y"),
        ("{{ (name * 5000)|truncate(5, true, '') }}", "AnnAn"),
    ],
)
def test_what_people_write_works_as_before(source: str, text: str) -> None:
    assert text == re.sub("^ +$", "", compile_template(source, "t").render({"name": "Ann"}))


def test_a_bomb_on_many_rows_stops_the_plan_and_on_few_excludes_them() -> None:
    composer = Composer(compile_template("{{ name.center(width|int) }}", "t"))
    composed = [composed_row(composer, {"name": "Ann", "width": width}) for width in ["5", *["3000000000"] * 20, "5"]]
    assert [Text, *[Exclusion] * 20, Text] == list(map(type, composed))
    with pytest.raises(InputError, match=r"^the template fails on many rows: t:1: .*; correct the") as stopped:
        composed_row(composer, {"name": "Ann", "width": "3000000000"})
    # A planning process hands the error to the command.
    assert stopped.value.problems == pickle.loads(pickle.dumps(stopped.value)).problems  # noqa: S301
