import pytest

from runner.models import Encoding
from runner.sandbox.encoding import DEFAULT_ALPHABET, EXTENSION, encoding_of


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
