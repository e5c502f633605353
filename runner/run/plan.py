"""Plan a run: who would get what, what changed since the run started, and what is left to send."""

import functools
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

import orjson

from runner.base.audit import AuditAction, AuditEntry
from runner.base.clock import now_us
from runner.base.errors import InputError, StoppedError
from runner.base.exclusions import Exclusion
from runner.base.files import remove, replacing, write_atomically
from runner.base.options import Cooldown, Limits
from runner.base.text import sanitized
from runner.base.wording import counted
from runner.campaign import Campaign, Missing
from runner.campaign.message_section import SENT_KEYS
from runner.ledger.cooldown import recent
from runner.ledger.database import ledger_path
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.optouts import has_optouts, opted_out, optouts_state
from runner.plan.plan_cache import cached_summary, digest, save_plan_cache
from runner.plan.plan_file import changed_messages, is_readable, numbers_under_new_keys, read_messages
from runner.plan.planner import Also, Planner, Rules
from runner.plan.restrictions import FrequencyCap, Limit, Sample, outside_hours
from runner.plan.summary import Fingerprint, PlanSummary
from runner.prices.costs import Costs
from runner.report.run_settings import RunSettings
from runner.run.naming import Named
from runner.run.open import Run
from runner.run.optouts import exclusion_of

# A new version of one of these packages may plan differently.
_PLANNERS = (
    "campaign-runner",
    "phonenumbers",
    "jinja2",
    "babel",
    "charset-normalizer",
    "python-calamine",
    "polars",
    "ftfy",
)

# Keys that can change between two sessions of a run without changing its plan.
_NOT_OF_THE_PLAN = {"rate", "not_before", "not_after", "stop_when", "thresholds", "give_up_after"}


@dataclass(slots=True)
class Remaining:
    """What a run has sent and still has to send.

    `settled` counts the plan's messages in the ledger by status, and `left` those not in the ledger. `gone` messages
    were sent earlier in this run to recipients who are no longer in the plan.
    """

    settled: Counter[str] = field(default_factory=Counter)
    left: int = 0
    gone: int = 0


def refuse_input(run: Run, path: Path) -> None:
    """Raise InputError if `--out` would replace a file of the campaign or the run, or another that is no plan table."""
    from runner.report.plan_table import refuse_other_file

    inputs, campaign = run.inputs, run.campaign
    read = [inputs.file.path, inputs.audience.source.path, *(listed.path for listed in inputs.audience.suppress)]
    read += [one for one in (campaign.message.template, campaign.prices, ledger_path(run.paths.ledger)) if one]
    is_own = path.resolve().parent == run.paths.folder.resolve()
    if is_own or any(path.exists() and path.samefile(one) for one in read if one.exists()):
        raise InputError.of(f"--out: {path} belongs to the campaign or the run", "name another file")
    refuse_other_file(path)


def make_plan(run: Run, also: Also | None = None) -> PlanSummary:
    """Write plan.parquet as of the run's `now`, or reuse the existing plan if it is still valid.

    `also` gets all rows too; then the plan is always made.
    """
    run.settled = None
    cache_key = _cache_key(run)
    if cache_key and also is None and (summary := _cached(run, cache_key)):
        run.summary = summary
        return summary
    remove(run.paths.plan_cache)
    planner = Planner(run.inputs.audience, run.inputs.composer, rules=_rules(run), also=also)
    run.summary = planner.write(run.paths.plan)
    # Recipients whom this run has already texted stay in the plan, even if a rule excludes them now. Such a plan is
    # valid for this session only.
    if cache_key and not run.counts():
        save_plan_cache(run.paths.plan_cache, key=cache_key, plan=run.paths.plan, summary=run.summary)
    return run.summary


def changes(run: Run) -> list[str]:
    """Describe what changed since this run started; empty if nothing changed, or nothing was sent.

    Raises InputError for another account: only the first account's log can settle unknown messages.
    """
    before, now = run.previous, described_options(run.campaign)
    if before is None or not run.counts():
        return []
    if before.messages_digest == run.summary.messages_digest and before.options == canonical(now):
        return []
    options = orjson.loads(before.options)
    if any(options[path] != now[path] for path in ("account.subAccountId", "account.region")):
        raise InputError.of(
            f"this run was started with the account {options['account.subAccountId']} ({options['account.region']}); "
            "only the log of that account can settle its unknown messages",
            "use that account, or start another run with --run ID",
        )
    found = changed_options(options, now)
    sent_plan, plan = run.paths.sent_plan, run.paths.plan
    if not is_readable(sent_plan):
        return [*found, f"{sent_plan} is missing or damaged, so changed texts and numbers can't be listed"]
    for (count, examples), words in (
        (changed_messages(sent_plan, plan), "with another text or number"),
        (numbers_under_new_keys(sent_plan, plan), "with a new key but the same number: THEY WOULD BE TEXTED AGAIN"),
    ):
        if count:
            sheet_row = run.summary.sheet_rows.of
            shown = ", ".join(f"row {sheet_row(row)} (key {key})" for row, key in examples)
            more = ", …" if count > len(examples) else ""
            found.append(f"{counted(count, 'recipient')} {words}: {shown}{more}")
    return found


def remaining_of(run: Run) -> Remaining:
    """Compare the plan with the ledger."""
    if run.previous is None:
        return Remaining(left=run.summary.to_send)
    if run.settled is not None:
        settled = Counter(run.settled)
        return Remaining(settled, run.summary.to_send - settled.total())
    remaining = Remaining()
    for batch in read_messages(run.paths.plan, run.ids):
        records = run.ledger.records(run.previous.id, [message.message_id for message in batch])
        remaining.left += len(batch) - len(records)
        remaining.settled.update(record.status for record in records.values())
    remaining.gone = sum(run.counts().values()) - remaining.settled.total()
    return remaining


def is_done(run: Run, remaining: Remaining) -> bool:
    """Whether the run is finished and its plan is the same, so that there is nothing to start."""
    previous, paths = run.previous, run.paths
    if remaining.left or previous is None or previous.ended_at is None or previous.stop_reason is not None:
        return False
    return is_readable(paths.sent_plan) and digest(paths.sent_plan) == digest(paths.plan)


def note_report_settings(run: Run) -> None:
    """Let the report of a finished run follow the campaign's `report` section; the other settings stay as sent."""
    now, path = RunSettings.of(run.inputs, run.summary), run.paths.run_settings
    before = RunSettings.read(path)
    after = replace(before, mask=now.mask, formats=now.formats, example=now.example) if before else now
    if after != before:
        after.write(path)


def begin(run: Run, sent_to: str | None = None, *, place: str) -> tuple[RunRecord, str]:
    """Make the newest plan the one to send, and record the start in the ledger, with what was overridden for it.

    `sent_to` is the URL of a server on this computer that stands in for the provider, or None. `place` is where the
    messages are sent.

    Returns the run's record and the digest of the plan file.
    """
    paths = run.paths
    remove(paths.sent_plan)
    try:
        paths.sent_plan.hardlink_to(paths.plan)
    except OSError:  # the file system has no hard links
        with replacing(paths.sent_plan) as copy, paths.plan.open("rb") as plan:
            shutil.copyfileobj(plan, copy)
    shutil.rmtree(paths.earlier_sandbox, ignore_errors=True)
    before = RunSettings.read(paths.run_settings) if run.previous else None
    # An earlier session's messages are in the report too.
    sent_to = sent_to or (before.sent_to if before else None)
    RunSettings.of(run.inputs, run.summary, sent_to).write(paths.run_settings)
    sent_digest = digest(paths.sent_plan)
    name, started = f"{run.name}/{run.run}", {"fingerprint": run.fingerprint, "to_send": run.summary.to_send}
    audited = [
        AuditEntry(AuditAction.OVERRODE, name, {"option": option, "let_through": list(map(sanitized, words))})
        for option, words in run.overrides.items()
    ]
    record = run.ledger.begin_run(
        name=run.name,
        run=run.run,
        now=now_us(),
        sub_account_id=run.campaign.account.sub_account_id,
        options=canonical(described_options(run.campaign)),
        fingerprint=run.fingerprint,
        messages_digest=run.summary.messages_digest,
        rows=run.summary.rows,
        to_send=run.summary.to_send,
        places=_places(run, place),
        audited=[*audited, AuditEntry(AuditAction.STARTED, name, started)],
        check=partial(_refuse_run_since, run),
    )
    # Only now: until the override is on record, another ledger must be refused again.
    write_atomically(paths.ledger_id, run.ledger.id.encode())
    run.take_over(record.id)
    return record, sent_digest


def _refuse_run_since(run: Run) -> None:
    """Refuse to begin a run if another one of its form has begun while this start planned or asked.

    Two starts around midnight name two runs, and neither finds the other in the ledger.
    """
    named = run.named_again() if run.named_again and run.previous is None else Named(run.run)
    other = named.unfinished if named.run == run.run else named.run
    if other not in (None, run.unfinished):
        words = f"nothing was sent: {run.name}/{other} began while {run.name}/{run.run} was being planned"
        raise StoppedError(f"{words}; run the same command again, which continues {run.name}/{other}")


def _places(run: Run, place: str) -> str | None:
    """Where the run's messages have been sent and are sent now. None if an older ledger doesn't know."""
    known = (run.previous.places or "").split() if run.previous else []
    if not known and run.counts():
        return None
    return " ".join(dict.fromkeys([*known, place]))


def cooldown_of(campaign: Campaign) -> Cooldown | None:
    """The campaign's frequency cap, in the form that the ledger uses."""
    cooldown = campaign.recipients.cooldown
    return Cooldown(cooldown.messages, int(cooldown.per.total_seconds())) if cooldown else None


def described_options(campaign: Campaign) -> dict[str, str]:
    """Every option that affects what is sent, as text, by its path in the campaign file."""
    values = {
        "account.subAccountId": campaign.account.sub_account_id,
        "account.region": campaign.account.region,
        **{f"message.{SENT_KEYS[name]}": value for name, value in campaign.provider_options().items()},
        "recipients.country": campaign.recipients.country is not None,
        "window": campaign.window.in_words(campaign.timezone) if campaign.window else None,
    }
    return {path: as_text(value) for path, value in values.items() if value is not None}


def as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())} s after the send"
    return str(value).lower() if isinstance(value, bool) else str(value)


def changed_options(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Each option that changed: `message.source: was ACME, now not set`."""
    return [
        f"{path}: was {before.get(path, 'not set')}, now {now.get(path, 'not set')}"
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]


def canonical(options: dict[str, str]) -> str:
    """The described options as text; equal options give equal text."""
    return orjson.dumps(options, option=orjson.OPT_SORT_KEYS).decode()


@functools.cache
def _planner_versions() -> list[str]:
    return [version(name) for name in _PLANNERS]  # reads a file for each


def _cache_key(run: Run) -> str | None:
    """A digest of everything that the run's plan is made from.

    None if the plan depends on the current time (quiet hours, a frequency cap) or a file can't be read. Files are
    digested before they are planned: if a file changes in between, the digest is too old, and the next plan is not
    reused.
    """
    campaign, audience = run.campaign, run.inputs.audience
    if campaign.window or campaign.recipients.cooldown:
        return None
    parts = [
        *_planner_versions(),
        campaign.model_dump_json(exclude=_NOT_OF_THE_PLAN, warnings=False),
        canonical(described_options(campaign)),
        run.inputs.composer.template.source,
        str(run.inputs.composer.template.zone),
        repr(run.inputs.prices),
        repr(run.limit),
        run.ledger.id,
        optouts_state(run.ledger),
    ]
    try:
        parts.append(digest(audience.source.path))
        for suppression in audience.suppress:
            parts += f"{suppression.path} {suppression.phone} {suppression.key}", digest(suppression.path)
    except OSError:
        return None  # planning reports the error
    return Fingerprint(*parts).hexdigest()


def _cached(run: Run, cache_key: str) -> PlanSummary | None:
    """The summary of the existing plan, with the remaining costs; None if it was made from something else."""
    prices = run.inputs.prices
    summary = cached_summary(run.paths.plan_cache, key=cache_key, plan=run.paths.plan, prices=prices)
    if summary is None:
        return None
    settled = Counter(run.counts())
    if settled and run.previous and run.previous.messages_digest != summary.messages_digest:
        return None  # the sent messages belong to another plan, from another folder
    run.settled = settled
    if settled:
        summary.by_zones[()] -= settled.total()
        # Counting is slow, so only campaigns with prices or limits do it.
        if prices is not None or run.campaign.limits.of_run() != Limits():
            summary.left = Costs(prices, summary.costs.sizes - run.spent().sizes)
    return summary


def _rules(run: Run) -> Rules:
    """What can exclude recipients, apart from their own row: the campaign's rules, --limit, and the ledger."""
    campaign, ledger, now = run.campaign, run.ledger, run.now
    recipients = campaign.recipients
    cooldown = cooldown_of(campaign)
    if cooldown:
        since = int((now.timestamp() - cooldown.per_s) * 1e6)
    limits = {"--limit": run.limit, "recipients.limit": recipients.limit}
    return Rules(
        carried=campaign.report.columns,
        missing_fails=campaign.message.missing is Missing.ERROR,
        # An opt-out that arrives while the plan is made takes effect at the claim.
        opted_out=partial(_opted_out, ledger) if has_optouts(ledger) else None,
        sample=Sample(campaign.name, recipients.sample) if recipients.sample else None,
        timing=outside_hours(campaign.window.hours(campaign.timezone), now) if campaign.window else None,
        cooldown=FrequencyCap(cooldown, partial(recent, ledger, since=since)) if cooldown else None,
        limit=min(
            (Limit(messages, name) for name, messages in limits.items() if messages is not None),
            key=lambda limit: limit.messages,
            default=None,
        ),
        prices=run.inputs.prices,
        sent=partial(_sent, run, run.previous.id) if run.previous else None,
    )


def _opted_out(ledger: Ledger, destinations: Sequence[str]) -> Mapping[str, Exclusion]:
    return {destination: exclusion_of(optout) for destination, optout in opted_out(ledger, destinations).items()}


def _sent(run: Run, run_id: int, keys: Sequence[str]) -> Collection[str]:
    """The recipients among `keys` whom the run has already sent to."""
    keys_by_id = {run.ids.of(key): key for key in keys}
    return {keys_by_id[message_id] for message_id in run.ledger.claimed(run_id, list(keys_by_id))}
