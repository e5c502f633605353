"""Whether the ledger can be trusted: bits that changed by themselves must not text anybody again.

SQLite finds damage to the structure of its file, but not a changed value, and it drops the newest commits without a
word if a bit of the -wal file has changed. So each message has a checksum of what keeps it from being sent again, and
the -wal file is compared with what SQLite can read of it.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy import Connection

from runner.base.errors import BrokenLedgerError

# SQLite's formats: https://www.sqlite.org/fileformat2.html#the_write_ahead_log and https://www.sqlite.org/walformat.html
_WAL_HEADER = struct.Struct(">8I")  # magic number, version, page size, checkpoint, two salts, two checksums
_FRAME_HEADER = struct.Struct(">6I")  # page, database size (0: doesn't end a commit), two salts, two checksums
_MAGIC = 0x377F0682
_INDEX_HEADER = struct.Struct("=4I I 3I 8s 8x")  # of the -shm file: the frames that SQLite can read, the salts
_SALTS = slice(16, 24)  # of the header of the -wal file

_REMEDY = "restore it from a backup, then add what was sent since then with `campaign ledger rebuild`"


def checksum(one: object, two: object, three: object) -> int:
    """A checksum of three values, as a signed number of 32 bits. It finds any single bit that changed."""
    # `python -m benchmarks.parts` measures it: this runs twice for every message.
    return (crc32(f"{one}\0{two}\0{three}".encode(errors="surrogatepass")) ^ 0x80000000) - 0x80000000


def refuse_damaged_log(ledger: Path) -> None:
    """Raise BrokenLedgerError if SQLite can't read all commits in the -wal file.

    Call this before the ledger is opened for writing, because that removes what SQLite can't read.
    """
    real = ledger.resolve()
    log = _beside(real, "-wal", _WAL_HEADER.size)
    if len(log) < _WAL_HEADER.size:
        return
    magic, _, page_size, *_, sum_1, sum_2 = _WAL_HEADER.unpack(log)
    if magic & ~1 != _MAGIC or (sum_1, sum_2) != _sums(log[:24], "<>"[magic & 1]):
        raise damaged(ledger, "the header of its -wal file has changed by itself")
    try:
        frames = _durable_frames(real, page_size, log[_SALTS])
    except FileNotFoundError:  # the last process that used it has just ended, and has copied everything to the ledger
        return
    # A read-only connection leaves the -wal file as it is when it ends.
    with closing(sqlite3.connect(f"{real.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        index = _beside(real, "-shm", 2 * _INDEX_HEADER.size)
    one, two = index[: _INDEX_HEADER.size], index[_INDEX_HEADER.size :]
    if one != two or not two:
        return  # another process is writing to it, so it could be read
    *_, read, _, _, _, salts = _INDEX_HEADER.unpack(one)
    # With other salts, another process began the file anew, after everything in it was copied to the ledger.
    if salts == log[_SALTS] and read < frames:
        raise damaged(ledger, f"its -wal file has changed by itself, and {frames - read:,} of its pages are lost")


def refuse_damage(connection: Connection, ledger: Path, run_id: int) -> None:
    """Raise BrokenLedgerError if the ledger's file, its list of runs or this run's messages are damaged."""
    for check in ("quick_check(1)", "integrity_check(runs)"):
        if (found := str(connection.exec_driver_sql(f"PRAGMA {check}").scalar())) != "ok":
            raise damaged(ledger, f"SQLite: {found}")
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


def damaged(ledger: Path, what: str) -> BrokenLedgerError:
    return BrokenLedgerError(f"the ledger {ledger} is damaged: {what}; {_REMEDY}")


def _durable_frames(ledger: Path, page_size: int, salts: bytes) -> int:
    """How many frames of the -wal file belong to commits that reached the disk.

    The newest commit doesn't count: a process that is killed, or a power loss, may leave it half written.
    """
    last_but_one = last = number = 0
    with ledger.with_name(f"{ledger.name}-wal").open("rb") as file:
        file.seek(_WAL_HEADER.size)
        while len(header := file.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
            number += 1
            ends_commit = header[4:8] != bytes(4)
            if ends_commit and header[8:16] == salts:
                last_but_one, last = last, number
            file.seek(page_size, 1)
    return last_but_one


def _beside(ledger: Path, suffix: str, size: int) -> bytes:
    """The first bytes of a file beside the ledger; none if it can't be read: opening the ledger reports that."""
    try:
        with ledger.with_name(f"{ledger.name}{suffix}").open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _sums(data: bytes, order: str) -> tuple[int, int]:
    """SQLite's checksum of some words of 32 bits."""
    one = two = 0
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
