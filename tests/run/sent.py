"""A run as it is after sending, without having sent anything; and a provider that is told of it afterwards."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy import insert

from runner.ledger.ledger import RunRecord, open_ledger
from runner.ledger.tables import messages
from runner.plan.message_ids import MessageIds
from tests.cli.provider import in_a_thread
from tests.deadline import DEADLINE_S

NAME, RUN = "welcome", "main"
IDS = MessageIds(NAME, RUN)
ACCOUNT = {"account.subAccountId": "acme_hq", "account.region": "asia"}


def umid_of(key: str) -> str:
    return f"00000000-0000-4000-8000-{int.from_bytes(key.encode()):012x}"


def sent_run(
    ledger_path: Path,
    keys: Sequence[str],
    *,
    run: str = RUN,
    options: Mapping[str, str] | None = None,
    ago_s: float = 60,
    status: Mapping[str, str] | None = None,
) -> RunRecord:
    """A run whose messages left so long ago; accepted, but for those with another status."""
    now = time.time_ns() // 1000
    ids = MessageIds(NAME, run)
    with open_ledger(str(ledger_path), create=True) as ledger:
        record = ledger.begin_run(
            name=NAME,
            run=run,
            now=now,
            sub_account_id="acme_hq",
            options=orjson.dumps(ACCOUNT | dict(options or {})).decode(),
            fingerprint="f",
            rows=len(keys),
            to_send=len(keys),
        )
        ledger.end_run(record.id, now=now, stop_reason=None, stop_detail=None)
        rows: list[dict[str, Any]] = []
        for key in keys:
            is_now = (status or {}).get(key, "accepted")
            sent = {"claimed_at": now, "sent_at": now - int(ago_s * 1e6)}
            size = {"destination": "+12025550142", "country": "US", "encoding": "GSM7", "segments": 1, "attempts": 1}
            umid = umid_of(key) if is_now == "accepted" else None
            names = {"run_id": record.id, "message_id": ids.of(key), "key": key, "umid": umid}
            rows.append({**names, **size, **sent, "status": is_now})
        if rows:
            with ledger.engine.begin() as connection:
                connection.execute(insert(messages), rows)
        return ledger.runs(NAME, run)[0]


@dataclass(frozen=True)
class Asked:
    """One request. `key` is that of the message it is about."""

    method: str
    key: str
    body: Any


@dataclass(frozen=True)
class Says:
    """An answer; None as its body is an empty one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


YES = Says(200)
CANCELLED = Says(200, {"cancelledCount": 1})
NOT_THERE = Says(404, {"code": 1300, "message": "Message not found.", "errorId": "e", "timestamp": "t"})


class Provider:
    """Remembers what it was asked, and answers as its script says. Get one with `listening`."""

    def __init__(self) -> None:
        self.script: Callable[[Asked], Says] = lambda asked: CANCELLED if asked.method == "DELETE" else YES
        self.asked: list[Asked] = []
        self.base_url = ""
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._released.set()

    @property
    def told(self) -> list[tuple[str, str]]:
        """What it was told, in the order in which it came: (key, outcome)."""
        return [(one.key, one.body["outcome"]) for one in self.asked if one.method == "POST"]

    def hold(self) -> None:
        """Let every request wait for its answer until `release`."""
        self._released.clear()

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._released.set)

    def wait_for(self, count: int) -> None:
        """Return when so many requests have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.asked) >= count, DEADLINE_S), self.asked

    async def _answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        umid = request.path.removesuffix("/feedback").rpartition("/")[2]
        key = int(umid.rpartition("-")[2], 16).to_bytes(6).lstrip(b"\0").decode()
        asked = Asked(request.method, key, orjson.loads(content) if content else None)
        with self._arrived:
            self.asked.append(asked)
            self._arrived.notify_all()
        await self._released.wait()
        says = self.script(asked)
        body = b"" if says.body is None else orjson.dumps(says.body)
        return web.Response(status=says.status, body=body, headers=says.headers)

    async def _start(self) -> web.AppRunner:
        app = web.Application()
        path = "/api/v1/subaccounts/acme_hq/messages/{umid}"
        app.router.add_delete(path, self._answer)
        app.router.add_post(f"{path}/feedback", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


def listening() -> AbstractContextManager[Provider]:
    return in_a_thread(Provider())
