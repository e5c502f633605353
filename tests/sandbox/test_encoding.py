import pytest

from runner.models import Encoding
from runner.sandbox.encoding import DEFAULT_ALPHABET, EXTENSION, encoding_of, segments_of


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("Hello", None, Encoding.GSM7),
        ("Hello", "AUTO", Encoding.GSM7),
        ("Preis: 5 € [netto]", "AUTO", Encoding.GSM7),
        ("Hi ’there’", "AUTO", Encoding.UCS2),  # a word processor's apostrophe, the usual reason
        ("ç", "AUTO", Encoding.UCS2),  # only the capital is in the alphabet
        ("Hello 👋", None, Encoding.UCS2),
        ("Hello\x1b", None, Encoding.UCS2),
        ("Hello", "UCS2", Encoding.UCS2),
        ("👋", "GSM7", Encoding.GSM7),
        (DEFAULT_ALPHABET + EXTENSION, "AUTO", Encoding.GSM7),
    ],
)
def test_encoding(text: str, asked: str | None, expected: Encoding) -> None:
    assert expected == encoding_of(text, asked)


def test_the_alphabet_has_128_places_less_escape() -> None:
    assert (len(set(DEFAULT_ALPHABET)), len(set(EXTENSION))) == (127, 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("x" * 152 + "€" + "x" * 152, 3),  # the pair moves into the second segment, and pushes one into a third
        ("x" * 2_000, 10),
        ("é" * 69 + "ç", 1),
        ("é" * 70 + "ç", 2),
        ("👋" * 35, 1),
        ("👋" * 36, 2),
        ("👋" * 66, 2),  # 33 of them fit into the 67 units of each
        ("👋" * 67, 3),
    ],
)
def test_segments(text: str, expected: int) -> None:
    assert expected == segments_of(text, encoding_of(text, None))
