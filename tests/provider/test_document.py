"""Every request that the client makes fits the provider's own OpenAPI document, where that is at hand."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.models import Encoding, Message, SendOptions
from runner.provider.payload import PayloadBuilder

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
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
