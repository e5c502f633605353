"""A bare HTTP client for the sandbox's tests: it knows nothing of `runner.provider`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from runner.sandbox import SandboxOptions
from runner.sandbox.server import running

MESSAGES = "/api/v1/subaccounts/acme_hq/messages"
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
