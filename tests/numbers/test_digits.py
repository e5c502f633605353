"""Keys as people compare them; numbers are tested with `phone`."""

import pytest

from runner.numbers.digits import folded_key, why_no_key

SAME = [
    # (a spelling, another, why)
    ("Ann.Tan@Example.com", "ann.tan@EXAMPLE.COM", "letter case"),
    ("STRASSE", "straße", "letter case of one language"),
    ("İLKER", "ilker", "capitals of a Turkish computer"),
    ("Zo\u00eb", "Zoe\u0308", "an accent as a separate character"),
    ("Ｃ－１７", "C-17", "full width"),
    ("١٠٠١", "1001", "Arabic-Indic digits"),
    ("C\u201117", "C-17", "a hyphen that doesn't break"),
    ("\u00a0C-17\u00a0", "C-17", "blanks that don't break"),
    ("C-\u200b17\ufeff", "C-17", "invisible marks"),
    ("'1001", "1001", "Excel's mark for text"),
    ("’1001", "1001", "the same, typographic"),
    ('"1001"', "1001", "quotes that were quoted"),
    ('="1001"', "1001", "a formula that keeps a key as text"),
    ("1001.0", "1001", "pandas"),
    ("0042", "42", "zeros that a sheet shows or a program removes"),
    ("000", "0", "nothing but zeros"),
    ("'1001.00", "1001", "two decimals"),
]


@pytest.mark.parametrize(("spelling", "other", "why"), SAME, ids=[row[-1] for row in SAME])
def test_spellings_of_one_key(spelling: str, other: str, why: str) -> None:
    assert folded_key(spelling) == folded_key(other)


DIFFERENT = [("1001", "10010"), ("1001.5", "1001"), ("1001.01", "1001"), ("1.0.0", "1.0"), ("A.0", "A"), ("A7", "A07"),
             ("C 17", "C17"), ("C-17", "C17"), ("josé", "jose"), ("a'b", "ab"), ("", "0")]  # fmt: skip


@pytest.mark.parametrize(("key", "other"), DIFFERENT)
def test_different_keys(key: str, other: str) -> None:
    assert folded_key(key) != folded_key(other)


@pytest.mark.parametrize("key", ["1.23457E+11", "1,23457e+11", "1E+11"])
def test_a_key_that_a_spreadsheet_shortened_is_none(key: str) -> None:
    """Thousands of customers share it."""
    assert f'"{key}" was shortened by a spreadsheet' in str(why_no_key(key))


@pytest.mark.parametrize("key", ["1E11", "E+11", "C-1E+11", "ann+11@example.com", "12E+11"])
def test_a_key_that_only_looks_so(key: str) -> None:
    assert why_no_key(key) is None
