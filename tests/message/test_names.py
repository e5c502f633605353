"""Names in capitals and small letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.message.given import FilterError
from runner.message.gsm import is_gsm7
from runner.message.names import title

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
    with pytest.raises(FilterError, match="is no text"):
        title(value)
