"""The answers of faults, as they arrive."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import orjson
import pytest

from runner.sandbox import SandboxOptions
from runner.sandbox.codes import Code
from runner.sandbox.faulty import OTHER_MESSAGE_ID
from tests.sandbox.client import Request, ask
from tests.sandbox.disturbed import faults_in, meet

STATUSES = {429: 429, 1001: 404, 1014: 426, 1200: 401, 1201: 403, 1300: 404, 1400: 422, 2000: 500, 2002: 410, 4018: 404}


@pytest.mark.parametrize("code", list(Code))
def test_every_documented_error(code: Code, tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=int(code))
    assert not met.booked
    assert (STATUSES.get(code, 400), int(code)) == (met.status, met.json["code"])


def test_an_error_with_another_status(tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=1004, status=422)
    assert (met.status, met.json["code"]) == (422, 1004)


def test_426_names_the_protocol(tmp_path: Path) -> None:
    met = meet(tmp_path, "error", code=1014)
    assert met.headers is not None
    assert met.headers["Upgrade"] == "TLS/1.3"


@pytest.mark.parametrize(("form", "expected"), [("seconds", "2"), ("absent", None), ("garbage", "soon")], ids=str)
def test_retry_after(form: str, expected: str | None, tmp_path: Path) -> None:
    met = meet(tmp_path, "throttle", retry_after=form, seconds=2)
    assert met.headers is not None
    assert expected == met.headers.get("Retry-After")
    assert met.json["code"] == 429


def test_retry_after_as_a_date(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    met = meet(tmp_path, "throttle", retry_after="date", seconds=7)
    assert met.headers is not None
    date = met.headers["Retry-After"]
    assert date.endswith(" GMT")
    wait = parsedate_to_datetime(date) - before
    assert timedelta(seconds=7) <= wait <= timedelta(seconds=9)


def test_a_500_without_body(tmp_path: Path) -> None:
    assert meet(tmp_path, "server_error", body=False).body == b""


def test_a_500_with_body(tmp_path: Path) -> None:
    assert meet(tmp_path, "server_error").json["code"] == 2000


def test_a_page_of_something_in_between(tmp_path: Path) -> None:
    met = meet(tmp_path, "server_error", status=502)
    assert met.headers is not None
    assert met.headers["Content-Type"] == "text/html"
    assert b"<h1>502 Bad Gateway</h1>" in met.body


def test_broken_json(tmp_path: Path) -> None:
    body = meet(tmp_path, "broken_json").body
    assert body.startswith(b'{"umid":"')
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)


def test_missing_umid(tmp_path: Path) -> None:
    assert set(meet(tmp_path, "missing_umid").json) == {"destination", "encoding", "status", "clientMessageId"}


def test_wrong_client_message_id(tmp_path: Path) -> None:
    assert meet(tmp_path, "wrong_client_message_id").json["clientMessageId"] == OTHER_MESSAGE_ID


def test_wrong_content_type(tmp_path: Path) -> None:
    met = meet(tmp_path, "wrong_content_type")
    assert met.headers is not None
    assert met.headers["Content-Type"] == "text/html"
    assert met.json["clientMessageId"] == "welcome-1"


def test_wrong_encoding(tmp_path: Path) -> None:
    met = meet(tmp_path, "wrong_encoding")
    assert met.headers is not None
    assert met.headers["Content-Encoding"] == "gzip"
    assert met.json["clientMessageId"] == "welcome-1"


def test_a_message_that_is_refused_is_not_booked_by_a_fault(tmp_path: Path) -> None:
    faults = faults_in(tmp_path, {"fault": "missing_umid", "share": 1})
    options = SandboxOptions(faults=faults)
    reply, book = ask(options, Request({"destination": "+1"}), Request(method="GET", path="/sandbox/book"))
    assert (reply.status, reply.code, book.raw) == (400, 3005, b"")
