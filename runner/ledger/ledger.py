"""The ledger: how to open it, its runs, their events and their messages.

All times are microseconds since the epoch, UTC.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Connection, Engine, Select, bindparam, func, select, tuple_, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from runner.base.audit import AuditEntry
from runner.base.errors import StoppedError
from runner.base.events import Event, EventKind
from runner.base.outcomes import FatalAnswer, OutcomeReason, Status
from runner.ledger.audit import append
from runner.ledger.database import engine_for, in_parts, ledger_errors, make_private, parse_url, rows_among
from runner.ledger.lock import making_lock, on_another_computer
from runner.ledger.migrations import no_ledger, prepare_schema
from runner.ledger.place import refuse_shared_file
from runner.ledger.tables import SENDING, approvals, events, messages, meta, runs
from runner.ledger.transitions import settle_dead
from runner.ledger.trust import checksum, damaged, refuse_damage, refuse_damaged_log, refuse_uncounted

_STATUSES = (SENDING, Status.ACCEPTED.value, Status.REJECTED.value, Status.UNKNOWN.value)

# The year 10,000, in microseconds since the epoch. No datetime is later.
_END_OF_TIME_US = 253_402_300_800_000_000


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the ledger knows about one run."""

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
    stop_message_id: str | None
    stop_attempts: int | None
    stop_http_status: int | None
    stop_error_code: int | None
    stop_error_id: str | None
    stop_sent_at: int | None
    stop_answered_at: int | None
    holder: str | None
    lease_until: int | None
    messages_digest: str | None = None
    places: str | None = None


class MessageRecord(NamedTuple):
    """What the ledger knows about one message."""

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
    """SQL that selects these columns for some messages of a run; the caller appends the list of message ids."""
    query = select(*(messages.c[name] for name in names)).where(messages.c.run_id == bindparam("of_run"))
    return f"{query.compile(dialect=sqlite.dialect(paramstyle='qmark'))} AND messages.message_id IN "


_RUN = [runs.c[name] for name in RunRecord.__slots__]
_EVENT = (events.c.kind, events.c.at, events.c.seconds, events.c.detail, events.c.reason)
# What `end_run` may record, and `begin_run` clears.
_STOP = dict.fromkeys(name for name in RunRecord.__slots__ if name.startswith("stop_"))
# Compiled once, because these run for every message.
_RECORDS = _of_messages(*MessageRecord._fields)
_CLAIMED = _of_messages("message_id")


class Ledger:
    """An open ledger at `path`. Get one from `open_ledger`; close it, or use it as a context manager."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading. Raises LedgerError."""
        with ledger_errors("read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: durable once the block has ended, rolled back if the block raises. Raises LedgerError."""
        with ledger_errors("written"), self.engine.begin() as connection:
            yield connection

    def rows(self, query: Select[*tuple[Any, ...]]) -> Iterator[Any]:
        """The query's rows, one by one, because there may be one per message of a run. Raises LedgerError."""
        with self.reading() as connection:
            yield from connection.execute(query)

    def rows_among(
        self, query: Select[*tuple[Any, ...]], column: ColumnElement[Any], values: Sequence[str]
    ) -> Iterator[Any]:
        """The query's rows in which the column has one of the values. Raises LedgerError."""
        with self.reading() as connection:
            yield from rows_among(connection, query, column, values)

    def scalar(self, query: Select[*tuple[Any, ...]]) -> Any:  # noqa: ANN401 (a cell)
        """The first column of the query's first row, or None if there is no row. Raises LedgerError."""
        with self.reading() as connection:
            return connection.scalar(query)

    @property
    def id(self) -> str:
        """A unique id. A copy of the file has the same id."""
        return str(self.scalar(select(meta.c.value).where(meta.c.name == "id")))

    def newest_time(self) -> int:
        """When a run last started or ended; 0 for an empty ledger."""
        return max((max(record.started_at, record.ended_at or 0) for record in self.runs()), default=0)

    def runs(self, name: str | None = None, run: str | None = None) -> list[RunRecord]:
        """The runs of a campaign, or all runs, oldest first. Raises BrokenLedgerError if a time is damaged."""
        wanted = [column == value for column, value in ((runs.c.name, name), (runs.c.run, run)) if value is not None]
        found = [RunRecord(*row) for row in self.rows(select(*_RUN).where(*wanted).order_by(runs.c.id))]
        for record in found:
            times = (record.created_at, record.started_at, record.ended_at or 0)
            if not all(type(at) is int and 0 <= at < _END_OF_TIME_US for at in times):
                raise damaged(self.path, f"a time of {record.name}/{record.run} has changed by itself")
        return found

    def begin_run(
        self,
        *,
        name: str,
        run: str,
        now: int,
        audited: Sequence[AuditEntry] = (),
        check: Callable[[], None] = lambda: None,
        **values: Any,  # noqa: ANN401 (columns)
    ) -> RunRecord:
        """Record that a session of this run starts and what it sends. Adds the run if it is new.

        `values`: sub_account_id, options, fingerprint, messages_digest, rows, to_send, places. `audited`: for the
        audit trail. `check` may refuse the start by raising; until it has returned, no other run can begin.
        """
        values |= {**_STOP, "started_at": now, "ended_at": None}
        made = insert(runs).values(name=name, run=run, created_at=now, **values)
        with self.writing() as connection:
            connection.execute(made.on_conflict_do_update(index_elements=[runs.c.name, runs.c.run], set_=values))
            check()  # after the first write, which locks the ledger
            append(connection, audited)
        return self.runs(name, run)[0]

    def note_waiting(self, run_id: int, words: str | None) -> None:
        """Record what a running session waits for, so that `campaign status` can show it; None: it is sending."""
        with self.writing() as connection:
            is_running = (runs.c.id == run_id, runs.c.ended_at.is_(None))
            connection.execute(update(runs).where(*is_running).values(stop_detail=words))

    def end_run(
        self,
        run_id: int,
        *,
        now: int,
        stop_reason: str | None,
        stop_detail: str | None,
        answer: FatalAnswer | None = None,
        audited: Sequence[AuditEntry] = (),
    ) -> None:
        """Record how a session ended. `stop_reason` is None if it finished. `audited`: for the audit trail.

        `answer` is the answer that stopped it. Its message is unsent, so the ledger has it only here. If the run is
        complete, its approvals are spent: should a message be left later, nobody has approved it.
        """
        values = {"ended_at": now, "stop_reason": stop_reason, "stop_detail": stop_detail}
        if answer:
            facts = ("http_status", "error_code", "error_id", "sent_at", "answered_at")
            values |= {"stop_message_id": answer.message_id, "stop_attempts": answer.attempts}
            values |= {f"stop_{name}": getattr(answer.outcome, name) for name in facts}
        this_run = select(runs.c.name, runs.c.run).where(runs.c.id == run_id)
        of_this_run = tuple_(approvals.c.name, approvals.c.run).in_(this_run)
        with self.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id), values)
            if stop_reason in (None, OutcomeReason.OPTED_OUT):
                unspent = update(approvals).where(of_this_run, approvals.c.spent_at.is_(None))
                connection.execute(unspent.values(spent_at=now))
            append(connection, audited)

    def note_events(self, run_id: int, noted: Sequence[Event]) -> None:
        """Record events of a run, all or none."""
        rows = [{**asdict(event), "run_id": run_id, "kind": event.kind.value} for event in noted]
        if rows:
            with self.writing() as connection:
                connection.execute(insert(events), rows)

    def events(self, run_id: int, *, newest: int | None = None) -> list[Event]:
        """The events of a run, oldest first: all, or only the `newest` ones."""
        query = select(*_EVENT).where(events.c.run_id == run_id).order_by(events.c.at.desc(), events.c.id.desc())
        found = [Event(EventKind(kind), *others) for kind, *others in self.rows(query.limit(newest))]
        return found[::-1]

    def resume_row(self, run_id: int, plan: str) -> int:
        """The resume point: the plan row (1-based) up to which the ledger has every message; 0: not known.

        `plan` is the SHA-256 of the plan file, because another plan has other rows.
        """
        point = (runs.c.resume_row, runs.c.resume_checksum)
        for row, written in self.rows(select(*point).where(runs.c.id == run_id, runs.c.resume_plan == plan)):
            if written in (None, checksum(run_id, plan, row)):  # an older version wrote none
                return row or 0
        return 0

    def refuse_damage(self, run_id: int) -> None:
        """Raise BrokenLedgerError if the ledger's file, its runs, its opt-outs or this run's messages are damaged."""
        with self.reading() as connection:
            refuse_damage(connection, self.path, run_id)

    def refuse_uncounted(self, *, since: int, checked: int | None = None) -> None:
        """Raise BrokenLedgerError if a frequency cap would miss messages claimed since `since` because of damage.

        `checked` is the run that `refuse_damage` has checked.
        """
        with self.reading() as connection:
            refuse_uncounted(connection, self.path, since, checked)

    def mark_dead_claims_unknown(self, run_id: int, *, died_by: int) -> int:
        """Turn messages that a dead process left in `sending` into `unknown`, because their requests may have left.

        Call this only while holding the run's lock and lease: a live process also has messages in `sending`.
        `died_by` is a time (microseconds since the epoch) by which the dead process had stopped sending. Returns how
        many messages changed.
        """
        with self.writing() as connection:
            return settle_dead(connection, run_id, died_by)

    def counts(self, run_id: int) -> dict[str, int]:
        """Messages of a run by status, including `sending`. Unsent messages aren't in the ledger."""
        return self.counts_and_claims(run_id, ())[0]

    def counts_and_claims(self, run_id: int, since: Sequence[int]) -> tuple[dict[str, int], list[int]]:
        """`counts`, and how many messages were claimed at or after each time in `since`.

        This reads every message of the run. An index on the time would make every claim slower.
        """
        wanted = [messages.c.status == status for status in _STATUSES]
        wanted += [messages.c.claimed_at >= time for time in since]
        # One pass without GROUP BY, which SQLite does by sorting: this takes a third of the time for ten million
        # messages.
        query = select(*(func.count().filter(each) for each in wanted)).where(messages.c.run_id == run_id)
        [found] = self.rows(query)
        by_status = dict(zip(_STATUSES, found, strict=False))
        return {status: count for status, count in by_status.items() if count}, list(found[len(_STATUSES) :])

    def newest_starts(self, sub_account_id: str, run: str | None, *, since: int, most: int) -> list[int]:
        """When the newest messages of a sub-account or, unless `run` (NAME/RUN) is None, of one run started.

        Newest first, at most `most`, none before `since`. A message without an answer counts from its claim. Only the
        runs whose newest session may have sent since then are read.
        """
        at = func.coalesce(messages.c.sent_at, messages.c.claimed_at)
        is_wanted = runs.c.name + "/" + runs.c.run == run if run else runs.c.sub_account_id == sub_account_id
        recent = select(runs.c.id).where(is_wanted, func.coalesce(runs.c.ended_at, since) >= since)
        query = select(at).where(messages.c.run_id.in_(recent), at >= since).order_by(at.desc()).limit(most)
        return [started for (started,) in self.rows(query)]

    def refuse_other_computers(self, sub_account_id: str, name: str = "", run: str = "") -> None:
        """Raise StoppedError if another computer is sending a run of this sub-account other than NAME/RUN."""
        if other := on_another_computer(self.engine, sub_account_id, name, run):
            raise StoppedError(
                f"nothing was sent: another computer is sending {other} from {sub_account_id}, and two computers can't "
                "share the sub-account's rate; run the same command again when that run has ended"
            )

    def sizes(self, run_id: int) -> list[tuple[str | None, int, int]]:
        """The messages of a run, in any status, as (country, segments, count). Unsent messages aren't in the ledger."""
        kinds = (messages.c.country, messages.c.segments)
        query = select(*kinds, func.count()).where(messages.c.run_id == run_id).group_by(*kinds)
        return [(country, segments, count) for country, segments, count in self.rows(query)]

    def records(self, run_id: int, message_ids: Sequence[str]) -> dict[str, MessageRecord]:
        """The records of these messages, by message id. Messages that were never claimed are absent."""
        return {row[0]: MessageRecord._make(row) for row in self._compiled_rows(_RECORDS, run_id, message_ids)}

    def claimed(self, run_id: int, message_ids: Sequence[str]) -> set[str]:
        """Which of these messages are in the ledger, in any status. They must not be claimed again."""
        return {row[0] for row in self._compiled_rows(_CLAIMED, run_id, message_ids)}

    def _compiled_rows(self, query: str, run_id: int, message_ids: Sequence[str]) -> Iterator[Any]:
        with self.reading() as connection:
            for part in in_parts(message_ids):
                marks = ",".join("?" * len(part))
                yield from connection.exec_driver_sql(f"{query}({marks})", (run_id, *part))


def open_ledger(url: str, *, create: bool) -> Ledger:
    """Open the ledger at a database URL or file path, and upgrade it if it is older than this program.

    Raises InputError for a wrong URL, a missing ledger (unless `create`), a file that isn't a ledger, is a mount of its
    own or has two names, or a ledger from a newer version of this program; RunLockedError if an older version is
    sending one of its runs; LedgerError if it can't be read; BrokenLedgerError if its -wal file is damaged.
    """
    parsed = parse_url(url)
    path = Path(parsed.database or "")
    if not create and not path.exists():
        raise no_ledger(path)
    refuse_shared_file(path)
    engine = engine_for(parsed)
    try:
        # Only processes that change the schema wait for each other.
        if not _prepare(engine, path, create=create, locked=create):
            _prepare(engine, path, create=create, locked=True)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, path)


def _prepare(engine: Engine, path: Path, *, create: bool, locked: bool) -> bool:
    """Create or upgrade the tables. Returns False if they must be upgraded, which needs the lock."""
    with making_lock(path) if locked else nullcontext(), ledger_errors(f"opened at {path}"):
        if create and not path.exists():
            make_private(path)
        refuse_damaged_log(path)
        with engine.begin() as connection:
            return prepare_schema(connection, path, create=create, upgrade=locked)
