"""Every request that the client makes fits the provider's own OpenAPI document, where that is at hand."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Status, Then
from runner.provider.answer import Answer, read_answer
from runner.provider.endpoint import Endpoint
from runner.provider.message_actions import cancel_ended, feedback_body, feedback_ended
from runner.provider.payload import PayloadBuilder, SendOptions

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
MESSAGE = "/api/v1/subaccounts/{subAccountId}/messages/{umid}"
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip("NOT CHECKED against the provider's OpenAPI document: it is not beside this checkout")
    loaded = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


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
def test_a_message(document: dict[str, Any], options: SendOptions) -> None:
    message = Message(1, "C-1", "+12025550142", "US", "Hi “Ana”", Encoding.UCS2, 1, "sale.main.abc")
    body = json.loads(PayloadBuilder(options).build(message, NOW))
    schema = document["components"]["schemas"]["SmsRequest"]

    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
    assert set(body) <= set(schema["properties"])


def test_a_log_export(document: dict[str, Any]) -> None:
    body = {"from": "2026-12-01T02:00:00Z", "to": "2026-12-01T03:00:00Z", "limit": 0}
    schema = document["components"]["schemas"]["LogExportRequest"]

    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
    assert set(body) <= set(schema["properties"])


@pytest.mark.parametrize("outcome", ConversionOutcome)
@pytest.mark.parametrize("at", [None, 1_796_090_400_123_456])
def test_feedback(document: dict[str, Any], outcome: ConversionOutcome, at: int | None) -> None:
    body = json.loads(feedback_body(Conversion(outcome, at)))
    schema = document["components"]["schemas"]["feedback"]
    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
    assert set(body) <= set(schema["properties"])


def test_the_paths_of_feedback_and_cancelling(document: dict[str, Any]) -> None:
    assert {"delete", "get"} <= set(document["paths"][MESSAGE])
    assert "post" in document["paths"][f"{MESSAGE}/feedback"]
    assert Endpoint("", "{subAccountId}").messages_url.replace("%7B", "{").replace("%7D", "}") + "/{umid}" == MESSAGE


def test_the_documents_own_answers_to_a_cancelling(document: dict[str, Any]) -> None:
    responses = document["paths"][MESSAGE]["delete"]["responses"]
    yes = responses["200"]["content"]["application/json"]["examples"]["example-1"]["value"]
    found = cancel_ended(answer(200, yes))
    assert (Status.ACCEPTED, Then.GO_ON) == (found.status, found.then)
    refused, stopped = (Status.REJECTED, Then.GO_ON), (Status.UNSENT, Then.STOP)
    for status, expected in (("400", refused), ("401", stopped), ("404", refused)):
        example = responses[status]["content"]["application/json"]["example"]
        found = cancel_ended(answer(int(status), example))
        assert expected == (found.status, found.then)


def test_feedbacks_yes_is_empty(document: dict[str, Any]) -> None:
    assert {} == document["paths"][f"{MESSAGE}/feedback"]["post"]["responses"]["200"]["content"]
    found = feedback_ended(read_answer(200, {}, b"", now=NOW))
    assert (Status.ACCEPTED, Then.GO_ON) == (found.status, found.then)


def answer(status: int, body: object) -> Answer:
    return read_answer(status, {}, orjson.dumps(body), now=NOW)
