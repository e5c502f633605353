"""`campaign plan`: who would get what, in how many segments, and who is left out and why. Sends nothing."""

from runner.cli.console import human, print_json
from runner.cli.options import File, Json, LedgerUrl, Limit, Reports, RunId, Sandbox

NAME = "plan"


def command(
    file: File,
    run: RunId = None,
    sandbox: Sandbox = False,
    limit: Limit = None,
    ledger: LedgerUrl = None,
    reports: Reports = None,
    as_json: Json = False,
) -> int:
    """Show who would get what, and who is left out and why."""
    from runner.cli.show import show_plan, show_standing
    from runner.run.job import opened
    from runner.run.places import Options

    console = human(as_json=as_json)
    with opened(file, Options(run, sandbox, limit, ledger, reports)) as job:
        job.plan()
        show_plan(console, job)
        show_standing(console, job, job.standing())
        changes = job.changes()
        if changes:
            console.print("\nThis run has begun with another plan; `campaign run` will want --accept-changes:")
            for change in changes:
                console.print(f"  {change}")
        console.print(f"\nplan  {job.places.plan}")
        if as_json:
            print_json(job.as_json() | {"changes": changes})
    return 0
