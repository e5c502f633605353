"""Things that can't be, unless something went wrong that would text people twice: they need a person's word."""

from datetime import UTC, datetime

from runner.errors import InputError
from runner.ledger.ledger import Ledger
from runner.run.places import SANDBOX_RUN, Options, Places
from runner.run.times import iso, now_us

CLOCK_BEHIND_US = 3_600_000_000
"""A clock may be set back by up to an hour (a lost daylight change) before that is doubted."""


def refuse_the_impossible(ledger: Ledger, name: str, run: str, places: Places, options: Options) -> None:
    """Raises InputError for a ledger that isn't the one this run was sent with, and for a clock far behind it."""
    if run == SANDBOX_RUN:
        return
    if not options.accept_ledger:
        _check_ledger(ledger, name, run, places)
    newest = ledger.newest_time()
    if not options.accept_clock and now_us() < newest - CLOCK_BEHIND_US:
        raise InputError.of(
            f"this computer's clock says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, but the ledger was written at "
            f"{iso(newest)}: one of them is wrong",
            "set the clock, or add --accept-clock",
        )


def _check_ledger(ledger: Ledger, name: str, run: str, places: Places) -> None:
    """The folder notes which ledger its run was sent with; another one doesn't know who has been texted."""
    if not places.ledger_id.exists():
        return
    is_known = bool(ledger.runs(name, run))
    is_same = places.ledger_id.read_text(encoding="utf-8").strip() == ledger.id
    if is_known and is_same:
        return
    what = "knows nothing of it" if not is_known else "is another one"
    raise InputError.of(
        f"{places.folder} holds the files of a run that has begun, but the ledger {ledger.path} {what}, so it "
        "can't say who has been texted",
        "name the right ledger with --ledger, or begin another run with --run ID; --accept-ledger goes on with this "
        "one, and may text people again",
    )
