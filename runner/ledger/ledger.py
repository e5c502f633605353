"""Opening a ledger, and everything that is read from it or written to it outside of sending.

All times are microseconds since the epoch, UTC.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, func, insert, inspect, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from runner.errors import InputError, LedgerError
from runner.ledger.lock import making_lock
from runner.ledger.tables import SCHEMA_VERSION, SENDING, messages, meta, metadata, runs
from runner.models import OutcomeReason, Status

BUSY_TIMEOUT_S = 10
"""How long a write waits for another process that is writing (`campaign status` only reads)."""


IDS_AT_A_TIME = 2_000
"""Message ids in one query; they travel as bound parameters, of which databases take only so many."""


_STATUSES = (SENDING, Status.ACCEPTED.value, Status.REJECTED.value, Status.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the ledger knows of one run."""

    id: int
    name: str
    run: str
    sub_account_id: str
    options: str
    fingerprint: str
    rows: int
    to_send: int
    created_at: int
    started_at: int
    ended_at: int | None
    stop_reason: str | None
    stop_detail: str | None
    holder: str | None
    lease_until: int | None


class MessageRecord(NamedTuple):
    """What the ledger knows of one message."""

    message_id: str
    destination: str
    country: str | None
    encoding: str
    segments: int
    status: str
    reason: str | None
    detail: str | None
    attempts: int
    sent_at: int | None
    answered_at: int | None
    umid: str | None
    http_status: int | None
    error_code: int | None
    error_id: str | None
    log_status: str | None
    log_segments: int | None
    log_price: str | None
    log_currency: str | None


def _of_messages(*names: str) -> str:
    """SQLite's text of the query for these columns of some messages, up to the number of their ids."""
    query = select(*(messages.c[name] for name in names)).where(messages.c.run_id == bindparam("of_run"))
    return f"{query.compile(dialect=sqlite.dialect(paramstyle='qmark'))} AND messages.message_id IN "


# Asked for every message of a run, so compiled once, and its rows are the driver's own.
_RECORDS = _of_messages(*MessageRecord._fields)
_CLAIMED = _of_messages("message_id")


@contextmanager
def ledger_errors(doing: str) -> Iterator[None]:
    """Turn a database error into a LedgerError that says what could not be done and why."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        words = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise LedgerError(f"the ledger could not be {doing}: {words}") from error


class Ledger:
    """A ledger that stands. Get one with `open_ledger`; close it, or use it as a context manager."""

    def __init__(self, engine: Engine, url: URL) -> None:
        self.engine = engine
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.engine.dispose()

    @property
    def path(self) -> Path:
        """The file that the ledger is."""
        return Path(self.url.database or "")

    @property
    def id(self) -> str:
        """What tells this ledger from every other; a copy of the file has the same."""
        with ledger_errors("read"), self.engine.connect() as connection:
            return str(connection.scalar(select(meta.c.value).where(meta.c.name == "id")))

    def newest_time(self) -> int:
        """The newest time that the ledger knows, 0 for an empty one."""
        times = (select(func.max(runs.c.started_at)), select(func.max(runs.c.ended_at)))
        with ledger_errors("read"), self.engine.connect() as connection:
            return max(connection.scalar(query) or 0 for query in times)

    def runs(self, name: str | None = None, run: str | None = None) -> list[RunRecord]:
        """The runs of a campaign, or all, oldest first."""
        query = select(runs).order_by(runs.c.id)
        query = query.where(runs.c.name == name) if name is not None else query
        query = query.where(runs.c.run == run) if run is not None else query
        with ledger_errors("read"), self.engine.connect() as connection:
            return [RunRecord(*row) for row in connection.execute(query)]

    def begin_run(self, *, name: str, run: str, now: int, **values: Any) -> RunRecord:  # noqa: ANN401 (columns)
        """Note that a session of this run starts, with what it is about to send; makes the run if it is new.

        `values`: sub_account_id, options, fingerprint, rows, to_send.
        """
        found = self.runs(name, run)
        values |= {"started_at": now, "ended_at": None, "stop_reason": None, "stop_detail": None}
        with ledger_errors("written"), self.engine.begin() as connection:
            if found:
                connection.execute(update(runs).where(runs.c.id == found[0].id), values)
            else:
                connection.execute(insert(runs), {"name": name, "run": run, "created_at": now, **values})
        return self.runs(name, run)[0]

    def note_waiting(self, run_id: int, words: str | None) -> None:
        """Note what a session that goes on waits for, for those who ask meanwhile; None: for nothing any more."""
        going_on = (runs.c.id == run_id, runs.c.ended_at.is_(None))
        with ledger_errors("written"), self.engine.begin() as connection:
            connection.execute(update(runs).where(*going_on).values(stop_detail=words))

    def end_run(self, run_id: int, *, now: int, stop_reason: str | None, stop_detail: str | None) -> None:
        """Note how a session ended; `stop_reason` None means that it went to its end."""
        values = {"ended_at": now, "stop_reason": stop_reason, "stop_detail": stop_detail}
        with ledger_errors("written"), self.engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id), values)

    def bury_dead_claims(self, run_id: int, *, died_by: int) -> int:
        """Turn what a dead process left as `sending` into `unknown`: its request may have left. Returns how many.

        `died_by`: microseconds since the epoch by which that process was dead or no longer sent. Only for the holder of
        the run's lock and lease: a living process has `sending` messages of its own.
        """
        dead = (
            update(messages)
            .where(messages.c.run_id == run_id, messages.c.status == SENDING)
            .values(
                status=Status.UNKNOWN.value,
                reason=OutcomeReason.PROCESS_DIED.value,
                detail="the process that was sending it died before the answer was noted",
                settled_at=died_by,
            )
        )
        with ledger_errors("written"), self.engine.begin() as connection:
            return connection.execute(dead).rowcount

    def counts(self, run_id: int) -> dict[str, int]:
        """Messages of a run by status (`sending` among them); the unsent are absent."""
        # One pass without grouping, which SQLite does by sorting: a third of the time, for ten million messages.
        query = select(*(func.count().filter(messages.c.status == status) for status in _STATUSES))
        with ledger_errors("read"), self.engine.connect() as connection:
            found = connection.execute(query.where(messages.c.run_id == run_id)).one()
        return {status: count for status, count in zip(_STATUSES, found, strict=True) if count}

    def sizes(self, run_id: int) -> list[tuple[str | None, int, int]]:
        """The messages of a run as (country, segments, how many), whatever their status; the unsent are absent."""
        kinds = (messages.c.country, messages.c.segments)
        query = select(*kinds, func.count()).where(messages.c.run_id == run_id).group_by(*kinds)
        with ledger_errors("read"), self.engine.connect() as connection:
            return [(country, segments, count) for country, segments, count in connection.execute(query)]

    def records(self, run_id: int, message_ids: Sequence[str]) -> dict[str, MessageRecord]:
        """What is known of these messages, by message id; those that were never claimed are absent."""
        return {row[0]: MessageRecord._make(row) for row in self._rows(_RECORDS, run_id, message_ids)}

    def claimed(self, run_id: int, message_ids: Sequence[str]) -> set[str]:
        """Which of these messages have a row already, whatever its status: they must not be claimed again."""
        return {row[0] for row in self._rows(_CLAIMED, run_id, message_ids)}

    def _rows(self, query: str, run_id: int, message_ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        with ledger_errors("read"), self.engine.connect() as connection:
            for first in range(0, len(message_ids), IDS_AT_A_TIME):
                some = message_ids[first : first + IDS_AT_A_TIME]
                marks = ",".join("?" * len(some))
                found = connection.exec_driver_sql(f"{query}({marks})", (run_id, *some)).cursor
                assert found is not None
                yield from found.fetchall()


def open_ledger(url: str, *, create: bool) -> Ledger:
    """Open the ledger at a database URL, or at the path of a SQLite file.

    Raises InputError for a URL that isn't one, a missing ledger (unless `create`), a file that isn't a ledger, or one
    that a newer version wrote; LedgerError when it cannot be read.
    """
    parsed = parse_url(url)
    path = Path(parsed.database or "")
    if not create and not path.exists():
        raise _no_ledger(path)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_pragmas)
    try:
        with making_lock(path) if create else nullcontext(), ledger_errors(f"opened at {path}"):
            if create and not path.exists():
                _make_private(path)
            with engine.begin() as connection:
                _check_version(connection, path, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, parsed)


def parse_url(url: str) -> URL:
    """The URL of a ledger; a text without `://` is the path of a SQLite file."""
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        backend = ""
    if backend != "sqlite":
        raise InputError.of(
            f"the ledger URL {_without_password(url)!r} is not one that this version can use",
            "write a path such as reports/ledger.sqlite3, or sqlite:///reports/ledger.sqlite3",
        )
    if not parsed.database or parsed.database == ":memory:":
        raise InputError.of("a ledger in memory is gone with the process", "write the path of a file")
    return parsed


def _no_ledger(path: Path) -> InputError:
    return InputError.of(f"there is no ledger at {path}", "name it with --ledger or CAMPAIGN_LEDGER")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _make_private(path: Path) -> None:
    """The ledger holds phone numbers, so it is its owner's alone; SQLite gives its -wal file the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise LedgerError(f"the ledger {path} could not be made: {error.strerror}") from error


def _set_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
    cursor = connection.cursor()
    # WAL lets `campaign status` read while a run writes; FULL makes a commit survive a power loss.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _check_version(connection: Connection, path: Path, *, create: bool) -> None:
    names = set(inspect(connection).get_table_names())
    if not names and not create:  # another process is making it at this moment
        raise _no_ledger(path)
    if not names:
        # The driver begins no transaction for CREATE TABLE, and a kill would leave half a ledger, which none can open.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        metadata.create_all(connection)
        facts = {"schema_version": str(SCHEMA_VERSION), "id": secrets.token_hex(8)}
        connection.execute(insert(meta), [{"name": name, "value": value} for name, value in facts.items()])
        return
    version = _version(connection) if "meta" in names else None
    if version is None:
        raise InputError.of(f"{path} is not a ledger of campaign-runner", "name another file with --ledger")
    if int(version) < SCHEMA_VERSION:
        version = _upgrade(connection)
    if int(version) > SCHEMA_VERSION:
        raise InputError.of(
            f"the ledger {path} was written by a newer campaign-runner (schema {version}, this one knows "
            f"{SCHEMA_VERSION})",
            "upgrade campaign-runner",
        )


def _version(connection: Connection) -> str | None:
    return connection.scalar(select(meta.c.value).where(meta.c.name == "schema_version"))


def _upgrade(connection: Connection) -> str:
    """Bring an older ledger up to this version, and return the one that it then has.

    What came later are tables of their own, so nothing is rewritten.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    # Another process may have upgraded it before this one had the lock, perhaps to a version that is newer still.
    version = _version(connection)
    if version is None or int(version) < SCHEMA_VERSION:
        metadata.create_all(connection)
        version = str(SCHEMA_VERSION)
        connection.execute(update(meta).where(meta.c.name == "schema_version").values(value=version))
    return version
