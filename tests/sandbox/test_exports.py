"""Log exports, from the start of a job to its files."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from runner.sandbox import SandboxOptions
from tests.sandbox.client import MESSAGES, Request, ask
from tests.sandbox.talk import EXPORTS, Talk, talk

# Written down again, because a client depends on every one of them.
COLUMNS = [
    "umid", "subaccountid", "direction", "country", "operator", "mcc", "mnc", "status_value", "status_details",
    "status_errorcode", "status_errormessage", "status_timestamp", "msisdn", "source", "encoding", "createdat",
    "smscount", "price_currency", "price_persms", "price_total", "clientmessageid", "clientbatchid", "batchid", "body",
]  # fmt: skip


def test_a_row() -> None:
    async def talking(to: Talk) -> None:
        umid = await to.send("welcome-1", text="x" * 161, source="ACME", country="US")
        [row] = await to.rows()
        assert list(row) == COLUMNS
        created_at = datetime.fromisoformat(row["createdat"])
        assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=1)
        expected = dict.fromkeys(COLUMNS, "") | {
            "umid": umid, "subaccountid": "acme_hq", "direction": "1", "country": "US", "status_value": "delivered",
            "status_details": "delivered_to_recipient", "status_timestamp": row["createdat"],
            "msisdn": "+1202555xxxx", "source": "ACME", "encoding": "GSM7", "createdat": row["createdat"],
            "smscount": "2", "price_currency": "USD", "price_persms": "0.01", "price_total": "0.02",
            "clientmessageid": "welcome-1", "body": "**MASKED**",
        }  # fmt: skip
        assert expected == row

    talk(talking)


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        (0, ["succeeded", "succeeded"]),
        (1, ["queued", "succeeded"]),
        (3, ["queued", "running", "running", "succeeded"]),
    ],
)
def test_the_way_of_a_job(polls: int, expected: list[str]) -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        job_id = await to.start()
        answers = [await to.ask(job_id) for _ in expected]
        assert expected == [answer["status"] for answer in answers]
        assert {"status", "data", "expires"} == set(answers[-1])
        assert datetime.fromisoformat(answers[-1]["expires"]) > datetime.now(UTC)
        assert all({"status"} == set(answer) for answer in answers if answer["status"] != "succeeded")

    talk(talking, export_polls=polls)


def test_an_empty_export() -> None:
    async def talking(to: Talk) -> None:
        job_id = await to.start()
        assert [await to.ask(job_id) for _ in range(2)] == [{"status": "queued"}, {"status": "empty"}]

    talk(talking, export_polls=1)


def test_what_came_after_the_start_is_not_in_the_export() -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        job_id = await to.start()
        await to.send("welcome-2")
        [link] = (await to.ask(job_id))["data"]
        assert ["welcome-1"] == [row["clientmessageid"] for row in await to.download(link)]

    talk(talking, export_polls=0)


PERIODS: list[tuple[dict[str, object], list[str]]] = [
    ({}, ["30", "20", "10"]),
    ({"from": -200, "limit": 0}, ["200", "30", "20", "10"]),
    ({"from": -300, "limit": 2}, ["200", "30"]),
    ({"from": -30, "to": -20}, ["30"]),
    ({"from": "2020-01-01"}, ["200", "30", "20", "10"]),
    ({"from": "2020-01-01T00:00:00", "to": "2020-01-02T00:00:00Z"}, []),
    ({"phoneNumber": "6580000020"}, ["20"]),
    ({"countries": ["MY"]}, []),
    ({"countries": ["SG", "MY"], "limit": 1}, ["30"]),
]


@pytest.mark.parametrize(("asked", "expected"), PERIODS, ids=[orjson.dumps(asked).decode() for asked, _ in PERIODS])
@pytest.mark.parametrize("offset", [timedelta(), timedelta(hours=8)])
def test_what_is_asked_for(asked: dict[str, object], expected: list[str], offset: timedelta, tmp_path: Path) -> None:
    """In an older book, with messages of so many hours ago; numbers are hours from now."""
    now = datetime.now(timezone(offset)).replace(microsecond=0)
    shared = {"status": "QUEUED", "text": "Hello", "country": "SG"}

    def entry(hours: int, sub_account_id: str = "acme_hq") -> dict[str, object]:
        time = int((now - timedelta(hours=hours)).timestamp() * 1e6)
        own = {"time": time, "umid": str(hours), "clientMessageId": str(hours), "destination": f"+6580000{hours:03}"}
        return shared | own | {"subAccountId": sub_account_id}

    book = tmp_path / "book.jsonl"
    entries = [entry(200), entry(30), entry(25, "acme_uk"), entry(20), entry(10)]
    book.write_bytes(b"".join(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE) for entry in entries))
    body = {
        name: (now + timedelta(hours=value)).isoformat() if name != "limit" and isinstance(value, int) else value
        for name, value in asked.items()
    }

    async def talking(to: Talk) -> None:
        assert expected == [row["clientmessageid"] for row in await to.rows(**body)]

    talk(talking, book=book)


REFUSED: list[dict[str, object]] = [
    {"from": "yesterday"},
    {"from": 1796119200},
    {"from": "2026-02-30"},
    {"from": "2026-02-01T10:00:00.5Z"},
    {"from": "2026-02-02", "to": "2026-02-02"},
    {"limit": -1},
    {"limit": True},
    {"phoneNumber": 6580000000},
    {"countries": "SG"},
]


@pytest.mark.parametrize("body", REFUSED, ids=[orjson.dumps(body).decode() for body in REFUSED])
def test_a_request_that_makes_no_sense(body: dict[str, object]) -> None:
    [reply] = ask(SandboxOptions(), Request(body, path=EXPORTS))
    assert (reply.status, reply.code) == (400, 1000)


def test_a_body_that_is_no_json() -> None:
    [reply] = ask(SandboxOptions(), Request(b"{", path=EXPORTS))
    assert (reply.status, reply.code) == (400, 1000)


def test_messages_reach_the_log_with_a_lag() -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        assert await to.rows() == []

    talk(talking, export_lag_s=3600)


def test_several_files() -> None:
    async def talking(to: Talk) -> None:
        for number in range(5):
            await to.send(f"welcome-{number}")
        links = await to.links()
        files = [[row["clientmessageid"] for row in await to.download(link)] for link in links]
        assert [["welcome-0", "welcome-1"], ["welcome-2", "welcome-3"], ["welcome-4"]] == files

    talk(talking, export_rows=2)


def test_the_log_knows_what_was_rejected_and_what_waits() -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1", scheduled=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
        cancelled = await to.send("welcome-2", scheduled=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
        async with to.client.delete(f"{MESSAGES}/{cancelled}") as response:
            assert await response.json() == {"cancelledCount": 1}
        assert ["queued", "failed"] == [row["status_value"] for row in await to.rows()]

    async def rejecting(to: Talk) -> None:
        await to.send("welcome-1")
        [row] = await to.rows()
        assert ("failed", "0.0") == (row["status_value"], row["price_total"])

    talk(talking)
    talk(rejecting, reject_share=1)


def test_a_link_on_an_origin_of_its_own() -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        [link] = await to.links()
        here = await to.links()
        assert urlsplit(link).netloc == urlsplit(here[0]).netloc
        async with to.client.get("/sandbox/stats") as response:
            assert urlsplit(link).port != response.url.port
        assert len(await to.download(link)) == 1
        assert (await to.stats())["foreign_authorizations"] == []
        async with to.client.get(link) as response:  # with the key
            assert response.status == 200
        assert (await to.stats())["foreign_authorizations"] == ["Bearer s3cret"]
        origin = link.partition("/api/")[0]
        async with to.client.get(f"{origin}/sandbox/stats") as response:
            assert response.status == 404

    talk(talking, api_key="s3cret", download_port=0)


def test_a_link_takes_no_key_and_cannot_be_guessed() -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        [link] = await to.links()
        assert len(await to.download(link)) == 1
        async with to.client.get(link[:-1]) as response:
            assert (response.status, (await response.json())["code"]) == (404, 1300)

    talk(talking, api_key="s3cret")


def test_cancelling_a_job() -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        job_id = await to.start()
        async with to.client.delete(f"{EXPORTS}/{job_id}") as response:
            assert (response.status, await response.read()) == (204, b"")
        assert await to.ask(job_id) == {"status": "cancelled"}

    talk(talking)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job(method: str) -> None:
    [reply] = ask(SandboxOptions(), Request(method=method, path=f"{EXPORTS}/nothing"))
    assert (reply.status, reply.code) == (404, 4018)


def test_a_job_belongs_to_its_sub_account() -> None:
    async def talking(to: Talk) -> None:
        job_id = await to.start()
        async with to.client.get(f"{EXPORTS.replace('acme_hq', 'acme_uk')}/{job_id}") as response:
            assert response.status == 404

    talk(talking)
