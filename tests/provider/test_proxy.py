"""Connections through a proxy: which one the environment names, and what happens when it is down or refuses.

The proxy here is a real one on a real socket. It counts what it passes on and shares no code with the runner.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from runner.base.errors import InputError, StoppedError
from runner.base.outcomes import OutcomeReason, Status, Then
from runner.provider.client import Client
from runner.provider.endpoint import Endpoint
from runner.provider.exports import LogExports
from runner.provider.message_actions import MessageActions
from runner.provider.prices import fetch_balance, fetch_price_list
from runner.provider.proxy import Proxy, proxy_for
from tests.provider.test_client import BODY, MESSAGE, TAKEN, Server, at_once, http, serving

PROVIDER = "https://sms.8x8.com"
EXAMPLE = Proxy("HTTPS_PROXY", "http", "proxy.example", 3128)


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        pytest.param({}, PROVIDER, None, id="none"),
        pytest.param({"HTTPS_PROXY": "http://proxy.example:3128"}, PROVIDER, EXAMPLE, id="upper case"),
        pytest.param({"https_proxy": "http://proxy.example:3128"}, PROVIDER, EXAMPLE, id="lower case"),
        pytest.param(
            {"https_proxy": "http://proxy.example:3128", "HTTPS_PROXY": "http://b"}, PROVIDER, EXAMPLE, id="both cases"
        ),
        pytest.param({"HTTPS_PROXY": "proxy.example:3128"}, PROVIDER, EXAMPLE, id="without a scheme"),
        pytest.param(
            {"HTTPS_PROXY": "http://proxy.example:3128", "ALL_PROXY": "http://b"}, PROVIDER, EXAMPLE, id="before ALL"
        ),
        pytest.param(
            {"ALL_PROXY": "socks5h://b"}, PROVIDER, Proxy("ALL_PROXY", "socks5", "b", 1080), id="for all schemes"
        ),
        pytest.param({"HTTPS_PROXY": "http://b"}, PROVIDER, Proxy("HTTPS_PROXY", "http", "b", 80), id="no port"),
        pytest.param(
            {"HTTPS_PROXY": "http://me:p%40ss@[::1]:8080"},
            PROVIDER,
            Proxy("HTTPS_PROXY", "http", "::1", 8080, "me", "p@ss"),
            id="with a password",
        ),
        pytest.param(
            {"HTTPS_PROXY": "http://b", "HTTP_PROXY": "http://b"}, "http://127.0.0.1:8088", None, id="this computer"
        ),
        pytest.param(
            {"ALL_PROXY": "http://b"}, "http://127.0.0.1:8088", Proxy("ALL_PROXY", "http", "b", 80), id="really all"
        ),
        pytest.param({"HTTPS_PROXY": ""}, PROVIDER, None, id="empty"),
        pytest.param({"HTTPS_PROXY": "http://b", "NO_PROXY": "8x8.com"}, PROVIDER, None, id="excepted domain"),
        pytest.param({"HTTPS_PROXY": "http://b", "no_proxy": ".8x8.com, x"}, PROVIDER, None, id="excepted, with a dot"),
        pytest.param({"HTTPS_PROXY": "http://b", "no_proxy": "*"}, PROVIDER, None, id="all are excepted"),
        pytest.param(
            {"HTTPS_PROXY": "http://b", "NO_PROXY": "x8.com"}, PROVIDER, Proxy("HTTPS_PROXY", "http", "b", 80), id="not"
        ),
    ],
)
def test_which_proxy(
    environment: dict[str, str], url: str, expected: Proxy | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected == proxy_for(url)


def test_neither_name_nor_password_is_shown() -> None:
    proxy = Proxy("HTTPS_PROXY", "http", "::1", 8080, "marketing", "hunter2")
    for words in (str(proxy), repr(proxy)):
        assert (True, False, False) == ("::1" in words, "marketing" in words, "hunter2" in words)


@pytest.mark.parametrize(
    ("scheme", "kind", "port"),
    [
        ("http", "http", 80),
        ("socks", "socks5", 1080),
        ("socks5", "socks5", 1080),
        ("socks5h", "socks5", 1080),
        ("socks4", "socks4", 1080),
        ("socks4a", "socks4", 1080),
    ],
)
def test_each_scheme_has_its_usual_port(scheme: str, kind: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://b")
    assert Proxy("HTTPS_PROXY", kind, "b", port) == proxy_for(PROVIDER)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://me:hunter2@b", "begins with ftp://, which is not supported"),
        ("https://me:hunter2@b", "begins with https://, which is not supported"),
        ("me:hunter2://b", "is not valid"),
        ("http://me:hunter2@", "has no host name"),
        ("http://me:hunter2@b:port", "has no valid host and port"),
        ("http://me:hunter2@[::1", "has no valid host and port"),
        ("http://m%3Ae:hunter2@b", "has a user name or password with characters that proxies don't support"),
        ("http://me:hunter2%E4%BD%A0@b", "has a user name or password with characters that proxies don't support"),
        ("//", "has no host name"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", address)
    with pytest.raises(
        InputError, match=rf"the proxy address in the environment variable ALL_PROXY {words};"
    ) as caught:
        proxy_for(PROVIDER)
    assert "hunter2" not in str(caught.value)


def test_a_sandbox_of_this_process_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    assert Endpoint("http://127.0.0.1:8088", "acme", is_direct=True).proxy() is None
    assert Endpoint("http://127.0.0.1:8088", "acme").proxy() is not None


class ProxyServer:
    """Speaks CONNECT and SOCKS5, for one user, to 127.0.0.1. With `refusal`, it answers a CONNECT with that line."""

    def __init__(self, refusal: bytes | None = None) -> None:
        self.refusal = refusal
        self.targets: list[str] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            target = await (self._socks5 if first == b"\5" else self._connect)(reader, writer)
            if target is None:
                return
            self.targets.append(target)
            host, _, port = target.rpartition(":")
            onward = await asyncio.open_connection(host, int(port))
            await asyncio.gather(self._copy(reader, onward[1]), self._copy(onward[0], writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        allowed = base64.b64encode(b"me:hunter2").decode()
        if self.refusal or f"Proxy-Authorization: Basic {allowed}\r\n" not in head:
            writer.write((self.refusal or b"HTTP/1.1 407 Proxy Authentication Required") + b"\r\n\r\n")
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return head.split()[1]  # the first byte, a C, was read before

    async def _socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\5\2")
        await reader.readexactly(1)
        user, password = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in range(2)]
        writer.write(b"\1\0" if (user, password) == (b"me", b"hunter2") else b"\1\1")
        *_, kind = await reader.readexactly(4)
        size = 4 if kind == 1 else (await reader.readexactly(1))[0]
        raw, port = await reader.readexactly(size), int.from_bytes(await reader.readexactly(2), "big")
        writer.write(b"\5\0\0\1" + bytes(6))
        return f"{'.'.join(map(str, raw)) if kind == 1 else raw.decode()}:{port}"

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def proxying(refusal: bytes | None = None) -> AsyncIterator[ProxyServer]:
    proxy = ProxyServer(refusal)
    listener = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield proxy


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def send(endpoint: Endpoint) -> object:
    async with Client(endpoint, "key", limit=1) as client:
        return await client.send(BODY, MESSAGE, at_once)


async def cancel(endpoint: Endpoint) -> object:
    async with MessageActions(endpoint, "key", limit=1) as actions:
        return await actions.cancel("u-1")


async def export(endpoint: Endpoint) -> object:
    async with LogExports(endpoint, "key") as exports:
        return [row async for row in exports.entries(f"{endpoint.base_url}/log.csv")]


async def price_list(endpoint: Endpoint) -> object:
    return await fetch_price_list(endpoint, "account", "key")


async def balance(endpoint: Endpoint) -> object:
    return await fetch_balance(endpoint, "account", "key")


KINDS: list[Any] = [
    pytest.param(send, http(TAKEN), id="a message"),
    pytest.param(cancel, http(b"{}"), id="cancelling"),
    pytest.param(export, http(b"umid,clientmessageid\nu-1,a.b.c\n"), id="a log export"),
    pytest.param(price_list, http(b'{"subAccounts": []}'), id="prices"),
    pytest.param(balance, http(b'{"balance": 5, "currency": "USD"}'), id="the balance"),
]
Ask = Callable[[Endpoint], Awaitable[object]]


async def through(server: Server, ask: Ask, proxy: str, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    return await ask(Endpoint(server.base_url.replace("127.0.0.1", "localhost"), "acme"))


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize(("ask", "answer"), KINDS)
def test_each_connection_takes_the_proxy(
    ask: Ask, answer: bytes, kind: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with serving((answer, "close"), tls=tls) as server, proxying() as proxy:
            await through(server, ask, f"{kind}://me:hunter2@127.0.0.1:{proxy.port}", monkeypatch)
            assert [f"localhost:{server.base_url.rpartition(':')[2]}"] == proxy.targets
            assert 1 == len(server.requests)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("refusal", "kind", "password", "words"),
    [
        pytest.param(None, "http", "qwertz", "407 Proxy Authentication Required", id="wrong password"),
        pytest.param(None, "socks5", "qwertz", "(?i)authentication", id="wrong password of SOCKS"),
        pytest.param(b"HTTP/1.1 403 \xff\xfe", "http", "hunter2", "403", id="refused, in strange bytes"),
        pytest.param(b"220 mail.example", "http", "hunter2", "proxy", id="no proxy at all"),
    ],
)
@pytest.mark.parametrize(("ask", "answer"), KINDS)
def test_a_proxy_that_refuses(
    ask: Ask,
    answer: bytes,
    refusal: bytes | None,
    kind: str,
    password: str,
    words: str,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> str:
        async with serving((answer, "close"), tls=tls) as server, proxying(refusal) as proxy:
            address = f"{kind}://me:{password}@127.0.0.1:{proxy.port}"
            try:
                result = str(await through(server, ask, address, monkeypatch))
            except StoppedError as error:
                result = str(error)
            assert f"through the proxy {kind}://127.0.0.1:{proxy.port}" in result
            assert ([], []) == (proxy.targets, server.requests)
            return result

    result = asyncio.run(scenario())
    assert re.search(words, result), result
    assert password not in result


def test_a_message_behind_a_proxy_that_is_down(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with proxying() as proxy:
            port = proxy.port
        async with serving(tls=tls) as server:
            outcome: Any = await through(server, send, f"http://me:hunter2@127.0.0.1:{port}", monkeypatch)
            assert [] == server.requests
        target = server.base_url.replace("https://127.0.0.1", "localhost")
        assert (Status.UNSENT, OutcomeReason.NO_CONNECTION, Then.BACK_OFF) == (
            outcome.status,
            outcome.reason,
            outcome.then,
        )
        where = f"can't connect to {target} through the proxy http://127.0.0.1:{port}"
        assert f"{where}: the proxy can't be reached: connection refused" == outcome.detail

    asyncio.run(scenario())
