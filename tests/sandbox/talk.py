"""A client that sends messages, and exports the log about them."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from runner.sandbox import SandboxOptions
from runner.sandbox.server import running
from tests.sandbox.client import HELLO, MESSAGES

EXPORTS = f"{MESSAGES}/exports"
HEADERS = {"Authorization": "Bearer s3cret"}


@dataclass(frozen=True, slots=True)
class Talk:
    """A client of a running sandbox."""

    client: aiohttp.ClientSession

    async def send(self, message_id: str, **fields: object) -> str:
        message = HELLO | {"clientMessageId": message_id} | fields
        async with self.client.post(MESSAGES, json=message) as response:
            umid = (await response.json())["umid"]
            assert isinstance(umid, str)
            return umid

    async def start(self, **body: object) -> str:
        async with self.client.post(EXPORTS, json=body) as response:
            assert response.status == 202
            job_id = (await response.json())["jobId"]
            assert isinstance(job_id, str)
            return job_id

    async def ask(self, job_id: str) -> dict[str, Any]:
        async with self.client.get(f"{EXPORTS}/{job_id}") as response:
            answer = await response.json()
            assert isinstance(answer, dict)
            return answer

    async def links(self, **body: object) -> list[str]:
        """The links of a whole export."""
        job_id = await self.start(**body)
        while (answer := await self.ask(job_id))["status"] in ("queued", "running"):
            pass
        return list(answer.get("data", []))

    async def rows(self, **body: object) -> list[dict[str, str]]:
        return [row for link in await self.links(**body) for row in await self.download(link)]

    async def download(self, link: str) -> list[dict[str, str]]:
        async with aiohttp.ClientSession() as stranger, stranger.get(link) as response:
            assert (response.status, response.content_type) == (200, "text/csv")
            return list(csv.DictReader(io.StringIO(await response.text(), newline="")))

    async def stats(self) -> dict[str, Any]:
        async with self.client.get("/sandbox/stats") as response:
            stats = await response.json()
            assert isinstance(stats, dict)
            return stats


def talk(talking: Callable[[Talk], Awaitable[None]], **options: Any) -> None:  # noqa: ANN401 - any option
    async def session() -> None:
        async with (
            running(SandboxOptions(**options)) as base_url,
            aiohttp.ClientSession(base_url, headers=HEADERS) as client,
        ):
            await talking(Talk(client))

    asyncio.run(asyncio.wait_for(session(), 20))
