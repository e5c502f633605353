"""The filters in a template: what is refused before a row is read, and every example of docs/reference/templates.md."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import Text
from runner.message.compose import Composer
from runner.message.environment import OWN_FILTERS
from runner.message.filters import FilterError, title, truncate_gsm
from runner.message.segments import EXTENSION, is_gsm7
from runner.message.template import compile_template
from runner.message.transliteration import in_gsm7
from runner.numbers.phone import format_phone
from tests.message.composing import composed_row

DOCUMENT = Path(__file__).parents[2] / "docs/reference/templates.md"

MISUSES = [
    ("{{ a|currency }}", "t:1:6: currency: missing a required argument: 'code'; "
     'write {{ amount | currency("SGD") }}'),
    ("Hi\n{{ a | currency('SDG1') }}",
     't:2:8: currency: "SDG1" is not a currency code; write three letters such as SGD'),
    ("{{ a|currency('SGD', locale='xx') }}",
     't:1:6: currency: "xx" is not a locale; write one such as en, en_GB or id_ID'),
    ("{{ a|date('dd/mm/yyyy') }}", 't:1:6: date: "dd/mm/yyyy": mm means minutes; write MM for the month'),
    ("{{ a|phone('local') }}", 't:1:6: phone: unknown style; write "international" or "national"'),
    ("{{ a|title|truncate_gsm('20') }}", "t:1:12: truncate_gsm: the length must be a whole number above 0; "
     "write for example truncate_gsm(20)"),
    ("{{ a|currency(b, 'xx_YY') }}", 't:1:6: currency: "xx_YY" is not a locale; write one such as en, en_GB or id_ID'),
    ("{{ a|currency(b, symbol='yes') }}", "t:1:6: currency: symbol must be true or false"),
    ("{{ a|title(1) }}", "t:1:6: title: too many positional arguments; write {{ first_name | title }}"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), MISUSES, ids=[row[0] for row in MISUSES])
def test_a_wrong_argument_is_reported_before_any_row(source: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        compile_template(source, "t")
    assert message == str(error.value)


@pytest.mark.parametrize("source", ['{{ a | date("d MMM h:mm b", "id") }}', "{{ a|currency(b, locale=c, symbol=d) }}"])
def test_what_only_a_row_can_tell_is_left_to_the_rows(source: str) -> None:
    compile_template(source, "t")


@pytest.mark.parametrize(
    "source", ["{{ a|currency(b) }}", "{{ a|date(b) }}", "{{ a|phone(country=b) }}", "{{ a|truncate_gsm(2, end=b) }}"]
)
def test_an_empty_field_in_any_place_leaves_the_row_out(source: str) -> None:
    found = composed_row(Composer(compile_template(source, "t", phone=format_phone)), {"a": "5", "b": ""})
    assert Exclusion(ExclusionReason.MISSING_FIELD, "b is empty, but the text needs it") == found


@pytest.mark.parametrize(("cell", "words"), [("hello", '"hello"'), ("1", "has no country code")])
def test_what_is_no_number_leaves_the_row_out(cell: str, words: str) -> None:
    found = composed_row(Composer(compile_template("{{ a|phone }}", "t", phone=format_phone)), {"a": cell})
    assert isinstance(found, Exclusion)
    assert ExclusionReason.TEMPLATE_ERROR is found.reason
    assert words in found.detail


def test_without_a_formatter_the_filter_says_so() -> None:
    found = composed_row(Composer(compile_template("{{ a|phone }}", "t")), {"a": "+12025550142"})
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
    template = compile_template(ALL, "t", phone=format_phone)
    cells = [{"a": a, "b": b, "c": c, "d": d}, {"a": a, "b": "5.5", "c": "2026-12-01", "d": "+12025550142"}]
    composer = Composer(template, smart_encoding=smart)
    for fields in cells:
        found = composed_row(composer, fields)
        assert isinstance(found, Text | Exclusion)
        if isinstance(found, Exclusion):
            assert found.detail
            assert len(found.detail) < 400


def test_what_is_not_there_is_reported_in_jinjas_words() -> None:
    found = composed_row(Composer(compile_template("{{ a.nope|title }}", "t")), {"a": "x"})
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
    assert set(OWN_FILTERS) == set(re.findall(r"^### `(\w+)", text, re.MULTILINE))


@pytest.mark.parametrize(("template", "fields", "expected"), examples(), ids=[row[2] for row in examples()])
def test_examples_of_the_document(template: str, fields: dict[str, str], expected: str) -> None:
    found = composed_row(Composer(compile_template(template, "t", phone=format_phone)), fields)
    if isinstance(found, Text):
        assert expected == found.text
    else:
        detail = found.detail.partition("this line cannot be rendered: ")[2]
        assert expected == f"{found.reason.value}: {detail}"


NAMES = [
    ("ANNA-MARIA O'NEIL", "Anna-Maria O'Neil", "hyphen and apostrophe"),
    ("o’brien", "O’Brien", "a typographic one"),
    ("mcdonald", "McDonald", "Mc is never anything else"),
    ("MCDONALD'S", "McDonald's", "both"),
    ("MAC", "Mac", "too short"),
    ("MACDONALD", "Macdonald", "Mac is not told from Macy or Machado"),
    ("john's", "John's", "Jinja's title writes John's too, but"),
    ("WE'LL", "We'll", "no name begins here"),
    ("I'VE", "I've", "not after one letter either"),
    ("ma'am", "Ma'am", "two letters"),
    ("de'andre", "De'Andre", "more letters"),
    ("D'OR", "D'Or", "after one letter"),
    ("ʻALIKA", "ʻAlika", "an ʻokina first"),
    ("OʻAHU", "Oʻahu", "and inside"),
    ("ʼtis ʼ", "ʼTis ʼ", "an apostrophe first, and alone"),
    ("J.R. SMITH", "J.R. Smith", "initials"),
    ("2ND STREET 10TH", "2nd Street 10th", "behind digits"),
    ("HENRY TAN III", "Henry Tan III", "a number of a name"),
    ("iii", "Iii", "no name before it"),
    ("ludwig van beethoven", "Ludwig Van Beethoven", "particles: in Nguyen Van An it is a name"),
    ("van der Berg", "van der Berg", "mixed: as it is"),
    ("DeShawn", "DeShawn", "mixed"),
    ("LaToya O'NEIL", "LaToya O'NEIL", "mixed, though not everywhere"),
    ("ÉLODIE ÅSA", "Élodie Åsa", "accents"),
    ("İSMAİL", "İsmail", "no combining dot"),
    ("ΑΝΔΡΕΑΣ", "Ανδρεας", "a final sigma"),
    ("李小龙", "李小龙", "no capitals there"),
    ("", "", "nothing"),
    ("  ", "  ", "spaces"),
    ("-'-", "-'-", "signs alone"),
]


@pytest.mark.parametrize(("name", "expected", "why"), NAMES, ids=[f"{row[0]}-{row[2]}" for row in NAMES])
def test_title(name: str, expected: str, why: str) -> None:
    assert expected == title(name)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("abAB'’ʼʻŉßİǆ- 1")))
def test_only_case_changes(name: str) -> None:
    assert name.casefold().replace("i\u0307", "i") == title(name).casefold().replace("i\u0307", "i")


@given(st.text(st.sampled_from("ABCDEÅÄÖÑÜÆØÉ'-. 12"), max_size=30))
def test_capitals_of_gsm7_stay_in_gsm7(name: str) -> None:
    assert is_gsm7(title(name))


@pytest.mark.parametrize("value", [None, True, ["x"]])
def test_what_is_no_text(value: object) -> None:
    with pytest.raises(FilterError, match="is not text"):
        title(value)


CUT = [
    ("Kettle", 6, "", "Kettle", "it fits"),
    ("Kettle", 5, "", "Kettl", "it doesn't"),
    ("Noise cancelling headphones", 20, "", "Noise cancelling", "at a space"),
    ("Noise cancelling headphones", 20, "...", "Noise cancelling...", "with an end"),
    ("Noise cancelling headphones", 16, "", "Noise cancelling", "just behind a word"),
    ("A Supercalifragilistic", 10, "", "A Supercal", "no space in the second half"),
    ("a€€€€", 4, "", "a€", "a pair is never cut"),
    ("{{{{", 5, "", "{{", "nor is one at the end"),
    ("it’s here", 4, "", "it’s", "outside of GSM-7, one unit"),
    ("wait…now", 6, "", "wait", "but its likeness takes three"),
    ("👍👍👍", 5, "", "👍👍", "two units"),
    ("👍🏽👍🏽", 7, "", "👍🏽", "with its skin"),
    ("👨‍👩‍👧 x", 7, "", "", "a family of eight units, whole or not at all"),
    ("🇸🇬🇲🇾", 7, "", "🇸🇬", "flags"),
    ("cafe\u0301s", 4, "", "caf", "an accent belongs to its letter"),
    ("a\nb c", 3, "", "a\nb", "a line break is a septet"),
    (1234.5, 4, "", "1234", "a number: trailing signs are the author's matter"),
    ("ab", 3, "...", "ab", "it fits, and the end isn't needed"),
    ("abcdef", 3, "...", "...", "only the end fits"),
]


@pytest.mark.parametrize(("value", "length", "end", "expected", "why"), CUT, ids=[row[-1] for row in CUT])
def test_cut(value: object, length: int, end: str, expected: str, why: str) -> None:
    assert expected.rstrip(".") == truncate_gsm(value, length, end).rstrip(".")
    assert truncate_gsm(value, length, end).startswith(expected)


def septets(text: str) -> int:
    return sum(2 if character in EXTENSION else 1 for character in text)


@given(st.text(st.sampled_from("ab c€{’…ﬁ👍\u0301ë\u200d｛") | st.characters(codec="utf-8")), st.integers(3, 40))
def test_never_more_than_asked_for(text: str, length: int) -> None:
    for end in ("", "...", "€"):
        found = truncate_gsm(text, length, end)
        units = septets(found) if is_gsm7(found) else len(found.encode("utf-16-le")) // 2
        assert units <= length
        # Smart encoding comes later, and the promise holds all the same.
        replaced = in_gsm7(found)
        assert replaced is None or septets(replaced) <= length
        assert text.startswith(found.removesuffix(end)) or found == text


@given(st.text(st.sampled_from("ab c€{é"), max_size=40))
def test_what_fits_stays(text: str) -> None:
    assert text == truncate_gsm(text, max(septets(text), 1), "")


def test_a_page_in_a_cell_is_not_read_to_its_end() -> None:
    begin = time.process_time()
    assert "xxxxx..." == truncate_gsm("x" * 10_000_000, 8, "...")
    assert time.process_time() - begin < 0.2


@pytest.mark.parametrize(
    ("length", "end", "words"),
    [
        (0, "", "whole number above 0"),
        ("20", "", "whole number"),
        (True, "", "whole number"),
        (1.5, "", "whole number"),
        (2, "...", "the end takes 3 septets, more than the length 2"),
        (1, "€", "the end takes 2 septets, more than the length 1"),
    ],
)
def test_nonsense(length: object, end: object, words: str) -> None:
    with pytest.raises(FilterError, match=words):
        truncate_gsm("abc", length, end)
