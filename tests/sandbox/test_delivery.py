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
    DeliverySimulator,
    DeliveryStatus,
    encoding_of,
    price_of,
    segments_of,
)

MESSAGES = [{"clientMessageId": f"welcome.main.{n}", "destination": f"+1202555{n:04}"} for n in range(10_000)]
DEAD_NUMBERS = {59, 15}


def test_everything_arrives_unless_asked_otherwise() -> None:
    assert {DELIVERED} == {DeliverySimulator().final_status(message) for message in MESSAGES[:100]}
    assert {()} == {DeliverySimulator().replies_to(message) for message in MESSAGES[:100]}


@pytest.mark.parametrize("seed", [0, 7])
def test_the_share_that_does_not_arrive(seed: int) -> None:
    delivery = DeliverySimulator(undelivered_share=0.2, seed=seed)
    ends = [delivery.final_status(message) for message in MESSAGES]
    lost = [status for status in ends if status is not DELIVERED]
    assert abs(len(lost) - 2_000) < 150
    assert set(UNDELIVERED) == set(lost)
    assert abs(sum(status.error_code in DEAD_NUMBERS for status in lost) / len(lost) - 0.3) < 0.05
    assert ends == [delivery.final_status(message) for message in MESSAGES]


def test_another_seed_has_other_victims() -> None:
    both = [DeliverySimulator(undelivered_share=0.2, seed=seed) for seed in (0, 1)]
    first, second = ([delivery.final_status(each) for each in MESSAGES[:200]] for delivery in both)
    assert first != second


def test_those_who_reply() -> None:
    replies = Counter(DeliverySimulator(stop_share=0.5).replies_to(message) for message in MESSAGES)
    assert abs(replies.pop(()) - 5_000) < 200
    assert set(REPLIES) == set(replies)


def test_a_person_is_of_the_same_mind_in_every_message() -> None:
    delivery = DeliverySimulator(stop_share=0.5)
    again = [
        message | {"clientMessageId": "another", "destination": message["destination"][1:]} for message in MESSAGES
    ]
    assert [delivery.replies_to(each) for each in MESSAGES[:200]] == [delivery.replies_to(each) for each in again[:200]]


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
