"""`campaign receipts`: the installed command, taking what is posted to it over real sockets."""

import contextlib
import resource
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from runner.receipts.optout_words import BUILT_IN_FILE
from tests.cli.provider import Provider, Request, error, queued
from tests.cli.provider import Reply as Answer
from tests.cli.workplace import Workplace, ended, people
from tests.deadline import DEADLINE_S
from tests.receipts.events import OTHER, kept, opted, receipt, reply

LEDGER = "reports/ledger.sqlite3"
SERVE = ("receipts", "--port", "0")
KEY = "Bearer s3cret"


@dataclass(frozen=True)
class Serving:
    process: subprocess.Popen[str]
    url: str
    first_lines: Sequence[str]

    def post(self, body: bytes, authorization: str | None = None) -> int:
        headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
        request = urllib.request.Request(self.url, data=body, headers=headers)  # noqa: S310 (loopback)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 (loopback)
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def look(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=DEADLINE_S) as answer:  # noqa: S310 (loopback)
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@contextlib.contextmanager
def serving(workplace: Workplace, *options: str, **environment: str) -> Iterator[Serving]:
    with workplace.started(*SERVE, *options, **environment) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("press Ctrl-C to stop")):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            lines.append(line)
        url = next(word for word in lines[0].split() if word.startswith("http://"))
        yield Serving(process, url, lines)


def test_it_takes_events_until_it_is_told_to_end(offline: Workplace) -> None:
    with serving(offline) as server:
        assert f"listening on {server.url} (ledger: {LEDGER})\n" == server.first_lines[0]
        assert "without --auth-header-env" in "".join(server.first_lines)
        for body in (receipt("u1", "sent"), receipt("u1"), reply("Stop. Thank you"), reply("hello"), OTHER):
            assert 200 == server.post(body)
        assert 400 == server.post(b"{}")
        server.process.send_signal(signal.SIGTERM)
        done = ended(server.process)
    assert (0, "") == (done.exit_code, done.stderr)
    counts = "2 receipts, 1 opted out, 1 other reply, 1 other event, 1 request refused"
    assert f"stopped: {counts}\n" == done.stdout
    assert {"u1": "delivered"} == kept(offline.folder / LEDGER)
    assert {"+12025550123"} == set(opted(offline.folder / LEDGER))
    assert 0o600 == (offline.folder / LEDGER).stat().st_mode & 0o777


def test_ctrl_c_ends_it_too_and_counts_come_as_json(offline: Workplace) -> None:
    with offline.started(*SERVE, "--json") as process:
        assert process.stderr is not None
        while "press Ctrl-C to stop" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert 0 == done.exit_code
    kinds = ("receipt", "opt_out", "opt_in", "untrusted_opt_in", "review", "reply", "unusable", "ignored", "refused")
    assert dict.fromkeys(kinds, 0) == done.document
    assert "stopped: nothing received\n" == done.stderr


def test_the_authorization_is_the_whole_header(offline: Workplace) -> None:
    with serving(offline, "--auth-header-env", "HOOK", HOOK=KEY) as server:
        assert "--auth-header-env" not in "".join(server.first_lines)
        assert 401 == server.post(receipt("u1"))
        assert 401 == server.post(receipt("u1"), "s3cret")
        assert 200 == server.post(receipt("u2"), KEY)
        server.process.terminate()
        done = ended(server.process)
    assert {"u2"} == set(kept(offline.folder / LEDGER))
    assert "s3cret" not in "".join([*server.first_lines, done.stdout, done.stderr])


def test_it_says_nothing_of_what_scanners_send_and_of_whom_it_hears(offline: Workplace) -> None:
    with serving(offline) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        for nonsense in (b"\x16\x03\x01\x02\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"POST / HTTP/1.1\r\nA b: \0\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as connection:
                connection.sendall(nonsense)
                assert b" 400 " in connection.recv(1000)
        assert 200 == server.post(reply("please call me on this number"))
        server.process.terminate()
        done = ended(server.process)
    assert (0, "") == (done.exit_code, done.stderr)
    assert "stopped: 1 other reply\n" == done.stdout


def test_every_receipt_that_was_answered_survives_a_kill(offline: Workplace) -> None:
    answered: set[str] = set()

    def post_on(worker: int) -> None:
        with contextlib.suppress(OSError):  # the server is gone
            for index in range(100_000):
                umid = f"u{worker}-{index}"
                if server.post(receipt(umid)) == 200:
                    answered.add(umid)
                if len(answered) >= 300:
                    enough.set()

    enough = threading.Event()
    with serving(offline) as server, ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(post_on, worker) for worker in range(8)]
        assert enough.wait(DEADLINE_S)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(DEADLINE_S)
        for worker in workers:
            worker.result(DEADLINE_S)
    with serving(offline) as again:  # as after a restart
        assert 200 == again.post(receipt("after"))
    assert answered | {"after"} <= set(kept(offline.folder / LEDGER))


def test_a_full_disk_is_a_503_and_space_mends_it_without_a_restart(offline: Workplace) -> None:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with serving(offline) as server:
        assert 200 == server.post(receipt("first"))
        largest = sum(path.stat().st_size for path in (offline.folder / "reports").glob("ledger.sqlite3*"))
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        statuses = [200]
        index = 0
        while statuses[-1] == 200:
            assert index < 10_000
            statuses.append(server.post(receipt(f"u{index}")))
            index += 1
        assert 503 == statuses[-1]
        assert 503 == server.look("/health")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        deadline = time.monotonic() + DEADLINE_S
        while server.look("/health") != 200:  # nobody posts: it sees by itself that there is space again
            assert time.monotonic() < deadline
        assert 200 == server.post(receipt("last"))
        server.process.terminate()
        assert 0 == ended(server.process).exit_code
    taken = {f"u{number}" for number, status in enumerate(statuses[1:]) if status == 200}
    assert {"first", "last"} | taken <= set(kept(offline.folder / LEDGER))


REFUSED = [
    (("--host", "0.0.0.0"), "would let anybody on the network write receipts and opt-outs; add --auth-header-env"),  # noqa: S104
    (("--auth-header-env", "NOWHERE"), "the environment variable NOWHERE is not set; set it to the whole header"),
    (("--words", "no.csv"), "no.csv can't be read: No such file"),
    (("--ledger", "mysql://x/y"), "is not supported"),
    (("--load", "no.jsonl"), "--load: no.jsonl can't be read: No such file or directory; name a file of JSON lines"),
    (("--load", "reports"), "--load: reports can't be read: Is a directory"),
    (("--load", "empty.jsonl"), "empty.jsonl is empty; name a file of JSON lines"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=[" ".join(options) for options, _ in REFUSED])
def test_options_that_cannot_be_followed(offline: Workplace, options: tuple[str, ...], words: str) -> None:
    (offline.folder / "reports").mkdir()
    (offline.folder / "empty.jsonl").write_bytes(b"\n")
    done = offline.here(*SERVE, *options)
    assert 2 == done.exit_code
    assert words in done.stderr


def test_a_port_that_is_taken_is_named(offline: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = offline("receipts", "--port", str(port))
    assert 2 == done.exit_code
    assert f"can't listen on 127.0.0.1 port {port}: Address already in use; choose another" in done.stderr


def test_a_file_is_loaded_and_its_bad_lines_named(offline: Workplace) -> None:
    lines = [receipt("u1"), b"\x1b[31mhello", reply("STOP"), receipt("u2")[:-5]]
    (offline.folder / "events.jsonl").write_bytes(b"\n".join(lines))
    for _ in range(2):  # the second time changes nothing
        done = offline.here("receipts", "--load", "events.jsonl")
        assert 1 == done.exit_code
        assert [
            "4 lines: 1 receipt, 1 opted out",
            "warning: 2 lines are not events and were skipped",
            "  events.jsonl:2: the line is not JSON",
            "  events.jsonl:4: the file ends in the middle of this line",
        ] == done.stdout.splitlines()
        assert {"u1": "delivered"} == kept(offline.folder / LEDGER)
        assert {"+12025550123"} == set(opted(offline.folder / LEDGER))


def test_standard_input_is_loaded_and_counts_come_as_json(offline: Workplace) -> None:
    (offline.folder / "events.jsonl").write_bytes(receipt("u1") + b"\n" + OTHER + b"\n")
    with (offline.folder / "events.jsonl").open() as events, patch("sys.stdin", events):
        done = offline.here("receipts", "--load", "-", "--json", CAMPAIGN_LEDGER="other.sqlite3")
    assert 0 == done.exit_code
    assert {
        "lines": 2,
        "taken": {
            "receipt": 1,
            "opt_out": 0,
            "opt_in": 0,
            "untrusted_opt_in": 0,
            "review": 0,
            "reply": 0,
            "unusable": 0,
            "ignored": 1,
        },
        "settled": 0,
        "bad": 0,
        "bad_examples": [],
    } == done.document
    assert {"u1"} == set(kept(offline.folder / "other.sqlite3"))


def test_a_loaded_receipt_settles_an_unknown_message(campaign: Workplace) -> None:
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    [(message_id, umid)] = campaign.ledger("SELECT message_id, umid FROM messages WHERE key = 'k3'")
    _make_unknown(campaign.folder / LEDGER, message_id)
    (campaign.folder / "events.jsonl").write_bytes(receipt(umid, message_id=message_id))
    done = campaign.here("receipts", "--load", "events.jsonl")
    assert "1 unknown message has a receipt, which proves that it was sent: now accepted" in done.stdout
    status = "SELECT status, reason, umid FROM messages WHERE key = 'k3'"
    assert [("accepted", "receipt", umid)] == campaign.ledger(status)


def test_a_receipt_that_came_before_its_answer_settles_what_a_kill_left_open(
    campaign: Workplace, provider: Provider
) -> None:
    campaign.write(people(20))
    provider.hold(after=2)
    with serving(campaign, "--auth-header-env", "HOOK", HOOK=KEY) as server:
        with campaign.started("run", "hello.yaml", "--yes") as process:
            provider.wait_for(3)
            in_flight = provider.requests[2].message_id
            assert 200 == server.post(receipt("its-umid", "sent", message_id=in_flight), KEY)
            process.send_signal(signal.SIGKILL)
            ended(process)
        provider.release()
        left = campaign.ledger("SELECT status, count(*) FROM messages WHERE status = 'sending' GROUP BY 1")
        provider.script = queued
        again = campaign("run", "hello.yaml", "--yes")
    row = next(row for row in campaign.results() if row["client_message_id"] == in_flight)
    assert ("accepted", "receipt", "its-umid") == (row["status"], row["reason"], row["umid"])
    # Of what was in flight beside it nothing is known, and it stays unknown.
    unknown = left[0][1] - 1
    assert (1 if unknown else 0) == again.exit_code
    expected = {("accepted", "queued"): 19 - unknown, ("accepted", "receipt"): 1, ("unknown", "process_died"): unknown}
    assert +Counter(expected) == campaign.statuses()
    assert {1} == set(provider.message_ids.values())


def test_a_receipt_that_came_before_a_useless_answer_settles_it_too(campaign: Workplace, provider: Provider) -> None:
    with serving(campaign, "--auth-header-env", "HOOK", HOOK=KEY) as server:

        def told_and_failed(request: Request) -> Answer:
            if request.before == 2:
                assert 200 == server.post(receipt("its-umid", message_id=request.message_id), KEY)
                return error(500, 5000, "Internal")
            return queued(request)

        provider.script = told_and_failed
        done = campaign("run", "hello.yaml", "--yes")
    assert 0 == done.exit_code, done.stdout
    assert {("accepted", "queued"): 4, ("accepted", "receipt"): 1} == campaign.statuses()
    assert {1} == set(provider.message_ids.values())


def test_words_of_ones_own(offline: Workplace) -> None:
    (offline.folder / "words.csv").write_text("language,meaning,word\nzh,stop,T\n", encoding="utf-8")
    (offline.folder / "events.jsonl").write_bytes(reply("t") + b"\n" + reply("STOP", "447700900123"))
    done = offline.here("receipts", "--load", "events.jsonl", "--words", "words.csv")
    assert "2 lines: 1 opted out, 1 other reply\n" == done.stdout
    assert {"+12025550123"} == set(opted(offline.folder / LEDGER))


def test_the_built_in_words_are_printed(offline: Workplace) -> None:
    done = offline.here("receipts", "--print-words")
    assert (0, BUILT_IN_FILE.read_text(encoding="utf-8")) == (done.exit_code, done.stdout)
    assert not (offline.folder / LEDGER).exists()


def _make_unknown(ledger: Path, message_id: str) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as database, database:
        values = "status = 'unknown', reason = 'timeout', umid = NULL"
        database.execute(f"UPDATE messages SET {values} WHERE message_id = ?", (message_id,))  # noqa: S608
