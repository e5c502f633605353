"""The sandbox against the provider's own OpenAPI document, which lies outside of the project."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
import trustme
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from runner.sandbox import SandboxOptions
from runner.sandbox.book import Book
from runner.sandbox.server import running
from tests.sandbox.client import HELLO, MESSAGES, Reply, Request, ask
from tests.sandbox.test_checks import REFUSED, TAKEN, complete

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "8x8" / "sms_api.json"
SEND = "/paths/~1api~1v1~1subaccounts~1%7BsubAccountId%7D~1messages/post"
# A send may also meet answers that the document lists for its other operations only: they share one schema.
OTHER_ERRORS = "/paths/~1api~1v1~1accounts~1%7BaccountId%7D~1prices/get/responses/429"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(),
    reason=f"THE ANSWERS ARE NOT HELD AGAINST THE PROVIDER'S DOCUMENT: there is no {DOCUMENT}",
)

Validator = Callable[[str], Draft4Validator]


@pytest.fixture(scope="module")
def validator() -> Validator:
    contents = orjson.loads(DOCUMENT.read_bytes())
    registry: Registry[Any] = Registry().with_resource("urn:sms", DRAFT4.create_resource(contents))

    @cache
    def at(pointer: str) -> Draft4Validator:
        return Draft4Validator({"$ref": f"urn:sms#{pointer}"}, registry=registry)

    return at


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    operation = orjson.loads(DOCUMENT.read_bytes())["paths"]["/api/v1/subaccounts/{subAccountId}/messages"]["post"]
    responses = operation["responses"]
    assert isinstance(responses, dict)
    return responses


# The rows with times are about one certain day, and these answers are given today.
REFUSED_ANY_DAY = [row for row in REFUSED if not (isinstance(row[1], dict) and {"scheduled", "expiry"} & row[1].keys())]

ANSWERS: list[tuple[str, SandboxOptions, Request, int]] = [
    ("queued", SandboxOptions(), Request(), 200),
    ("queued with clientMessageId", SandboxOptions(), Request(HELLO | {"clientMessageId": "welcome-1"}), 200),
    ("queued as UCS-2", SandboxOptions(), Request(HELLO | {"text": "👋"}), 200),
    ("queued with an encoding asked for", SandboxOptions(), Request(HELLO | {"encoding": "GSM7"}), 200),
    ("rejected", SandboxOptions(reject_share=1), Request(), 200),
    *[(f"refused: {label}", SandboxOptions(), Request(complete(body)), 400) for label, body, _ in REFUSED_ANY_DAY],
    ("broken JSON", SandboxOptions(), Request(b"{"), 400),
    ("no key", SandboxOptions(), Request(key=None), 401),
    ("wrong sub-account", SandboxOptions(sub_account_id="other"), Request(), 404),
    ("no such path", SandboxOptions(), Request(path="/nowhere"), 404),
    ("wrong method", SandboxOptions(), Request(method="GET"), 405),
    ("too large", SandboxOptions(), Request(b"x" * 70_000), 413),
    ("not JSON", SandboxOptions(), Request(content_type="text/plain"), 415),
]


@pytest.mark.parametrize(("label", "options", "request_", "status"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answer(
    label: str,
    options: SandboxOptions,
    request_: Request,
    status: int,
    validator: Validator,
    documented: dict[str, Any],
) -> None:
    [reply] = ask(options, request_)
    assert status == reply.status
    assert_valid(reply, validator, documented)


def test_throttled(validator: Validator, documented: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sandbox.server.monotonic", lambda: 0.0)
    _, reply = ask(SandboxOptions(rate_limit=1), Request(), Request())
    assert reply.status == 429
    assert_valid(reply, validator, documented)


def test_internal_error(validator: Validator, documented: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Book, "add")
    [reply] = ask(SandboxOptions(), Request())
    assert reply.status == 500
    assert_valid(reply, validator, documented)


def test_insecure_protocol(validator: Validator, documented: dict[str, Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "tls.pem")
    old = ssl.create_default_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.configure_trust(old)

    async def post() -> Reply:
        options = SandboxOptions(tls_certificate=tmp_path / "tls.pem", tls_key=tmp_path / "tls.pem")
        async with (
            running(options) as base_url,
            aiohttp.ClientSession(base_url) as client,
            client.post(MESSAGES, json=HELLO, ssl=old) as response,
        ):
            return Reply(response.status, dict(response.headers), await response.read())

    reply = asyncio.run(post())
    assert (reply.status, reply.headers["Upgrade"]) == (426, "TLS/1.3")
    assert_valid(reply, validator, documented)


@pytest.mark.parametrize(("label", "body"), TAKEN, ids=[row[0] for row in TAKEN])
def test_what_is_taken_is_a_request_of_the_document(label: str, body: dict[str, Any], validator: Validator) -> None:
    # Null and unknown fields are ignored, as JSON APIs do, though the document doesn't say so.
    sent = complete({name: value for name, value in body.items() if value is not None})
    validator("/components/schemas/SmsRequest").validate(sent)


def test_the_checks_know_every_field_of_the_document() -> None:
    from runner.sandbox.checks import FIELDS

    schemas = orjson.loads(DOCUMENT.read_bytes())["components"]["schemas"]
    assert set(schemas["SmsRequest"]["properties"]) == set(FIELDS)


def assert_valid(reply: Reply, validator: Validator, documented: dict[str, Any]) -> None:
    key = str(reply.status)
    pointer = documented[key].get("$ref", f"#{SEND}/responses/{key}")[1:] if key in documented else OTHER_ERRORS
    validator(f"{pointer}/content/application~1json/schema").validate(reply.body)
    if reply.status == 200:
        UUID(reply.body["umid"])
    else:
        UUID(reply.body["errorId"])
        assert datetime.fromisoformat(reply.body["timestamp"]).tzinfo is not None
