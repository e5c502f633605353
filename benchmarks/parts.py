"""The processor time of each part of sending a message: `python -m benchmarks.parts [MESSAGES]`.

Comments in the code that claim a speed name this command. `campaign run` does all parts in one process.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, insert, update

from benchmarks import server
from benchmarks.bare import post_all, post_all_by_connector
from benchmarks.server import Server
from benchmarks.table import Row, print_rows
from runner.base.loops import loop_factory
from runner.base.messages import Encoding, Message
from runner.base.options import Rate
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.dispatch.dispatcher import Departure, Dispatcher
from runner.dispatch.feed import Feed
from runner.dispatch.pace import Pace
from runner.dispatch.progress import Progress
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.tables import SENDING, messages
from runner.ledger.transitions import claim, settle
from runner.ledger.writer import Claim, LedgerWriter, Spill, spill_path
from runner.provider.client import Client
from runner.provider.endpoint import Endpoint
from runner.provider.payload import PayloadBuilder, SendOptions

MESSAGES = 20_000
CONNECTIONS = 64

# How many messages are claimed at a time at 1,800/s.
GROUP = 45

OK = Outcome(
    Status.ACCEPTED, OutcomeReason.QUEUED, server.WORDS, umid="u" * 36, http_status=200, sent_at=1, answered_at=2
)


def rows(count: int = MESSAGES) -> Iterator[Row]:
    """Lines for the table."""
    people = [_message(number) for number in range(count)]
    with tempfile.TemporaryDirectory(prefix="campaign-bench-") as name:
        folder = Path(name)
        if server.executable() is None:
            yield Row("a request and its answer over TLS 1.3", server.MISSING)
        else:
            with Server(folder / "nginx") as nginx:
                os.environ |= nginx.environment
                yield _row("a request and its answer over TLS 1.3", _each(_ours(nginx.url, people), count))
                bodies = [_body(message) for message in people]
                url = nginx.url + server.PATH
                yield _row(
                    "    with aiohttp's connector and parser",
                    _each(post_all_by_connector(url, bodies, CONNECTIONS), count),
                )
                yield _row("    with aiohttp's session", _each(post_all(url, bodies, CONNECTIONS), count))
        with _ledger(folder / "dispatch.sqlite3") as ledger:
            yield _row("dispatch and ledger, answered at once", _each(_dispatched(ledger, people), count))
        ways = (("ledger: a claim and its settlement", _compiled), ("    with SQLAlchemy's statements", _composed))
        for what, way in ways:
            with _ledger(folder / f"{way.__name__}.sqlite3") as ledger:
                begin = time.process_time()
                for first in range(0, count, GROUP):
                    way(ledger, people[first : first + GROUP])
                yield _row(what, (time.process_time() - begin) / count * 1e6)


def _row(what: str, microseconds: float) -> Row:
    return Row(what, f"{microseconds:.0f} µs of processor")


def _each(work: Coroutine[Any, Any, None], count: int) -> float:
    """Processor time per message of a coroutine that handles `count` messages, in microseconds, of all threads."""
    begin = time.process_time()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work)
    return (time.process_time() - begin) / count * 1e6


def _message(number: int) -> Message:
    phone = f"+65{81_000_000 + number}"
    text = "Hi Anna, show this message in Penang for 10% off. Reply STOP to opt out."
    return Message(number, phone, phone, "SG", text, Encoding.GSM7, 1, f"bench.main.{number:024}")


def _body(message: Message) -> bytes:
    return PayloadBuilder(SendOptions()).build(message, datetime.now(UTC))


async def _ours(url: str, people: Sequence[Message]) -> None:
    async def at_once() -> None:
        """A departure that doesn't wait."""

    bodies = [(_body(message), message) for message in people]
    left = iter(bodies)
    async with Client(Endpoint(url, "acme_hq"), "bench-key", limit=CONNECTIONS) as client:

        async def post() -> None:
            for body, message in left:
                outcome = await client.send(body, message, at_once)
                if outcome.status is not Status.ACCEPTED:
                    raise SystemExit(f"not accepted: {outcome}")

        await asyncio.gather(*(post() for _ in range(CONNECTIONS)))


async def _dispatched(ledger: Ledger, people: Sequence[Message]) -> None:
    payload, rate = PayloadBuilder(SendOptions()), Rate(1_000_000, 1)

    async def send(claim: Claim, departure: Departure) -> Outcome:
        payload.build(claim.message, datetime.now(UTC))
        await departure()
        await asyncio.sleep(0)
        return OK

    async def source() -> AsyncIterator[Message]:
        for message in people:
            yield message

    spill = Spill(spill_path(ledger.path, 1))
    async with LedgerWriter(ledger.engine, 1, spill, on_failure=print, plan="plan") as writer:
        pace, progress = Pace(rate, clock=time.monotonic), Progress()
        feed = Feed(source, writer=writer, rate=rate, progress=progress)
        await Dispatcher(feed, send=send, pace=pace, progress=progress).run()


def _compiled(ledger: Ledger, group: Sequence[Message]) -> None:
    with ledger.engine.begin() as connection:
        claim(connection, 1, [(message, 1) for message in group], 1)
    with ledger.engine.begin() as connection:
        settle(connection, 1, [(message.message_id, OK) for message in group])


def _composed(ledger: Ledger, group: Sequence[Message]) -> None:
    """The same two statements, executed by SQLAlchemy with named values."""
    values = {"status": SENDING, "attempts": 1, "claimed_at": 1, "run_id": 1}
    names = ("message_id", "key", "destination", "country", "encoding", "segments")
    claims = [{name: getattr(message, name) for name in names} | values for message in group]
    settled = [{"of": message.message_id, "told": OK.umid, "is": OK.status.value} for message in group]
    ours = (messages.c.run_id == 1, messages.c.message_id == bindparam("of"), messages.c.status == SENDING)
    facts = ("reason", "detail", "sent_at", "answered_at", "http_status")
    told: dict[str, Any] = {name: bindparam(f"new_{name}") for name in facts} | {
        "umid": bindparam("told"),
        "status": bindparam("is"),
    }
    new = {f"new_{name}": getattr(OK, name) for name in facts}
    with ledger.engine.begin() as connection:
        connection.execute(insert(messages), claims)
    with ledger.engine.begin() as connection:
        connection.execute(update(messages).where(*ours).values(told), [row | new for row in settled])


def _ledger(path: Path) -> Ledger:
    ledger = open_ledger(str(path), create=True)
    ledger.begin_run(
        name="bench", run="main", now=1, sub_account_id="acme_hq", options="{}", fingerprint="f", rows=1, to_send=1
    )
    return ledger


if __name__ == "__main__":
    print_rows(rows(*map(int, sys.argv[1:])))
