"""Words that others may read: no cell is quoted in them. Masking itself is also held in tests/cli/test_markdown.py."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.exclusions import Exclusion
from runner.base.text import quoted
from runner.numbers.phone import normalise
from runner.report.masking import masked, masked_cell, masked_detail, without_numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+12025550142", "+1202•••••42"),
        ("+6591234567", "+6591••••67"),
        ("+61491570156", "+6149•••••56"),
        ("user12025550142x", "user1202•••••42x"),
        ("1202_555_0142", "1202_•••_••42"),
        ("tel:+1-202-555-0142", "tel:+1-202-•••-••42"),
        ("5550142", "55•••42"),
        ("C-123456", "C-123456"),
        ("", ""),
    ],
)
def test_numbers(text: str, expected: str) -> None:
    assert expected == masked(text)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("+12025550142", "+1202•••••42"),
        ("9123,4567", "912•,••67"),
        ("(202): 555; 0142", "(202): 5••; ••42"),
        ("row 5550142", "row 55•••42"),
        ("2026-12-01 09:30:15", "2026-12-01 09:30:15"),
        ("C-123456", "C-123456"),
        ("Bedok", "Bedok"),
    ],
)
def test_cells(cell: str, expected: str) -> None:
    assert expected == masked_cell(cell)


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_number_reads_the_same_wherever_it_stands(number: str) -> None:
    hidden = masked(number)
    assert hidden == masked(hidden)
    assert len(hidden) == len(number)
    assert 3 <= hidden.count("•")
    assert hidden[1:] in masked(f"in {number} too")
    assert number[1:] not in masked(f"id{number[1:]}")


@pytest.mark.parametrize(
    ("reason", "detail", "expected"),
    [
        ("duplicate", 'same key "ann@acme.example" as row 7', 'same key "•••" as row 7'),
        ("duplicate", "same number as row 7", "same number as row 7"),
        ("suppressed", 'id: "o"neil" is on the suppression list out.csv',
         'id: "•••" is on the suppression list out.csv'),
        ("suppressed", "mobile: +6591234567 is on the suppression list out.csv, line 3",
         "mobile: +6591••••67 is on the suppression list out.csv, line 3"),
        ("invalid_number", 'mobile: "12" is too short for a phone number in SG',
         'mobile: "12" is too short for a phone number in SG'),
        ("invalid_number", 'mobile: "(202) 555-0142 1" is too long', 'mobile: "(202) 5••-•••2 1" is too long'),
        ("invalid_number", 'mobile: "9123,4567" looks like two numbers', 'mobile: "912•,••67" looks like two numbers'),
        ("invalid_number", 'mobile: "9123"4567:" holds :', 'mobile: "912•"••67:" holds :'),
        ("invalid_number", 'mobile: "Ann 91234" has letters', 'mobile: "•••" has letters'),
        ("unreadable_row", 'the error value #N/A in the column "Zoë" (row 8 of the sheet); correct the cell',
         'the error value #N/A in the column "•••" (row 8 of the sheet); correct the cell'),
        ("missing_field", "first_name is empty, but the text needs it", "first_name is empty, but the text needs it"),
        ("invalid_text", "U+0007 (control character) at position 12 can't be sent; remove it from the file",
         "U+0007 (control character) at position 12 can't be sent; remove it from the file"),
        ("template_error", "a.j2:3: this line cannot be rendered: invalid literal for int() with base 10: 'Ann'",
         "a.j2:3: this line cannot be rendered: •••"),
        ("template_error", "Ann", "•••"),
        ("bad_request", 'the text "Dear Ann is too long', 'the text "•••"'),
        ("bad_request", "can't send 'Dear Ann' to ‘Bob’, isn't it", "can't send '•••' to ‘•••’, isn't it"),
        ("bad_request", "it can't, and won't, be sent", "it can't, and won't, be sent"),
        ("bad_request", "«Ann» “Bob” `Cyd`", "«•••» “•••” `•••`"),
        (None, "no answer to +12025550142 within 45 s", "no answer to +1202•••••42 within 45 s"),
    ],
)  # fmt: skip
def test_details(reason: str | None, detail: str, expected: str) -> None:
    assert expected == masked_detail(detail, reason)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_no_word_of_a_quoted_cell_is_left(cell: str) -> None:
    found = normalise(cell, "SG")
    if isinstance(found, Exclusion):
        hidden = masked_detail(f"mobile: {found.detail}", found.reason)
        # What is said of it is ours; what stands in the quotes has no letter of the cell's, and no seven digits.
        said = re.search('"(.*)"', hidden)
        assert said is None or not any(map(str.isalpha, said[1]))
    assert f'key "{cell[:0]}•••" is listed' == masked_detail(f"key {quoted(cell)} is listed", "suppressed")


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("no access for +1 (202) 555-0142, try later", "no access for +•••, try later"),
        ("+12025550142 and 2025550143", "+••• and •••"),
        ("2 of 93; for example row 12025: timeout", "2 of 93; for example row 12025: timeout"),
        ("name: \"Ann\" isn't 'Bob'", "name: ••• isn't •••"),
        ("after 2026-12-01 10:00 UTC", "after 2026-12-01 10:00 UTC"),
    ],
)
def test_nothing_of_a_number_is_left(detail: str, expected: str) -> None:
    assert expected == without_numbers(detail)
