import pytest
from yarl import URL

from runner.sandbox.urls import is_absolute, is_loopback


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/x", "https://[::1]/", "http://localhost", "http://127.9.9.9/"])
def test_this_computer(url: str) -> None:
    assert (True, True) == (is_absolute(url), is_loopback(URL(url).host))


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
def test_beyond_this_computer(url: str) -> None:
    assert (True, False) == (is_absolute(url), is_loopback(URL(url).host))


@pytest.mark.parametrize("url", ["", "127.0.0.1:8090", "/receipts", "ftp://127.0.0.1/", "http://", "https://[::1"])
def test_no_url_at_all(url: str) -> None:
    assert not is_absolute(url)


def test_no_host() -> None:
    assert not is_loopback(None)
