"""`campaign report`: write the results of a run again, from its plan and the ledger."""

from runner.cli.console import human, print_json
from runner.cli.options import Json, LedgerUrl, Reports, Sandbox, Target, parse_target

NAME = "report"


def command(
    target: Target, sandbox: Sandbox = False, ledger: LedgerUrl = None, reports: Reports = None, as_json: Json = False
) -> int:
    """Write the results of a run again."""
    from runner.cli.show import show_files, show_report
    from runner.run.places import Options
    from runner.run.report import write_report
    from runner.run.status import recorded

    name, run = parse_target(target)
    options = Options(sandbox=sandbox, ledger=ledger, reports=reports)
    with recorded(name, run, options) as (opened, record, places):
        report = write_report(opened, record, places)
    console = human(as_json=as_json)
    show_report(console, report)
    show_files(console, report)
    if as_json:
        print_json(report.document)
    return 0
