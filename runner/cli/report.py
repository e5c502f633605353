"""`campaign report`: write the results of a run again, or compare runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.base.clock import utc
from runner.base.errors import InputError
from runner.base.outcomes import OutcomeReason, Status
from runner.base.wording import counted, listed_counts
from runner.cli.console import FOLD, LEFT, RIGHT, Console
from runner.cli.options import RecordedRunOptions, parse_target, with_shared_options
from runner.prices.costs import plain
from runner.provider.delivery import code_of

if TYPE_CHECKING:
    from runner.report.result_counts import ResultCounts
    from runner.run.compare import Comparison
    from runner.run.report import RunReport

# How many runs of a comparison, and error codes of a run, the terminal shows.
MOST_RUNS = 40
MOST_CODES = 5

# The colour of each status.
STYLES: dict[str, str] = {
    Status.ACCEPTED: "green",
    Status.REJECTED: "red",
    Status.UNKNOWN: "magenta",
    Status.UNSENT: "yellow",
    Status.EXCLUDED: "dim",
}

# In the order shown: the file that most people open next is last, nearest to the prompt.
_FILES = {
    "results_csv": "results.csv",
    "results_parquet": "results.parquet",
    "results_xlsx": "results.xlsx",
    "numbers_to_remove": "numbers to remove",
    "summary": "summary",
    "report": "report",
}


@with_shared_options
def command(
    options: RecordedRunOptions,
    console: Console,
    unmask: bool,
    target: Annotated[
        str | None, typer.Argument(metavar="NAME[/RUN]", help="The run; NAME alone means its newest run.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Compare runs since this time: 2026-11-01, or 30d.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Compare runs of these campaigns: 'spring-*'.")
    ] = None,
) -> tuple[int, dict[str, Any]]:
    """Write the results and report of a run again, or compare runs.

    To compare runs, leave out NAME and use --since or --campaign. --unmask also shows whole numbers and a whole text in
    report.html, unless the campaign sets report.mask.
    """
    compares = since is not None or campaign is not None
    if compares and target is not None:
        remedy = "give NAME to write a run's report, or --since or --campaign to compare runs"
        raise InputError.of("NAME can't be combined with --since or --campaign", remedy)
    if compares and unmask:
        raise InputError.of("--unmask: a comparison shows no numbers", "remove --unmask")
    if compares:
        from runner.run.compare import compare, parse_since

        comparison = compare(options, since=parse_since(since) if since is not None else None, campaign=campaign)
        show_comparison(console, comparison)
        return 0, comparison.document
    if target is None:
        remedy = "name a run (NAME or NAME/RUN), or compare runs with --since or --campaign"
        raise InputError.of("no run given", remedy)
    from runner.report.run_settings import RunSettings, asks_to_mask
    from runner.run.notice import notice_of
    from runner.run.open import recorded_run
    from runner.run.report import write_report

    with recorded_run(*parse_target(target), options) as run:
        report = write_report(run.ledger, run.record, run.paths, unmask=unmask)
        settings_path = run.paths.run_settings
        stays_masked = unmask and asks_to_mask(RunSettings.read(settings_path), settings_path)
    notice = notice_of(report.record.run, report.document["sent_to"])
    console.notice(notice)
    show_report(console, report)
    show_thresholds(console, report)
    show_files(console, report)
    if stays_masked:
        console.wrap("the results and report.html stay masked, because the campaign sets report.mask")
    console.notice(notice)
    return int(report.is_failed), report.document


def show_report(console: Console, report: "RunReport") -> None:
    """Show counts by status and reason, with examples."""
    from runner.provider.answer import ADVICE
    from runner.run.optouts import review_words

    counts = report.counts
    console.print(f"\n{report.record.name}/{report.record.run}", style="bold")
    rows = [*_outcomes(counts), *_what_came_back(counts)]
    styles = [STYLES.get(label) for label, _, _ in rows]
    console.show_table({"": LEFT, "number": RIGHT, "words": FOLD}, rows, styles, header=False)
    for reason, count in report.document["warnings"].items():
        what = {OutcomeReason.OTHER_DESTINATION: "number", OutcomeReason.OTHER_ENCODING: "encoding"}[reason]
        messages = counted(count, "accepted message")
        console.warn(f"the provider's answer has another {what} for {messages} ({reason}): {ADVICE[reason]}")
    if to_review := review_words(report.document["replies_to_review"], report.record.name, report.record.run):
        console.warn(to_review)
    if codes := counts.by_error_code:
        console.wrap(f"provider error codes: {listed_counts(codes.most_common())}")


def show_thresholds(console: Console, report: "RunReport") -> None:
    """Show the thresholds with figures, if one is crossed or the campaign file sets one."""
    from runner.report.thresholds import has_news

    for judged in report.thresholds if has_news(report.thresholds) else ():
        words = f"threshold {judged.name}: {judged.figures}, limit {judged.limit}: {judged.words}"
        console.wrap(words, "bold red" if judged.crossed else None)


def _outcomes(counts: "ResultCounts") -> Iterator[tuple[str, str, str]]:
    totals = counts.totals
    for status in Status:
        if not totals.by_status[status]:
            continue
        yield status.value, f"{totals.by_status[status]:,}", ""
        for (of, reason), count in counts.by_reason.most_common():
            if of == status and reason != OutcomeReason.QUEUED:
                row, key, detail = counts.examples[of, reason][0]
                example = f"row {row}{f' (key {key})' if key else ''}{f': {detail}' if detail else ''}"
                yield f"  {reason}", f"{count:,}", example
    yield "rows", f"{totals.rows:,}", f"{totals.segments_accepted:,} segments accepted"


def _what_came_back(counts: "ResultCounts") -> Iterator[tuple[str, str, str]]:
    """Delivery, cost and conversions of accepted messages: from receipts, the provider's log and the user."""
    if states := counts.totals.known_delivery:
        yield "delivery", f"{states.total():,}", listed_counts(states.most_common())
    for code, count in counts.by_delivery_error.most_common(MOST_CODES):
        yield f"  error {code}", f"{count:,}", code_of(code).words
    for currency, amount in sorted(counts.accepted.bills.items()):
        words = f"{currency}, {counts.accepted.billed_segments:,} segments".lstrip(", ")
        yield "billed", plain(amount), words
    if conversions := counts.accepted.conversions:
        yield "conversions", f"{conversions.total():,}", listed_counts(conversions.most_common())


def show_files(console: Console, report: "RunReport") -> None:
    """Show where the results are."""
    console.print()
    files = report.document["files"]
    for name, label in _FILES.items():
        if name in files:
            console.print(f"{label:<17} {files[name]}")


def show_comparison(console: Console, comparison: "Comparison") -> None:
    """Show runs side by side at 80 columns, newest last, and where the files are."""
    from runner.report.compare import UNKNOWN, cost, percent

    listed = comparison.runs[-MOST_RUNS:]
    columns = {
        "started": [f"{utc(run.record.started_at):%Y-%m-%d}" for run in listed],
        "accepted": [f"{run.counts.accepted:,}" for run in listed],
        "rejected": [percent(run.counts.rejection_rate) for run in listed],
        "delivered": [percent(run.counts.delivery_rate) for run in listed],
        "converted": [percent(run.counts.conversion_rate) for run in listed],
        "per\ndelivered": [cost(run.counts.cost_per_delivered, run.counts.currency) for run in listed],
    }
    columns = {label: cells for label, cells in columns.items() if set(cells) != {UNKNOWN}}
    kinds = {"run": FOLD} | {label: {**FOLD, "justify": "right"} for label in columns}
    console.show_table(kinds, zip([run.name for run in listed], *columns.values(), strict=True))
    if len(comparison.runs) > MOST_RUNS:
        console.print(f"showing the newest {MOST_RUNS} of {len(comparison.runs):,} runs")
    console.print()
    for label, file in zip(("figures", "report"), comparison.document["files"].values(), strict=True):
        console.print(f"{label:<17} {file}")
