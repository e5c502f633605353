"""Reconcile: settle the unknown messages of a run from the provider's message log."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import iso, us_of, utc
from runner.base.errors import StoppedError
from runner.ledger.reconciliation import Unknowns, accepted_ids, apply, unknown_ids, unknowns
from runner.ledger.transitions import Proof
from runner.provider.exports import LogExports
from runner.provider.http import UnreachableError
from runner.run.account import ProviderAccount
from runner.run.open import RecordedRun

# The export starts this long before the first unknown request, because this computer's clock may have been wrong.
MARGIN = timedelta(hours=6)

# The export ends this long after now, because the provider's clock may be ahead, and `to` is exclusive.
AHEAD = timedelta(minutes=2)

FIRST_LOOK_S = 1.0
SLOWEST_LOOK_S = 30.0

# How many accepted messages to look for: a log without them belongs to another account, or is incomplete.
WITNESSES = 500

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the log says about the unknown messages of a run. Nothing has been changed yet.

    The log was asked for everything since `since`. `found` messages are in it, `missing` messages are not. If it was
    exported late enough (`settle`), missing messages are `not_received`; otherwise `again_at` says when to ask again.
    """

    unknown: Unknowns
    since: datetime
    settle: timedelta
    found: dict[str, Proof] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    again_at: datetime | None = None

    @property
    def not_received(self) -> frozenset[str]:
        return frozenset() if self.again_at else self.missing


def look_up(
    run: RecordedRun, account: ProviderAccount, *, settle: timedelta, deadline: timedelta, say: Say
) -> Finding | None:
    """Look up the unknown messages of a run in the provider's log. None if nothing is unknown. Changes nothing.

    The log is complete `settle` after a request; the export may take until the `deadline`. Raises StoppedError if the
    log isn't complete.
    """
    return asyncio.run(_look_up(run, account, settle, deadline, say))


def apply_finding(run: RecordedRun, finding: Finding) -> None:
    """Settle what the log proves, in one transaction.

    Raises RunLockedError if another machine took over the run while this one waited for the log or for confirmation,
    because it may have sent these messages again.
    """
    run.renew_lease()
    detail = {
        "unknown": finding.unknown.count,
        "accepted": len(finding.found),
        "unsent": len(finding.not_received),
        "since": iso(us_of(finding.since)),
        "settle_s": finding.settle.total_seconds(),
    }
    apply(
        run.ledger,
        run.record.id,
        found=finding.found,
        not_received=finding.not_received,
        audited=[AuditEntry(AuditAction.RECONCILED, run.name, detail)],
    )


async def _look_up(
    run: RecordedRun, account: ProviderAccount, settle: timedelta, deadline: timedelta, say: Say
) -> Finding | None:
    ledger, run_id = run.ledger, run.record.id
    unknown = unknowns(ledger, run_id)
    if unknown is None:
        return None
    wanted = unknown_ids(ledger, run_id)
    now = datetime.now(UTC)
    since = utc(unknown.first_claimed_at) - MARGIN
    witnesses = accepted_ids(ledger, run_id, answered_before=us_of(now - settle), limit=WITNESSES)
    entries: dict[str, Proof] = {}
    async with LogExports(account.endpoint, account.api_key) as exports:
        say(f"requesting the provider's log since {since:%Y-%m-%d %H:%M:%S} UTC")
        links = await links_of(exports, await exports.start(since, now + AHEAD), deadline, say)
        for number, link in enumerate(links, 1):
            say(f"reading file {number} of {len(links)}")
            async with contextlib.aclosing(exports.entries(link)) as rows:
                async for row in rows:
                    if row["clientmessageid"] in wanted or row["clientmessageid"] in witnesses:
                        entries[row["clientmessageid"]] = proof_of(row)
    if unseen := witnesses - set(entries):
        raise StoppedError(
            f"the provider's log lacks {len(unseen)} of {len(witnesses)} accepted messages of this run "
            f"({min(unseen)}, …), so it proves nothing and nothing was changed; check the account and "
            "EIGHTXEIGHT_BASE_URL, then try again"
        )
    # A message whose line has no umid stays unknown.
    found = {message_id: entries[message_id] for message_id in wanted & set(entries) if entries[message_id].umid}
    certain_from = utc(unknown.last_settled_at) + settle
    again_at = certain_from if now < certain_from else None
    return Finding(unknown, since, settle, found, frozenset(wanted - set(entries)), again_at)


async def links_of(exports: LogExports, job_id: str, deadline: timedelta, say: Say) -> Sequence[str]:
    """Poll with growing pauses until the export is ready. Raises StoppedError if it fails or takes too long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline.total_seconds()
    pause_s = FIRST_LOOK_S
    while True:
        try:
            job = await exports.look(job_id)
        except UnreachableError as error:
            words = str(error)
        else:
            if job.links is not None:
                return job.links
            words = f"the export is {job.status}"
        if loop.time() + pause_s > end:
            raise StoppedError(f"the provider's log export took too long ({words}); nothing was changed, try again")
        say(f"{words}; checking again in {pause_s:.0f} s")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, SLOWEST_LOOK_S)


def proof_of(row: Mapping[str, str]) -> Proof:
    """What a line of the log says about its message."""
    segments = row.get("smscount", "").strip()
    return Proof(
        umid=row["umid"],
        log_status=row.get("status_value", "").strip()[:40],
        log_segments=int(segments) if segments.isdecimal() else None,
        log_price=row.get("price_total", "").strip()[:24] or None,
        log_currency=row.get("price_currency", "").strip()[:3] or None,
    )
