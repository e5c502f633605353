"""The audit trail of a ledger, a campaign or a run."""

from collections.abc import Iterator

from runner.base.errors import InputError
from runner.ledger.audit import RecordedEntry, trail
from runner.ledger.ledger import open_ledger
from runner.run.paths import SANDBOX_RUN, RunOptions, ledger_url, paths_of


def read_trail(name: str | None, run: str | None, options: RunOptions) -> Iterator[RecordedEntry]:
    """The entries about a campaign's runs, or one of them, or all entries of the ledger; oldest first.

    A sandbox run has its own ledger, so all entries of that ledger are about it. Raises InputError if there is no
    ledger, or no entry about this campaign or run.
    """
    if options.sandbox and name is None:
        raise InputError.of("--sandbox: no campaign given", "write `campaign audit NAME --sandbox`")
    is_sandbox = options.sandbox or run == SANDBOX_RUN
    url = paths_of(name, SANDBOX_RUN, options).ledger if name and is_sandbox else ledger_url(options)
    with open_ledger(url, create=False) as ledger:
        found = trail(ledger) if is_sandbox else trail(ledger, name, run)
        first = next(found, None)
        if first is not None:
            yield first
        elif name is not None:
            about = f"{name}/{run}" if run else name
            raise InputError.of(f"the ledger {ledger.path} has no entries about {about}", "`campaign audit` shows all")
        yield from found
