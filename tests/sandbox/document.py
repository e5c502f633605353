"""The project's own OpenAPI document, which the sandbox serves: client and sandbox are held against it."""

import re
from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from runner.sandbox.server import DOCUMENT

CONTENTS: dict[str, Any] = orjson.loads(DOCUMENT.read_bytes())
CHECKER = FormatChecker()


def validate(value: object, *pointer: str) -> None:
    """Hold a value against a schema of the document; `pointer` leads to that, step by step."""
    reference = {"$ref": f"urn:sms#/{'/'.join(pointer)}"}
    Draft202012Validator(reference, registry=_registry(), format_checker=CHECKER).validate(value)


def validate_request(body: object, schema: str) -> None:
    """Hold a request's body against its schema, which must also know each of its fields."""
    assert isinstance(body, dict)
    validate(body, "components", "schemas", schema)
    assert body.keys() <= CONTENTS["components"]["schemas"][schema]["properties"].keys()


def check_answer(method: str, path: str, status: int, raw: bytes) -> None:
    """Hold an answer against its operation. What no operation has is at least an error as they all have them."""
    known = next((known for known in CONTENTS["paths"] if _matches(known, path.partition("?")[0])), None)
    operation = CONTENTS["paths"].get(known, {}).get(method.lower(), {"responses": {}})
    if str(status) not in operation["responses"]:
        assert status >= 400
        validate(orjson.loads(raw), "components", "schemas", "Error")
        return
    response = operation["responses"][str(status)]
    if "$ref" in response:
        response = CONTENTS["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if "content" not in response:
        assert raw == b""
        return
    schema = response["content"]["application/json"]["schema"]
    if "$ref" in schema:
        validate(orjson.loads(raw), "components", "schemas", schema["$ref"].rpartition("/")[2])
    else:
        Draft202012Validator(schema).validate(orjson.loads(raw))


def _matches(template: str, path: str) -> bool:
    # An export's path would do for a message's too: an id of a message is a UUID.
    pattern = re.sub(r"\\{(\w+)\\}", r"[^/]+", re.escape(template).replace("/\\{umid\\}", "/(?!exports$)[^/]+"))
    return re.fullmatch(pattern, path) is not None


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry().with_resource("urn:sms", DRAFT202012.create_resource(CONTENTS))
    return registry
