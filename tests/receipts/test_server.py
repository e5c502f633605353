import asyncio
import contextlib
import gzip
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from runner.base.errors import InputError
from runner.ledger.ledger import open_ledger
from runner.receipts import server as server_module
from runner.receipts.address import with_secret_path
from runner.receipts.server import Listening, listening
from tests.deadline import DEADLINE_S
from tests.receipts.events import OTHER, broken, kept, opted, receipt, reply

KEY = "Bearer s3cret"
JSON = {"Content-Type": "application/json"}


@contextlib.asynccontextmanager
async def desk(
    ledger: Path, authorization: str | None = None
) -> AsyncIterator[tuple[Listening, aiohttp.ClientSession]]:
    with open_ledger(str(ledger), create=True) as opened:
        async with (
            listening(opened, authorization=authorization) as server,
            aiohttp.ClientSession(server.url) as client,
        ):
            yield server, client


async def post(client: aiohttp.ClientSession, body: bytes, path: str = "/", **headers: str) -> int:
    async with client.post(path, data=body, headers=JSON | headers) as answer:
        await answer.read()
        return answer.status


async def talk(server: Listening, *parts: bytes) -> bytes:
    """Send these bytes over a bare connection; returns all that comes until the other side closes it."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(DEADLINE_S):
        for part in parts:
            writer.write(part)
            await writer.drain()
        answer = await reader.read()
    writer.close()
    return answer


def test_an_event_is_in_the_ledger_when_it_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        async with desk(path) as (_, client):
            for index, where in enumerate(("/", "/receipts", "/a/b/c?d=e", "/healthy")):
                assert 200 == await post(client, receipt(f"u{index}"), where)
                assert f"u{index}" in kept(path)
            assert 200 == await post(client, reply("Stop. Thank you"))
            assert {"+12025550123"} == set(opted(path))

    asyncio.run(session())


ANSWERS = [
    ("a receipt", receipt("u"), {}, 200),
    ("with a charset", receipt("u"), {"Content-Type": "application/json; charset=utf-8"}, 200),
    ("an event that this version doesn't know", OTHER, {}, 200),
    ("a reply that means nothing", reply("see you tomorrow"), {}, 200),
    ("a reply from no number", reply("STOP", "ACME"), {}, 200),
    ("no JSON", b"hello", {}, 400),
    ("an empty body", b"", {}, 400),
    ("a list", b"[]", {}, 400),
    ("deep nesting", b"[" * 60_000, {}, 400),
    ("no umid", receipt(""), {}, 400),
    ("a form", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ("a text", receipt("u"), {"Content-Type": "text/plain"}, 415),
    ("too large", b" " * 70_000 + receipt("u"), {}, 413),
    ("too large when it is unpacked", gzip.compress(b" " * 70_000 + receipt("u")), {"Content-Encoding": "gzip"}, 413),
    ("packed", gzip.compress(receipt("u")), {"Content-Encoding": "gzip"}, 200),
]


@pytest.mark.parametrize(("label", "body", "headers", "status"), ANSWERS, ids=[label for label, *_ in ANSWERS])
def test_answers(tmp_path: Path, label: str, body: bytes, headers: dict[str, str], status: int) -> None:
    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (_, client):
            assert status == await post(client, body, **headers)

    asyncio.run(session())


def test_only_posts_are_events(tmp_path: Path) -> None:
    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (server, client):
            for method, path in (("GET", "/"), ("PUT", "/"), ("POST", "/health"), ("POST", "/metrics")):
                async with client.request(method, path, data=receipt("u"), headers=JSON) as answer:
                    assert 405 == answer.status, (method, path)
            assert {} == kept(tmp_path / "ledger.sqlite3")
            assert 4 == server.intake.metrics.counts["refused"]

    asyncio.run(session())


AUTHORIZATIONS = [
    (KEY, 200),
    ("Bearer s3cre", 401),
    ("Bearer s3crett", 401),
    ("bearer s3cret", 401),
    ("Bearer sécret", 401),
    ("", 401),
    (None, 401),
]


@pytest.mark.parametrize(("given", "status"), AUTHORIZATIONS)
def test_authorization(tmp_path: Path, given: str | None, status: int) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        async with desk(path, KEY) as (server, client):
            headers = {} if given is None else {"Authorization": given}
            assert status == await post(client, receipt("u"), **headers)
            assert (status == 200) == ("u" in kept(path))
            if status == 401:
                assert f'refused_total{{status="{status}"}} 1.0' in server.intake.metrics.text().decode()

    asyncio.run(session())


def test_looking_needs_no_authorization_and_shows_no_number(tmp_path: Path) -> None:
    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3", KEY) as (_, client):
            for body in (receipt("u1"), receipt("u1", "read"), reply("STOP"), reply("who is this?"), OTHER):
                assert 200 == await post(client, body, Authorization=KEY)
            async with client.get("/health") as answer:
                assert (200, {"status": "ok"}) == (answer.status, await answer.json())
            async with client.get("/metrics") as answer:
                assert 200 == answer.status
                text = await answer.text()
        for line in (
            'campaign_receipts_events_total{kind="receipt"} 2.0',
            'campaign_receipts_states_total{state="delivered"} 1.0',
            'campaign_receipts_states_total{state="read"} 1.0',
            'campaign_receipts_events_total{kind="opt_out"} 1.0',
            'campaign_receipts_events_total{kind="reply"} 1.0',
            'campaign_receipts_events_total{kind="ignored"} 1.0',
            "campaign_receipts_healthy 1.0",
            "campaign_receipts_commit_seconds_count 4.0",
            "campaign_receipts_waiting 0.0",
        ):
            assert line in text.splitlines()
        assert "2025550123" not in text
        assert "u1" not in text

    asyncio.run(session())


@pytest.mark.parametrize("table", ["receipts", "optouts"])
def test_a_ledger_that_cannot_be_written_is_a_503_until_it_can(tmp_path: Path, table: str) -> None:
    path = tmp_path / "ledger.sqlite3"
    body = receipt("u") if table == "receipts" else reply("STOP")

    async def health(client: aiohttp.ClientSession) -> int:
        async with client.get("/health") as answer:
            return answer.status

    async def session() -> None:
        async with desk(path) as (server, client):
            with broken(path, table):
                async with client.post("/", data=body, headers=JSON) as answer:
                    assert (503, "10") == (answer.status, answer.headers["Retry-After"])
                    assert "ledger" in (await answer.json())["error"]
                assert 503 == await health(client)
                assert "campaign_receipts_healthy 0.0" in server.intake.metrics.text().decode()
            assert 200 == await post(client, body)
            assert 200 == await health(client)
            assert "campaign_receipts_healthy 1.0" in server.intake.metrics.text().decode()

    asyncio.run(session())
    assert 1 == len(kept(path) if table == "receipts" else opted(path))


def test_a_bare_connection_that_sends_nonsense_is_answered_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (server, _):
            for nonsense in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
                answer = await talk(server, nonsense)
                assert answer.startswith(b"HTTP/1.0 400") or b" 400 " in answer.splitlines()[0]
            headers = b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"
            assert b" 400 " in (await talk(server, headers)).splitlines()[0]
            broken_gzip = b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
            assert b" 400 " in (
                await talk(server, b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + broken_gzip)
            )

    asyncio.run(session())
    assert ("", "") == capfd.readouterr()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"


def test_a_body_that_does_not_come_is_a_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "READ_TIMEOUT_S", 1.0)
    monkeypatch.setattr(server_module, "LINGER_S", 0.1)

    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (server, client):
            slow = [talk(server, HEAD, b"{") for _ in range(20)]
            answers = asyncio.gather(*slow)
            assert 200 == await post(client, receipt("u"))
            assert {b"HTTP/1.1 408 Request Timeout"} == {answer.splitlines()[0] for answer in await answers}

    asyncio.run(session())


def test_headers_that_drip_do_not_hold_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "KEEP_ALIVE_S", 0.2)

    async def drip(server: Listening) -> None:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        closed = asyncio.create_task(reader.read())
        async with asyncio.timeout(DEADLINE_S):
            writer.write(b"POST / HTTP/1.1\r\nX: ")
            while not closed.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"y")
                    await writer.drain()
                await asyncio.wait([closed], timeout=0.01)
        with contextlib.suppress(ConnectionError):  # what dripped last met a closed connection
            assert b"" == await closed
        writer.close()

    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (server, _):
            await asyncio.gather(*(drip(server) for _ in range(5)))

    asyncio.run(session())


def test_who_leaves_in_the_middle_is_no_trouble(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (server, client):
            host, _, port = server.url.removeprefix("http://").rpartition(":")
            for part in (HEAD, HEAD + b"{"):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(part)
                await writer.drain()
                writer.transport.abort()
            assert 200 == await post(client, receipt("u"))

    asyncio.run(session())
    assert ("", "") == capfd.readouterr()


def test_what_was_taken_is_durable_and_answered_when_the_server_stops(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> int:
        with open_ledger(str(path), create=True) as ledger:
            async with aiohttp.ClientSession() as client:
                async with listening(ledger) as server:
                    requests = [
                        asyncio.create_task(client.post(server.url, data=receipt(f"u{index}"), headers=JSON))
                        for index in range(200)
                    ]
                    await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
                answers = await asyncio.gather(*requests, return_exceptions=True)
                # Who came too late finds no server, and never an answer for what isn't kept.
                taken = [index for index, answer in enumerate(answers) if not isinstance(answer, BaseException)]
                assert {200} == {answers[index].status for index in taken}  # type: ignore[union-attr]
                assert {f"u{index}" for index in taken} <= set(kept(path))
                return len(taken)

    assert 1 <= asyncio.run(session())


def test_groups_are_committed_together(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        async with desk(path) as (server, client):
            statuses = await asyncio.gather(*(post(client, receipt(f"u{index}")) for index in range(300)))
            assert {200} == set(statuses)
            text = server.intake.metrics.text().decode()
        [line] = [line for line in text.splitlines() if line.startswith("campaign_receipts_group_size_count")]
        assert float(line.split()[1]) < 300
        assert "campaign_receipts_group_size_sum 300.0" in text.splitlines()

    asyncio.run(session())
    assert 300 == len(kept(path))


def test_duplicates_and_disorder_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        async with desk(path) as (_, client):
            states = [("delivered", "delivered_to_recipient"), ("queued", None), ("sent", None)] * 3
            bodies = [receipt(f"u{index}", state, detail=detail) for index in range(10) for state, detail in states]
            assert {200} == set(await asyncio.gather(*(post(client, body) for body in bodies)))

    asyncio.run(session())
    assert {f"u{index}": "delivered" for index in range(10)} == kept(path)


def test_two_servers_on_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        async with desk(path) as (_, one), desk(path) as (_, other):
            posts = [
                post(client, receipt(f"u{index}", state))
                for index in range(100)
                for client, state in ((one, "sent"), (other, "delivered"))
            ]
            assert {200} == set(await asyncio.gather(*posts))

    asyncio.run(session())
    assert {f"u{index}": "delivered" for index in range(100)} == kept(path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])  # noqa: S104
def test_nobody_but_this_computer_without_an_authorization(tmp_path: Path, host: str) -> None:
    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            async with listening(ledger, host=host):
                pass

    with pytest.raises(InputError, match="--auth-header-env"):
        asyncio.run(session())


def test_every_address_with_an_authorization(tmp_path: Path) -> None:
    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            async with listening(ledger, host="0.0.0.0", authorization=KEY) as server:  # noqa: S104
                url = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
                async with aiohttp.ClientSession(url) as client:
                    assert 401 == await post(client, receipt("u"))

    asyncio.run(session())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async def session() -> None:
        async with desk(tmp_path / "ledger.sqlite3") as (server, _):
            port = int(server.url.rpartition(":")[2])
            with open_ledger(str(tmp_path / "other.sqlite3"), create=True) as other:
                async with listening(other, port=port):
                    pass

    with pytest.raises(InputError, match=r"127\.0\.0\.1 port \d+: Address already in use; choose another port"):
        asyncio.run(session())


def test_a_name_that_is_no_host(tmp_path: Path) -> None:
    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            async with listening(ledger, host="256.0.0.1", authorization=KEY):
                pass

    with pytest.raises(InputError, match=r"can't listen on 256\.0\.0\.1 port 0: "):
        asyncio.run(session())


def test_an_answer_says_why_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SHUTDOWN_S", 10 * DEADLINE_S)  # stopping waits for nobody who is idle

    async def session() -> None:
        async with (
            desk(tmp_path / "ledger.sqlite3") as (_, client),
            client.post("/", data=b"{}", headers=JSON) as answer,
        ):
            assert {"error": "the body has no eventType"} == json.loads(await answer.read())

    asyncio.run(asyncio.wait_for(session(), DEADLINE_S))


def test_the_secret_path_is_an_authorization(tmp_path: Path) -> None:
    async def session() -> None:
        async with desk(tmp_path / "l.sqlite3", KEY) as (_, client):
            right = urlsplit(with_secret_path("https://example.com/receipts/?a=b", KEY))
            assert "/receipts/" == right.path[:-32]
            assert 200 == await post(client, receipt("u"), f"{right.path}?{right.query}")
            for wrong in (f"{right.path}0", right.path[:-1], f"{right.path}/", f"/receipts?{right.path}", "/é"):
                assert 401 == await post(client, receipt("v"), wrong), wrong

    asyncio.run(session())


@pytest.mark.parametrize("head", [b"", b"POST / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                                  b"Content-Type: application/json\r\n\r\n{"])  # fmt: skip
def test_idle_connections_make_room(tmp_path: Path, head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that never end their request, more than the server keeps: the oldest are closed."""
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 10)

    async def session() -> None:
        async with desk(tmp_path / "l.sqlite3") as (server, client), asyncio.timeout(DEADLINE_S):
            host, _, port = server.url.removeprefix("http://").rpartition(":")
            opened = []
            assert 200 == await post(client, receipt("first"))  # this connection is kept alive
            for _ in range(30):
                opened.append(await asyncio.open_connection(host, int(port)))
                opened[-1][1].write(head)
            assert 200 == await post(client, receipt("late"))
            for reader, _ in opened[:10]:
                with contextlib.suppress(ConnectionError):
                    assert b"" == await reader.read()
            for _, writer in opened:
                writer.close()

    asyncio.run(session())
    assert {"first", "late"} == set(kept(tmp_path / "l.sqlite3"))


def test_the_bound_leaves_half_of_the_files_that_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    assert 32 == server_module.most_connections()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert server_module.MOST_CONNECTIONS == server_module.most_connections()
