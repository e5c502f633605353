"""The sending of messages against the provider's own OpenAPI document."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from runner.sandbox import SandboxOptions
from runner.sandbox.book import Book
from runner.sandbox.checks import FIELDS
from runner.sandbox.codes import Code
from runner.sandbox.faults import RetryAfter
from runner.sandbox.server import running
from tests.sandbox.client import HELLO, MESSAGES, Reply, Request, ask
from tests.sandbox.disturbed import faults_in
from tests.sandbox.document import Document, needs_document
from tests.sandbox.test_checks import REFUSED, TAKEN, complete

pytestmark = needs_document


@pytest.fixture(scope="module")
def document() -> Document:
    return Document()


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
    document: Document,
) -> None:
    [reply] = ask(options, request_)
    assert status == reply.status
    document.check(reply)


def test_throttled(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sandbox.messages.monotonic", lambda: 0.0)
    _, reply = ask(SandboxOptions(rate_limit=1), Request(), Request())
    assert reply.status == 429
    document.check(reply)


def test_internal_error(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Book, "add")
    [reply] = ask(SandboxOptions(), Request())
    assert reply.status == 500
    document.check(reply)


def test_insecure_protocol(document: Document, tmp_path: Path) -> None:
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
    document.check(reply)


@pytest.mark.parametrize(("label", "body"), TAKEN, ids=[row[0] for row in TAKEN])
def test_what_is_taken_is_a_request_of_the_document(label: str, body: dict[str, Any], document: Document) -> None:
    # Null and unknown fields are ignored, as JSON APIs do, though the document doesn't say so.
    sent = complete({name: value for name, value in body.items() if value is not None})
    document.validate(sent, "components", "schemas", "SmsRequest")


def test_the_checks_know_every_field_of_the_document(document: Document) -> None:
    schemas = document.contents["components"]["schemas"]
    assert set(schemas["SmsRequest"]["properties"]) == set(FIELDS)


FAULTS: list[Mapping[str, object]] = [
    *({"fault": "error", "code": int(code)} for code in Code),
    *({"fault": "throttle", "retry_after": form.value} for form in RetryAfter),
    {"fault": "server_error"},
    {"fault": "accepted_error_500"},
    {"fault": "wrong_client_message_id"},
    {"fault": "close_idle"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=[" ".join(map(str, fault.values())) for fault in FAULTS])
def test_faults_that_the_document_knows(fault: Mapping[str, object], document: Document, tmp_path: Path) -> None:
    [reply] = ask(SandboxOptions(faults=faults_in(tmp_path, {**fault, "share": 1})), Request())
    document.check(reply)
