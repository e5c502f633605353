"""The ledger's database: its URL, its connections, and its errors in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from runner.base.errors import InputError, LedgerError

# How long a write waits for another process that is writing, in seconds (`campaign status` only reads).
BUSY_TIMEOUT_S = 10

# Values in one query; they travel as bound parameters, of which databases take only so many.
IDS_AT_A_TIME = 2_000


@contextmanager
def ledger_errors(doing: str) -> Iterator[None]:
    """Turn a database error into a LedgerError that says what could not be done and why."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        words = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise LedgerError(f"the ledger could not be {doing}: {words}") from error


def rows_among(
    connection: Connection, query: Select[*tuple[Any, ...]], column: ColumnElement[Any], values: Sequence[str]
) -> Iterator[Any]:
    """The query's rows in which the column has one of the values, in as many queries as the values need."""
    for part in in_parts(values):
        yield from connection.execute(query.where(column.in_(part)))


def in_parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values in lists that one query may name."""
    for first in range(0, len(values), IDS_AT_A_TIME):
        yield values[first : first + IDS_AT_A_TIME]


def parse_url(url: str) -> URL:
    """The URL of a SQLite ledger; a text without `://` is the path of its file. Raises InputError for any other."""
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
            f"the ledger URL {without_password!r} is not one that this version can use",
            "write a path such as reports/ledger.sqlite3, or sqlite:///reports/ledger.sqlite3",
        )
    if not parsed.database or parsed.database == ":memory:":
        raise InputError.of("a ledger in memory is gone with the process", "write the path of a file")
    return parsed


def engine_for(url: URL) -> Engine:
    """An engine whose every connection is durable: what it has committed survives a power loss."""
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_pragmas)
    return engine


def make_private(path: Path) -> None:
    """Make the ledger's file its owner's alone: it holds phone numbers. SQLite gives its -wal file the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
    except OSError as error:
        raise LedgerError(f"the ledger {path} could not be made: {error.strerror}") from error


def _set_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
    # WAL lets `campaign status` read while a run writes; FULL makes a commit survive a power loss.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
