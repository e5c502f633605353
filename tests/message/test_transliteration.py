"""Smart encoding: what it replaces, what it leaves, and what it never does."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import Encoding, Remark, RemarkKind, Text
from runner.message.compose import Composer
from runner.message.segments import BASIC, EXTENSION, is_gsm7, segments
from runner.message.template import compile_template
from runner.message.transliteration import INVISIBLE, in_gsm7
from tests.message.composing import composed_row

AUTO, GSM7, UCS2 = Encoding.AUTO, Encoding.GSM7, Encoding.UCS2

REPLACED = [
    ("it’s ‘so’ ‚low‘", "it's 'so' 'low'", "Word's quotes, German ones"),
    ("“a” „b“ ‟c", '"a" "b" "c', "double ones"),
    ("« Bonjour » ‹x›", "<< Bonjour >> <x>", "guillemets keep their direction"),
    ("Shop now »", "Shop now >>", "which matters where they are arrows"),
    ("5′ 11″", "5' 11\"", "primes"),
    ("it`s o´clock", "it's o'clock", "accents typed as apostrophes"),
    ("Kaʻanapali Oʼahu", "Ka'anapali O'ahu", "letters that look like apostrophes"),
    ("a‐b‑c‒d–e—f―g −5", "a-b-c-d-e-f-g -5", "hyphens, dashes, the minus"),
    ("wait… now‥", "wait... now..", "ellipsis"),
    ("SGD\u00a05\u202f000\u2009x\u3000y\tz", "SGD 5 000 x y z", "spaces"),
    ("a\u2028b\u2029c", "a\nb\nc", "line and paragraph separators"),
    ("• 5% off", "* 5% off", "a bullet before a number is no minus"),
    ("ﬁne ﬂow oﬃce ﬆop ĳs", "fine flow office stop ijs", "ligatures"),
    ("ＳＡＬＥ ５０％！｛ｘ｝", "SALE 50%!{x}", "full-width forms"),
    ("￡5 ￥500", "£5 ¥500", "full-width signs of money"),
    ("Jose\u0301 A\u030angstro\u0308m", "José Ångström", "decomposed accents, as a Mac's file names have"),
    ("\u212bngstrom 5 \u2126 3 \u212a", "Ångstrom 5 Ω 3 K", "letters twice in Unicode"),
    (
        "\ufeffHi\u200b co\u00adop\u200e \u202a+1 202\u202c",
        "Hi coop +1 202",
        "invisible, copied from somewhere",
    ),
    ("1⁄2 and 3∕4", "1/2 and 3/4", "slashes of fractions"),
    ("see “https://x.example/a”…", 'see "https://x.example/a"...', "punctuation around a link is not the link"),
]


@pytest.mark.parametrize(("text", "expected", "why"), REPLACED, ids=[row[-1] for row in REPLACED])
def test_replaced(text: str, expected: str, why: str) -> None:
    assert expected == in_gsm7(text)


LEFT = [
    ("Hi Zoë", "an accent that GSM-7 lacks is never stripped"),
    ("Zoe\u0308", "nor when it is decomposed"),
    ("Hi Zoë, it’s", "one that stays, and nothing is saved by the others"),
    ("1½ kg", "1½ would read 11/2"),
    ("Acme™ ©", "signs"),
    ("cœur", "a letter, not a ligature of type"),
    ("col·legi", "Catalan spells with the dot"),
    ("it’s 👍", "emoji"),
    ("👨\u200d👩\u200d👧 it’s", "the joiner in an emoji has a meaning"),
    ("1\ufe0f\u20e3", "a keycap"),
    ("مرحبا\u200c", "the non-joiner of another script"),
    ("abc \u202edef", "what turns the text around can't just go"),
    ("see https://x.example/a–b it’s", "another dash is another page"),
    ("see acme.example/spring’s", "without a scheme, too"),
    ("ｗｗｗ．acme.example/ａ www.acme.example/ａ", "full-width letters in a link"),
]


@pytest.mark.parametrize(("text", "why"), LEFT, ids=[row[-1] for row in LEFT])
def test_left_as_it_is(text: str, why: str) -> None:
    assert in_gsm7(text) is None


TYPOGRAPHIC = st.sampled_from("’“”–…« \u00a0\u200b•ﬁＡ′`\u0301e{€ab.x/\n🙂ë")
TEXTS = st.text(TYPOGRAPHIC, max_size=200) | st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.text(st.sampled_from(BASIC + EXTENSION)))
def test_a_gsm7_text_is_never_changed(text: str) -> None:
    assert text == in_gsm7(text)


@given(TEXTS)
def test_the_result_is_gsm7_and_idempotent(text: str) -> None:
    found = in_gsm7(text)
    if found is not None:
        assert is_gsm7(found)
        assert found == in_gsm7(found)


@given(TEXTS)
def test_letters_and_digits_stay(text: str) -> None:
    """Whatever is a letter or digit comes out as Unicode's own compatible form of it, in the same order."""
    found = in_gsm7(text)
    if found is not None:
        folded = unicodedata.normalize("NFKC", text.replace("ʻ", "").replace("ʼ", "").replace("ʹ", "").replace("ʺ", ""))
        letters = [character for character in folded if character.isalnum()]
        assert letters == [character for character in unicodedata.normalize("NFKC", found) if character.isalnum()]


@given(TEXTS, st.sampled_from([AUTO, GSM7, UCS2]))
def test_smart_encoding_never_costs_more_and_never_excludes_more(field: str, encoding: Encoding) -> None:
    template = compile_template("{{ a|default('') }}", "t")
    plain = composed_row(Composer(template, encoding), {"a": field})
    smart = composed_row(Composer(template, encoding, smart_encoding=True), {"a": field})
    if isinstance(plain, Text):
        assert isinstance(smart, Text)
        assert smart.segments <= plain.segments
        # The texts with and without smart encoding agree.
        assert (smart.segments, smart.saved) == (plain.segments - plain.saved, plain.saved)
        if encoding is UCS2 or smart.encoding is UCS2:
            assert (plain.text, None) == (smart.text, smart.note)
        else:
            assert (GSM7, smart.segments) == (smart.encoding, segments(smart.text, GSM7))


@given(TEXTS)
def test_remarks_count_every_character_outside(field: str) -> None:
    for smart in (False, True):
        found = composed_row(Composer(compile_template("{{ a|default('') }}", "t"), smart_encoding=smart), {"a": field})
        if isinstance(found, Text):
            counts = dict.fromkeys(RemarkKind, 0)
            for remark in found.remarks:
                counts[remark.kind] += remark.times
            outside = sum(not is_gsm7(character) for character in field.strip().replace("\r", "\n"))
            assert counts[RemarkKind.REPLACED] in (0, outside)
            assert counts[RemarkKind.REPLACEABLE] in (0, outside)
            assert (found.encoding is UCS2) == (counts[RemarkKind.FORCES_UCS2] + counts[RemarkKind.REPLACEABLE] > 0)


def composed(source: str, encoding: Encoding = AUTO, *, smart: bool, **fields: str) -> Text | Exclusion:
    return composed_row(Composer(compile_template(source, "t"), encoding, smart_encoding=smart), fields)


def test_replaced_with_a_note_and_where_each_is_from() -> None:
    found = composed("It’s {{ name }}…\n" + "x" * 60 + "’", smart=True, name="O’Neil")
    note = "4 characters replaced: ’ by ' (3 times), … by ..."
    remarks = (
        Remark(RemarkKind.REPLACED, "’ (U+2019)", "the template, line 1"),
        Remark(RemarkKind.REPLACED, "’ (U+2019)", "the template, line 2"),
        Remark(RemarkKind.REPLACED, "’ (U+2019)", "the column name"),
        Remark(RemarkKind.REPLACED, "… (U+2026)", "the template, line 1"),
    )
    assert isinstance(found, Text)
    assert (GSM7, 1, 1, note) == (found.encoding, found.segments, found.saved, found.note)
    assert set(remarks) == set(found.remarks)
    assert found.text == "It's O'Neil...\n" + "x" * 60 + "'"


NOTES = [
    ("a\u00a0b", "1 character replaced: U+00A0 by a space"),
    ("a\u200bb", "1 character replaced: U+200B removed"),
    ("a\u2028b", "1 character replaced: U+2028 by a line break"),
    ("cafe\u0301", "1 character replaced: U+0301 combined with its letter"),
    (
        "‘’“”–—…",
        "7 characters replaced: ‘ by ', ’ by ', “ by \", ” by \", – by - and 2 more",
    ),
]


@pytest.mark.parametrize(("text", "note"), NOTES, ids=[row[-1] for row in NOTES])
def test_notes_in_words(text: str, note: str) -> None:
    found = composed("{{ a }}", smart=True, a=text)
    assert isinstance(found, Text)
    assert note == found.note


def test_off_it_tells_what_it_would_have_saved() -> None:
    found = composed("It’s {{ name }}", smart=False, name="x" * 100)
    remark = Remark(RemarkKind.REPLACEABLE, "’ (U+2019)", "the template, line 1")
    assert Text("It’s " + "x" * 100, UCS2, 2, 1, None, (remark,)) == found


def test_what_stays_is_named_and_what_would_not_help_is_not() -> None:
    found = composed("It’s {{ name }}", smart=True, name="Zoë")
    remark = Remark(RemarkKind.FORCES_UCS2, "ë (U+00EB)", "the column name")
    assert Text("It’s Zoë", UCS2, 1, remarks=(remark,)) == found


def test_a_text_in_another_script_has_one_remark() -> None:
    found = composed("Покажите это сообщение, {{ name }}!", smart=True, name="Ann")
    remark = Remark(RemarkKind.FORCES_UCS2, "more than 10 different characters", "the template, line 1", 20)
    assert isinstance(found, Text)
    assert (remark,) == found.remarks


def test_every_character_that_composes_into_gsm7_is_known() -> None:
    """The quick look for characters that stay must not find one that wouldn't."""
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x20000)):
        composed_form = unicodedata.normalize("NFC", chr(code))
        if composed_form != chr(code) and in_gsm7(composed_form) is not None:
            assert in_gsm7(chr(code)) is not None, hex(code)


def test_ucs2_asked_for_is_left_alone() -> None:
    assert Text("It’s", UCS2, 1) == composed("It’s", UCS2, smart=True)


def test_gsm7_asked_for_is_judged_after_replacing() -> None:
    found = composed("{{ a }}", GSM7, smart=True, a="…" * 70)
    assert isinstance(found, Text)
    assert (GSM7, 2, 0) == (found.encoding, found.segments, found.saved)
    words = "not in GSM-7: ’ (U+2019) at position 3, ë (U+00EB) at position 8"
    assert Exclusion(ExclusionReason.NOT_GSM7, words) == composed("It’s Zoë", GSM7, smart=True)


def test_likenesses_that_take_more_segments_are_not_put() -> None:
    found = composed("{{ a }}", smart=True, a="…" * 70)
    assert isinstance(found, Text)
    assert ("…" * 70, UCS2, 1, 0) == (found.text, found.encoding, found.segments, found.saved)


def test_what_is_invisible_at_an_end_leaves_no_space() -> None:
    found = composed("Hi {{ a }}", smart=True, a="Ann \u200b")
    assert isinstance(found, Text)
    assert found.text == "Hi Ann"


@pytest.mark.parametrize("character", INVISIBLE)
def test_invisible_means_that_nothing_is_shown(character: str) -> None:
    assert unicodedata.category(character) in ("Cf", "Mn")
