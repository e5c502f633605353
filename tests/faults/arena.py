"""A campaign against a provider that misbehaves, and the count of what it received: the book is the judge."""

import asyncio
import queue
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from runner.sandbox.options import SandboxOptions
from runner.sandbox.server import running
from tests.cli.workplace import KEY, MINIMAL, Done, Workplace, people
from tests.deadline import DEADLINE_S

MESSAGES = 60
ROUNDS = 20
"""Reconcile and rerun this often at the most; each fault happens to some requests only."""


@dataclass
class Arena:
    """A user's folder, and the sandbox's book of what it received."""

    place: Workplace
    base_url: str
    book: Path
    rounds: list[int] = field(default_factory=list)

    def run(self, *arguments: str) -> Done:
        return self._here("run", "hello.yaml", "--yes", *arguments)

    def reconcile(self, *options: str, settle: str = "0s", deadline: str = "30min") -> Done:
        return self._here("reconcile", "hello", "--yes", "--settle", settle, "--deadline", deadline, *options)

    def witness(self) -> None:
        """Send a test message, which shows that the log reaches this time."""
        for _ in range(ROUNDS):  # the provider's faults don't spare it
            if self._here("test", "hello.yaml", "--yes", "--to", "+6581239999").exit_code == 0:
                return
        raise AssertionError("no test message was accepted")

    def _here(self, *arguments: str) -> Done:
        return self.place.here(*arguments, EIGHTXEIGHT_BASE_URL=self.base_url, EIGHTXEIGHT_API_KEY=KEY)

    def received(self) -> Counter[str]:
        """How often each message was accepted by the provider."""
        written = self.book.read_bytes() if self.book.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]  # the sandbox may be writing the next line
        lines = [orjson.loads(line) for line in whole.splitlines()]
        ids = [line["clientMessageId"] for line in lines if line["status"] == "QUEUED"]
        return Counter(message_id for message_id in ids if ":test:" not in message_id)

    def wait_for(self, count: int, process: "subprocess.Popen[str]") -> None:
        """Return when the provider has accepted so many messages of a run that is still going on."""
        while len(self.received()) < count:
            assert process.poll() is None
            time.sleep(0.02)  # between looks: reading the book again and again would slow down the run

    def results(self) -> list[dict[str, Any]]:
        return self.place.results()

    def finish(self) -> None:
        """Run, reconcile and run again until everything is accepted."""
        for _ in range(ROUNDS):
            done = self.run()
            self.rounds.append(done.exit_code)
            self.check_truth()
            if done.exit_code == 0:
                return
            assert done.exit_code in (1, 3, 5), done.stderr
            if any(row["status"] == "unknown" for row in self.results()):
                self.witness()
                reconciled = self.reconcile()
                assert reconciled.exit_code == 0, reconciled.stderr + reconciled.stdout
                self.check_truth()
        raise AssertionError(f"not finished after {ROUNDS} rounds: {self.rounds}")

    def check_truth(self) -> None:
        """Nobody twice, and no status that the provider's book contradicts."""
        received = self.received()
        assert [] == [message_id for message_id, count in received.items() if count > 1]
        for row in self.results():
            if row["status"] == "accepted":
                assert row["client_message_id"] in received, row
            elif row["status"] in ("unsent", "rejected"):
                assert row["client_message_id"] not in received, row


@contextmanager
def arena(folder: Path, *, faults: list[dict[str, Any]] | None = None, **options: Any) -> Iterator[Arena]:  # noqa: ANN401
    """A sandbox with `faults` (a fault file's rules), and a campaign of `MESSAGES` recipients beside it."""
    rules = folder / "faults.json"
    rules.write_bytes(orjson.dumps(faults or []))
    book = folder / "book.jsonl"
    # A test message of an hour ago, so that the log reaches back to before the run.
    earlier = {"time": time.time_ns() // 1000 - 3_600_000_000, "umid": "earlier", "status": "QUEUED", "text": "Hi"}
    earlier |= {"subAccountId": "acme_hq", "destination": "6581239999", "clientMessageId": "hello:test:earlier"}
    book.write_bytes(orjson.dumps(earlier, option=orjson.OPT_APPEND_NEWLINE))
    sandbox = SandboxOptions(book=book, faults=rules, api_key=KEY, sub_account_id="acme_hq", export_polls=1, **options)
    with serving(sandbox) as base_url:
        place = Workplace(folder, base_url)
        place.write(people(MESSAGES), MINIMAL)
        yield Arena(place, base_url, book)


@contextmanager
def serving(options: SandboxOptions) -> Iterator[str]:
    """A sandbox in a thread, which starts faster than a process; yields its base URL."""
    ready: queue.SimpleQueue[str] = queue.SimpleQueue()
    loop, end = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with running(options) as base_url:
            ready.put(base_url)
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.get(timeout=DEADLINE_S)
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits that are long on purpose, made short: an answer that never comes, a look at an export, a backoff.

    A busy machine answers in much less than three seconds.
    """
    monkeypatch.setattr("runner.provider.client.ANSWER_TIMEOUT_S", 3.0)
    monkeypatch.setattr("runner.run.reconcile.FIRST_LOOK_S", 0.02)
    monkeypatch.setattr("runner.dispatch.retry.BACKOFF_CAP_S", 0.05)
