"""Whether the ledger can be trusted: bits that changed by themselves must not text anybody again.

SQLite finds damage to the structure of its file, but not a changed value, and it drops the newest commits without a
word if a bit of the -wal file has changed. So each message has a checksum of what keeps it from being sent again, and
the checksums of the -wal file are computed here too.

Neither the ledger nor its -shm file is ever opened here: closing it would take SQLite's locks away from this process.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import orjson
from sqlalchemy import Connection

from runner.base.errors import BrokenLedgerError
from runner.base.events import EventKind
from runner.base.optouts import OptOutSource
from runner.base.outcomes import OutcomeReason
from runner.base.wording import counted

# SQLite's format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
_HEADER = struct.Struct(">8I")  # magic number, version, page size, checkpoint, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page, database size (0: doesn't end a commit), two salts, two checksums
_MAGIC = 0x377F0682
_SALTS = slice(16, 24)  # of the header

# How often to look, and how long to wait in between: a process that is writing to the file never leaves the same twice.
_LOOKS = 3
_BETWEEN_S = 0.02

# What a frequency cap counts. Read without and with an index, which has numbers and times a second time.
_COUNTED = (
    "SELECT count(*), sum(CAST(destination AS INTEGER) % 1000000007), sum(claimed_at % 1000000007) "
    "FROM messages {} WHERE claimed_at >= ? AND status <> 'rejected'"
)

_REMEDY = "restore it from a backup, then add what was sent since then with `campaign ledger rebuild`"


class _Log(NamedTuple):
    """A -wal file: its header, how many of its pages SQLite can read, and how many belong to commits that were made."""

    header: bytes
    readable: int
    durable: int


def checksum(one: object, two: object, three: object) -> int:
    """A checksum of three values, as a signed number of 32 bits. It finds any single bit that changed."""
    # `python -m benchmarks.parts` measures it: this runs twice for every message.
    return (crc32(f"{one}\0{two}\0{three}".encode(errors="surrogatepass")) ^ 0x80000000) - 0x80000000


def refuse_damaged_log(ledger: Path) -> None:
    """Raise BrokenLedgerError if SQLite can't read all commits in the -wal file.

    Call this before the ledger is opened, because SQLite removes what it can't read.
    """
    real = ledger.resolve()
    file = real.with_name(f"{real.name}-wal")
    seen = set[_Log]()
    for look in range(_LOOKS):
        if look:
            time.sleep(_BETWEEN_S)
        log = _read(file)
        seen.add(log)
        if log.readable >= log.durable or len(seen) > 1:
            return
    if log.readable < 0:
        raise damaged(ledger, "the header of its -wal file has changed by itself")
    lost = log.durable - log.readable
    raise damaged(ledger, f"its -wal file has changed by itself, and {lost:,} of its pages are lost")


def refuse_damage(connection: Connection, ledger: Path, run_id: int) -> None:
    """Raise BrokenLedgerError if the ledger's file, its runs, its opt-outs or this run's messages are damaged."""
    for check in ("quick_check(1)", "integrity_check(runs)"):
        if (found := str(connection.exec_driver_sql(f"PRAGMA {check}").scalar())) != "ok":
            raise damaged(ledger, f"SQLite: {found}")
    if changed := changed_optouts(connection):
        raise damaged(ledger, f"{counted(changed, 'opt-out has', 'opt-outs have')} been changed")
    for words in unreadable(connection, run_id):
        raise damaged(ledger, words)
    _refuse_changed(connection, ledger, run_id)


def refuse_uncounted(connection: Connection, ledger: Path, since: int, checked: int | None) -> None:
    """Raise BrokenLedgerError if a frequency cap can't trust the numbers, times and states of messages since `since`.

    The index by number has each number and time a second time, so the two must agree. `PRAGMA integrity_check` would
    compare all indexes, in several times the time. `checked` is the run that `refuse_damage` has checked, if there is
    one.
    """
    table, index = (
        connection.exec_driver_sql(_COUNTED.format(way), (since,)).one()
        for way in ("NOT INDEXED", "INDEXED BY messages_by_destination")
    )
    if table != index:
        raise damaged(ledger, "its index of phone numbers doesn't match its messages")
    recent = "SELECT id FROM runs WHERE (ended_at IS NULL OR ended_at >= ?) AND id IS NOT ?"
    for run_id in connection.exec_driver_sql(recent, (since, checked)).scalars().all():
        _refuse_changed(connection, ledger, run_id)


def _refuse_changed(connection: Connection, ledger: Path, run_id: int) -> None:
    for message_id in changed_messages(connection, run_id):
        raise damaged(ledger, f"the entry of message {message_id} has changed by itself")


def changed_messages(connection: Connection, run_id: int) -> Iterator[str]:
    """The ids of a run's messages whose checksum is wrong. Messages that an older version wrote have none."""
    # Straight from the driver: a run may have millions of messages.
    driver: Any = connection.connection.driver_connection
    query = "SELECT message_id, status, checksum FROM messages WHERE run_id = ? AND checksum IS NOT NULL"
    for message_id, status, written in driver.execute(query, (run_id,)):
        if written != checksum(run_id, message_id, status):
            yield str(message_id)


def changed_optouts(connection: Connection) -> int:
    """How many opt-outs have a wrong checksum or an unknown source. Those that an older version wrote have none."""
    sources = set(OptOutSource)
    found = connection.exec_driver_sql("SELECT source, checksum, destination, is_out, at FROM optouts")
    return sum(source not in sources or written not in (None, checksum(*rest)) for source, written, *rest in found)


def unreadable(connection: Connection, run_id: int) -> Iterator[str]:
    """What the run has that no version wrote, in words: no checksum covers it."""
    for options, reason in connection.exec_driver_sql("SELECT options, stop_reason FROM runs WHERE id = ?", (run_id,)):
        try:
            orjson.loads(options)
        except orjson.JSONDecodeError:
            yield "the options of the run have changed by themselves"
        if reason is not None and reason not in set(OutcomeReason):
            yield f"the run has an unknown reason for its stop, {reason!a}"
    kinds = connection.exec_driver_sql("SELECT DISTINCT kind FROM events WHERE run_id = ?", (run_id,))
    for kind in set(kinds.scalars()) - set(EventKind):
        yield f"an event of the run is of an unknown kind, {kind!a}"


def damaged(ledger: Path, what: str) -> BrokenLedgerError:
    return BrokenLedgerError(f"the ledger {ledger} is damaged: {what}; {_REMEDY}")


def _read(file: Path) -> _Log:
    """What the file has. Without a whole header it has nothing; with a wrong one, `readable` is -1.

    The newest commit doesn't count as made: a process that is killed, or a power loss, may leave it half written.
    """
    try:
        log = file.open("rb")
    except OSError:  # there is none, or opening the ledger reports why
        return _Log(b"", 0, 0)
    with log:
        header = log.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return _Log(header, 0, 0)
        magic, _, page_size, *_, one, two = _HEADER.unpack(header)
        order = "<>"[magic & 1]
        if magic & ~1 != _MAGIC or (one, two) != _sums(header[:24], order):
            return _Log(header, -1, 0)
        made_before = made = readable = number = 0
        is_whole = True
        while len(frame := log.read(_FRAME.size + page_size)) == _FRAME.size + page_size:
            number += 1
            _, size, *_, frame_one, frame_two = _FRAME.unpack_from(frame)
            is_current = frame[8:16] == header[_SALTS]
            if is_whole:
                one, two = _sums(frame[:8] + frame[_FRAME.size :], order, one, two)
                is_whole = is_current and (one, two) == (frame_one, frame_two)
                readable += is_whole
            if size and is_current:
                made_before, made = made, number
    return _Log(header, readable, made_before)


def _sums(data: bytes, order: str, one: int = 0, two: int = 0) -> tuple[int, int]:
    """SQLite's checksum of some words of 32 bits, which goes on from another one."""
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
