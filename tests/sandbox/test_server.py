"""Who is let in, what is answered to what, and the sandbox's own pages."""

import asyncio
import re
import ssl
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
import trustme

from runner.sandbox.book import Book
from runner.sandbox.options import SandboxOptions
from runner.sandbox.server import running
from tests.sandbox import document
from tests.sandbox.client import EXPORTS, HEADERS, HELLO, MESSAGES, Request, ask, get

# No message and no account has this id.
NOBODY = "c388daa9-980e-4b11-81f8-0433c2195dfb"
ANY = SandboxOptions()
STRICT = SandboxOptions(api_key="right", sub_account_id="acme_hq")

ANSWERS: list[tuple[str, SandboxOptions, Request, int, int | None]] = [
    ("any key", ANY, Request(), 200, None),
    ("no key", ANY, Request(key=None), 401, 1200),
    ("empty key", ANY, Request(key=""), 401, 1200),
    ("right key", STRICT, Request(key="right"), 200, None),
    ("wrong key", STRICT, Request(key="wrong"), 401, 1200),
    ("key beyond ASCII", STRICT, Request(key="réght"), 401, 1200),
    ("another sub-account", STRICT, Request(key="right", path=MESSAGES.replace("hq", "uk")), 400, 1001),
    ("no sub-account id", ANY, Request(path=MESSAGES.replace("acme_hq", "a%20b")), 400, 1001),
    ("sub-account with all characters", ANY, Request(path=MESSAGES.replace("acme_hq", "A-c.m_e%26")), 200, None),
    ("wrong key before wrong body", STRICT, Request(b"{", key="wrong"), 401, 1200),
    ("broken JSON", ANY, Request(b'{"text": '), 400, 1000),
    ("empty body", ANY, Request(b""), 400, 1000),
    ("half a surrogate pair", ANY, Request(rb'{"destination": "+12025550123", "text": "\ud83d"}'), 400, 1000),
    ("not UTF-8", ANY, Request(b'{"destination": "+12025550123", "text": "\xe9"}'), 400, 1000),
    ("a wrong field", ANY, Request(HELLO | {"destination": "+1"}), 400, 1002),
    ("form", ANY, Request(b"text=Hello", content_type="application/x-www-form-urlencoded"), 415, 1000),
    ("JSON with charset", ANY, Request(content_type="application/json; charset=utf-8"), 200, None),
    ("too large", ANY, Request(HELLO | {"text": "x" * 70_000}), 413, 1000),
    ("no such path", ANY, Request(path="/api/v1/nowhere"), 404, 1300),
    ("no such method", ANY, Request(method="PUT"), 405, 1000),
    ("a method for other paths", ANY, Request(method="GET"), 405, 1000),
    ("rejected", SandboxOptions(reject_share=1), Request(), 200, None),
    ("UCS-2", ANY, Request(HELLO | {"text": "👋"}), 200, None),
    ("no such message", ANY, get(f"{MESSAGES}/{NOBODY}"), 404, 1300),
    ("no umid", ANY, get(f"{MESSAGES}/nothing"), 400, 1000),
    ("no such message to cancel", ANY, Request(method="DELETE", path=f"{MESSAGES}/{NOBODY}"), 404, 1300),
    ("no umid to cancel", ANY, Request(method="DELETE", path=f"{MESSAGES}/nothing"), 400, 1000),
    ("no such job", ANY, get(f"{EXPORTS}/nothing"), 404, 4018),
    ("no such job to cancel", ANY, Request(method="DELETE", path=f"{EXPORTS}/nothing"), 404, 4018),
]


@pytest.mark.parametrize(
    ("label", "options", "request_", "status", "code"), ANSWERS, ids=[label for label, *_ in ANSWERS]
)
def test_answers(label: str, options: SandboxOptions, request_: Request, status: int, code: int | None) -> None:
    [reply] = ask(options, request_)
    assert (status, code) == (reply.status, reply.code)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", EXPORTS),
        ("GET", f"{EXPORTS}/1"),
        ("DELETE", f"{EXPORTS}/1"),
        ("GET", f"{MESSAGES}/{NOBODY}"),
        ("DELETE", f"{MESSAGES}/{NOBODY}"),
        ("POST", f"{MESSAGES}/{NOBODY}/feedback"),
        ("GET", f"/api/v1/accounts/{NOBODY}/prices"),
        ("GET", f"/api/v1/accounts/{NOBODY}/balance"),
    ],
)
def test_nothing_is_answered_without_a_key(method: str, path: str) -> None:
    [reply] = ask(ANY, Request(method=method, path=path, key=None))
    assert (401, 1200) == (reply.status, reply.code)


def test_an_error_body() -> None:
    [reply] = ask(ANY, Request({}))
    assert ["code", "message", "errorId", "timestamp"] == list(reply.body)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", reply.body["timestamp"])
    UUID(reply.body["errorId"])


def test_a_wrong_method_says_which_is_right() -> None:
    [reply] = ask(ANY, Request(method="PUT"))
    assert reply.headers["Allow"] == "POST"


def test_with_a_key_the_pages_are_for_its_holder() -> None:
    pages = [get(f"/sandbox/{page}", key=key) for page in ("book", "feedback", "stats") for key in "ab"]
    assert [200, 401] * 3 == [reply.status for reply in ask(SandboxOptions(api_key="a"), *pages)]


def test_a_bug_of_the_sandbox_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise OSError("disk full")

    monkeypatch.setattr(Book, "add", fail)
    [reply] = ask(ANY, Request())
    assert (500, 2000) == (reply.status, reply.code)


@pytest.mark.parametrize(
    ("version", "status", "upgrade"), [(ssl.TLSVersion.TLSv1_2, 426, "TLS/1.3"), (ssl.TLSVersion.TLSv1_3, 200, None)]
)
def test_tls(tmp_path: Path, version: ssl.TLSVersion, status: int, upgrade: str | None) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    context.maximum_version = version
    authority.configure_trust(context)

    async def post() -> tuple[int, str | None]:
        options = SandboxOptions(tls_certificate=tmp_path / "certificate.pem", tls_key=tmp_path / "key.pem")
        async with (
            running(options) as base_url,
            aiohttp.ClientSession(base_url, headers=HEADERS) as client,
            client.post(MESSAGES, json=HELLO, ssl=context) as response,
        ):
            assert base_url.startswith("https://127.0.0.1:")
            document.check_answer("post", MESSAGES, response.status, await response.read())
            return response.status, response.headers.get("Upgrade")

    assert (status, upgrade) == asyncio.run(post())
