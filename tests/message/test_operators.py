"""What a template does with text, numbers, dates and truths: the value, or the words that say what to write."""

import datetime as dt
from decimal import Decimal

import pytest

from runner.base.cells import CellNumber, Kind, TypedText, value_of, written
from runner.base.errors import InputError
from runner.message.template import MistakeError, RenderError, compile_template

TYPED = {
    "flag": Kind.BOOLEAN, "off": Kind.BOOLEAN, "n": Kind.NUMBER, "zero": Kind.NUMBER, "price": Kind.NUMBER,
    "day": Kind.DATE, "at": Kind.DATE, "utc": Kind.DATE, "tags": Kind.LIST, "sums": Kind.LIST, "word": Kind.TEXT,
    "text": Kind.TEXT,
}  # fmt: skip
CELLS = {
    "flag": "true", "off": "false", "n": "12", "zero": "0", "price": "19.9", "day": "2026-12-01",
    "at": "2026-12-01 18:30:00", "utc": "2026-12-01 23:30:00+00:00", "tags": '["a","ü"]',
    "sums": "[1,0.30000000000000004]", "word": "no", "text": "7", "empty": "",
}  # fmt: skip

VALUES = [
    ("{% if flag %}a{% endif %}{% if off %}b{% endif %}", "a", "truths"),
    ("{{ 'a' if off else 'b' }}{{ 'a' if not off else 'b' }}", "ba", "truths, inline"),
    ("{% if flag == true and flag == 1 and off == 0 %}a{% endif %}", "a", "a truth is a number"),
    ("{% if flag is true and off is false and flag is boolean %}a{% endif %}", "a", "tests of truths"),
    ("{% if zero %}a{% endif %}{% if n %}b{% endif %}", "b", "numbers as truths"),
    ("{% if n == 12 and n > 2 and 2 < n <= 12 and n in [1, 12] and n is number %}a{% endif %}", "a", "numbers"),
    ("{% if price == 19.9 and price > 9 %}a{% endif %}", "a", "a decimal number and a float"),
    ("{{ n + 1 }} {{ n * 2 }} {{ price * 2 }} {{ price * 1.1 }} {{ price / 3 }}", "13 24 39.8 21.89 6.63333333333333",
     "arithmetic"),
    ("{{ n }}{{ n ~ flag }} {{ price|string }} {{ day }} {{ at }} {{ utc }} {{ flag|default('x') }}",
     "1212true 19.9 2026-12-01 2026-12-01 18:30:00 2026-12-01 23:30:00+00:00 true", "shown as in a text file"),
    ("{% if day > '2026-11-30' and day == '2026-12-01' and at > day %}a{% endif %}", "a", "dates"),
    ("{% if utc >= '2026-12-02' %}a{% endif %}", "a", "a time with an offset, in Singapore"),
    ("{{ day.year }} {{ day|date('d MMM') }} {{ utc|date('d MMM HH:mm') }}", "2026 1 Dec 2 Dec 07:30", "parts"),
    ("{{ tags|join(', ') }}{% for x in sums %} {{ x }}{% endfor %}{% if 'a' in tags %}!{% endif %}", "a, ü 1 0.3!",
     "lists"),
    ("{{ price|currency('SGD') }} {{ price|int }} {{ price|round }}", "SGD 19.90 19 20", "filters of numbers"),
    ("{% if word|bool %}a{% else %}b{% endif %}{% if flag|bool %}c{% endif %}", "bc", "the filter bool"),
    ("{% if word != '' %}a{% endif %}{% if word is defined %}b{% endif %}", "ab", "whether a cell is filled"),
    ("{% if empty|default(false) %}a{% else %}b{% endif %}", "b", "an empty cell"),
    ("{{ 'No. ' + text + '!' }} {{ '%s x %d' % (text, n) }} {{ '-' * 3 }} {{ text ~ text }}", "No. 7! 7 x 12 --- 77",
     "joined text"),
    ("{{ 0.1 + 0.2 }}{% if 0.1 + 0.2 == 0.3 %}a{% endif %} {{ 1e-7 }} {{ (19.99 * 100)|int }}", "0.3a 0.0000001 1999",
     "no noise of floats"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected", "why"), VALUES, ids=[row[-1] for row in VALUES])
def test_values(source: str, expected: str, why: str) -> None:
    template = compile_template(source, "t", zone="Asia/Singapore", kinds=TYPED)
    assert expected == template.render(CELLS, TYPED)


@pytest.mark.parametrize(("source", "expected", "why"), VALUES, ids=[row[-1] for row in VALUES])
def test_values_of_a_spreadsheet(source: str, expected: str, why: str) -> None:
    """Its columns have no kinds; each cell has one."""
    cells = {
        name: TypedText(text, TYPED[name]) if text and name not in ("word", "text") else text
        for name, text in CELLS.items()
    }
    assert expected == compile_template(source, "t", zone="Asia/Singapore").render(cells, {})


TRUTHS = [
    ("{% if vip %}VIP{% endif %}", "no", "vip | bool"),
    ("{% if vip %}VIP{% endif %}", "FALSE", "vip | bool"),
    ("{% if vip %}VIP{% endif %}", "0", "vip | int"),
    ("{% if vip %}VIP{% endif %}", "0.00", "vip | int"),
    ("{% if vip %}VIP{% endif %}", "f", "vip | bool"),
    ("{% if vip %}VIP{% endif %}", "Falsch", "vip | bool"),
    ("{% if vip %}VIP{% endif %}", "NULL", "vip | bool(false)"),
    ("{% if x %}{% elif vip %}VIP{% endif %}", "no", "vip | bool"),
    ("{% if x or vip %}VIP{% endif %}", "no", "vip | bool"),
    ("{% if not vip %}Member{% endif %}", "no", "vip | bool"),
    ("{{ 'VIP' if vip else 'Member' }}", "no", "vip | bool"),
    ("{{ vip and 'VIP' or 'Member' }}", "0", "vip | int"),
    ("{% if vip | lower %}VIP{% endif %}", "NO", "vip | bool"),
    ("{% if vip | default('no') %}VIP{% endif %}", "no", "vip | bool"),
    ("{% set a = vip %}{% if a %}VIP{% endif %}", "no", "a | bool"),
    ("{% macro m(a) %}{% if a %}VIP{% endif %}{% endmacro %}{{ m(vip) }}", "0", "a | int"),
    ("{% for c in 'ab' if vip %}VIP{% endfor %}", "no", "vip | bool"),
    ("{% if vip %}{{ vip }} points{% endif %}", "0", "vip | int"),
    ("{{ vip or 'no' }} points", "0", "vip | int"),
]


@pytest.mark.parametrize(("source", "cell", "remedy"), TRUTHS, ids=[f"{row[0]} {row[1]}" for row in TRUTHS])
def test_a_text_that_means_no_is_never_true(source: str, cell: str, remedy: str) -> None:
    with pytest.raises(MistakeError, match=r"^t:1: .* which a condition takes as true$") as error:
        compile_template(source, "t").render({"vip": cell, "x": ""})
    assert f"; write {remedy}" in str(error.value.in_row(2))
    assert "(row 2)" in str(error.value.in_row(2))


@pytest.mark.parametrize("name", ["No", "N", "Off", "Ann", "10", "-"])
def test_a_field_that_is_shown_may_be_a_name(name: str) -> None:
    source = "{% if name %}Hi {{ name | title }}{% else %}Hi{% endif %}"
    assert f"Hi {name}" == compile_template(source, "t").render({"name": name})


TEXT = dict.fromkeys(("n", "m", "day"), Kind.TEXT)
MEANINGLESS = [
    ("{% if n == 1 %}a{% endif %}", TEXT, "t:1:7: n is text in this file, and is compared with a number; write n | "),
    ("{% if 1 != n %}a{% endif %}", TEXT, "compared with a number; write n | int"),
    ("{% if n > 1 %}a{% endif %}", TEXT, "compared with a number; write n | int"),
    ("{% if n in [1, 2] %}a{% endif %}", TEXT, "compared with a number; write n | int"),
    ("{% if n | trim == 1 %}a{% endif %}", TEXT, "compared with a number; write n | int"),
    ("{% if n | default(0) == 1 %}a{% endif %}", TEXT, "compared with a number; write n | int"),
    ("{% if n == true %}a{% endif %}", TEXT, "compared with true or false; write n | bool"),
    ("{% if n is true %}a{% endif %}", TEXT, 'text in this file, so the test "true" means nothing; write n | bool'),
    ("{% if n is number %}a{% endif %}", TEXT, 'text in this file, so the test "number" means nothing; write n | int'),
    ("{% if n > '18' %}a{% endif %}", TEXT, "which is ordered by letters"),
    ("{% if n | int == '18' %}a{% endif %}", TEXT, "write the number without quotes"),
    ("{% if flag == 'true' %}a{% endif %}", TYPED, "flag is true or false in this file, and is compared with text; "
     "write {% if flag %}"),
    ("{% if n == '1' %}a{% endif %}", TYPED, "n is a number in this file, and is compared with text"),
    ("{{ tags }}", TYPED, 't:1:4: tags is a list; write tags | join(", ")'),
    ("{{ n == m }}", {}, "the text would have the word true or false here"),
    ("{{ not n }}", {}, "the text would have the word true or false here"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "kinds", "words"), MEANINGLESS, ids=[row[0] for row in MEANINGLESS])
def test_what_means_nothing_is_refused_without_rows(source: str, kinds: dict[str, Kind], words: str) -> None:
    with pytest.raises(InputError) as error:
        compile_template(source, "t", kinds=kinds)
    assert words in str(error.value)


MEANS_SOMETHING = [
    "{% if n | int == 1 %}{% endif %}", "{% if n == '1' %}{% endif %}", "{% if n > 'M' %}{% endif %}",
    "{% if day > '2026-12-01' %}{% endif %}", "{% if n | length > 3 %}{% endif %}",
    "{% if n | bool == false %}{% endif %}", "{% if n in ['1', '2'] %}{% endif %}", "{% if 'a' in n %}{% endif %}",
    "{% if n | d(0) | int > 1 %}{% endif %}",
]  # fmt: skip


@pytest.mark.parametrize("source", MEANS_SOMETHING)
def test_what_means_something_is_not_refused(source: str) -> None:
    compile_template(source, "t", kinds=TEXT)


FAILS = [
    ("{% set a = n %}{% if a == 1 %}{% endif %}", "is text, and is compared with a number; write | int"),
    ("{% if n is eq 1 %}{% endif %}", "is text, and is compared with a number"),
    ("{{ [n]|select('>', 3)|list|length }}", "is text, and is compared with a number"),
    ("{% if n > m %}{% endif %}", "which is ordered by letters"),
    ("{% if day < m %}{% endif %}", "write dates like 2026-12-31"),
    ("{% if 5 in n %}{% endif %}", "the number 5 can't be in a text"),
    ("{% if n is odd %}{% endif %}", '"9" is text, so the test "odd" means nothing; write | int'),
    ("{{ n * 2 }}", '"9" is text, and * needs numbers; write | int'),
    ("{{ (n ~ '%') * 2 }}", '"9%" is text, and * needs numbers; write | int'),
    ("{% if n|int is true %}a{% endif %}", '9 is a number, so the test "true" means nothing; write | bool'),
    ("{{ n + m }}", "to calculate, or ~ to join texts"),
    ("{{ n % 2 }}", '"9" is text, and % needs numbers; write | int'),
    ("{{ n - 1 }}", '"9" is text, and - needs numbers; write | int'),
    ("{{ n / 2 }}", '"9" is text, and / needs numbers; write | int'),
    ("{{ [n, m]|max }}", '"9" is text'),
    ("{{ [n, m]|sort|first }}", '"9" is text'),
    ("{{ many|int }}", '"1,234" is not a number such as 12'),
    ("{{ many|float }}", '"1,234" is not a number such as 12.50'),
    ("{% if many|bool %}{% endif %}", '"1,234" is not true or false; write yes or no'),
    ("{{ n|abs }}", "write | int for a number"),
]


@pytest.mark.parametrize(("source", "words"), FAILS, ids=[row[0] for row in FAILS])
def test_what_leaves_a_row_out(source: str, words: str) -> None:
    with pytest.raises(RenderError) as error:
        compile_template(source, "t").render({"n": "9", "m": "100", "day": "01/12/2026", "many": "1,234"})
    assert words in str(error.value)


TYPES_THAT_DIFFER = [
    ("{% if day == 5 %}{% endif %}", "the number 5 can't be compared with a date or a list"),
    ("{% if day > 'soon' %}{% endif %}", '"soon" is compared with a date; write it like 2026-12-31'),
    ("{% set a = flag %}{% if a == 'true' %}{% endif %}", "is compared with true or false; write | bool"),
    ("{{ n + 'a' }}", "+ can't add a number and a text; write ~ to join them"),
    ("{{ at.now() }}", "now() is not allowed"),
    ("{{ price.scaleb(9999) }}", "scaleb() is not allowed"),
    ("{{ [tags] }}", "a value of the type list can't be used in a text"),
]


@pytest.mark.parametrize(("source", "words"), TYPES_THAT_DIFFER, ids=[row[0] for row in TYPES_THAT_DIFFER])
def test_values_of_different_types(source: str, words: str) -> None:
    with pytest.raises(RenderError) as error:
        compile_template(source, "t").render(CELLS, TYPED)
    assert words in str(error.value)


def test_a_default_for_what_is_no_number() -> None:
    source = "{{ n|int(0) }} {{ n|float(1.5) }} {{ n|bool(true) }} {{ h|int(base=16) }}"
    assert "0 1.5 true 255" == compile_template(source, "t").render({"n": "n/a", "h": "ff"})


@pytest.mark.parametrize(
    "value",
    [True, False, 12, CellNumber("19.9"), -5, dt.date(2026, 12, 1), dt.datetime.fromisoformat("2026-12-01T18:30"),
     dt.datetime(2026, 12, 1, 18, 30, tzinfo=dt.UTC)],
)  # fmt: skip
def test_a_cell_keeps_its_value(value: object) -> None:
    kind = Kind.BOOLEAN if isinstance(value, bool) else Kind.DATE if isinstance(value, dt.date) else Kind.NUMBER
    assert (value, type(value)) == (found := value_of(written(value), kind), type(found))


def test_a_number_is_shown_as_its_cell_shows_it() -> None:
    """Also in a template that decides or calculates; what is calculated has no zeros at its end."""
    source = '{% if sum > 5 %}{{ sum }} {{ sum ~ "" }} {{ sum | replace(".", ",") }} {{ sum * 2 }}{% endif %}'
    template = compile_template(source, "t")
    assert "19.90 19.90 19,90 39.8" == template.render({"sum": "19.90"}, {"sum": Kind.NUMBER})


@pytest.mark.parametrize("text", ["≈6591234600", "inf", "nan", "1e999999999", "soon"])
def test_a_cell_that_is_no_number_stays_text(text: str) -> None:
    assert text == value_of(text, Kind.NUMBER) or Decimal(text) == value_of(text, Kind.NUMBER)
