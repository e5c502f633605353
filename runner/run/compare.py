"""`campaign report --since`: compare runs from the ledger, as a page and as Parquet."""

import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from runner.base.clock import iso, now_us, utc
from runner.base.errors import InputError
from runner.ledger.ledger import open_ledger
from runner.prices.costs import plain
from runner.report.compare import ComparedRun, row_of, write_compare_page, write_parquet
from runner.report.counts import count_ledger
from runner.run.paths import RunOptions, reports_folder
from runner.run.report import VERSION
from runner.run.status import ledger_urls, state_of

MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """The compared runs, oldest first, and the document for `--json`. Times are ISO 8601, amounts are decimal text."""

    runs: list[ComparedRun]
    document: dict[str, Any]


def compare(options: RunOptions, *, since: datetime | None = None, campaign: str | None = None) -> Comparison:
    """Compare the runs whose newest session started at `since` (aware) or later, and whose NAME or NAME/RUN matches the
    pattern `campaign` (`spring-*`).

    Writes compare.parquet and compare.html into the reports folder. With `options.sandbox`, it compares only sandbox
    runs, and writes compare.sandbox.parquet and compare.sandbox.html.

    Raises InputError if there is no ledger or no matching run, StoppedError if a file can't be written.
    """
    asked = f"of {campaign}" if campaign is not None else ""
    asked += f" started since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if since is not None else ""
    from_us = round(since.timestamp() * 1e6) if since is not None else 0
    runs: list[ComparedRun] = []
    known: list[str] = []
    for url in ledger_urls(options):
        with open_ledger(url, create=False) as ledger:
            for record in ledger.runs():
                names = (record.name, f"{record.name}/{record.run}")
                known.append(names[1])
                is_named = campaign is None or any(fnmatchcase(name, campaign) for name in names)
                if is_named and record.started_at >= from_us:
                    counts = count_ledger(ledger, record)
                    runs.append(ComparedRun(record, state_of(ledger, record, counts.unsent), counts))
    if not known:
        raise InputError.of("no runs to compare", "start one with `campaign run FILE`")
    if not runs:
        more = f" and {len(known) - MOST_NAMED:,} older ones" if len(known) > MOST_NAMED else ""
        raise InputError.of(f"no run {asked.strip()}", f"the ledger has {', '.join(known[-MOST_NAMED:])}{more}")
    runs.sort(key=lambda run: run.record.started_at)
    folder, suffix = reports_folder(options), ".sandbox" if options.sandbox else ""
    parquet, page = folder / f"compare{suffix}.parquet", folder / f"compare{suffix}.html"
    write_parquet(parquet, runs)
    write_compare_page(page, runs, asked=asked.strip(), version=VERSION)
    rows = [row_of(run) for run in runs]
    for row in rows:
        row |= {name: iso(row[name]) for name in ("created_at", "started_at", "ended_at")}
        row |= {name: plain(row[name]) for name in ("billed", "cost_per_delivered") if row[name] is not None}
    files = {"compare_parquet": str(parquet), "compare_page": str(page)}
    return Comparison(runs, {"runs": rows, "files": files})


def parse_since(text: str, now: int | None = None) -> datetime:
    """Parse `--since`: a time such as `2026-11-01` or `2026-11-01T09:00` (UTC without an offset), or an age, `30d`.

    `now` is microseconds since the epoch. Raises InputError for anything else.
    """
    text = text.strip()
    with contextlib.suppress(ValueError, OverflowError):
        if found := re.fullmatch(r"([0-9]{1,6})(min|h|d|w)", text):
            unit = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]
            now = now_us() if now is None else now
            return utc(now) - timedelta(**{unit: int(found[1])})
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):  # Python takes 20261101 and 2026-W45 too
            at = datetime.fromisoformat(text)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    raise InputError.of(
        f"--since: {text!r} is not a time", "write a date such as 2026-11-01, or an age such as 30d or 12h"
    )
