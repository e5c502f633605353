"""A bare HTTP client for the sandbox's tests: it knows nothing of `runner.provider`."""

import asyncio
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from runner.sandbox import SandboxOptions
from runner.sandbox.server import running

MESSAGES = "/api/v1/subaccounts/acme_hq/messages"
POST_TIMEOUT_S = 30.0
HELLO = {"destination": "+12025550123", "text": "Hello"}


@dataclass(frozen=True, slots=True)
class Request:
    """`body` is sent as it is when it's bytes, or else as JSON."""

    body: object = field(default_factory=lambda: HELLO)
    method: str = "POST"
    path: str = MESSAGES
    key: str | None = "any"
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - JSON
        assert self.headers["Content-Type"] == "application/json"
        return orjson.loads(self.raw)

    @property
    def code(self) -> int | None:
        """The `code` of an error body, None in other answers."""
        code = self.body.get("code")
        assert code is None or isinstance(code, int)
        return code


def ask(options: SandboxOptions, *requests: Request) -> list[Reply]:
    """Serve, send these one after another, return the replies."""

    async def session() -> list[Reply]:
        async with running(options) as base_url, aiohttp.ClientSession(base_url) as client:
            return [await _send(client, request) for request in requests]

    return asyncio.run(session())


async def _send(client: aiohttp.ClientSession, request: Request) -> Reply:
    headers = {"Content-Type": request.content_type}
    if request.key is not None:
        headers["Authorization"] = f"Bearer {request.key}"
    data = request.body if isinstance(request.body, bytes) else orjson.dumps(request.body)
    async with client.request(request.method, request.path, data=data, headers=headers) as response:
        return Reply(response.status, dict(response.headers), await response.read())


def post(
    base_url: str, *, key: str = "any", tls: ssl.SSLContext | None = None, **message: str
) -> tuple[int, http.client.HTTPMessage]:
    """Send one message to a sandbox in another process; returns the answer's status and headers."""
    address = urlsplit(base_url).netloc
    plain = http.client.HTTPConnection(address, timeout=POST_TIMEOUT_S)
    connection = http.client.HTTPSConnection(address, timeout=POST_TIMEOUT_S, context=tls) if tls else plain
    try:
        connection.request(
            "POST",
            MESSAGES,
            orjson.dumps(HELLO | message),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()
