"""A client that meets a fault of the sandbox, and tells what it saw."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from runner.sandbox import SandboxOptions
from runner.sandbox.server import running
from tests.sandbox.client import HELLO, MESSAGES

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
MESSAGE = HELLO | {"clientMessageId": "welcome-1"}
HEADERS = {"Authorization": "Bearer any", "Content-Type": "application/json"}
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Met:
    """What a client saw: an answer, or the failure in its place; and whether the message is in the book."""

    booked: bool
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    failure: type[Exception] | None = None

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return orjson.loads(self.body)


def faults_in(tmp_path: Path, *rules: Mapping[str, object]) -> Path:
    path = tmp_path / "faults.json"
    path.write_bytes(orjson.dumps(rules))
    return path


def meet(
    tmp_path: Path, fault: str, loop: LoopFactory | None = None, patience_s: float = PATIENCE_S, **parameters: object
) -> Met:
    """Send one message that meets this fault. A second one proves that the sandbox goes on."""
    options = SandboxOptions(faults=faults_in(tmp_path, {"fault": fault, "requests": [1], **parameters}))

    async def session() -> Met:
        async with running(options) as base_url, aiohttp.ClientSession(base_url, headers=HEADERS) as client:
            met = await post(client, patience_s)
            booked = await (await client.get("/sandbox/book")).read()
            stats = await (await client.get("/sandbox/stats")).json()
            assert stats["faults"] == {fault: 1}
            assert (await post(client)).status == 200
            return Met(b"welcome-1" in booked, met.status, met.headers, met.body, met.failure)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(session())


async def post(client: aiohttp.ClientSession, patience_s: float = PATIENCE_S) -> Met:
    request = client.post(
        MESSAGES, json=MESSAGE, timeout=aiohttp.ClientTimeout(total=patience_s), auto_decompress=False
    )
    try:
        async with request as response:
            return Met(False, response.status, dict(response.headers), await response.read())
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        return Met(False, failure=type(error))
