"""Rows and a template → texts and exclusions."""

import dataclasses

import pytest

from runner.base.errors import InputError
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import Encoding, Remark, RemarkKind, Text
from runner.base.placeholders import WHY_ROUNDED
from runner.message.compose import Composer, column_of, field_names
from runner.message.template import compile_template
from tests.message.composing import composed_row

AUTO, GSM7, UCS2 = Encoding.AUTO, Encoding.GSM7, Encoding.UCS2


def composed(source: str, encoding: Encoding = AUTO, max_segments: int = 10, /, **fields: str) -> Text | Exclusion:
    return composed_row(Composer(compile_template(source, "t.j2"), encoding, max_segments), fields)


TEXTS = [
    ("Hi {{ name }}!", "Ann", Text("Hi Ann!", GSM7, 1), "plain"),
    ("Hi {{ name }}!", "Zoë", Text("Hi Zoë!", UCS2, 1), "one character decides"),
    ("Hi {{ name }}!", "José", Text("Hi José!", GSM7, 1), "some accents are in the alphabet"),
    ("\n  Hi {{ name }}\n\n", "Ann", Text("Hi Ann", GSM7, 1), "white space about the text goes"),
    ("Hi {{ name }}\r\nBye\rX", "Ann", Text("Hi Ann\nBye\nX", GSM7, 1), "newlines become one kind"),
    ("{{ name }}", "a\r\nb\rc", Text("a\nb\nc", GSM7, 1), "in a field too"),
    ("{{ name }}", "<b>&amp;", Text("<b>&amp;", GSM7, 1), "nothing is escaped: this is no web page"),
    ("{{ name }}", "{{ 7 * 7 }}", Text("{{ 7 * 7 }}", GSM7, 1), "a field is no template"),
    ("{{ name }}", "a\tb", Text("a\tb", UCS2, 1), "a tab can be sent, at UCS-2's price"),
]


@pytest.mark.parametrize(("source", "name", "expected", "why"), TEXTS, ids=[row[-1] for row in TEXTS])
def test_texts(source: str, name: str, expected: Text, why: str) -> None:
    found = composed(source, name=name)
    assert isinstance(found, Text)
    assert expected == dataclasses.replace(found, remarks=())


ERRORS = ["#N/A", "#REF!", "#DIV/0!", "#n/a", "#NV", "#¿NOMBRE?", "#ССЫЛКА!", "Err:502", "#########"]


@pytest.mark.parametrize("cell", ERRORS)
def test_an_error_value_in_any_field_of_the_template(cell: str) -> None:
    expected = Exclusion(ExclusionReason.UNREADABLE_ROW, f"a has the error value {cell}; correct or clear the cell")
    assert expected == composed("Hi {{ a }}", a=cell)
    assert expected == composed("{% if a %}Hi{% endif %}", a=cell)
    assert Text("Hi", GSM7, 1) == composed("Hi", a=cell)


def remarks(source: str, *, repair: bool = False, **fields: str) -> list[tuple[str, str]]:
    found = composed_row(Composer(compile_template(source, "t.j2"), repair=repair), fields)
    assert isinstance(found, Text)
    kinds = (RemarkKind.NO_VALUE, RemarkKind.GARBLED, RemarkKind.MENDED)
    return [(one.kind, f"{one.subject} from {one.source}") for one in found.remarks if one.kind in kinds]


def test_a_number_that_was_rounded_is_not_sent() -> None:
    composer = Composer(compile_template("Card {{ card }}, {{ how }}", "t"))
    found = composed_row(composer, {"card": "≈6591234567890123", "how": "≈ 5 km"})
    words = f'card: "≈6591234567890123" {WHY_ROUNDED}'
    assert Exclusion(ExclusionReason.UNREADABLE_ROW, words) == found
    assert isinstance(composed_row(composer, {"card": "≈1e+21", "how": ""}), Exclusion)
    assert isinstance(composed_row(composer, {"card": "65", "how": "≈100"}), Text)


@pytest.mark.parametrize("cell", ["NULL", "null", "NaN", "nan", "None", "N/A", "-", ".", "[object Object]", "—"])
def test_words_for_a_missing_value_that_the_text_shows(cell: str) -> None:
    expected = [("no_value", f'"{cell}" from the column a')]
    assert expected == remarks("Hi {{ a }}!", a=cell)
    assert expected == remarks("Hi {{ a | default('you') }}!", a=cell)
    assert expected == remarks("Hi {% if b %}{{ a | upper }}{% endif %}!", a=cell, b="x")
    assert [] == remarks("Hi {% if b %}{{ a }}{% endif %}!", a=cell, b="")
    assert [] == remarks(f"Hi {{% if a != '{cell}' %}}{{{{ a }}}}{{% endif %}}!", a=cell)
    assert [] == remarks("Hi {{ a }}!", a=f"x{cell}")


@pytest.mark.parametrize("name", ["Nan", "Nil", "Nu", "Ann-", "Na Na", "Mr. None"])
def test_real_names_are_no_placeholders(name: str) -> None:
    assert [] == remarks("Hi {{ a }}!", a=name)


def test_garbled_cells_that_the_text_shows() -> None:
    expected = [("garbled", '"SÃ©bastien" → "Sébastien" from the column a'),
                ("garbled", '"O&#039;Brien" → "O\'Brien" from the column b')]  # fmt: skip
    assert expected == remarks("Hi {{ a | upper }} {{ b }}", a="SÃ©bastien", b="O&#039;Brien")
    assert [] == remarks("Hi {{ a }} {% if b == 'x' %}{{ b }}{% endif %}", a="Zoë", b="O&#039;Brien")


def test_garbled_words_of_the_template() -> None:
    source = "CafÃ© {{ a }}\n{% if b %}Tom &amp; Jerry{% endif %}"
    first = ("garbled", '"CafÃ©" → "Café" from the template, line 1')
    assert [first] == remarks(source, a="Ann", b="")
    second = ("garbled", '"&amp;" → "&" from the template, line 2')
    assert [first, second] == remarks(source, a="Ann", b="x")
    assert [] == remarks("Café {{ a }} Q&A; https://x.example/?a=1&b=2 &c=3; C:\\users", a="Ann")


def test_repair_mends_the_text() -> None:
    composer = Composer(compile_template("Hi {{ a }} {{ b }}", "t.j2"), repair=True)
    found = composed_row(composer, {"a": "SÃ©bastien", "b": "&amp;"})
    assert isinstance(found, Text)
    assert ("Hi Sébastien &", GSM7) == (found.text, found.encoding)
    expected = [
        ("mended", '"SÃ©bastien" → "Sébastien" from the column a'),
        ("mended", '"&amp;" → "&" from the column b'),
    ]
    assert expected == remarks("Hi {{ a }} {{ b }}", repair=True, a="SÃ©bastien", b="&amp;")
    empty = composed_row(composer, {"a": "&nbsp;", "b": "x"})
    assert Exclusion(ExclusionReason.MISSING_FIELD, "a is empty, but the text needs it") == empty


def test_columns_are_called_by_alias_and_excluded_by_their_own_name() -> None:
    composer = Composer(compile_template("Hi {{ First_Name }}", "t"), AUTO, 1)
    assert Text("Hi Ann", GSM7, 1) == composed_row(composer, {"First Name": "Ann", "city": ""})
    expected = Exclusion(ExclusionReason.MISSING_FIELD, "First Name is empty, but the text needs it")
    assert expected == composed_row(composer, {"First Name": "", "city": "KL"})


def test_encoding_asked_for() -> None:
    assert Text("Hi", UCS2, 1) == composed("Hi", UCS2)
    assert Text("Hi", GSM7, 1) == composed("Hi", GSM7)


EXCLUDED = [
    ("{% if a %}x{% endif %}", AUTO, "", ExclusionReason.EMPTY_MESSAGE, "the text is empty", "no branch"),
    ("{{ ' \u00a0\n' }}", AUTO, "", ExclusionReason.EMPTY_MESSAGE, "the text is empty", "white space alone"),
    (
        "it{{ a }}s",
        GSM7,
        "’",
        ExclusionReason.NOT_GSM7,
        "not in GSM-7: ’ (U+2019) at position 3; message.smartEncoding: true replaces them",
        "a curly apostrophe",
    ),
    (
        "{{ a }}",
        GSM7,
        "’’“”–…👍",
        ExclusionReason.NOT_GSM7,
        "not in GSM-7: ’ (U+2019) at position 1, “ (U+201C) at position 3, ” (U+201D) at position 4, "
        "– (U+2013) at position 5, … (U+2026) at position 6 and 1 more",
        "each character once, and not too many",
    ),
    (
        "{{ a }}",
        GSM7,
        "x\u200by",
        ExclusionReason.NOT_GSM7,
        "not in GSM-7: U+200B (invisible character) at position 2; message.smartEncoding: true replaces them",
        "a zero-width space",
    ),
    (
        "{{ a }}",
        AUTO,
        "x\x0by",
        ExclusionReason.INVALID_TEXT,
        "U+000B (control character) at position 2 can't be sent; remove it from the file",
        "a vertical tab, Excel's newline in a cell",
    ),
    (
        "{{ a }}",
        AUTO,
        "x\x0cy",
        ExclusionReason.INVALID_TEXT,
        "U+000C (control character) at position 2 can't be sent; remove it from the file",
        "a form feed, though GSM-7 has it",
    ),
    (
        "{{ a }}",
        UCS2,
        "x\x92y",
        ExclusionReason.INVALID_TEXT,
        "U+0092 (control character) at position 2 can't be sent; remove it from the file",
        "Windows-1252 read as Latin-1",
    ),
    (
        '{{ "\\ud83d" }}{{ a }}',
        AUTO,
        "x",
        ExclusionReason.INVALID_TEXT,
        "U+D83D (invisible character) at position 1 can't be sent; remove it from the file",
        "half of a surrogate pair",
    ),
    (
        "Hi {{ a }}",
        AUTO,
        "Zo\ufffd",
        ExclusionReason.INVALID_TEXT,
        "\ufffd (U+FFFD) at position 6 can't be sent; remove it from the file",
        "a letter that was lost before",
    ),
    (
        "{{ 'x' * 161 }}",
        AUTO,
        "",
        ExclusionReason.TOO_MANY_SEGMENTS,
        "needs 2 segments (161 characters, GSM7); the maximum is 1",
        "over the campaign's limit",
    ),
]


@pytest.mark.parametrize(
    ("source", "encoding", "field", "reason", "detail", "why"), EXCLUDED, ids=[row[-1] for row in EXCLUDED]
)
def test_exclusions(
    source: str, encoding: Encoding, field: str, reason: ExclusionReason, detail: str, why: str
) -> None:
    assert Exclusion(reason, detail) == composed(source, encoding, 1, a=field)


def test_a_text_that_nobody_sees_is_empty() -> None:
    expected = Exclusion(ExclusionReason.EMPTY_MESSAGE, "the text has only invisible characters")
    assert expected == composed("{{ a }}", a="\u200b \ufeff")


def test_a_row_that_the_template_fails_on_is_left_out_and_the_next_one_is_not() -> None:
    composer = Composer(compile_template("Hi\nyou owe {{ 100 / n|int }}", "templates/x.j2"))
    expected = Exclusion(
        ExclusionReason.TEMPLATE_ERROR, "templates/x.j2:2: this line cannot be rendered: division by zero"
    )
    assert expected == composed_row(composer, {"n": "0"})
    assert Text("Hi\nyou owe 25.0", GSM7, 1) == composed_row(composer, {"n": "4"})


def test_words_for_a_failing_row_are_short_and_clean() -> None:
    found = composed("{{ a|currency('SGD') }}", a="\x1b[31m" + "x" * 5_000)
    assert isinstance(found, Exclusion)
    assert len(found.detail) < 200
    assert found.detail.isprintable()


def test_smart_encoding_would_have_made_it_short_enough() -> None:
    found = composed("It’s {{ a }}", AUTO, 1, a="x" * 100)
    assert found == Exclusion(
        ExclusionReason.TOO_MANY_SEGMENTS,
        "needs 2 segments (105 characters, UCS2); the maximum is 1; with message.smartEncoding: true it needs 1",
    )


REQUIRED = [
    ("Hi {{ a }}. Reply stop", "Ann", ["STOP"], None, "in any case"),
    ("Hi {{ a }}", "Stop", ["STOP"], None, "from a field"),
    ("Hi {{ a }}", "Ann", ["STOP"], "STOP", "not there"),
    ("STOP {{ a }}", "Ann", ["STOP", "acme.com/t"], "acme.com/t", "each of them"),
    ("Say “STOP” {{ a }}", "Ann", ["“stop”"], None, "with quotes that are replaced"),
]


@pytest.mark.parametrize(("source", "field", "required", "lacks", "why"), REQUIRED, ids=[row[-1] for row in REQUIRED])
def test_required_text(source: str, field: str, required: list[str], lacks: str | None, why: str) -> None:
    template = compile_template(source, "t")
    found = composed_row(Composer(template, smart_encoding=True, require_text=required), {"a": field})
    if lacks is None:
        assert isinstance(found, Text)
    else:
        words = f'the text does not contain "{lacks}" (message.requireText)'
        assert Exclusion(ExclusionReason.REQUIRED_TEXT, words) == found


def test_links_are_remarked_upon_in_a_text_that_is_sent() -> None:
    expected = Remark(RemarkKind.BROKEN_LINK, "https://x.example/…", "the column Promo Code")
    composer = Composer(compile_template("Go to https://x.example/{{ Promo_Code }} now", "t"))
    found = composed_row(composer, {"Promo Code": "AB 12", "not used": "AB 12"})
    assert Text("Go to https://x.example/AB 12 now", GSM7, 1, remarks=(expected,)) == found
    assert Text("Go to https://x.example/AB12 now", GSM7, 1) == composed_row(composer, {"Promo Code": "AB12"})


def test_never_more_than_ten_segments() -> None:
    expected = Exclusion(
        ExclusionReason.TOO_MANY_SEGMENTS, "needs 11 segments (1,531 characters, GSM7); the maximum is 10"
    )
    assert Text("x" * 1530, GSM7, 10) == composed("{{ 'x' * 1530 }}", AUTO, 99)
    assert expected == composed("{{ 'x' * 1531 }}", AUTO, 99)


def test_a_column_that_isnt_there() -> None:
    with pytest.raises(InputError, match=r't\.j2:2:4: there is no column "frist_name"'):
        composed("Hi\n{{ frist_name }}", first_name="Ann")


def test_rows_dont_influence_each_other() -> None:
    source = "{% if n == '1' %}{% set x = 'one' %}{% endif %}{{ x|default('none') }} {{ n }}"
    composer = Composer(compile_template(source, "t"), AUTO, 1)
    rows = [{"n": "1", "x": ""}, {"n": "2", "x": ""}, {"n": "1", "x": ""}]
    texts = [composed_row(composer, row) for row in rows]
    assert ["one 1", "none 2", "one 1"] == [text.text for text in texts if isinstance(text, Text)]


def test_a_page_in_a_cell_leaves_the_row_out() -> None:
    composer = Composer(compile_template("Hi {{ name }}", "t.j2"))

    found = composed_row(composer, {"name": "x" * 200_000})

    assert found == Exclusion(ExclusionReason.TOO_MANY_SEGMENTS, "the text is longer than 20,000 characters")


HEADERS = [
    (["first_name"], {"first_name": "first_name"}, "as it is"),
    (["First Name"], {"First_Name": "First Name"}, "a space"),
    (["E-mail (work)"], {"E_mail__work_": "E-mail (work)"}, "each character by itself"),
    (["2nd line"], {"_2nd_line": "2nd line"}, "a digit first"),
    (["città", "名前"], {"città": "città", "名前": "名前"}, "letters of all scripts"),
    (["a b", "a_b"], {"a_b": "a_b"}, "the alias is another column's name"),
    (["a b", "a-b"], {}, "two columns with one alias: neither has it"),
    (["class", "in", "self", "true"], {"class": "class"}, "words that mean something in Jinja can't be called"),
]


@pytest.mark.parametrize(("header", "names", "why"), HEADERS, ids=[row[-1] for row in HEADERS])
def test_names(header: list[str], names: dict[str, str], why: str) -> None:
    assert names == field_names(header)


USES = [
    ("first_name", "first_name", "as written"),
    ("First_Name", "First Name", "an alias as written"),
    ("FIRST_NAME", None, "two columns that differ only in letter case"),
    ("CITY", "city", "in another case"),
    ("pre\u0301nom", "Pr\u00e9nom", "in another form"),
    ("town", None, "no column"),
]


@pytest.mark.parametrize(("name", "column", "why"), USES, ids=[row[-1] for row in USES])
def test_the_column_of_a_field(name: str, column: str | None, why: str) -> None:
    assert column == column_of(name, field_names(["First Name", "first_name", "city", "Pr\u00e9nom"]))
