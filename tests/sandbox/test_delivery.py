from collections import Counter

import pytest

from runner.sandbox.delivery import (
    DEFAULT_ALPHABET,
    DELIVERED,
    EXTENSION,
    FAILED,
    REPLIES,
    SENT,
    UNDELIVERED,
    DeliveryStatus,
    encoding_of,
    final_status,
    price_of,
    replies_to,
    segments_of,
)
from runner.sandbox.options import SandboxOptions

MESSAGES = [{"clientMessageId": f"welcome.main.{n}", "destination": f"+1202555{n:04}"} for n in range(10_000)]
DEAD_NUMBERS = {59, 15}


def test_everything_arrives_unless_asked_otherwise() -> None:
    assert {DELIVERED} == {final_status(message, SandboxOptions()) for message in MESSAGES[:100]}
    assert {()} == {replies_to(message, SandboxOptions()) for message in MESSAGES[:100]}


def test_the_share_that_does_not_arrive() -> None:
    found = []
    for seed in (0, 7):
        options = SandboxOptions(undelivered_share=0.2, seed=seed)
        ends = [final_status(message, options) for message in MESSAGES]
        undelivered = [status for status in ends if status is not DELIVERED]
        assert abs(len(undelivered) - 2_000) < 150
        assert set(UNDELIVERED) == set(undelivered)
        assert abs(sum(status.error_code in DEAD_NUMBERS for status in undelivered) / len(undelivered) - 0.3) < 0.05
        assert ends == [final_status(message, options) for message in MESSAGES]
        found.append(ends)
    assert found[0] != found[1]


def test_recipients_who_reply() -> None:
    """As many as asked for, and each the same to every message."""
    options = SandboxOptions(stop_share=0.5)
    replies = Counter(replies_to(message, options) for message in MESSAGES)
    assert abs(replies.pop(()) - 5_000) < 200
    assert set(REPLIES) == set(replies)
    for message in MESSAGES[:200]:
        another = {"clientMessageId": "another", "destination": message["destination"][1:]}
        assert replies_to(message, options) == replies_to(another, options)


def test_a_status_has_only_what_is_known() -> None:
    assert {"state": "sent", "timestamp": "t"} == SENT.as_json("t")
    status = DeliveryStatus("undelivered", "rejected_by_operator", 15, "words").as_json("t")
    assert {"state", "detail", "timestamp", "errorCode", "errorMessage"} == status.keys()


def test_what_no_operator_took_costs_nothing() -> None:
    assert [0.03, 0.0] == [price_of(status, 3)["total"] for status in (DELIVERED, FAILED)]
    assert {15} == {status.error_code for status in UNDELIVERED if not price_of(status, 1)["total"]}


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("Hello", None, "GSM7"),
        ("Hello", "AUTO", "GSM7"),
        ("Preis: 5 € [netto]", "AUTO", "GSM7"),
        ("Hi ’there’", "AUTO", "UCS2"),  # a word processor's apostrophe, the usual reason
        ("ç", "AUTO", "UCS2"),  # only the capital is in the alphabet
        ("Hello 👋", None, "UCS2"),
        ("Hello\x1b", None, "UCS2"),
        ("Hello", "UCS2", "UCS2"),
        ("👋", "GSM7", "GSM7"),
        (DEFAULT_ALPHABET + EXTENSION, "AUTO", "GSM7"),
    ],
)
def test_encoding(text: str, asked: str | None, expected: str) -> None:
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
