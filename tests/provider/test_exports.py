"""The log export over real sockets: whose key goes where, and files that can't be trusted."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import Mock

import pytest

from runner.base.errors import StoppedError
from runner.provider import exports as exports_module
from runner.provider.endpoint import Endpoint
from runner.provider.exports import LogExports
from tests.provider.test_client import http, serving

HEADER = b"umid,clientmessageid,status_value\r\n"


def rows_of(*answers: tuple[bytes, str], elsewhere: bool = False) -> tuple[list[dict[str, str]], list[bytes]]:
    """The rows of a download whose server gives `answers`, and the requests it saw."""

    async def scenario() -> tuple[list[dict[str, str]], list[bytes]]:
        async with serving(*answers) as server, serving() as other:
            base_url = other.base_url if elsewhere else server.base_url
            async with LogExports(Endpoint(base_url, "acme"), "secret-key") as exports:
                rows = [row async for row in exports.entries(f"{server.base_url}/file.csv?signature=x")]
            return rows, server.requests

    return asyncio.run(scenario())


def test_the_key_goes_to_the_providers_own_origin_alone() -> None:
    whole = (http(HEADER + b"u-1,a.b.c,delivered\r\n"), "keep")

    rows, requests = rows_of(whole)
    assert [{"umid": "u-1", "clientmessageid": "a.b.c", "status_value": "delivered"}] == rows
    assert b"secret-key" in requests[0]

    rows, requests = rows_of(whole, elsewhere=True)
    assert 1 == len(rows)
    assert b"secret-key" not in requests[0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            (http(HEADER + b"u-1,a.b", length=500), "close"), "download of the log export failed", id="cut off"
        ),
        pytest.param((http(HEADER + b"u-1,a.b.c\r\n"), "keep"), "line 2", id="a torn row"),
        pytest.param((http(HEADER + b'u-1,"a.b\n'), "keep"), "damaged in line", id="an open quote"),
        pytest.param(
            (http(b"umid,status_value\r\nu-1,x\r\n"), "keep"),
            "columns are missing in the log export: clientmessageid",
            id="a column less",
        ),
        pytest.param(
            (http(b"<html>Sign in</html>\n"), "keep"),
            "columns are missing in the log export: clientmessageid",
            id="a portal page",
        ),
        pytest.param((http(HEADER + b"u-1,a.b.c,deliv"), "keep"), "cut off or empty", id="half a cell"),
        pytest.param(
            (http(HEADER + b"u-1," * (1 << 18) + b"\n"), "keep"),
            r"damaged in line 2 \(its row is too long\)",
            id="no line ends",
        ),
        pytest.param(
            (http(HEADER + b'"a\n",' * (1 << 18) + b"\n"), "keep"),
            r"damaged in line \d+ \(its row is too long\)",
            id="all line ends are in quotes",
        ),
        pytest.param((http(b""), "keep"), "cut off or empty", id="nothing at all"),
        *[
            pytest.param((http(b"", status), "keep"), "may have expired", id=f"an expired link, {status}")
            for status in ("401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone")
        ],
        pytest.param((http(b"", "500 Internal Server Error"), "keep"), "HTTP 500; run the command again", id="a fault"),
        pytest.param(
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + HEADER, "close"), "has no length", id="no length"
        ),
    ],
)
def test_a_file_that_is_not_whole_is_refused(answer: tuple[bytes, str], words: str) -> None:
    with pytest.raises(StoppedError, match=words):
        rows_of(answer)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("http://storage.example/file.csv", "storage.example. without encryption"),
        ("https://[::1", "is not a URL"),
    ],
)
def test_a_link_that_is_not_safe_is_not_followed(link: str, words: str) -> None:
    async def scenario() -> None:
        async with LogExports(Endpoint("https://sms.8x8.com", "acme"), "secret-key") as exports:
            with pytest.raises(StoppedError, match=words):
                async for _ in exports.entries(link):
                    pass

    asyncio.run(scenario())


def moved(to: str) -> tuple[bytes, str]:
    return http(b"", "302 Found", extra=f"Location: {to}\r\n"), "keep"


def test_a_link_that_is_redirected_is_followed_without_the_key() -> None:
    async def scenario() -> None:
        async with serving((http(HEADER + b"u-1,a.b.c,delivered\r\n"), "keep")) as storage:
            async with (
                serving(moved("/there"), moved(f"{storage.base_url}/file.csv")) as server,
                LogExports(Endpoint(server.base_url, "acme"), "secret-key") as exports,
            ):
                assert 1 == len([row async for row in exports.entries(f"{server.base_url}/here")])
            assert [b"GET /here", b"GET /there"] == [request[: request.index(b" HTTP")] for request in server.requests]
            assert [True, True] == [b"secret-key" in request for request in server.requests]
            assert [False] == [b"secret-key" in request for request in storage.requests]

    asyncio.run(scenario())


def test_a_redirect_that_is_not_safe_or_has_no_end_is_not_followed() -> None:
    with pytest.raises(StoppedError, match="without encryption"):
        rows_of(moved("http://storage.example/file.csv"))
    with pytest.raises(StoppedError, match="HTTP 302"):
        rows_of(*[moved("/again")] * 9)


def test_an_export_is_of_a_span_of_time_in_utc() -> None:
    async def scenario() -> None:
        since = datetime(2026, 12, 1, 10, 0, tzinfo=timezone(timedelta(hours=8)))
        async with serving((http(b'{"jobId": "job-1"}'), "keep")) as server:
            async with LogExports(Endpoint(server.base_url, "acme"), "secret-key") as exports:
                assert "job-1" == await exports.start(since, since + timedelta(hours=1))
            [request] = server.requests
        assert request.startswith(b"POST /api/v1/subaccounts/acme/messages/exports ")
        assert request.endswith(b'\r\n{"from":"2026-12-01T02:00:00Z","to":"2026-12-01T03:00:00Z","limit":0}')

    asyncio.run(scenario())


@pytest.mark.parametrize("body", [b'{"job": 1}', b'{"jobId": ""}', b'{"jobId": 5}'])
def test_an_export_without_its_job_is_none(body: bytes) -> None:
    async def scenario() -> None:
        async with (
            serving((http(body), "keep")) as server,
            LogExports(Endpoint(server.base_url, "acme"), "secret-key") as exports,
        ):
            with pytest.raises(StoppedError, match="has no jobId"):
                await exports.start(datetime.now(UTC), datetime.now(UTC))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "status", "links"),
    [
        (b'{"status": "queued"}', "queued", None),
        (b'{"status": "Running"}', "running", None),
        (b'{"status": "empty"}', "empty", []),
        (b'{"status": "succeeded", "data": ["https://a.example/1"]}', "succeeded", ["https://a.example/1"]),
    ],
)
def test_states_of_a_job(body: bytes, status: str, links: list[str] | None) -> None:
    async def scenario() -> None:
        async with serving((http(body), "keep")) as server:
            async with LogExports(Endpoint(server.base_url, "acme"), "secret-key") as exports:
                assert (status, links) == await exports.look("job-1")
            assert server.requests[0].startswith(b"GET /api/v1/subaccounts/acme/messages/exports/job-1 ")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status": "succeeded"}', "has no download links"),
        (b'{"status": "succeeded", "data": []}', "has no download links"),
        (b'{"status": "succeeded", "data": ["https://a.example/1", 2]}', "has no download links"),
        (b'{"status": "succeeded", "data": ["a"%s]}' % (b', "a"' * 1_000), "has 1,001 files; the maximum is 1,000"),
        (b'{"status": ["succeeded"], "data": ["https://a.example/1"]}', "ended with the status missing"),
        (b'{"status": "failed", "data": ["https://a.example/1"]}', "ended with the status failed"),
        (b"{}", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"<html>", "not a JSON object"),
    ],
)
def test_answers_that_make_no_sense(body: bytes, words: str) -> None:
    async def scenario() -> None:
        async with (
            serving((http(body), "keep")) as server,
            LogExports(Endpoint(server.base_url, "acme"), "secret-key") as exports,
        ):
            with pytest.raises(StoppedError, match=words):
                await exports.look("job-1")

    asyncio.run(scenario())


def test_a_clock_that_differs_from_the_providers_is_refused() -> None:
    async def scenario() -> None:
        answer = http(b'{"status": "empty"}', extra="Date: Tue, 01 Dec 2020 02:00:00 GMT\r\n")
        async with (
            serving((answer, "keep")) as server,
            LogExports(Endpoint(server.base_url, "acme"), "secret-key") as exports,
        ):
            with pytest.raises(StoppedError, match="this computer's clock"):
                await exports.look("job-1")

    asyncio.run(scenario())


def test_nothing_of_a_download_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows_of((http(HEADER + b"u-1,a.b.c,delivered\r\n"), "keep"))

    assert [] == list(tmp_path.iterdir())


def test_a_link_into_a_private_network_is_not_followed() -> None:
    async def scenario() -> None:
        async with LogExports(Endpoint("https://sms.8x8.com", "acme"), "secret-key") as exports:
            for host in ("127.0.0.1", "localhost", "10.0.0.5", "169.254.169.254", "[::1]"):
                with pytest.raises(StoppedError, match="an address in a private network, so nothing was downloaded"):
                    await anext(exports.entries(f"https://{host}/file.csv"))

    asyncio.run(scenario())


def test_a_download_that_is_too_large_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports_module, "MAX_DOWNLOAD_BYTES", 1_000)
    with pytest.raises(StoppedError, match="the log export is too large"):
        rows_of((http(HEADER + b"u-1,a.b.c,delivered\r\n" * 999), "keep"))


def test_a_download_leaves_half_of_the_disk_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kilobyte that unpacks to a megabyte: identity was asked for, but the server compresses all the same."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: Mock(free=1_000_000))
    packed = gzip.compress(HEADER + b"u-1,a.b.c,delivered\r\n" * 50_000)
    with pytest.raises(StoppedError, match="more than half of the free space"):
        rows_of((http(packed, extra="Content-Encoding: gzip\r\n"), "keep"))


def test_a_download_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports_module, "DOWNLOAD_TIMEOUT_S", 0.05)
    with pytest.raises(StoppedError, match="the download of the log export failed: timed out"):
        rows_of((http(HEADER, length=500), "keep"))
