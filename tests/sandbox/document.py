"""The provider's own OpenAPI document, which lies outside of the project."""

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

PATH = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
MESSAGES = "/api/v1/subaccounts/{subAccountId}/messages"
PRICES = "/api/v1/accounts/{accountId}/prices"
BALANCE = PRICES.replace("prices", "balance")
EXPORT = f"{MESSAGES}/exports/{{jobId}}"
# The operations of the document, by a pattern of their paths. The first that fits counts.
PATHS = {
    r"/accounts/[^/]+/prices$": PRICES,
    r"/accounts/[^/]+/balance$": BALANCE,
    r"/messages/exports$": f"{MESSAGES}/exports",
    r"/messages/exports/[^/]+$": EXPORT,
    r"/messages/[^/]+/feedback$": f"{MESSAGES}/{{umid}}/feedback",
    r"/messages/[^/]+$": f"{MESSAGES}/{{umid}}",
    r"": MESSAGES,
}

needs_document = pytest.mark.skipif(
    not PATH.exists(),
    reason=f"THE ANSWERS ARE NOT HELD AGAINST THE PROVIDER'S DOCUMENT: there is no {PATH}",
)


@cache
def contents() -> dict[str, Any]:
    document = orjson.loads(PATH.read_bytes())
    assert isinstance(document, dict)
    return document


def validate(value: object, *pointer: str) -> None:
    """Hold a value against a schema of the document; `pointer` leads to that, step by step."""
    steps = (quote(step.replace("~", "~0").replace("/", "~1"), safe="~*") for step in pointer)
    Draft4Validator({"$ref": f"urn:sms#/{'/'.join(steps)}"}, registry=_registry()).validate(value)


def check_answer(method: str, path: str, status: int, raw: bytes) -> None:
    """An answer must be one that the document has for the operation.

    A status that it doesn't list there must at least be an error as it has them elsewhere: they share one schema.
    """
    path, method = path.partition("?")[0], method.lower()
    path = next(known for pattern, known in PATHS.items() if re.search(pattern, path))
    responses = contents()["paths"][path].get(method, {"responses": {}})["responses"]
    key = str(status)
    if key not in responses:
        assert status >= 400
        path, method, key = PRICES, "get", "429"
    elif "$ref" in responses[key]:  # all of them lead to the prices
        path, method = PRICES, "get"
    content = contents()["paths"][path][method]["responses"][key]["content"]
    if not content:
        assert raw == b""
        return
    if (path, key) == (PRICES, "200"):  # the schema contradicts its examples, see test_document.py
        return
    body = orjson.loads(raw)
    if status >= 400:
        UUID(body["errorId"])
        assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    if "schema" in content["application/json"]:
        validate(body, "paths", path, method, "responses", key, "content", "application/json", "schema")
    else:
        assert content["application/json"]["example"].keys() == body.keys()


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry().with_resource("urn:sms", DRAFT4.create_resource(contents()))
    return registry
