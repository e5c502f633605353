import errno
from urllib.parse import urlsplit

import pytest
from yarl import URL

from runner.base.net import is_http_url, is_loopback, listen_failure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_this_computer(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [None, "", "0.0.0.0", "::", "10.0.0.1", "local", "2130706433", "localhost.org"])  # noqa: S104
def test_not_this_computer_alone(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/x", "https://[::1]/", "http://localhost", "http://LocalHost/"])
def test_urls_of_this_computer(url: str) -> None:
    assert (True, True, True) == (is_http_url(url), is_loopback(URL(url).host), is_loopback(urlsplit(url).hostname))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/receipts",
        "http://192.0.2.1/",
        "http://0.0.0.0:8090/",
        "http://[::]/",
        "http://2130706433/",  # 127.0.0.1 for some resolvers: no reason to guess
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.1@example.com/",
        "http://localhost:8090@example.com/",
        "http://example.com/?http://127.0.0.1/",
        "http://example.com#@127.0.0.1/",
    ],
)
def test_urls_of_other_computers(url: str) -> None:
    assert (True, False, False) == (is_http_url(url), is_loopback(URL(url).host), is_loopback(urlsplit(url).hostname))


@pytest.mark.parametrize("url", ["", "127.0.0.1:8090", "/receipts", "ftp://127.0.0.1/", "http://", "https://[::1"])
def test_no_absolute_http_url(url: str) -> None:
    assert not is_http_url(url)


def test_why_a_server_cannot_listen() -> None:
    assert "Address already in use" == listen_failure(
        OSError(errno.EADDRINUSE, "error while attempting to bind on ('::1', 80)")
    )
    assert "Name or service not known" == listen_failure(OSError(-2, "Name or service not known"))
