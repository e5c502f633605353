"""The report of a run: results, page and summary, made from the sent plan and the ledger."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import orjson

from runner.base.clock import iso
from runner.base.conversions import ConversionOutcome
from runner.base.errors import InputError, RunLockedError
from runner.base.files import part_of, remove, write_atomically
from runner.base.outcomes import DIFFERING, OutcomeReason, Status
from runner.ledger.audit import trail
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.lock import is_locked, run_lock
from runner.ledger.receipts import has_receipts, receipts_of, settle_by_receipts
from runner.ledger.replies import count_waiting_of
from runner.ledger.request_journal import cancelled_of, conversions_of, status_counts
from runner.ledger.sessions import Session, sessions_of, stop_as_json
from runner.ledger.tables import cancellations, feedback
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import is_readable
from runner.prices.costs import UNKNOWN_COUNTRY, plain
from runner.report.dead_numbers import write_dead_numbers
from runner.report.masking import masked_detail
from runner.report.result_counts import ResultCounts, count_results
from runner.report.results import LedgerEntries, Lookup, WhyUnsent, scratch_of, write_results
from runner.report.run_settings import DEFAULT_THRESHOLDS, RunSettings, asks_to_mask
from runner.report.thresholds import Judged, judge
from runner.run.notice import SANDBOX, notice_of
from runner.run.optouts import review_words
from runner.run.paths import SANDBOX_RUN, RunPaths

VERSION = version("campaign-runner")

# How long to wait for another report of the run: a million rows with a spreadsheet take three minutes.
PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class RunReport:
    """A written report: its counts, its judged thresholds, and the content of summary.json as `document`."""

    record: RunRecord
    counts: ResultCounts
    thresholds: Sequence[Judged]
    document: dict[str, Any]

    @property
    def is_failed(self) -> bool:
        """Whether a threshold is crossed: exit code 1."""
        return any(each.crossed for each in self.thresholds)


def write_report(
    ledger: Ledger, record: RunRecord, paths: RunPaths, *, unmask: bool = False, has_lock: bool = False
) -> RunReport:
    """Write results.parquet, results.csv, report.html and summary.json of a run, and the campaign's optional files.

    `unmask` shows whole numbers and a whole text on the page, unless the campaign forbids it. `has_lock`: this process
    holds the run's lock, so nobody is sending it.

    Raises InputError if the sent plan is missing, StoppedError if the disk is full.
    """
    # Two processes would write to the same partial files, so one waits for the other.
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with run_lock(ledger.path, record.name, f"{record.run}~report"):  # run IDs can't contain a tilde
                return _write(ledger, record, paths, unmask=unmask, has_lock=has_lock)
        except RunLockedError:
            if time.monotonic() > end:
                raise


def _write(ledger: Ledger, record: RunRecord, paths: RunPaths, *, unmask: bool, has_lock: bool) -> RunReport:
    if not is_readable(paths.sent_plan):
        raise InputError.of(
            f"{paths.sent_plan} is missing or damaged, so the results can't be written",
            "the ledger still has every message; `campaign run` on the campaign file makes the plan again",
        )
    if has_receipts(ledger):
        # A receipt may have arrived before the answer to its message's request.
        settle_by_receipts(ledger, record.id)
    settings = RunSettings.read(paths.run_settings)
    mask = asks_to_mask(settings, paths.run_settings)
    events = ledger.events(record.id)
    is_sending = record.ended_at is None and not has_lock and is_locked(ledger.path, record.name, record.run)
    sessions = sessions_of(ledger, record, is_sending=is_sending)
    if mask:  # the provider's messages may quote numbers
        record = replace(record, stop_detail=record.stop_detail and masked_detail(record.stop_detail, None))
        events = [replace(event, detail=event.detail and masked_detail(event.detail, None)) for event in events]
        sessions = [replace(each, detail=each.detail and masked_detail(each.detail, None)) for each in sessions]
    with_xlsx = settings is not None and "xlsx" in settings.formats

    write_results(
        paths.sent_plan,
        MessageIds(record.name, record.run),
        _lookup_in(ledger, record.id),
        _why_unsent(record),
        parquet=paths.results_parquet,
        csv=paths.results_csv,
        xlsx=paths.results_xlsx if with_xlsx else None,
        mask=mask,
    )
    if not with_xlsx:
        # Remove the outdated spreadsheet of an earlier session, and the partial one of a killed process.
        remove(paths.results_xlsx)
        remove(part_of(paths.results_xlsx))
        shutil.rmtree(scratch_of(paths.results_xlsx), ignore_errors=True)
    write_dead_numbers(paths.results_parquet, paths.removals, mask=mask)
    counts = count_results(paths.results_parquet, settings.sheet_rows if settings else None)
    from runner.report.page import Page, write_page

    thresholds = judge(settings.thresholds if settings else DEFAULT_THRESHOLDS, counts.totals)
    to_review = count_waiting_of(ledger, record.id)
    page = Page(
        record=record,
        counts=counts,
        thresholds=thresholds,
        settings=settings,
        events=events,
        sessions=sessions,
        results=paths.results_parquet,
        version=VERSION,
        trail=list(trail(ledger, record.name, record.run)),
        to_review=review_words(to_review, record.name, record.run),
        unmask=unmask and not mask,
        notice=notice_of(record.run, settings.sent_to if settings else None),
    )
    write_page(paths.page, page)
    if record.run == SANDBOX_RUN:
        write_atomically(paths.sandbox_notice, f"{SANDBOX}\n".encode())
    document = _as_json(record, sessions, counts, paths, settings) | {
        "replies_to_review": to_review,
        "thresholds": [each.as_json() for each in thresholds],
    }
    write_atomically(paths.summary, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return RunReport(record, counts, thresholds, document)


def _lookup_in(ledger: Ledger, run_id: int) -> Lookup:
    """A function that finds everything the ledger has about some messages of a run.

    It skips tables that have nothing about the run: most runs have no conversions.
    """
    receipts_exist = has_receipts(ledger)
    has_conversions = bool(status_counts(ledger, run_id, feedback))
    has_cancelled = bool(status_counts(ledger, run_id, cancellations))

    def lookup(message_ids: Sequence[str]) -> LedgerEntries:
        records = ledger.records(run_id, message_ids)
        return LedgerEntries(
            records,
            receipts_of(ledger, records) if receipts_exist else {},
            conversions_of(ledger, run_id, message_ids) if has_conversions else {},
            cancelled_of(ledger, run_id, message_ids) if has_cancelled else {},
        )

    return lookup


def _why_unsent(record: RunRecord) -> WhyUnsent:
    """Why the messages without a row in the ledger were not sent."""
    if record.stop_reason is None:
        return WhyUnsent(OutcomeReason.NOT_REACHED, "the run did not get to this message")
    if record.stop_reason == OutcomeReason.OPTED_OUT:  # the stop detail counts all of them; a row is one person
        return WhyUnsent(OutcomeReason.OPTED_OUT, "opted out before the message was sent")
    stopped_by = {
        "message_id": record.stop_message_id,
        "attempts": record.stop_attempts,
        "http_status": record.stop_http_status,
        "error_code": record.stop_error_code,
        "error_id": record.stop_error_id,
        "sent_at": record.stop_sent_at,
        "answered_at": record.stop_answered_at,
    }
    return WhyUnsent(OutcomeReason(record.stop_reason), record.stop_detail or "", stopped_by)


def _session_as_json(session: Session) -> dict[str, Any]:
    return {
        "started_at": iso(session.started_at),
        "ended_at": iso(session.ended_at),
        "state": session.state.value,
        "reason": session.reason,
        "detail": session.detail,
        "sent": session.sent,
    }


def _as_json(
    record: RunRecord,
    sessions: Sequence[Session],
    counts: ResultCounts,
    paths: RunPaths,
    settings: RunSettings | None,
) -> dict[str, Any]:
    """The content of summary.json: a run's figures for programs. Times are ISO 8601 in UTC, amounts decimal text."""
    totals, reasons = counts.totals, dict[str, dict[str, int]]()
    for (status, reason), count in sorted(counts.by_reason.items()):
        reasons.setdefault(status, {})[reason] = count
    countries = {
        country or UNKNOWN_COUNTRY: {"accepted": of_country.accepted, "delivered": of_country.delivered}
        for country, of_country in counts.countries.items()
        if of_country.accepted
    }
    files = {
        "results_parquet": paths.results_parquet,
        "results_csv": paths.results_csv,
        "results_xlsx": paths.results_xlsx,
        "report": paths.page,
        "summary": paths.summary,
        "plan": paths.sent_plan,
        "numbers_to_remove": paths.removals,
    }
    optional = {paths.results_xlsx, paths.removals}
    return {
        "campaign": record.name,
        "run": record.run,
        "sandbox": record.run == SANDBOX_RUN,
        "sent_to": settings.sent_to if settings else None,
        "sub_account_id": record.sub_account_id,
        "fingerprint": record.fingerprint,
        "version": VERSION,
        "created_at": iso(record.created_at),
        "started_at": iso(record.created_at),
        "ended_at": iso(record.ended_at),
        "sessions": list(map(_session_as_json, sessions)),
        "stopped": stop_as_json(record),
        "rows": totals.rows,
        "status": {status.value: totals.by_status[status] for status in Status},
        "reasons": reasons,
        "warnings": {
            reason: count for reason, count in reasons.get(Status.ACCEPTED, {}).items() if reason in DIFFERING
        },
        "error_codes": {str(code): count for code, count in sorted(counts.by_error_code.items())},
        "segments_accepted": totals.segments_accepted,
        "delivered": totals.delivered,
        "delivery": dict(sorted(totals.known_delivery.items())),
        "countries": dict(sorted(countries.items())),
        "delivery_errors": {str(code): count for code, count in sorted(counts.by_delivery_error.items())},
        "segments_billed": counts.accepted.billed_segments,
        "billed": {currency or "?": plain(amount) for currency, amount in sorted(counts.accepted.bills.items())},
        "conversions": {outcome.value: counts.accepted.conversions[outcome] for outcome in ConversionOutcome},
        "files": {name: str(path) for name, path in files.items() if path not in optional or path.exists()},
    }
