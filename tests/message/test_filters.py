"""The filters in a template: what is refused before a row is read, and every example of docs/templates.md."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.phone import phone_for_people
from runner.errors import InputError
from runner.message.compose import Composer
from runner.message.template import compile_template
from runner.models import Exclusion, ExclusionReason, Text

DOCUMENT = Path(__file__).parents[2] / "docs" / "templates.md"

MISUSES = [
    ("{{ a|currency }}", "t:1:6: currency: missing a required argument: 'code'; "
     'write it like {{ amount | currency("SGD") }}'),
    ("Hi\n{{ a | currency('SDG1') }}", 't:2:8: currency: "SDG1" is no currency; write its three letters, such as SGD'),
    ("{{ a|currency('SGD', locale='xx') }}",
     't:1:6: currency: "xx" is no locale; write one such as en, en_GB or id_ID'),
    ("{{ a|date('dd/mm/yyyy') }}", 't:1:6: date: "dd/mm/yyyy": mm are minutes; write MM for the month'),
    ("{{ a|phone('local') }}", 't:1:6: phone: the style is "international" or "national"'),
    ("{{ a|title|truncate_gsm('20') }}", "t:1:12: truncate_gsm: the length is a whole number of septets above 0, "
     "such as truncate_gsm(20)"),
    ("{{ a|title(1) }}", "t:1:6: title: too many positional arguments; write it like {{ first_name | title }}"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), MISUSES, ids=[row[0] for row in MISUSES])
def test_a_wrong_argument_is_told_before_any_row(source: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        compile_template(source, "t")
    assert message == str(error.value)


@pytest.mark.parametrize(
    "source", ["{{ a|currency(b) }}", "{{ a|date(b) }}", "{{ a|phone(country=b) }}", "{{ a|truncate_gsm(2, end=b) }}"]
)
def test_an_empty_field_in_any_place_leaves_the_row_out(source: str) -> None:
    found = Composer(compile_template(source, "t", phone=phone_for_people)).compose({"a": "5", "b": ""})
    assert Exclusion(ExclusionReason.MISSING_FIELD, "b is empty, and the text needs it") == found


@pytest.mark.parametrize(("cell", "words"), [("hello", '"hello"'), ("1", "has no country code")])
def test_what_is_no_number_leaves_the_row_out(cell: str, words: str) -> None:
    found = Composer(compile_template("{{ a|phone }}", "t", phone=phone_for_people)).compose({"a": cell})
    assert isinstance(found, Exclusion)
    assert ExclusionReason.TEMPLATE_ERROR is found.reason
    assert words in found.detail


def test_without_a_formatter_the_filter_says_so() -> None:
    found = Composer(compile_template("{{ a|phone }}", "t")).compose({"a": "+12025550142"})
    words = "t:1: this line cannot be rendered: the filter phone is not available here"
    assert Exclusion(ExclusionReason.TEMPLATE_ERROR, words) == found


def test_templates_with_different_formatters_dont_mix() -> None:
    one = compile_template("{{ a|phone }}", "t", phone=lambda *given: f"one {given}")
    two = compile_template("{{ a|phone('national', 'SG') }}", "t", phone=lambda *given: f"two {given}")
    assert "one ('1', 'international', None)" == one.render({"a": "1"})
    assert "two ('1', 'national', 'SG')" == two.render({"a": "1"})


ALL = """\
{{ a|title }} {{ a|truncate_gsm(9) }} {{ b|currency('SGD') }}
{{ c|date }} {{ d|phone }} http://x.example/{{ a }}
"""


@given(*(st.text(st.characters() | st.sampled_from("’\u0301 0-.{|"), max_size=20) for _ in range(4)), st.booleans())
def test_whatever_the_cells_hold_there_is_a_text_or_a_reason(a: str, b: str, c: str, d: str, smart: bool) -> None:
    template = compile_template(ALL, "t", phone=phone_for_people)
    cells = [{"a": a, "b": b, "c": c, "d": d}, {"a": a, "b": "5.5", "c": "2026-12-01", "d": "+12025550142"}]
    composer = Composer(template, smart_encoding=smart)
    for fields in cells:
        found = composer.compose(fields)
        assert isinstance(found, Text | Exclusion)
        if isinstance(found, Exclusion):
            assert found.detail
            assert len(found.detail) < 400


def test_what_is_not_there_is_told_in_jinjas_words() -> None:
    found = Composer(compile_template("{{ a.nope|title }}", "t")).compose({"a": "x"})
    words = "t:1: this line cannot be rendered: 'str object' has no attribute 'nope'"
    assert Exclusion(ExclusionReason.TEMPLATE_ERROR, words) == found


def examples() -> list[tuple[str, dict[str, str], str]]:
    blocks = re.findall(r"```jinja\n(.*?)\n```\n\n```text\n(.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    found = []
    for template, lines in blocks:
        for line in lines.split("\n"):
            given, expected = line.split(" → ")
            pairs = (pair.partition("=") for pair in re.split(r", (?=[\w ]+=)", given))
            found.append((template, {name: value for name, _, value in pairs}, expected))
    return found


def test_every_template_of_the_document_is_an_example() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.count("```jinja") == len({template for template, _, _ in examples()})
    assert {"title", "currency", "date", "phone", "truncate_gsm"} == set(re.findall(r"^### `(\w+)", text, re.MULTILINE))


@pytest.mark.parametrize(("template", "fields", "expected"), examples(), ids=[row[2] for row in examples()])
def test_examples_of_the_document(template: str, fields: dict[str, str], expected: str) -> None:
    found = Composer(compile_template(template, "t", phone=phone_for_people)).compose(fields)
    if isinstance(found, Text):
        assert expected == found.text
    else:
        detail = found.detail.partition("this line cannot be rendered: ")[2]
        assert expected == f"{found.reason.value}: {detail}"
