from collections import Counter

import pytest

from runner.sandbox.fate import DELIVERED, FAILED, REPLIES, SENT, UNDELIVERED, Fate, Fates

MESSAGES = [{"clientMessageId": f"welcome.main.{n}", "destination": f"+1202555{n:04}"} for n in range(10_000)]
DEAD_NUMBERS = {59, 15}


def test_everything_arrives_unless_asked_otherwise() -> None:
    assert {DELIVERED} == {Fates().of(message) for message in MESSAGES[:100]}
    assert {()} == {Fates().replies_to(message) for message in MESSAGES[:100]}


@pytest.mark.parametrize("seed", [0, 7])
def test_the_share_that_does_not_arrive(seed: int) -> None:
    fates = [Fates(undelivered_share=0.2, seed=seed).of(message) for message in MESSAGES]
    lost = [fate for fate in fates if fate is not DELIVERED]
    assert abs(len(lost) - 2_000) < 150
    assert set(UNDELIVERED) == set(lost)
    assert abs(sum(fate.error_code in DEAD_NUMBERS for fate in lost) / len(lost) - 0.3) < 0.05
    assert fates == [Fates(undelivered_share=0.2, seed=seed).of(message) for message in MESSAGES]


def test_another_seed_has_other_victims() -> None:
    first, second = ([Fates(undelivered_share=0.2, seed=seed).of(each) for each in MESSAGES[:200]] for seed in (0, 1))
    assert first != second


def test_those_who_reply() -> None:
    replies = Counter(Fates(stop_share=0.5).replies_to(message) for message in MESSAGES)
    assert abs(replies.pop(()) - 5_000) < 200
    assert set(REPLIES) == set(replies)


def test_a_person_is_of_the_same_mind_in_every_message() -> None:
    fates = Fates(stop_share=0.5)
    again = [
        message | {"clientMessageId": "another", "destination": message["destination"][1:]} for message in MESSAGES
    ]
    assert [fates.replies_to(each) for each in MESSAGES[:200]] == [fates.replies_to(each) for each in again[:200]]


def test_a_status_has_only_what_is_known() -> None:
    assert {"state": "sent", "timestamp": "t"} == SENT.as_status("t")
    status = Fate("undelivered", "rejected_by_operator", 15, "words").as_status("t")
    assert {"state", "detail", "timestamp", "errorCode", "errorMessage"} == status.keys()


def test_what_no_operator_took_costs_nothing() -> None:
    assert (True, False) == (DELIVERED.is_billed, FAILED.is_billed)
    assert {15} == {fate.error_code for fate in UNDELIVERED if not fate.is_billed}
