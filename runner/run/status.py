"""The progress of runs, read from the ledger, also while they are being sent."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.base.clock import iso
from runner.base.conversions import ConversionOutcome
from runner.base.errors import InputError
from runner.base.events import EventKind
from runner.base.outcomes import OutcomeReason
from runner.ledger.ledger import Ledger, RunRecord, open_ledger
from runner.ledger.lock import is_locked
from runner.ledger.optouts import count_optouts
from runner.ledger.replies import count_waiting
from runner.ledger.sessions import stop_as_json
from runner.report.counts import count_progress, with_delivery
from runner.report.run_settings import RunSettings
from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url, paths_of, reports_folder

# The states of a run that a process is sending.
_ACTIVE = ("sending", "waiting")

# The time spans for the current rate, and how many messages a span should have to show a rate.
_SPANS_US = (5_000_000, 60_000_000, 3_600_000_000)
_FEW = 10

# Events that slow sending down, and how long they are shown after their end.
_HELD_UP = (EventKind.THROTTLED, EventKind.UNREACHABLE)
_HELD_UP_FOR_US = 10_000_000


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """The ledger's content at one moment: a document for each run, oldest first, the number of opt-outs, and the number
    of replies that wait for review.
    """

    runs: list[dict[str, Any]]
    optouts: int
    to_review: int

    @property
    def active(self) -> list[dict[str, Any]]:
        """The runs that a process is sending at this moment."""
        return [run for run in self.runs if run["state"] in _ACTIVE]


def ledger_urls(options: RunOptions, name: str | None = None, run: str | None = None) -> list[str]:
    """The ledgers that may have these runs: one, or one per sandbox run."""
    if name and (run == SANDBOX_RUN or options.sandbox):
        return [paths_of(name, SANDBOX_RUN, options).ledger]
    if options.sandbox:
        return [str(path) for path in sorted(reports_folder(options).glob(f"*/{SANDBOX_RUN}/ledger.sqlite3"))]
    return [ledger_url(options)]


class StatusReader:
    """Reads the progress of the matching runs repeatedly. Only reads, and holds no lock between two reads.

    A read counts every message and looks up its receipt. A `quick` read skips delivery, and recounts only runs that may
    have changed.
    """

    def __init__(self, name: str | None, run: str | None, options: RunOptions) -> None:
        self._name, self._run, self._options = name, run, options
        self._urls = ledger_urls(options, name, run)
        self._newest: dict[tuple[str, RunRecord], dict[str, Any]] = {}

    def read(self, now: int, *, quick: bool = False) -> StatusSnapshot:
        """Read the ledger; `now` is microseconds since the epoch.

        Raises InputError if there is no ledger, or no run with that name in it.
        """
        found: list[dict[str, Any]] = []
        optouts = to_review = 0
        for url in self._urls:
            with open_ledger(url, create=False) as ledger:
                optouts += count_optouts(ledger)
                to_review += count_waiting(ledger)
                status_of = self._quickly if quick else _status
                runs = ledger.runs(self._name, self._run)
                found += [status_of(ledger, record, now) | self._where(record) for record in runs]
        if self._name and not found:
            name = f"{self._name}/{self._run}" if self._run else self._name
            raise InputError.of(f"the ledger {self._urls[0]} has no run {name}", "`campaign status` lists all runs")
        return StatusSnapshot(found, optouts, to_review)

    def _where(self, record: RunRecord) -> dict[str, Any]:
        """Whether a run was sent to the provider."""
        settings = RunSettings.read(paths_of(record.name, record.run, self._options).run_settings)
        return {"sandbox": record.run == SANDBOX_RUN, "sent_to": settings.sent_to if settings else None}

    def _quickly(self, ledger: Ledger, record: RunRecord, now: int) -> dict[str, Any]:
        place = (str(ledger.path), record)
        # Checked every time, because a killed run may be started again at any moment.
        is_going_on = record.ended_at is None and is_locked(ledger.path, record.name, record.run)
        status = self._newest.get(place)
        if status is None or status["state"] in _ACTIVE or is_going_on:
            status = self._newest[place] = _status(ledger, record, now, quick=True)
        return status


def _status(ledger: Ledger, record: RunRecord, now: int, *, quick: bool = False) -> dict[str, Any]:
    # At least a second, so that a clock that was set back doesn't show a rate of a million.
    spans = [min(span, max(now - record.started_at, 1_000_000)) for span in _SPANS_US]
    counts, claimed = count_progress(ledger, record, [now - span for span in spans])
    state = state_of(ledger, record, counts.unsent)
    rate = rate_now(claimed, spans) if state in _ACTIVE else None
    newest = next(iter(ledger.events(record.id, newest=1)), None) if state == "sending" else None
    held_up_until = newest.at + int((newest.seconds or 0) * 1e6) + _HELD_UP_FOR_US if newest else 0
    is_held_up = newest is not None and newest.kind in _HELD_UP and now <= held_up_until
    status: dict[str, Any] = {
        "campaign": record.name,
        "run": record.run,
        "state": state,
        "waiting_for": record.stop_detail if state == "waiting" else None,
        "held_up_by": newest.kind.value if newest and is_held_up else None,
        "rows": record.rows,
        "to_send": record.to_send,
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "unknown": counts.unknown - counts.in_flight,
        "sending": counts.in_flight,
        "unsent": counts.unsent,
        "rate_now": round(rate, 3) if rate is not None else None,
        "eta": None,
        "started_at": iso(record.started_at),
        "ended_at": iso(record.ended_at),
        "stopped": stop_as_json(record),
    }
    if state == "sending" and rate:
        with contextlib.suppress(OverflowError, ValueError):  # ten million at 1/h end after the year 9999
            status["eta"] = iso(now + int(counts.unsent / rate * 1e6))
    if quick:
        return status
    counts = with_delivery(counts, ledger, record)
    return status | {
        "delivery": dict(sorted(counts.delivery.items())) if counts.known_delivery else {},
        "delivered_share": counts.delivery_rate,
        "conversions": {outcome.value: counts.conversions[outcome] for outcome in ConversionOutcome},
    }


def rate_now(claimed: Sequence[int], spans: Sequence[int]) -> float:
    """The current messages per second, from the number claimed within each span (microseconds, ascending).

    Uses the shortest span in which at least ten messages are expected, judging by the next longer span. So a pause at
    200/s shows within seconds, and 6/min isn't shown as zero. Pure.
    """
    for place, (longer_claimed, longer) in enumerate(zip(claimed[1:], spans[1:], strict=True)):
        if longer_claimed * spans[place] >= _FEW * longer:
            return claimed[place] * 1e6 / spans[place]
    return claimed[-1] * 1e6 / spans[-1]


def state_of(ledger: Ledger, record: RunRecord, unsent: int) -> str:
    """`sending`, `waiting`, `killed`, `stopped` or `finished`; `unsent` counts the unsent messages of the plan.

    A run is finished if its only unsent recipients opted out during the run, because nothing is left to continue.
    """
    if record.ended_at is None:
        if not is_locked(ledger.path, record.name, record.run):
            return "killed"
        return "waiting" if record.stop_detail else "sending"
    if record.stop_reason == OutcomeReason.OPTED_OUT:
        return "finished"
    return "stopped" if record.stop_reason or unsent else "finished"
