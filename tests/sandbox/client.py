"""A client of a running sandbox. It knows nothing of `runner.provider`, and holds answers against the document."""

import asyncio
import csv
import http.client
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import orjson

from runner.sandbox.options import SandboxOptions
from runner.sandbox.server import running
from tests.deadline import DEADLINE_S
from tests.sandbox import document

T = TypeVar("T")

MESSAGES = "/api/v1/subaccounts/acme_hq/messages"
EXPORTS = f"{MESSAGES}/exports"
HELLO = {"destination": "+12025550123", "text": "Hello"}
HEADERS = {"Authorization": "Bearer s3cret", "Content-Type": "application/json"}


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

    @property
    def lines(self) -> list[Any]:
        """The objects of a page of JSON lines."""
        assert self.headers["Content-Type"] == "application/x-ndjson"
        return [orjson.loads(line) for line in self.raw.splitlines()]


@dataclass(frozen=True, slots=True)
class Client:
    """Asks a running sandbox. With faults, its answers may be others than the document's."""

    http: aiohttp.ClientSession
    has_faults: bool = False

    async def ask(self, request: Request) -> Reply:
        headers = {"Content-Type": request.content_type}
        if request.key is not None:
            headers["Authorization"] = f"Bearer {request.key}"
        data = request.body if isinstance(request.body, bytes) else orjson.dumps(request.body)
        async with self.http.request(request.method, request.path, data=data, headers=headers) as response:
            reply = Reply(response.status, dict(response.headers), await response.read())
        if not self.has_faults and request.path.startswith("/api/"):
            document.check_answer(request.method, request.path, reply.status, reply.raw)
        return reply

    async def do(self, method: str, path: str, body: object = None) -> Reply:
        return await self.ask(Request(body, method=method, path=path, key="s3cret"))

    async def send(self, message_id: str, **fields: object) -> str:
        reply = await self.do("POST", MESSAGES, HELLO | {"clientMessageId": message_id} | fields)
        return str(reply.body["umid"])

    async def start(self, **body: object) -> str:
        """Start an export; returns its job's id."""
        reply = await self.do("POST", EXPORTS, body)
        assert reply.status == 202
        return str(reply.body["jobId"])

    async def status(self, job_id: str) -> dict[str, Any]:
        answer = (await self.do("GET", f"{EXPORTS}/{job_id}")).body
        assert isinstance(answer, dict)
        return answer

    async def links(self, **body: object) -> list[str]:
        """The links of a whole export."""
        job_id = await self.start(**body)
        while (answer := await self.status(job_id))["status"] in ("queued", "running"):
            pass
        return list(answer.get("data", []))

    async def rows(self, **body: object) -> list[dict[str, str]]:
        return [row for link in await self.links(**body) for row in await self.download(link)]

    async def download(self, link: str) -> list[dict[str, str]]:
        async with aiohttp.ClientSession() as stranger, stranger.get(link) as response:
            assert (response.status, response.content_type) == (200, "text/csv")
            return list(csv.DictReader(io.StringIO(await response.text(), newline="")))

    async def stats(self) -> dict[str, Any]:
        stats = (await self.do("GET", "/sandbox/stats")).body
        assert isinstance(stats, dict)
        return stats


@asynccontextmanager
async def serving(options: SandboxOptions) -> AsyncIterator[Client]:
    async with running(options) as base_url, aiohttp.ClientSession(base_url) as http_client:
        yield Client(http_client, has_faults=options.faults is not None)


def run_client(script: Callable[[Client], Awaitable[T]], options: SandboxOptions | None = None) -> T:
    """Serve while the script runs; returns its result."""

    async def session() -> T:
        async with serving(options or SandboxOptions()) as client:
            return await script(client)

    return asyncio.run(asyncio.wait_for(session(), DEADLINE_S))


def ask(options: SandboxOptions, *requests: Request) -> list[Reply]:
    """Serve, send these one after another, return the replies."""

    async def script(client: Client) -> list[Reply]:
        return [await client.ask(request) for request in requests]

    return run_client(script, options)


def get(path: str, key: str | None = "any") -> Request:
    return Request(None, method="GET", path=path, key=key)


def faults_in(tmp_path: Path, *rules: object) -> Path:
    path = tmp_path / "faults.json"
    path.write_bytes(orjson.dumps(rules))
    return path


def post(
    base_url: str, *, key: str = "any", tls: ssl.SSLContext | None = None, **message: str
) -> tuple[int, http.client.HTTPMessage]:
    """Send one message to a sandbox in another process; returns the answer's status and headers."""
    address = urlsplit(base_url).netloc
    plain = http.client.HTTPConnection(address, timeout=DEADLINE_S)
    connection = http.client.HTTPSConnection(address, timeout=DEADLINE_S, context=tls) if tls else plain
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", MESSAGES, orjson.dumps(HELLO | message), headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()
