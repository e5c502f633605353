"""The checks before anything is sent: the ledger, the clock, the time, the balance. Each check passes or raises."""

from datetime import UTC, datetime

from runner.base.clock import iso, now_us
from runner.base.errors import InputError, StoppedError
from runner.campaign import Campaign
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.purge import purged_at
from runner.prices.costs import Costs, balance_problem
from runner.run.account import ProviderAccount
from runner.run.paths import SANDBOX_RUN, RunOptions, RunPaths
from runner.run.prices import balance_of
from runner.schedule.timetable import refusal

# A clock may be set back by up to an hour (a lost daylight saving change) before it is doubted.
CLOCK_BEHIND_US = 3_600_000_000


def refuse_changed_surroundings(ledger: Ledger, name: str, run: str, paths: RunPaths, options: RunOptions) -> None:
    """Refuse a ledger that isn't the one this run was sent with, and a clock far behind the ledger.

    Both would text people twice. Raises InputError, unless `options` accept them.
    """
    if run == SANDBOX_RUN:
        return
    if not options.accept_ledger:
        _refuse_another_ledger(ledger, name, run, paths)
    newest = ledger.newest_time()
    if not options.accept_clock and now_us() < newest - CLOCK_BEHIND_US:
        raise InputError.of(
            f"this computer's clock says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, but the ledger was written at "
            f"{iso(newest)}: one of them is wrong",
            "set the clock, or add --accept-clock",
        )


def _refuse_another_ledger(ledger: Ledger, name: str, run: str, paths: RunPaths) -> None:
    """The folder notes which ledger its run was sent with; another one doesn't know who has been texted."""
    if not paths.ledger_id.exists():
        return
    is_known = bool(ledger.runs(name, run))
    is_same = paths.ledger_id.read_text(encoding="utf-8").strip() == ledger.id
    if is_known and is_same:
        return
    what = "knows nothing of it" if not is_known else "is another one"
    raise InputError.of(
        f"{paths.folder} holds the files of a run that has begun, but the ledger {ledger.path} {what}, so it "
        "can't say who has been texted",
        "name the right ledger with --ledger, or begin another run with --run ID; --accept-ledger goes on with this "
        "one, and may text people again",
    )


def refuse_purged(ledger: Ledger, record: RunRecord | None) -> None:
    """A purged run can't be sent: a plan would bring the numbers back, and nobody could tell who was texted."""
    at = purged_at(ledger, record.id) if record else None
    if record and at is not None:
        raise InputError.of(
            f"{record.name}/{record.run} was purged on {(iso(at) or '')[:10]}, so it can't be sent any more",
            "begin another run with --run ID; should the purge have been killed, `campaign purge` again finishes it",
        )


def refuse_wrong_time(campaign: Campaign, now: datetime) -> None:
    """Refuse to send before `notBefore`, after `notAfter`, or when a moment in the file can't be kept."""
    if words := refusal(campaign, now):
        raise InputError.of(f"nothing was sent now: {words}", "start it in time, or change that in the campaign file")


def check_balance(campaign: Campaign, account: ProviderAccount, left: Costs, *, accept: bool) -> str | None:
    """Compare what is left to send with the prepaid balance, where the campaign names the account.

    Returns a warning, or None. Raises InputError when the balance is too small and StoppedError when it can't be
    read, unless `accept`.
    """
    if campaign.account.account_id is None:
        return None
    try:
        balance = balance_of(account, campaign.account.account_id)
    except StoppedError as error:
        if not accept:
            raise StoppedError(f"{error}; nothing was sent now, --accept-balance sends without knowing it") from error
        return str(error)
    found = balance_problem(balance, left) if balance else None
    if found and found.refuses and not accept:
        raise InputError.of(f"nothing was sent now: {found.words}", "or add --accept-balance to send all the same")
    return found.words if found else None
