"""What is left of a text when the person is taken out of it."""

import pytest

from runner.message.redact import redact

OWN = "Hi \n, welcome to Acme! Show this in \n for 10% off. Reply STOP to opt out."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Hi Zoë, welcome to Acme! Show this in Cairns for 10% off. Reply STOP to opt out.",
            "Hi •••, welcome to Acme! Show this in ••• for 10% off. Reply STOP to opt out.",
        ),
        # The person's name is in the template's own words.
        (
            "Hi Acme, welcome to Acme! Show this in Hi for 10% off. Reply STOP to opt out.",
            "Hi •••, welcome to Acme! Show this in ••• for 10% off. Reply STOP to opt out.",
        ),
        ("+6591234567", "•••"),
        ("", ""),
        ("welcome to Acme!", "welcome to Acme!"),
    ],
)
def test_only_the_template_s_own_words_are_left(text: str, expected: str) -> None:
    assert expected == redact(text, OWN)


def test_what_would_take_long_is_redacted_whole() -> None:
    assert "•••" == redact("ha" * 500, "ha" * 3_000)
