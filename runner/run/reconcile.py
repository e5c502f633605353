"""Reconcile: settle the unknown messages of a run from the provider's message log."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import iso, us_of, utc
from runner.base.errors import InputError, StoppedError
from runner.base.wording import counted
from runner.ledger.database import give_way
from runner.ledger.reconciliation import Unknown, accepted, apply, has_accepted, unknowns
from runner.ledger.transitions import Proof
from runner.provider.exports import LogExports
from runner.provider.http import UnreachableError
from runner.run.account import ProviderAccount
from runner.run.open import RecordedRun
from runner.run.witnesses import Accepted, Witnesses

SECOND_US = 1_000_000

# The export starts this long before the first unknown request, because this computer's clock may have been wrong.
MARGIN = timedelta(hours=6)

# The export ends this long after now, because the provider's clock may be ahead, and `to` is exclusive.
AHEAD = timedelta(minutes=2)

FIRST_LOOK_S = 1.0
SLOWEST_LOOK_S = 30.0

# Messages per transaction; small, so that a running campaign hardly waits to claim messages.
AT_A_TIME = 2_000

# If the run has no accepted message before the first unknown one, a test message or another run may have.
EARLIER = timedelta(days=7)

Say = Callable[[str], None]


class Absence(Enum):
    """What it means that an export lacks a message."""

    PROVED = auto()  # the provider has not received it
    EARLY = auto()  # the log may not be complete yet
    UNPROVED = auto()  # nothing shows that the export covers its time
    ACCEPTED = auto()  # the same, but the user accepts its absence as proof


@dataclass(frozen=True, slots=True)
class Finding:
    """What the log says about the unknown messages of a run. Nothing has been changed yet.

    The log was asked for everything since `since`. `found` messages are in it, `absent` ones are not. `again_at` is
    when the log, asked again, can prove more about the early ones. The rest of the `unknown` messages have a line that
    proves nothing.
    """

    unknown: int
    since: datetime
    settle: timedelta
    found: Mapping[str, Proof]
    absent: Mapping[Absence, Collection[str]]
    again_at: datetime | None = None

    @property
    def changed(self) -> int:
        """How many messages don't stay unknown."""
        return len(self.found) + len(self.absent[Absence.PROVED]) + len(self.absent[Absence.ACCEPTED])


def look_up(
    run: RecordedRun,
    account: ProviderAccount,
    *,
    settle: timedelta,
    deadline: timedelta,
    say: Say,
    accept_absence: bool = False,
) -> Finding | None:
    """Look up the unknown messages of a run in the provider's log. None if nothing is unknown. Changes nothing.

    The log is complete `settle` after a request; the export may take until the `deadline`. With `accept_absence`, a
    message that the log lacks needs no witnesses. Raises StoppedError if the log isn't complete, InputError if the
    run's messages were sent to another place.
    """
    refuse_another_place(run.name, run.record.places, account)
    return asyncio.run(_look_up(run, account, settle, deadline, say, accept_absence))


def refuse_another_place(name: str, places: str | None, account: ProviderAccount) -> None:
    """Raise InputError if the messages were sent elsewhere, because the log of another place proves nothing.

    `places` are those of the run; None: an older ledger doesn't know them.
    """
    if places and account.endpoint.place not in places.split():
        raise InputError.of(
            f"the messages of {name} were sent through {' and '.join(places.split())}, but the log would be asked at "
            f"{account.endpoint.base_url}, so it would prove nothing; nothing was changed",
            "set EIGHTXEIGHT_BASE_URL or account.region as it was when they were sent",
        )


def apply_finding(run: RecordedRun, finding: Finding) -> None:
    """Settle what the log proves, in batches, each with its audit entry. If a batch fails, the ones before it stay.

    Raises RunLockedError if another machine took over the run while this one waited for the log or for confirmation,
    because it may have sent these messages again; LedgerError if a message is no longer unknown.
    """
    accepted_absence = finding.absent[Absence.ACCEPTED]
    audited = []
    if accepted_absence:
        words = [
            f"the log lacks {counted(len(accepted_absence), 'message')}, but doesn't show that it covers their time"
        ]
        override = {"option": "--accept-absence", "let_through": words}
        audited = [AuditEntry(AuditAction.OVERRODE, run.name, override)]
    settled: list[tuple[str, Proof | None]] = [*finding.found.items()]
    settled += [(message_id, None) for message_id in (*finding.absent[Absence.PROVED], *accepted_absence)]
    for first in range(0, len(settled), AT_A_TIME):
        if first:
            give_way()
        run.renew_lease()
        part = settled[first : first + AT_A_TIME]
        found = {message_id: proof for message_id, proof in part if proof}
        unsent = [message_id for message_id, proof in part if not proof]
        detail = {
            "unknown": finding.unknown - first,
            "accepted": len(found),
            "unsent": len(unsent),
            "since": iso(us_of(finding.since)),
            "settle_s": finding.settle.total_seconds(),
        }
        audited.append(AuditEntry(AuditAction.RECONCILED, run.name, detail))
        apply(run.ledger, run.record.id, found=found, not_received=unsent, audited=audited)
        audited = []


async def _look_up(
    run: RecordedRun,
    account: ProviderAccount,
    settle: timedelta,
    deadline: timedelta,
    say: Say,
    accept_absence: bool,
) -> Finding | None:
    ledger, run_id = run.ledger, run.record.id
    unknown = unknowns(ledger, run_id)
    if not unknown:
        return None
    now = datetime.now(UTC)
    first = min(each.begin for each in unknown.values())
    since = utc(first) - MARGIN
    if not has_accepted(ledger, run_id, since=us_of(since), until=first):
        since = utc(first) - EARLIER
    witnesses = Witnesses(Accepted(*row) for row in accepted(ledger, run_id, since=us_of(since)))
    own = _own_runs(run, account)
    tests = f"{run.record.name}:test:"
    seen: set[str] = set()
    found: dict[str, Proof] = {}
    async with LogExports(account.endpoint, account.api_key) as exports:
        say(f"requesting the provider's log since {since:%Y-%m-%d %H:%M:%S} UTC")
        job_id = await exports.start(since, now + AHEAD)
        started_at = exports.started_at
        links = await links_of(exports, job_id, deadline, say)
        for number, link in enumerate(links, 1):
            say(f"reading file {number} of {len(links)}")
            async with contextlib.aclosing(exports.entries(link)) as rows:
                async for row in rows:
                    message_id = row["clientmessageid"]
                    is_ours = is_of(account, row)
                    if message_id in unknown:
                        seen.add(message_id)
                        if is_ours and row["umid"]:  # without a umid, it stays unknown
                            found[message_id] = proof_of(row)
                    elif is_ours:
                        is_own = message_id.startswith(tests) or message_id.rpartition(".")[0] in own
                        witnesses.see(message_id, logged_at(row), is_own=is_own)
    witnesses.close()
    if not accept_absence and (lacking := witnesses.lacks_all_before(us_of(now - settle))):
        raise StoppedError(
            f"the provider's log has none of this run's accepted messages ({lacking}, …), so it proves nothing and "
            "nothing was changed; check the account and EIGHTXEIGHT_BASE_URL, then try again"
        )
    clock = us_of(started_at) if started_at else min(witnesses.newest or 0, us_of(now))
    missing = {message_id: span for message_id, span in unknown.items() if message_id not in seen}
    # What was sent to two places is in the log of only one of them.
    has_one_place = len((run.record.places or "").split()) < 2
    absent, again_at = _judged(
        missing, witnesses if has_one_place else None, settle, clock, us_of(now), accept_absence=accept_absence
    )
    return Finding(len(unknown), since, settle, found, absent, again_at)


def _judged(
    missing: Mapping[str, Unknown],
    witnesses: Witnesses | None,
    settle: timedelta,
    clock: int,
    now: int,
    *,
    accept_absence: bool,
) -> tuple[dict[Absence, set[str]], datetime | None]:
    """What it means that the export lacks these messages, and when it can prove more.

    The export was started at `clock` by the provider's clock, at `now` by this computer's.
    """
    settle_us = int(settle.total_seconds() * SECOND_US)
    absent: dict[Absence, set[str]] = {kind: set() for kind in Absence}
    again_at = 0
    for message_id, (begin, end) in missing.items():
        after = witnesses.after(begin, end) if witnesses else None
        complete_at = (end if after is None else after) + settle_us
        # The span's end is checked by this computer's clock too, in case the log's times aren't in UTC.
        is_settled = complete_at // SECOND_US <= clock // SECOND_US and end + settle_us <= now
        if after is None and not accept_absence:
            kind = Absence.UNPROVED
        elif not is_settled:
            kind = Absence.EARLY
            again_at = max(again_at, complete_at, end + settle_us)
        else:
            kind = Absence.ACCEPTED if after is None else Absence.PROVED
        absent[kind].add(message_id)
    return absent, utc(again_at) if again_at else None


def _own_runs(run: RecordedRun, account: ProviderAccount) -> set[str]:
    """What the IDs of messages begin with that the ledger's runs sent with this account at this place."""
    place, sub_account_id = account.endpoint.place, run.record.sub_account_id
    records = [
        record
        for record in run.ledger.runs()
        if record.sub_account_id == sub_account_id and place in (record.places or "").split()
    ]
    return {f"{record.name}.{record.run}" for record in [run.record, *records]}


def is_of(account: ProviderAccount, row: Mapping[str, str]) -> bool:
    """Whether a line belongs to the sub-account, as far as it says so."""
    written = row.get("subaccountid", "").strip()
    return not written or written.casefold() == account.endpoint.sub_account_id.casefold()


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


def logged_at(row: Mapping[str, str]) -> int | None:
    """When the provider received the message of a line, in microseconds since the epoch; None if it doesn't say."""
    try:
        moment = datetime.fromisoformat(row.get("createdat", "").strip())
        return us_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


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
