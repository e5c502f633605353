"""What the provider posts, and a look at what became of it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson

from tests.deadline import DEADLINE_S

AT = "2026-11-25T08:00:00.123Z"
AT_US = 1_795_593_600_123_000


def receipt(
    umid: str, state: str = "delivered", *, detail: str | None = None, message_id: str | None = None, at: str = AT
) -> bytes:
    status = {"state": state, "timestamp": at} | ({"detail": detail} if detail else {})
    payload = {"umid": umid, "destination": "+12025550123", "status": status, "smsCount": 1}
    payload |= {"clientMessageId": message_id} if message_id else {}
    return orjson.dumps({"namespace": "SMS", "eventType": "outbound_message_status_changed", "payload": payload})


def reply(body: str, source: str = "12025550123", *, at: str = AT, to: str = "ACME") -> bytes:
    payload = {"umid": "in", "source": source, "destination": to, "body": body, "timestamp": at}
    return orjson.dumps({"namespace": "SMS", "eventType": "inbound_message_received", "payload": payload})


OTHER = orjson.dumps({"namespace": "ChatApps", "eventType": "inbound_message_received", "payload": {}})


def kept(ledger: Path) -> dict[str, str]:
    """The state by umid."""
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        return dict(database.execute("SELECT umid, state FROM receipts").fetchall())


def opted(ledger: Path) -> dict[str, tuple[bool, int, str]]:
    """Whether each number is out, since when, and by which word."""
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        rows = database.execute("SELECT destination, is_out, at, word FROM optouts").fetchall()
        return {number: (bool(is_out), at, word) for number, is_out, at, word in rows}


@contextlib.contextmanager
def broken(ledger: Path, table: str = "receipts") -> Iterator[None]:
    """A ledger that can't be written for the length of the block, and can after it."""

    def rename(old: str, new: str) -> None:
        with contextlib.closing(sqlite3.connect(ledger, timeout=DEADLINE_S)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(table, f"{table}_away")
    try:
        yield
    finally:
        rename(f"{table}_away", table)
