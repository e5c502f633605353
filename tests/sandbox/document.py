"""The provider's own OpenAPI document, which lies outside of the project."""

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.sandbox.client import Reply

PATH = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
MESSAGES = "/api/v1/subaccounts/{subAccountId}/messages"
PRICES = "/api/v1/accounts/{accountId}/prices"

needs_document = pytest.mark.skipif(
    not PATH.exists(),
    reason=f"THE ANSWERS ARE NOT HELD AGAINST THE PROVIDER'S DOCUMENT: there is no {PATH}",
)


class Document:
    """Holds answers against the document."""

    @cached_property
    def contents(self) -> dict[str, Any]:
        contents = orjson.loads(PATH.read_bytes())
        assert isinstance(contents, dict)
        return contents

    def validate(self, value: object, *pointer: str) -> None:
        """`pointer` leads to a schema, step by step."""
        steps = (quote(step.replace("~", "~0").replace("/", "~1"), safe="~*") for step in pointer)
        Draft4Validator({"$ref": f"urn:sms#/{'/'.join(steps)}"}, registry=self._registry).validate(value)

    def check(self, reply: Reply, path: str = MESSAGES, method: str = "post") -> None:
        """An answer must be one that the document has for the operation.

        A status that it doesn't list there must at least be an error as it has them elsewhere: they share one schema.
        """
        key = str(reply.status)
        responses = self.contents["paths"][path][method]["responses"]
        if key not in responses:
            assert reply.status >= 400
            path, method, key = PRICES, "get", "429"
        elif "$ref" in responses[key]:  # all of them lead to the prices
            path, method = PRICES, "get"
        content = self.contents["paths"][path][method]["responses"][key]["content"]
        if not content:
            assert reply.raw == b""
            return
        self.validate(reply.body, "paths", path, method, "responses", key, "content", "application/json", "schema")
        if reply.status >= 400:
            UUID(reply.body["errorId"])
            assert datetime.fromisoformat(reply.body["timestamp"]).tzinfo is not None

    @cached_property
    def _registry(self) -> Registry[Any]:
        registry: Registry[Any] = Registry().with_resource("urn:sms", DRAFT4.create_resource(self.contents))
        return registry
