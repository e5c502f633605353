"""Segments against texts whose count is known, and against a counter that is too simple to be wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.messages import Encoding
from runner.message.segments import BASIC, EXTENSION, Measure, is_gsm7, measure, outside_gsm7, segments

GSM7, UCS2 = Encoding.GSM7, Encoding.UCS2

TEXTS = [
    ("a", GSM7, 1, "the least"),
    ("a" * 160, GSM7, 1, "a full one"),
    ("a" * 161, GSM7, 2, "one too many"),
    ("a" * 306, GSM7, 2, "two full ones"),
    ("a" * 307, GSM7, 3, "one too many for two"),
    ("a" * 1530, GSM7, 10, "the most that may be sent"),
    ("a" * 1531, GSM7, 11, "one too many for that"),
    ("€" * 80, GSM7, 1, "80 pairs are 160 septets"),
    ("€" * 81, GSM7, 2, "81 pairs: 76 and 5"),
    ("a" * 152 + "€" + "a" * 7, GSM7, 2, "161 septets, the pair on the boundary"),
    ("€" * 153, GSM7, 3, "306 septets, but 76 pairs to a segment: 76, 76, 1"),
    ("a" * 152 + "€" + "a" * 152, GSM7, 3, "306 septets, but the pair can't be cut: 152, 153, 1"),
    ("Ç" * 160, GSM7, 1, "the capital is in the alphabet"),
    ("a\n" * 80, GSM7, 1, "a newline is one septet"),
    ("é" * 70, UCS2, 1, "asked for, though GSM-7 would do"),
    ("ё" * 70, UCS2, 1, "a full one"),
    ("ё" * 71, UCS2, 2, "one too many"),
    ("ё" * 134, UCS2, 2, "two full ones"),
    ("ё" * 135, UCS2, 3, "one too many for two"),
    ("ё" * 670, UCS2, 10, "the most that may be sent"),
    ("👍" * 35, UCS2, 1, "35 surrogate pairs are 70 units"),
    ("👍" * 36, UCS2, 2, "36 pairs: 33 and 3"),
    ("👍" * 67, UCS2, 3, "134 units, but 33 pairs to a segment: 33, 33, 1"),
    ("ё" * 66 + "👍" + "ё" * 66, UCS2, 3, "134 units, but the pair can't be cut: 66, 67, 1"),
    ("👨‍👩‍👧", UCS2, 1, "a family is three pairs and two joiners"),
]


@pytest.mark.parametrize(("text", "encoding", "count", "why"), TEXTS, ids=[f"{row[2]}-{row[3]}" for row in TEXTS])
def test_counts(text: str, encoding: Encoding, count: int, why: str) -> None:
    assert count == segments(text, encoding)
    assert count == measure(text, encoding).segments


def reference(text: str, encoding: Encoding) -> int:
    """Puts character after character where it fits."""
    if encoding is GSM7:
        sizes, alone, joined = [2 if character in EXTENSION else 1 for character in text], 160, 153
    else:
        sizes, alone, joined = [len(character.encode("utf-16-le")) // 2 for character in text], 70, 67
    if sum(sizes) <= alone:
        return 1
    count, room = 1, joined
    for size in sizes:
        if size > room:
            count, room = count + 1, joined
        room -= size
    return count


@given(st.text(st.sampled_from(BASIC + EXTENSION), max_size=700))
def test_gsm7_as_the_reference_counts(text: str) -> None:
    assert reference(text, GSM7) == segments(text, GSM7) == measure(text).segments


@given(st.text(st.sampled_from("aё👍€") | st.characters(codec="utf-8"), max_size=400))
def test_ucs2_as_the_reference_counts(text: str) -> None:
    assert reference(text, UCS2) == segments(text, UCS2) == measure(text, UCS2).segments


def cut(text: str, encoding: Encoding) -> list[str]:
    """The segments' texts, as long as each can be: tries every length, by what the codec makes of it."""
    size = (
        (lambda part: len(part) + sum(part.count(character) for character in EXTENSION))
        if encoding is GSM7
        else (lambda part: len(part.encode("utf-16-le", "surrogatepass")) // 2)
    )
    alone, joined = (160, 153) if encoding is GSM7 else (70, 67)
    if size(text) <= alone:
        return [text]
    parts: list[str] = []
    while text:
        length = max(length for length in range(1, min(len(text), joined) + 1) if size(text[:length]) <= joined)
        parts.append(text[:length])
        text = text[length:]
    return parts


@given(st.text(st.sampled_from("ab€{~"), max_size=500) | st.text(st.sampled_from("aё👍e\u0301"), max_size=300))
def test_whole_characters_in_every_segment(text: str) -> None:
    found = measure(text)
    parts = cut(text, found.encoding)
    assert (text, len(parts)) == ("".join(parts), found.segments)
    assert measure(text, UCS2).segments == len(cut(text, UCS2))


@given(st.text(st.sampled_from("a€👍"), max_size=400), st.sampled_from("a€👍"))
def test_what_is_left_is_what_fits(text: str, more: str) -> None:
    """`left` characters of one unit fit; one more begins a segment."""
    now = measure(text)
    grown = measure(text + "a" * now.left)
    assert (now.segments, 0) == (grown.segments, grown.left)
    assert now.next_segments == measure(text + "a" * (now.left + 1)).segments


def test_the_alphabet_is_complete() -> None:
    assert (127, 10) == (len(set(BASIC)), len(set(EXTENSION)))
    assert is_gsm7(BASIC + EXTENSION)
    assert [] == outside_gsm7(BASIC + EXTENSION)


@pytest.mark.parametrize("character", list("’‘“”–…çÁâ`\t\u00a0\x1b👍"))
def test_one_character_outside_makes_it_ucs2(character: str) -> None:
    assert UCS2 == measure(f"Hi {character}").encoding
    assert [(3, character)] == outside_gsm7(f"Hi {character}")


def test_gsm7_is_refused_where_it_is_impossible() -> None:
    with pytest.raises(ValueError, match="outside GSM-7"):
        segments("’", GSM7)
    with pytest.raises(ValueError, match="outside GSM-7"):
        measure("’", GSM7)


def test_measure_for_the_preview() -> None:
    assert Measure(GSM7, 1, 5, 155, []) == measure("Hi €")
    assert Measure(UCS2, 1, 7, 63, [(2, "’"), (5, "👍")]) == measure("it’s 👍")
    assert Measure(GSM7, 2, 161, 145, []) == measure("a" * 161)
