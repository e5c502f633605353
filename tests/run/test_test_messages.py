"""What a test sends otherwise than a run."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from runner.campaign import check_run_id
from runner.campaign.values import NAME_PATTERN
from runner.plan.message_ids import MessageIds
from runner.provider.payload import SendOptions
from runner.run.test_messages import make_test_id, make_test_options

NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
SCHEDULED = "message.scheduled is ignored: a test is sent immediately"
PAST = "message.expiry is ignored: it has passed"


def test_its_ids_are_no_run_s() -> None:
    """A run's id begins with NAME.RUN. and whatever stands there, it can't be what a test's begins with."""
    found = {make_test_id("hello") for _ in range(100)}
    assert 100 == len(found)
    for message_id in found:
        assert re.fullmatch("hello:test:[a-z2-7]{24}", message_id)
        assert not re.match(NAME_PATTERN, message_id)
        assert check_run_id(message_id.partition(".")[0]) is not None
    assert ":" not in MessageIds("hello", "test").of("k1")
    assert len(make_test_id("n" * 64)) <= 350


@pytest.mark.parametrize(
    ("given", "kept", "words"),
    [
        (SendOptions(), SendOptions(), []),
        (SendOptions(scheduled=NOW + timedelta(days=1)), SendOptions(), [SCHEDULED]),
        (SendOptions(scheduled=timedelta(hours=1)), SendOptions(), [SCHEDULED]),
        (SendOptions(expiry=NOW), SendOptions(), [PAST]),
        (SendOptions(expiry=NOW + timedelta(hours=1)), SendOptions(expiry=NOW + timedelta(hours=1)), []),
        (SendOptions(expiry=timedelta(hours=4)), SendOptions(expiry=timedelta(hours=4)), []),
        (
            SendOptions(source="ACME", track="Outcome", scheduled=NOW, expiry=NOW),
            SendOptions(source="ACME", track="Outcome"),
            [SCHEDULED, PAST],
        ),
    ],
)
def test_what_is_left_out(given: SendOptions, kept: SendOptions, words: list[str]) -> None:
    assert (kept, words) == make_test_options(given, NOW)
