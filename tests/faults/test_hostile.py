"""A server that shares no code with the runner answers what the provider never would; it counts what it took."""

import json
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.workplace import KEY, MINIMAL, Done, Workplace, people
from tests.faults.arena import quick

__all__ = ["quick"]

MESSAGES = 40
PAGE = b"<html><title>400 Bad Request</title></html>"
DEEP = "[" * 1_000 + "]" * 1_000


def http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def taken(request: dict[str, Any], **changes: str) -> bytes:
    """An answer that accepts. `changes` are JSON, already written."""
    fields = {"umid": f'"u-{request["clientMessageId"]}"', "clientMessageId": json.dumps(request["clientMessageId"])}
    fields |= {"status": '{"code": "QUEUED", "description": "ok"}'} | changes
    return http(200, ("{" + ",".join(f'"{name}": {value}' for name, value in fields.items()) + "}").encode())


def error(status: int, code: int, *headers: str) -> bytes:
    return http(status, json.dumps({"code": code, "message": "no", "errorId": "e"}).encode(), *headers)


# What to write for the n-th request (from 1), and whether its message is taken.
Script = Callable[[int, dict[str, Any]], tuple[bytes, bool]]


class Provider(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.lock = threading.Lock()
        self.requests = 0
        self.took: Counter[str] = Counter()


class Handler(socketserver.StreamRequestHandler):
    server: Provider

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while self.rfile.readline():
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                message = json.loads(self.rfile.read(length))
                with self.server.lock:
                    self.server.requests += 1
                    answer, is_taken = self.server.script(self.server.requests, message)
                    self.server.took[message["clientMessageId"]] += is_taken
                self.wfile.write(answer)
        except (OSError, ValueError):
            pass  # the client closed the connection


@contextmanager
def provider(folder: Path, script: Script) -> Iterator[tuple[Provider, Callable[..., Done], Workplace]]:
    with Provider(script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        base_url = f"http://127.0.0.1:{server.server_address[1]}"
        place = Workplace(folder, base_url)
        place.write(people(MESSAGES), MINIMAL)

        def run(*arguments: str) -> Done:
            environment = {"EIGHTXEIGHT_BASE_URL": base_url, "EIGHTXEIGHT_API_KEY": KEY}
            return place.here("run", "hello.yaml", "--yes", *arguments, **environment)

        try:
            yield server, run, place
        finally:
            server.shutdown()
            thread.join()


def check(server: Provider, place: Workplace) -> None:
    """Nobody twice, and nobody lost: whoever was not taken may still be sent to, or is unknown."""
    assert [] == [message_id for message_id, count in server.took.items() if count > 1]
    for row in place.results():
        took = server.took[row["client_message_id"]] if row["client_message_id"] else 0
        assert row["status"] == "unknown" or (row["status"] == "accepted") == bool(took), row


# Each is the answer to some requests of one run.
HOSTILE: dict[str, list[Script]] = {
    "fatal codes with another status": [
        lambda *_: (error(500, 2001), True),
        lambda *_: (error(503, 1200), False),
        lambda *_: (error(202, 1001), True),
        lambda *_: (error(408, 1201), True),
    ],
    "refused by a load balancer or a gateway": [
        lambda *_: (http(400, PAGE), False),
        lambda *_: (http(413, PAGE), False),
        lambda *_: (error(400, 400), False),
    ],
    "hostile fields": [
        lambda _, m: (taken(m, status=f'{{"code": {DEEP}}}'), True),
        lambda _, m: (taken(m, umid=DEEP), True),
        lambda _, m: (taken(m, clientMessageId=DEEP), True),
        lambda _, m: (taken(m, umid=r'"\ud800"'), True),
        lambda n, m: (taken(m, umid=rf'"u\u0000{n}"'), True),
    ],
    "an unasked 429 in one piece": [lambda _, m: (taken(m) + error(429, 429), True)],
    "a 429 before each answer": [lambda _, m: (error(429, 429) + taken(m), True)],
    "a date beyond an int": [
        lambda n, m: (
            (error(429, 429, f"Retry-After: Tue, 01 Dec 2026 01:00:00 +{'9' * 30}"), False)
            if n == 4
            else (taken(m), True)
        )
    ],
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("scripts", HOSTILE.values(), ids=HOSTILE)
def test_nobody_twice_nobody_lost(tmp_path: Path, scripts: list[Script]) -> None:
    def script(number: int, message: dict[str, Any]) -> tuple[bytes, bool]:
        """The hostile answers take turns: every fourth request gets one, and the others are accepted."""
        turn, rest = divmod(number, 4)
        return (taken(message), True) if rest else scripts[turn % len(scripts)](number, message)

    with provider(tmp_path, script) as (server, run, place):
        codes = [run().exit_code, run().exit_code]

        check(server, place)
        assert set(codes) <= {0, 1}
        assert MESSAGES == sum(row["status"] in ("accepted", "unknown") for row in place.results())


@pytest.mark.usefixtures("quick")
def test_a_load_balancer_that_refuses_everything_stops_the_run(tmp_path: Path) -> None:
    is_back = False
    with provider(tmp_path, lambda _, m: (taken(m), True) if is_back else (http(400, PAGE), False)) as (
        server, run, place,
    ):  # fmt: skip
        stopped = run()

        assert 5 == stopped.exit_code
        assert server.requests < MESSAGES
        assert {"unsent"} == {row["status"] for row in place.results()}
        told = " ".join(stopped.stdout.split())
        assert "a proxy or load balancer may have answered instead" in told
        assert 'a web page instead of an API answer: "400 Bad Request"' in told
        assert "add --ignore-fuse unexpectedAnswers" in told

        is_back = True
        assert 0 == run().exit_code
        assert {1} == set(server.took.values())
        assert MESSAGES == len(server.took)
        check(server, place)


@pytest.mark.parametrize("retry_after", ["31536000", "1" + "0" * 20, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_beyond_give_up_after_stops_the_run(tmp_path: Path, retry_after: str) -> None:
    with provider(tmp_path, lambda *_: (error(429, 429, f"Retry-After: {retry_after}"), False)) as (server, run, _):
        stopped = run()

        assert 3 == stopped.exit_code
        assert server.requests < MESSAGES
        assert "the provider asks for a pause of 365 days, until " in " ".join(stopped.stdout.split())
