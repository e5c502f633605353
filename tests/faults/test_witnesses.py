"""Exports that prove nothing, at a server that shares no code with the runner and counts whom it texted."""

import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from runner.base.errors import StoppedError
from runner.campaign import values
from runner.run.rebuild import longest_honest_gap
from tests.cli.workplace import MINIMAL, Done, Workplace, people
from tests.faults.arena import quick

__all__ = ["quick"]

pytestmark = pytest.mark.usefixtures("quick")

COUNT = 60
UNANSWERED = range(5, 10)
Line = dict[str, str]


class Provider(ThreadingHTTPServer):
    """Takes every message, and closes the connection instead of answering the UNANSWERED ones.

    `exported` makes the log's lines from all lines, oldest first. The log has no line of the `rejected` numbers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lines: list[Line] = []
        self.lock = threading.Lock()
        self.rejected: Collection[str] = ()
        self.exported: Callable[[list[Line]], list[Line]] = lambda lines: lines
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, message: dict[str, Any], at: datetime | None = None) -> tuple[str, bool]:
        """Returns the message's umid, and whether it gets an answer."""
        with self.lock:
            number, own = len(self.lines), message["clientMessageId"]
            at = at or datetime.now(UTC)
            line = {"umid": f"u{number}", "clientmessageid": own, "subaccountid": "acme_hq"}
            self.lines.append(line | {"createdat": at.isoformat(), "to": message["destination"]})
            return f"u{number}", number not in UNANSWERED

    def texted(self) -> Counter[str]:
        return Counter(line["to"] for line in self.lines if ":test:" not in line["clientmessageid"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/exports"):
            return self._answer({"jobId": "j"}, 202)
        if body["destination"] in self.server.rejected:
            return self._answer({"umid": "r", "status": {"code": "REJECTED", "description": "no"}})
        umid, is_answered = self.server.take(body)
        if not is_answered:
            self.close_connection = True
            return None
        status = {"code": "QUEUED", "description": "queued"}
        return self._answer({"umid": umid, "status": status, "clientMessageId": body["clientMessageId"]})

    def do_GET(self) -> None:
        if self.path.endswith("/exports/j"):
            return self._answer({"status": "succeeded", "data": [f"{self.server.base_url}/log.csv"]})
        lines = self.server.exported(list(self.server.lines))
        columns = ("umid", "clientmessageid", "subaccountid", "createdat")
        csv = [",".join(columns), *(",".join(line[name] for name in columns) for line in lines)]
        return self._answer("\n".join(csv) + "\n")

    def _answer(self, document: Any, status: int = 200) -> None:  # noqa: ANN401
        body = (document if isinstance(document, str) else json.dumps(document)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: Provider) -> Workplace:
    """A finished run with unknown messages, which the provider took."""
    place = Workplace(tmp_path, server.base_url)
    place.write(people(COUNT), MINIMAL)
    assert 1 == place("run", "hello.yaml", "--yes").exit_code
    assert len(UNANSWERED) == unknown(place)
    return place


def unknown(place: Workplace) -> int:
    return len(place.ledger("SELECT 1 FROM messages WHERE status = 'unknown'"))


def reconcile(place: Workplace, *options: str, settle: str = "0s", **environment: str) -> Done:
    return place("reconcile", "hello", "--yes", "--settle", settle, *options, **environment)


def nobody_twice(place: Workplace, server: Provider) -> None:
    place("run", "hello.yaml", "--yes")
    assert [1] * COUNT == [*server.texted().values()]


def change(place: Workplace, statement: str) -> None:
    engine = create_engine(f"sqlite:///{place.folder / 'reports/ledger.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_the_wrong_provider_with_an_empty_log(place: Workplace, server: Provider) -> None:
    with provider() as other:
        done = reconcile(place, EIGHTXEIGHT_BASE_URL=other.base_url)

    assert 3 == done.exit_code
    assert "it proves nothing" in done.stderr
    nobody_twice(place, server)


def test_another_place_is_named(place: Workplace, server: Provider) -> None:
    change(place, "UPDATE runs SET places = 'https://sms.8x8.uk'")
    done = reconcile(place)

    assert 2 == done.exit_code
    assert "https://sms.8x8.uk" in done.stderr
    assert server.base_url in done.stderr
    change(place, "UPDATE runs SET places = 'http://127.0.0.1'")
    nobody_twice(place, server)


LOGS: dict[str, Callable[[list[Line]], list[Line]]] = {
    "only the newest": lambda lines: lines[-40:],
    "only the oldest": lambda lines: lines[:5],
    "a hole in the middle": lambda lines: [*lines[:3], *lines[20:]],
    "of another sub-account": lambda lines: [line | {"subaccountid": "other"} for line in lines],
    "without times": lambda lines: [{**line, "createdat": "soon"} for line in lines if line not in lines[5:10]],
}


def test_a_log_that_does_not_cover_the_unknown_ones(place: Workplace, server: Provider) -> None:
    for name, exported in LOGS.items():
        server.exported = exported
        done = reconcile(place)

        assert done.exit_code in (1, 3), name
        assert len(UNANSWERED) == unknown(place), name
    nobody_twice(place, server)


def test_a_clock_that_was_behind_while_sending(place: Workplace, server: Provider) -> None:
    """The log lacks the unknown ones, because it is not complete yet, though this computer's clock says it must be."""
    change(
        place,
        "UPDATE messages SET claimed_at = claimed_at - 1200000000, sent_at = sent_at - 1200000000, "
        "answered_at = answered_at - 1200000000, settled_at = settled_at - 1200000000",
    )
    server.take({"clientMessageId": "hello:test:x", "destination": "0"}, datetime.now(UTC) - timedelta(hours=1))
    server.exported = lambda lines: [line for line in lines if line not in lines[5:10]]
    done = reconcile(place, settle="15min")

    assert 1 == done.exit_code
    assert f"not in the log {len(UNANSWERED)}  stay unknown: the log may not be complete yet" in done.stdout
    assert len(UNANSWERED) == unknown(place)
    nobody_twice(place, server)


@pytest.mark.parametrize("way", ["a test message", "--accept-absence"])
def test_without_a_message_after_them_they_stay_unknown(place: Workplace, server: Provider, way: str) -> None:
    server.lines = [line for number, line in enumerate(server.lines) if number not in UNANSWERED]  # never received
    server.take({"clientMessageId": "hello:test:x", "destination": "0"}, datetime.now(UTC) - timedelta(hours=1))
    change(
        place,
        "UPDATE messages SET settled_at = (SELECT max(answered_at) FROM messages) + 1000 WHERE status = 'unknown'",
    )
    before = reconcile(place)
    assert (1, len(UNANSWERED)) == (before.exit_code, unknown(place))
    assert "(`campaign test`)" in " ".join(before.stdout.split())

    options = () if way == "a test message" else (way,)
    if not options:
        assert 0 == place("test", "hello.yaml", "--yes", "--to", "+6581239999").exit_code
    assert 0 == reconcile(place, *options).exit_code

    words = "the log lacks 5 messages, but doesn't show that it covers their time"
    overrides = [json.loads(row[0]) for row in place.ledger("SELECT detail FROM audit WHERE action = 'overrode'")]
    assert [{"option": way, "let_through": [words]}] * len(options) == overrides
    assert 0 == place("run", "hello.yaml", "--yes").exit_code
    nobody_twice(place, server)


def test_a_reconcile_that_ends_between_two_batches_is_continued(
    place: Workplace, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction is longer than a batch, so that other runs can write. The audit trail has each of them."""

    def killed() -> None:
        raise StoppedError("killed")

    def audited() -> list[tuple[int, int, int]]:
        rows = place.ledger("SELECT detail FROM audit WHERE action = 'reconciled' ORDER BY id")
        details = [json.loads(row[0]) for row in rows]
        return [(detail["unknown"], detail["accepted"], detail["unsent"]) for detail in details]

    server.lines.pop(UNANSWERED[0])  # never received
    server.take({"clientMessageId": "hello:test:x", "destination": "0"})
    monkeypatch.setattr("runner.run.reconcile.AT_A_TIME", 2)
    monkeypatch.setattr("runner.run.reconcile.give_way", killed)
    assert 3 == reconcile(place).exit_code
    assert ([(5, 2, 0)], 3) == (audited(), unknown(place))

    monkeypatch.setattr("runner.run.reconcile.give_way", lambda: None)
    done = reconcile(place)
    assert 0 == done.exit_code
    assert "1 message not sent; to continue, run the campaign again with --run main" in done.stdout
    assert ([(5, 2, 0), (3, 2, 0), (1, 0, 1)], 0) == (audited(), unknown(place))
    nobody_twice(place, server)


def rebuild(place: Workplace, *options: str) -> Done:
    return place("ledger", "rebuild", "hello/main", "--since", "1d", "--settle", "0s", *options)


def lose_ledger(place: Workplace, *, files_too: bool) -> None:
    for path in (place.folder / "reports").glob("ledger.sqlite3*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if files_too:
        shutil.rmtree(place.folder / "reports/hello")


@pytest.mark.parametrize("kept", ["results.parquet", "summary.json"])
def test_a_rebuild_from_a_part_of_the_log_holds_the_run_back(place: Workplace, server: Provider, kept: str) -> None:
    """The run's files say how many messages were accepted; the log has only the first ones."""
    for name in {"results.parquet", "summary.json"} - {kept}:
        place.path(name).unlink()
    lose_ledger(place, files_too=False)
    server.exported = lambda lines: lines[:30]
    done = rebuild(place, "--json")

    assert (1, 30, False) == (done.exit_code, done.document["found"], done.document["goes_on"])
    assert f"it lacks {COUNT - 30 - (0 if kept == 'results.parquet' else len(UNANSWERED))} messages" in done.stderr
    refused = place("run", "hello.yaml", "--yes")
    assert (2, COUNT) == (refused.exit_code, server.texted().total())
    assert "may lack messages of hello/main" in refused.stderr

    server.exported = lambda lines: lines
    assert 0 == rebuild(place).exit_code
    nobody_twice(place, server)


@pytest.mark.parametrize("before", [0, 6])
def test_a_rebuild_from_a_log_with_a_hole_holds_the_run_back(place: Workplace, server: Provider, before: int) -> None:
    """Nothing is left of the run, but messages are sent in the order of the plan."""
    lose_ledger(place, files_too=True)
    server.exported = lambda lines: lines[:before] + lines[-6:]
    done = rebuild(place, "--json")

    [sign] = done.document["cut_off"]
    # Requests that leave together may arrive in another order, so the number differs a little.
    assert re.match(r"it lacks \d+ messages in a row, but has a message that comes after them in the plan", sign)
    assert 1 == done.exit_code
    assert 2 == place("run", "hello.yaml", "--yes").exit_code
    assert 0 == rebuild(place, "--accept-absence").exit_code
    [(detail,)] = place.ledger("SELECT detail FROM audit WHERE action = 'overrode'")
    words = [f"the provider's log is cut off: {sign}"]
    assert {"option": "--accept-absence", "let_through": words} == json.loads(detail)

    server.exported = lambda lines: lines
    assert 0 == rebuild(place).exit_code
    nobody_twice(place, server)


@pytest.mark.parametrize(("rate", "most"), [("5/h", 21), ("20/s", 22), ("200/s", 40), ("2000/s", 220)])
def test_what_a_complete_log_may_lack(rate: str, most: int) -> None:
    assert most == longest_honest_gap(values.rate(rate))


def test_rejected_messages_in_a_row_are_no_hole(tmp_path: Path, server: Provider) -> None:
    """The run's results have them, so a log without them is complete."""
    place = Workplace(tmp_path, server.base_url)
    place.write(people(COUNT), f"{MINIMAL}stopWhen: {{rejectedShare: 100%}}\n")
    server.rejected = [f"+65{81230000 + number}" for number in range(11, 56)]
    assert 1 == place("run", "hello.yaml", "--yes").exit_code
    lose_ledger(place, files_too=False)
    assert (0, COUNT - 45) == (rebuild(place).exit_code, server.texted().total())
    server.rejected = ()
    nobody_twice(place, server)


def test_a_test_message_shows_whether_the_log_goes_on(place: Workplace, server: Provider) -> None:
    lose_ledger(place, files_too=True)
    server.lines = server.lines[:30]  # the run was killed
    before = rebuild(place, "--json")
    assert (0, False) == (before.exit_code, before.document["goes_on"])
    assert "send a test message (`campaign test`)" in " ".join(before.stderr.split())

    assert 0 == place("test", "hello.yaml", "--yes", "--to", "+6581239999").exit_code
    after = rebuild(place, "--json")
    assert (0, True) == (after.exit_code, after.document["goes_on"])
    assert "The log goes on after" in after.stderr
    nobody_twice(place, server)
