"""Feedback and cancelling fit the provider's own OpenAPI document, where that is at hand."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from runner.models import Conversion, ConversionOutcome
from runner.provider.afterwards import Ending, cancelled, ended, feedback_body
from runner.provider.endpoint import Endpoint
from runner.provider.reading import Reply

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
MESSAGE = "/api/v1/subaccounts/{subAccountId}/messages/{umid}"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip("NOT CHECKED against the provider's OpenAPI document: it is not beside this checkout")
    loaded = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("outcome", ConversionOutcome)
@pytest.mark.parametrize("at", [None, 1_796_090_400_123_456])
def test_the_body_is_a_feedback(document: dict[str, Any], outcome: ConversionOutcome, at: int | None) -> None:
    body = json.loads(feedback_body(Conversion(outcome, at)))
    schema = document["components"]["schemas"]["feedback"]
    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
    assert set(body) <= set(schema["properties"])


def test_the_paths_are_there(document: dict[str, Any]) -> None:
    assert {"delete", "get"} <= set(document["paths"][MESSAGE])
    assert "post" in document["paths"][f"{MESSAGE}/feedback"]
    assert Endpoint("", "{subAccountId}").messages_url.replace("%7B", "{").replace("%7D", "}") + "/{umid}" == MESSAGE


def test_the_documents_own_answers_to_a_cancelling(document: dict[str, Any]) -> None:
    responses = document["paths"][MESSAGE]["delete"]["responses"]
    yes = responses["200"]["content"]["application/json"]["examples"]["example-1"]["value"]
    assert Ending.DONE is cancelled(Reply(200, {}, orjson.dumps(yes)), "").ending
    for status, expected in (("400", Ending.REFUSED), ("401", Ending.STOP), ("404", Ending.REFUSED)):
        example = responses[status]["content"]["application/json"]["example"]
        assert expected is cancelled(Reply(int(status), {}, orjson.dumps(example)), "").ending


def test_feedbacks_yes_is_empty(document: dict[str, Any]) -> None:
    assert {} == document["paths"][f"{MESSAGE}/feedback"]["post"]["responses"]["200"]["content"]
    assert Ending.DONE is ended(Reply(200, {}, b""), "").ending
