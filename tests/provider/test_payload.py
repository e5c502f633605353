"""The request body: exactly what the campaign says, and nothing else."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from runner.base.messages import Encoding, Message
from runner.provider.payload import PayloadBuilder, SendOptions

NOW = datetime(2026, 12, 1, 2, 0, 0, 123456, tzinfo=UTC)
MESSAGE = Message(1, "C-1", "+6591234567", "SG", "Hi “Ana”", Encoding.GSM7, 1, "sale.main.abc")
BASE = {"destination": "+6591234567", "text": "Hi “Ana”", "clientMessageId": "sale.main.abc", "encoding": "AUTO"}
SINGAPORE = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("options", "added"),
    [
        pytest.param(SendOptions(), {}, id="the smallest"),
        pytest.param(SendOptions(source="ACME"), {"source": "ACME"}, id="source"),
        pytest.param(SendOptions(encoding=Encoding.UCS2), {"encoding": "UCS2"}, id="encoding"),
        pytest.param(SendOptions(track="Outcome"), {"track": "Outcome"}, id="tracked"),
        pytest.param(SendOptions(track="None"), {"track": "None"}, id="not tracked"),
        pytest.param(SendOptions(client_ip="203.0.113.7"), {"clientIp": "203.0.113.7"}, id="client IP"),
        pytest.param(
            SendOptions(dlr_callback_url="https://example.com/dlr"),
            {"dlrCallbackUrl": "https://example.com/dlr"},
            id="callback",
        ),
        pytest.param(SendOptions(send_country=True), {"country": "SG"}, id="country"),
        pytest.param(
            SendOptions(
                scheduled=datetime(2026, 12, 1, 10, tzinfo=SINGAPORE),
                expiry=datetime(2026, 12, 1, 20, tzinfo=SINGAPORE),
            ),
            {"scheduled": "2026-12-01T10:00:00+08:00", "expiry": "2026-12-01T20:00:00+08:00"},
            id="absolute moments",
        ),
        pytest.param(
            SendOptions(scheduled=timedelta(minutes=10), expiry=timedelta(hours=4)),
            {"scheduled": "2026-12-01T02:10:00+00:00", "expiry": "2026-12-01T06:00:00+00:00"},
            id="moments relative to the send",
        ),
    ],
)
def test_body(options: SendOptions, added: dict[str, Any]) -> None:
    assert BASE | added == json.loads(PayloadBuilder(options).build(MESSAGE, NOW))


def test_a_number_without_a_country_has_no_country_field() -> None:
    message = Message(1, "C-1", "+88213000000", None, "Hi", Encoding.GSM7, 1, "sale.main.abc")

    assert "country" not in json.loads(PayloadBuilder(SendOptions(send_country=True)).build(message, NOW))


OPENING = datetime(2026, 12, 1, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "added"),
    [
        pytest.param(SendOptions(), {"scheduled": "2026-12-01T20:00:00+00:00"}, id="nothing of its own"),
        pytest.param(
            SendOptions(scheduled=timedelta(minutes=10)),
            {"scheduled": "2026-12-01T20:00:00+00:00"},
            id="it takes the place of the campaign's own",
        ),
        pytest.param(
            SendOptions(expiry=timedelta(hours=4)),
            {"scheduled": "2026-12-01T20:00:00+00:00", "expiry": "2026-12-02T00:00:00+00:00"},
            id="a relative expiry counts from it",
        ),
        pytest.param(
            SendOptions(expiry=datetime(2026, 12, 2, 20, tzinfo=SINGAPORE)),
            {"scheduled": "2026-12-01T20:00:00+00:00", "expiry": "2026-12-02T20:00:00+08:00"},
            id="an absolute expiry stays",
        ),
    ],
)
def test_a_message_kept_until_its_sending_hours(options: SendOptions, added: dict[str, Any]) -> None:
    builder = PayloadBuilder(options)

    assert BASE | added == json.loads(builder.build(MESSAGE, NOW, OPENING))
    assert OPENING.isoformat() not in builder.build(MESSAGE, NOW).decode()  # the next message is not meant


def test_a_moment_in_a_local_zone_keeps_its_offset() -> None:
    opening = datetime(2026, 12, 2, 9, 0, 0, 5, tzinfo=SINGAPORE)

    body = json.loads(PayloadBuilder(SendOptions(expiry=timedelta(hours=1))).build(MESSAGE, NOW, opening))
    assert ("2026-12-02T09:00:00+08:00", "2026-12-02T02:00:00+00:00") == (body["scheduled"], body["expiry"])
