"""Runs compared: which ones, what the ledger knows of each, and the files that say so."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runner.errors import InputError
from runner.ledger.ledger import RunRecord, open_ledger
from runner.report.compare import ComparedRun, row_of, write_parquet
from runner.report.compare_page import ComparePage, write_compare_page
from runner.report.counts import count_ledger
from runner.run.places import Options, reports_folder
from runner.run.status import ledger_urls, state_of
from runner.run.times import iso, now_us

MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs, oldest first; where they are written; and all of it as `--json` has it."""

    runs: list[ComparedRun]
    parquet: Path
    page: Path
    document: dict[str, Any]


def compare(options: Options, *, since: date | datetime | None = None, campaign: str | None = None) -> Comparison:
    """Compare the runs whose newest session started at `since` or later (a date begins at midnight UTC, and so does a
    datetime without an offset mean UTC), and whose NAME or NAME/RUN the pattern `campaign` matches (`spring-*`).

    Writes compare.parquet and compare.html into the reports folder; for sandbox runs, which are compared only with
    `options.sandbox` and among themselves, compare.sandbox.parquet and compare.sandbox.html.

    Raises InputError when there is no ledger, or no run in it matches; StoppedError when a file can't be written.
    """
    from_us = _microseconds(since) if since is not None else None
    known: list[str] = []
    runs = list(_matching(options, from_us, campaign, known))
    if not runs:
        raise _none(from_us, campaign, known)
    runs.sort(key=lambda run: run.record.started_at)
    folder, suffix = reports_folder(options), ".sandbox" if options.sandbox else ""
    parquet, page = folder / f"compare{suffix}.parquet", folder / f"compare{suffix}.html"
    write_parquet(parquet, runs)
    write_compare_page(page, ComparePage(runs, _asked(from_us, campaign), version("campaign-runner")))
    return Comparison(runs, parquet, page, _document(runs, parquet, page))


def parse_since(text: str, now: int | None = None) -> datetime:
    """What `--since` says: `2026-11-01`, `2026-11-01T09:00`, with an offset or else in UTC, or a span until now, `30d`.

    `now` is microseconds since the epoch. Raises InputError for anything else.
    """
    text = text.strip()
    with contextlib.suppress(ValueError, OverflowError):
        if found := re.fullmatch(r"([0-9]{1,6})(min|h|d|w)", text):
            unit = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]
            now = now_us() if now is None else now
            return datetime.fromtimestamp(now / 1e6, UTC) - timedelta(**{unit: int(found[1])})
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):  # Python takes 20261101 and 2026-W45 too
            at = datetime.fromisoformat(text)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    raise InputError.of(
        f"--since {text!r} is not a time", "write a day such as 2026-11-01, or how long ago, such as 30d or 12h"
    )


def _matching(options: Options, since: int | None, campaign: str | None, known: list[str]) -> Iterator[ComparedRun]:
    """The runs that match, with their counts; puts the names of all into `known`."""
    for url in ledger_urls(options):
        with open_ledger(url, create=False) as ledger:
            for record in ledger.runs():
                known.append(f"{record.name}/{record.run}")
                if _matches(record, since, campaign):
                    counts = count_ledger(ledger, record)
                    yield ComparedRun(record, state_of(ledger, record, counts.unsent), counts)


def _matches(record: RunRecord, since: int | None, campaign: str | None) -> bool:
    names = (record.name, f"{record.name}/{record.run}")
    is_named = campaign is None or any(fnmatchcase(name, campaign) for name in names)
    return is_named and (since is None or record.started_at >= since)


def _microseconds(since: date | datetime) -> int:
    if not isinstance(since, datetime):
        since = datetime(since.year, since.month, since.day)  # noqa: DTZ001 (the next line)
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return (since - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _asked(since: int | None, campaign: str | None) -> str:
    """In words that go after `runs`."""
    words = [f"of {campaign}"] if campaign is not None else []
    words += [f"started since {_day(since)}"] if since is not None else []
    return " ".join(words)


def _day(since: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)).strftime("%Y-%m-%d %H:%M UTC")


def _none(since: int | None, campaign: str | None, known: list[str]) -> InputError:
    if not known:
        return InputError.of("there is no run to compare", "start one with `campaign run FILE`")
    more = f" and {len(known) - MOST_NAMED:,} older ones" if len(known) > MOST_NAMED else ""
    return InputError.of(
        f"there is no run {_asked(since, campaign)}", f"the ledger knows {', '.join(known[-MOST_NAMED:])}{more}"
    )


def _document(runs: list[ComparedRun], parquet: Path, page: Path) -> dict[str, Any]:
    """For programs: times are ISO 8601, amounts decimal text."""
    compared = [row_of(run) for run in runs]
    for row in compared:
        row |= {name: iso(row[name]) for name in ("created_at", "started_at", "ended_at")}
        row |= {name: _plain(row[name]) for name in ("billed", "cost_per_delivered")}
    return {"runs": compared, "files": {"compare_parquet": str(parquet), "compare_page": str(page)}}


def _plain(amount: Any) -> str | None:  # noqa: ANN401 (a cell)
    return None if amount is None else f"{amount.normalize():f}"
