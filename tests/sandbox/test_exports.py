"""Log exports, from the start of a job to its files, and those that go wrong on purpose."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from runner.sandbox.options import SandboxOptions
from tests.sandbox import document
from tests.sandbox.client import EXPORTS, HEADERS, MESSAGES, Client, Request, ask, faults_in, run_client

# Written down again, because a client depends on every one of them.
COLUMNS = [
    "umid", "subaccountid", "direction", "country", "operator", "mcc", "mnc", "status_value", "status_details",
    "status_errorcode", "status_errormessage", "status_timestamp", "msisdn", "source", "encoding", "createdat",
    "smscount", "price_currency", "price_persms", "price_total", "clientmessageid", "clientbatchid", "batchid", "body",
]  # fmt: skip


def export_fault(tmp_path: Path, fault: str, **parameters: object) -> Path:
    """A fault of the first export."""
    return faults_in(tmp_path, {"fault": fault, "requests": [1], **parameters})


def test_a_row() -> None:
    async def script(client: Client) -> None:
        umid = await client.send("welcome-1", text="x" * 161, source="ACME", country="US")
        [row] = await client.rows()
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

    run_client(script)


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        (0, ["succeeded", "succeeded"]),
        (1, ["queued", "succeeded"]),
        (3, ["queued", "running", "running", "succeeded"]),
    ],
)
def test_the_states_of_a_job(polls: int, expected: list[str]) -> None:
    async def script(client: Client) -> None:
        job_id = await client.start()
        empty = [await client.status(job_id) for _ in expected]
        await client.send("welcome-1")
        job_id = await client.start()
        await client.send("welcome-2")  # what comes after the start is not in the export
        answers = [await client.status(job_id) for _ in expected]
        assert expected == [answer["status"] for answer in answers]
        assert [{"status": each.replace("succeeded", "empty")} for each in expected] == empty
        assert {"status", "data", "expires"} == set(answers[-1])
        assert datetime.fromisoformat(answers[-1]["expires"]) > datetime.now(UTC)
        assert all({"status"} == set(answer) for answer in answers if answer["status"] != "succeeded")
        [link] = answers[-1]["data"]
        assert ["welcome-1"] == [row["clientmessageid"] for row in await client.download(link)]

    run_client(script, SandboxOptions(export_polls=polls))


PERIODS: list[tuple[dict[str, object], list[str]]] = [
    ({}, ["30", "20", "10"]),
    ({"from": -200, "limit": 0}, ["200", "30", "20", "10"]),
    ({"from": -300, "limit": 2}, ["200", "30"]),
    ({"from": -30, "to": -20}, ["30"]),
    ({"from": "2020-01-01"}, ["200", "30", "20", "10"]),
    ({"from": "2020-01-01T00:00:00", "to": "2020-01-02T00:00:00Z"}, []),
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

    async def script(client: Client) -> None:
        assert expected == [row["clientmessageid"] for row in await client.rows(**body)]

    run_client(script, SandboxOptions(book=book))


REFUSED: list[tuple[object, int]] = [
    ({"from": "yesterday"}, 1000),
    ({"from": 1796119200}, 1000),
    ({"from": "2026-02-30"}, 1000),
    ({"from": "2026-02-01T10:00:00.5Z"}, 1000),
    ({"from": "2026-02-02", "to": "2026-02-02"}, 1000),
    ({"limit": -1}, 1000),
    ({"limit": True}, 1000),
    ({"phoneNumber": "6580000000"}, 2001),
    ({"countries": ["SG"]}, 2001),
    (b"{", 1000),
    ([], 1000),
]


@pytest.mark.parametrize(("body", "code"), REFUSED, ids=[str(body) for body, _ in REFUSED])
def test_a_request_that_is_refused(body: object, code: int) -> None:
    [reply] = ask(SandboxOptions(), Request(body, path=EXPORTS))
    assert (400, code) == (reply.status, reply.code)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"export_lag_s": 3600}, []),
        ({"export_rows": 2}, [["welcome-0", "welcome-1"], ["welcome-2", "welcome-3"], ["welcome-4"]]),
    ],
)
def test_lag_and_several_files(options: dict[str, Any], expected: list[list[str]]) -> None:
    async def script(client: Client) -> None:
        for number in range(5):
            await client.send(f"welcome-{number}")
        files = [await client.download(link) for link in await client.links()]
        assert expected == [[row["clientmessageid"] for row in rows] for rows in files]

    run_client(script, SandboxOptions(**options))


def test_the_log_knows_what_was_rejected_and_what_waits() -> None:
    async def script(client: Client) -> None:
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        _, cancelled = [await client.send(name, scheduled=later) for name in ("welcome-1", "welcome-2")]
        assert {"cancelledCount": 1} == (await client.do("DELETE", f"{MESSAGES}/{cancelled}")).body
        assert ["queued", "failed"] == [row["status_value"] for row in await client.rows()]

    async def rejecting(client: Client) -> None:
        await client.send("welcome-1")
        [row] = await client.rows()
        assert ("failed", "0.0") == (row["status_value"], row["price_total"])

    run_client(script)
    run_client(rejecting, SandboxOptions(reject_share=1))


def test_a_link_on_an_origin_of_its_own() -> None:
    async def script(client: Client) -> None:
        await client.send("welcome-1")
        [link], here = await client.links(), await client.links()
        assert urlsplit(link).netloc == urlsplit(here[0]).netloc
        async with client.http.get("/") as response:
            assert urlsplit(link).port != response.url.port
        assert len(await client.download(link)) == 1
        assert (await client.stats())["foreign_authorizations"] == []
        async with client.http.get(link, headers=HEADERS) as response:
            assert response.status == 200
        assert (await client.stats())["foreign_authorizations"] == ["Bearer s3cret"]
        origin = link.partition("/api/")[0]
        async with client.http.get(f"{origin}/sandbox/stats") as response:
            assert response.status == 404

    run_client(script, SandboxOptions(api_key="s3cret", download_port=0))


def test_a_link_takes_no_key_and_cannot_be_guessed() -> None:
    async def script(client: Client) -> None:
        await client.send("welcome-1")
        [link] = await client.links()
        assert len(await client.download(link)) == 1
        async with client.http.get(link[:-1]) as response:
            assert (response.status, (await response.json())["code"]) == (404, 1300)

    run_client(script, SandboxOptions(api_key="s3cret"))


def test_a_job_belongs_to_its_sub_account_and_can_be_cancelled() -> None:
    async def script(client: Client) -> None:
        await client.send("welcome-1")
        job = f"{EXPORTS}/{await client.start()}"
        assert 404 == (await client.do("GET", job.replace("acme_hq", "acme_uk"))).status
        reply = await client.do("DELETE", job)
        assert (204, b"") == (reply.status, reply.raw)
        assert {"status": "cancelled"} == (await client.do("GET", job)).body

    run_client(script)


def test_a_message_whose_answer_was_lost_is_in_the_log(tmp_path: Path) -> None:
    async def script(client: Client) -> None:
        with pytest.raises(aiohttp.ClientError):
            await client.send("welcome-1")
        assert ["welcome-1"] == [row["clientmessageid"] for row in await client.rows()]

    run_client(script, SandboxOptions(faults=export_fault(tmp_path, "accepted_then_reset")))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("export_failed", ["queued", "failed", "failed"]),
        ("export_cancelled", ["queued", "cancelled", "cancelled"]),
        ("export_error", ["queued", "error", "error"]),
        ("export_never_ends", ["queued", "running", "running", "running"]),
    ],
)
def test_an_export_that_comes_to_nothing(fault: str, expected: list[str], tmp_path: Path) -> None:
    async def script(client: Client) -> None:
        await client.send("welcome-1")
        job_id = await client.start()
        answers = [await client.do("GET", f"{EXPORTS}/{job_id}") for _ in expected]
        assert [{"status": status} for status in expected] == [answer.body for answer in answers]
        for answer in answers:
            document.check_answer("get", f"{EXPORTS}/{job_id}", answer.status, answer.raw)
        assert len(await client.rows()) == 1  # the next one goes well
        assert (await client.stats())["faults"] == {fault: 1}

    run_client(script, SandboxOptions(export_polls=1, faults=export_fault(tmp_path, fault)))


def test_a_job_that_is_lost(tmp_path: Path) -> None:
    async def script(client: Client) -> None:
        assert (await client.status(await client.start()))["code"] == 4018

    run_client(script, SandboxOptions(faults=export_fault(tmp_path, "export_job_lost")))


@pytest.mark.parametrize(("parameters", "status"), [({}, 410), ({"status": 404}, 404)])
def test_a_link_that_has_expired(parameters: dict[str, object], status: int, tmp_path: Path) -> None:
    async def script(client: Client) -> None:
        await client.send("welcome-1")
        [link] = await client.links()
        async with client.http.get(link) as response:
            assert (status, 1300) == (response.status, (await response.json())["code"])

    run_client(script, SandboxOptions(faults=export_fault(tmp_path, "export_link_expired", **parameters)))


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    async def script(client: Client) -> None:
        for number in range(4):
            await client.send(f"welcome-{number}")
        whole, cut = await client.links()
        assert len(await client.download(whole)) == 2
        async with client.http.get(cut) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
            assert response.content_length is not None
            assert response.content.total_bytes == response.content_length // 2

    run_client(script, SandboxOptions(export_rows=2, faults=export_fault(tmp_path, "export_cut_off")))
