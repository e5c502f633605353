"""Exports, details, feedback, prices and balance against the provider's own OpenAPI document."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest

from runner.sandbox import SandboxOptions
from runner.sandbox.records import COLUMNS
from runner.sandbox.server import running
from tests.sandbox.client import HELLO, Reply, Request, ask
from tests.sandbox.client import MESSAGES as OURS
from tests.sandbox.disturbed import HEADERS, faults_in
from tests.sandbox.document import MESSAGES, PRICES, Document, needs_document

ACCOUNT = f"/api/v1/accounts/{uuid4()}"
BALANCE = PRICES.replace("prices", "balance")
EXPORTS, JOB = f"{MESSAGES}/exports", f"{MESSAGES}/exports/{{jobId}}"
MESSAGE, FEEDBACK = f"{MESSAGES}/{{umid}}", f"{MESSAGES}/{{umid}}/feedback"

pytestmark = needs_document


@pytest.fixture(scope="module")
def document() -> Document:
    return Document()


ANSWERS: list[tuple[str, str, str, object, int]] = [
    ("post", EXPORTS, f"{OURS}/exports", {"from": "2026-01-01", "limit": 0}, 202),
    ("post", EXPORTS, f"{OURS}/exports", {"from": "yesterday"}, 400),
    ("get", JOB, f"{OURS}/exports/nothing", None, 404),
    ("delete", JOB, f"{OURS}/exports/nothing", None, 404),
    ("get", MESSAGE, f"{OURS}/{uuid4()}", None, 404),
    ("get", MESSAGE, f"{OURS}/nothing", None, 400),
    ("delete", MESSAGE, f"{OURS}/{uuid4()}", None, 404),
    ("delete", MESSAGE, f"{OURS}/nothing", None, 400),
    ("post", FEEDBACK, f"{OURS}/{uuid4()}/feedback", {"outcome": "success"}, 200),
    ("post", FEEDBACK, f"{OURS}/{uuid4()}/feedback", {}, 400),
    ("get", PRICES, f"{ACCOUNT}/prices?mcc=1", None, 400),
    ("get", BALANCE, f"{ACCOUNT}/balance", None, 200),
]


@pytest.mark.parametrize(("method", "path", "ours", "body", "status"), ANSWERS)
def test_answer(method: str, path: str, ours: str, body: object, status: int, document: Document) -> None:
    [reply] = ask(SandboxOptions(), Request(body, method=method.upper(), path=ours))
    assert status == reply.status
    document.check(reply, path, method)


@pytest.mark.parametrize(("method", "path", "ours"), [row[:3] for row in ANSWERS])
def test_answer_without_key(method: str, path: str, ours: str, document: Document) -> None:
    [reply] = ask(SandboxOptions(), Request(None, method=method.upper(), path=ours, key=None))
    assert reply.status == 401
    document.check(reply, path, method)


def in_turn(*requests: tuple[str, str], scheduled: bool = False, **options: Any) -> list[Reply]:  # noqa: ANN401
    """Send a message, start an export, then do these: method and path, with {umid} and {jobId} in it."""
    later = {"scheduled": (datetime.now(UTC) + timedelta(hours=1)).isoformat()} if scheduled else {}

    async def session() -> list[Reply]:
        async with (
            running(SandboxOptions(**options)) as base_url,
            aiohttp.ClientSession(base_url, headers=HEADERS) as client,
        ):
            message = {"clientMessageId": "welcome-1", "country": "US"}
            async with client.post(OURS, json=HELLO | message | later) as response:
                umid = (await response.json())["umid"]
            async with client.post(f"{OURS}/exports", json={}) as response:
                job_id = (await response.json())["jobId"]
            replies = []
            for method, path in requests:
                async with client.request(method, path.format(umid=umid, jobId=job_id)) as response:
                    replies.append(Reply(response.status, dict(response.headers), await response.read()))
            return replies

    return asyncio.run(session())


@pytest.mark.parametrize("options", [{}, {"reject_share": 1}, {"scheduled": True}], ids=str)
def test_details(options: dict[str, Any], document: Document) -> None:
    replies = in_turn(*[("GET", f"{OURS}/{{umid}}")] * 2, **options)
    assert [reply.status for reply in replies] == [200, 429]
    for reply in replies:
        document.check(reply, MESSAGE, "get")


def test_cancelling_a_message(document: Document) -> None:
    [reply] = in_turn(("DELETE", f"{OURS}/{{umid}}"), scheduled=True)
    assert reply.status == 200
    document.check(reply, MESSAGE, "delete")


def test_the_way_of_a_job(document: Document) -> None:
    replies = in_turn(*[("GET", f"{OURS}/exports/{{jobId}}")] * 3)
    assert [reply.body["status"] for reply in replies] == ["queued", "running", "succeeded"]
    for reply in replies:
        document.check(reply, JOB, "get")


@pytest.mark.parametrize("end", ["failed", "cancelled", "error"])
def test_the_end_of_a_job(end: str, document: Document, tmp_path: Path) -> None:
    faults = faults_in(tmp_path, {"fault": f"export_{end}", "share": 1})
    [reply] = in_turn(("GET", f"{OURS}/exports/{{jobId}}"), faults=faults, export_polls=0)
    assert end == reply.body["status"]
    document.check(reply, JOB, "get")


def test_cancelling_a_job(document: Document) -> None:
    [reply] = in_turn(("DELETE", f"{OURS}/exports/{{jobId}}"))
    assert reply.status == 204
    document.check(reply, JOB, "delete")


def test_the_columns_of_an_export(document: Document) -> None:
    described = document.contents["paths"][JOB]["get"]["responses"]["200"]["description"]
    assert [line.split("**")[1] for line in described.partition("columns")[2].splitlines() if "- **" in line] == [
        *COLUMNS
    ]


def test_prices(document: Document) -> None:
    """The schema has a list for `outbound` and `inbound`, the three examples an object: the sandbox goes with these."""
    [reply] = ask(SandboxOptions(), Request(method="GET", path=f"{ACCOUNT}/prices"))
    assert reply.status == 200
    content = document.contents["paths"][PRICES]["get"]["responses"]["200"]["content"]
    [example] = orjson.loads(content["Single-SubAccount"]["example"])["subAccounts"]
    [account] = reply.body["subAccounts"]
    assert example.keys() == account.keys()
    document.validate(example["outbound"], "components", "schemas", "PriceOutbound")
    document.validate(account["outbound"], "components", "schemas", "PriceOutbound")
