"""Every request that the client makes fits the project's OpenAPI document, and the answers there mean what they say."""

import json
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Status, Then
from runner.provider.answer import Answer, read_answer
from runner.provider.endpoint import Endpoint
from runner.provider.message_actions import feedback_body, feedback_ended
from runner.provider.payload import PayloadBuilder, SendOptions
from tests.sandbox import document

MESSAGE = "/api/v1/subaccounts/{subAccountId}/messages/{umid}"
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)


def answer(status: int, body: object) -> Answer:
    return read_answer(status, {}, orjson.dumps(body), now=NOW)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(SendOptions(), id="the smallest"),
        pytest.param(
            SendOptions(
                source="ACME",
                encoding=Encoding.UCS2,
                scheduled=timedelta(minutes=10),
                expiry=NOW + timedelta(hours=4),
                dlr_callback_url="https://example.com/receipts",
                client_ip="203.0.113.7",
                track="Outcome",
                send_country=True,
            ),
            id="every field",
        ),
        pytest.param(SendOptions(track="None"), id="not tracked"),
    ],
)
def test_a_message(options: SendOptions) -> None:
    message = Message(1, "C-1", "+12025550142", "US", "Hi “Ana”", Encoding.UCS2, 1, "sale.main.abc")
    document.validate_request(json.loads(PayloadBuilder(options).build(message, NOW)), "Message")


def test_a_log_export() -> None:
    body = {"from": "2026-12-01T02:00:00Z", "to": "2026-12-01T03:00:00Z", "limit": 0}
    document.validate_request(body, "ExportRequest")


@pytest.mark.parametrize("outcome", ConversionOutcome)
@pytest.mark.parametrize("at", [None, 1_796_090_400_123_456])
def test_feedback(outcome: ConversionOutcome, at: int | None) -> None:
    document.validate_request(json.loads(feedback_body(Conversion(outcome, at))), "Feedback")


def test_the_paths_of_feedback_and_cancelling() -> None:
    assert {"delete", "get"} <= set(document.CONTENTS["paths"][MESSAGE])
    assert "post" in document.CONTENTS["paths"][f"{MESSAGE}/feedback"]
    assert Endpoint("", "{subAccountId}").messages_url.replace("%7B", "{").replace("%7D", "}") + "/{umid}" == MESSAGE


def test_feedbacks_yes_is_empty() -> None:
    assert "content" not in document.CONTENTS["paths"][f"{MESSAGE}/feedback"]["post"]["responses"]["200"]
    found = feedback_ended(read_answer(200, {}, b"", now=NOW))
    assert (Status.ACCEPTED, Then.GO_ON) == (found.status, found.then)
