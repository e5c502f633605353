"""Where requests go, and where the key must never go."""

import pytest

from runner.base.errors import InputError
from runner.provider.endpoint import REGIONS, resolve


@pytest.mark.parametrize(("region", "base_url"), REGIONS.items())
def test_each_region_has_its_url(region: str, base_url: str) -> None:
    endpoint = resolve(region, "acme_hq")

    assert f"{base_url}/api/v1/subaccounts/acme_hq/messages" == endpoint.messages_url
    assert endpoint.tls


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8088", "http://localhost:8088/", "http://[::1]:8088", "https://a.example"]
)
def test_an_override_wins(url: str) -> None:
    assert url.rstrip("/") == resolve("asia", "acme_hq", url).base_url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://sms.8x8.com", id="plain http to the world"),
        pytest.param("http://127.0.0.1.example.com", id="a host that only looks like loopback"),
        pytest.param("ftp://127.0.0.1", id="another scheme"),
        pytest.param("sms.8x8.com", id="no scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://user:secret@a.example", id="a password in it"),
        pytest.param("http://[::1", id="half an address"),
        pytest.param("https://a.example:port", id="a port that is none"),
        pytest.param("https://a.example?x=1", id="a query"),
        pytest.param("https://a..b", id="an empty part"),
        pytest.param(f"https://{'a' * 64}.example", id="a part that is too long"),
    ],
)
def test_a_wrong_override_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="EIGHTXEIGHT_BASE_URL"):
        resolve("asia", "acme_hq", url)


def test_a_host_goes_over_the_wire_in_ascii() -> None:
    assert "https://xn--exmple-cua.example:8443/a" == resolve("asia", "x", "https://exämple.example:8443/a/").base_url


def test_the_sub_account_is_quoted() -> None:
    assert resolve("asia", "a&b.c-d_e").messages_url.endswith("/subaccounts/a&b.c-d_e/messages")
