"""The ledger's database: its URL, its connections and its error messages."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from runner.base.errors import BrokenLedgerError, InputError, LedgerError

T = TypeVar("T")

# How long a write waits for another process to finish writing, in seconds. Readers such as `campaign status` don't
# block writes.
BUSY_TIMEOUT_S = 10

# How long a job of many transactions leaves the ledger to others between two of them. A process that waits for the
# lock tries every 0.1 s.
GIVE_WAY_S = 0.12

# The most values in one query. They are bound parameters, and databases limit how many a query may have.
IDS_AT_A_TIME = 2_000

# SQLite's errors that pass by themselves: another process is using the ledger. All others need a person.
_TEMPORARY = {"database is locked", "database table is locked", "locking protocol"}

# For SQLite's error texts: what they mean, and what to do.
_EXPLANATIONS = {
    "database is locked": (
        f"another process kept it locked for more than {BUSY_TIMEOUT_S} s; it may be upgrading a large ledger",
        "wait until that process ends, then run the command again",
    ),
    "database or disk is full": ("the disk is full", "free some space, then run the command again"),
    "attempt to write a readonly database": ("the file is read-only", "check its permissions"),
    "unable to open database file": ("the file can't be opened", "check its path and permissions"),
    "file is not a database": ("this is not a SQLite database", "name another file with --ledger"),
    "database disk image is malformed": ("the file is damaged", "restore it from a backup"),
    "disk I/O error": ("reading or writing the disk failed", "check the disk"),
}


@contextmanager
def ledger_errors(doing: str) -> Iterator[None]:
    """Turn a database error into a LedgerError that says what failed, why, and what to do.

    `doing` completes the sentence "the ledger could not be …".
    """
    try:
        yield
    except UnicodeDecodeError as error:
        words = f"the file is damaged, it has a text that is none ({error.reason}); restore it from a backup"
        raise BrokenLedgerError(f"the ledger could not be {doing}: {words}") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        original = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        what, remedy = _EXPLANATIONS.get(original, ("", ""))
        words = f"{what} ({original}); {remedy}" if what else original
        kind = LedgerError if original in _TEMPORARY else BrokenLedgerError
        raise kind(f"the ledger could not be {doing}: {words}") from error


def rows_among(
    connection: Connection, query: Select[*tuple[Any, ...]], column: ColumnElement[Any], values: Sequence[str]
) -> Iterator[Any]:
    """The query's rows in which the column has one of the values. Many values are split over several queries."""
    for part in in_parts(values):
        yield from connection.execute(query.where(column.in_(part)))


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, split into lists that fit into one query or a short transaction."""
    for first in range(0, len(values), IDS_AT_A_TIME):
        yield values[first : first + IDS_AT_A_TIME]


def give_way() -> None:
    """Call this between the transactions of a long job, so that a run's claims and receipts don't wait for its end."""
    time.sleep(GIVE_WAY_S)


def parse_url(url: str) -> URL:
    """The URL of a SQLite ledger. A text without `://` is a file path. Raises InputError for any other database."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        backend = ""
    if backend != "sqlite":
        scheme, _, rest = url.partition("://")
        without_password = f"{scheme}://{rest.rpartition('@')[2]}"
        raise InputError.of(
            f"the ledger URL {without_password!r} is not supported",
            "use a path such as reports/ledger.sqlite3, or sqlite:///reports/ledger.sqlite3",
        )
    if not parsed.database or parsed.database == ":memory:":
        raise InputError.of("a ledger in memory would be lost when the command ends", "use the path of a file")
    return parsed


def ledger_path(url: str) -> Path:
    """The file of the ledger at a database URL or path. Raises InputError if it isn't a SQLite ledger."""
    return Path(parse_url(url).database or "")


def engine_for(url: URL) -> Engine:
    """An engine whose connections are durable: committed data survives a power loss."""
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_pragmas)
    return engine


def make_private(path: Path) -> None:
    """Create the ledger's file, readable by its owner only, because it holds phone numbers.

    SQLite gives the -wal file the same permissions.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.chmod(0o600)  # at any umask
    except OSError as error:
        raise BrokenLedgerError(
            f"the ledger {path} could not be created: {error.strerror}; check the path and its permissions"
        ) from error


def _set_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
    # WAL lets `campaign status` read while a run writes. FULL makes commits survive a power loss.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
