"""The report of a run: results and summary, from the plan that was sent and the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson

from runner.errors import InputError
from runner.ledger.ledger import Ledger, MessageRecord, RunRecord
from runner.models import OutcomeReason, Status
from runner.plan.identity import MessageIds
from runner.plan.parquet import replacing
from runner.plan.saved import is_readable
from runner.report.results import Tally, Unsent, write_results
from runner.run.places import Places
from runner.run.times import iso


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and where."""

    record: RunRecord
    tally: Tally
    places: Places
    document: dict[str, Any]


def write_report(ledger: Ledger, record: RunRecord, places: Places) -> Report:
    """Write results.parquet, results.csv and summary.json of a run.

    Raises InputError when the plan that was sent is gone.
    """
    if not is_readable(places.sent_plan):
        raise InputError.of(
            f"{places.sent_plan} is gone or damaged, so the rows of the recipient file aren't known any more",
            "the ledger still has every message; `campaign run` on the campaign file makes the plan again",
        )

    def lookup(message_ids: Sequence[str]) -> dict[str, MessageRecord]:
        return ledger.records(record.id, message_ids)

    ids = MessageIds(record.name, record.run)
    tally = write_results(
        places.sent_plan, ids, lookup, _unsent(record), parquet=places.results_parquet, csv=places.results_csv
    )
    document = as_json(record, tally, places)
    with replacing(places.summary) as file:
        file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return Report(record, tally, places, document)


def _unsent(record: RunRecord) -> Unsent:
    """Why the messages without a row in the ledger were not sent."""
    if record.stop_reason is None:
        return Unsent(OutcomeReason.NOT_REACHED, "the run did not come to it")
    return Unsent(OutcomeReason(record.stop_reason), record.stop_detail or "")


def as_json(record: RunRecord, tally: Tally, places: Places) -> dict[str, Any]:
    """summary.json: the figures of a run for programs. Times are ISO 8601, UTC."""
    reasons: dict[str, dict[str, int]] = {}
    for (status, reason), count in sorted(tally.by_reason.items()):
        reasons.setdefault(status, {})[reason] = count
    return {
        "campaign": record.name,
        "run": record.run,
        "sub_account_id": record.sub_account_id,
        "fingerprint": record.fingerprint,
        "version": version("campaign-runner"),
        "created_at": iso(record.created_at),
        "started_at": iso(record.started_at),
        "ended_at": iso(record.ended_at),
        "stopped": {"reason": record.stop_reason, "detail": record.stop_detail} if record.stop_reason else None,
        "rows": tally.rows,
        "status": {status.value: tally.by_status[status] for status in Status},
        "reasons": reasons,
        "error_codes": {str(code): count for code, count in sorted(tally.by_error_code.items())},
        "segments_accepted": tally.segments_accepted,
        "files": {
            "results_parquet": str(places.results_parquet),
            "results_csv": str(places.results_csv),
            "summary": str(places.summary),
            "plan": str(places.sent_plan),
        },
    }
