"""The comparison of runs: counts, rates and costs, in compare.parquet (one row per run) and compare.html.

Both files contain no personal data.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from runner.base.files import replacing, write_atomically
from runner.base.text import sanitized
from runner.base.wording import counted, moment, money, share
from runner.ledger.ledger import RunRecord
from runner.report.counts import Counts, added_up
from runner.report.layout import Figure, bars, figure, table
from runner.report.page import rendered

MOST_BARS = 15
# The most rows of a table on the page; the Parquet file has all.
MOST_ROWS = 100
# The most characters of a campaign's name, and of a campaign and run.
_NAME, _RUN_NAME = 28, 40
UNKNOWN = "–"

_TIME = pl.Datetime("us", "UTC")
# Sums of prices are exact to a billionth.
_MONEY = pl.Decimal(38, 9)
_TOO_MUCH = Decimal(10) ** (38 - 9)
# The columns of compare.parquet in order, with their types. Most are fields of RunRecord or Counts.
SCHEMA: dict[str, Any] = {
    "campaign": pl.String, "run": pl.String, "fingerprint": pl.String, "state": pl.String,
    "created_at": _TIME, "started_at": _TIME, "ended_at": _TIME,
    **dict.fromkeys(
        ("rows", "to_send", "accepted", "rejected", "unknown", "unsent", "excluded", "segments_accepted", "receipts",
         "delivered", "undelivered", "cancelled", "converted", "not_converted", "billed_segments"), pl.Int64),
    "billed": _MONEY, "currency": pl.String, "rejection_rate": pl.Float64, "delivery_rate": pl.Float64,
    "conversion_rate": pl.Float64, "cost_per_delivered": _MONEY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run with its counts, and its `state` as in `campaign status`."""

    record: RunRecord
    state: str
    counts: Counts

    @property
    def name(self) -> str:
        return f"{self.record.name}/{self.record.run}"


def by_campaign(runs: Sequence[ComparedRun]) -> dict[str, Counts]:
    """The counts of each campaign's runs added up; the campaign with the most accepted messages first."""
    parts = defaultdict[str, list[Counts]](list)
    for run in runs:
        parts[run.record.name].append(run.counts)
    whole = {name: added_up(counts) for name, counts in parts.items()}
    return dict(sorted(whole.items(), key=lambda item: (-item[1].accepted, item[0])))


def row_of(run: ComparedRun) -> dict[str, Any]:
    """A run as a row of compare.parquet; times are microseconds since the epoch."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA) | {"campaign": run.record.name, "state": run.state}
    for name in SCHEMA.keys() - {"campaign", "state"}:
        value = getattr(run.record if name in RunRecord.__slots__ else run.counts, name)
        row[name] = _exact(value) if isinstance(value, Decimal) else value
    return row


def _exact(amount: Decimal) -> Decimal | None:
    """The amount to a billionth; None if it doesn't fit the column, so that a hostile receipt can't end a report."""
    if abs(amount) >= _TOO_MUCH:
        return None
    with localcontext(prec=38):
        return amount.quantize(Decimal(1).scaleb(-9), ROUND_HALF_EVEN)


def write_parquet(path: Path, runs: Sequence[ComparedRun]) -> None:
    """Write compare.parquet atomically. Raises StoppedError if it can't be written."""
    frame = pl.DataFrame([row_of(run) for run in runs], schema=SCHEMA, orient="row")
    with replacing(path) as file:
        frame.write_parquet(file)


def percent(rate: float | None) -> str:
    """`97.3%`, or a dash if there is no data."""
    return UNKNOWN if rate is None else share(rate, 1) if rate else "0%"


def cost(amount: Decimal | None, currency: str | None) -> str:
    """`0.0412 EUR`; a dash and the currencies if there are several."""
    if amount is not None:
        return money(amount, currency)
    return f"{UNKNOWN} ({currency})" if currency and "," in currency else UNKNOWN


@dataclass(frozen=True, slots=True)
class _Rate:
    """A rate to compare: a field of Counts, with its title, its base in `words`, and its colour."""

    field: str
    title: str
    words: str
    colour: str

    def written(self, counts: Counts) -> str:
        if self.field == "cost_per_delivered":
            return cost(counts.cost_per_delivered, counts.currency)
        return percent(getattr(counts, self.field))


_RATES = (
    _Rate("rejection_rate", "Rejected", "of accepted and rejected messages", "var(--rejected)"),
    _Rate("delivery_rate", "Delivered", "of accepted messages, in runs with receipts", "var(--accepted)"),
    _Rate("conversion_rate", "Converted", "of accepted messages, in runs with conversions", "var(--good)"),
    _Rate("cost_per_delivered", "Cost per delivered message", "as billed by the provider", "var(--unsent)"),
)


def write_compare_page(path: Path, runs: Sequence[ComparedRun], *, asked: str, version: str) -> None:
    """Write the page of these runs, oldest first, atomically. Raises StoppedError if it can't be written.

    `asked` describes the selection, such as "of autumn-*", "" for all runs; `version` is this program's.
    """
    write_atomically(path, compare_page_of(runs, asked=asked, version=version).encode("utf-8", "replace"))


def compare_page_of(runs: Sequence[ComparedRun], *, asked: str, version: str) -> str:
    """The page as HTML."""
    campaigns, run_counts = by_campaign(runs), Counter(run.record.name for run in runs)
    newest = list(reversed(runs))
    columns = {
        "run": [_cut(run.name, _RUN_NAME) for run in newest],
        "started": [moment(run.record.started_at).partition(",")[0] for run in newest],
        "state": [run.state for run in newest],
    }
    tables = [_table("runs", "Runs", "newest", columns, [run.counts for run in newest])]
    if len(campaigns) > 1:
        what, compared = "campaign", list(campaigns.items())
        columns = {"campaign": list(map(_cut, campaigns)), "runs": [f"{run_counts[name]:,}" for name in campaigns]}
        tables.insert(0, _table("campaigns", "Campaigns", "largest", columns, list(campaigns.values())))
    else:
        what, compared = "run", [(run.record.run, run.counts) for run in newest]
    return rendered(
        "compare.html.j2",
        asked=sanitized(asked, 300),
        counted=f"{counted(len(runs), 'run')}, {counted(len(campaigns), 'campaign')}",
        key_figures=_key_figures(added_up(campaigns.values())),
        figures=_figures(what, compared),
        tables=tables,
        version=version,
    )


def _key_figures(total: Counts) -> list[tuple[str, str, str]]:
    """The figures of all runs together, as (label, figure, words)."""
    found = [("accepted", f"{total.accepted:,}", counted(total.segments_accepted, "segment"))]
    known = [rate for rate in _RATES[:3] if getattr(total, rate.field) is not None]
    found += [(rate.title.lower(), rate.written(total), rate.words) for rate in known]
    for currency, amount in sorted(total.bills.items()):
        found.append((f"billed, {sanitized(currency, 8)}" if currency else "billed", money(amount, None), ""))
    if total.cost_per_delivered is not None:
        found.append(("cost per delivered message", cost(total.cost_per_delivered, total.currency), ""))
    return found[:8]


def _figures(what: str, compared: Sequence[tuple[str, Counts]]) -> list[Figure]:
    """A chart of each rate that at least one campaign or run has."""
    figures = []
    which = "campaigns with the most accepted messages" if what == "campaign" else "newest"
    currencies = {counts.currency for _, counts in compared if counts.cost_per_delivered is not None}
    for rate in _RATES:
        known = [
            (_cut(name), float(value), rate.written(counts), rate.colour)
            for name, counts in compared
            if (value := getattr(counts, rate.field)) is not None
        ]
        # Bars in different currencies can't be compared.
        if not known or (rate.field == "cost_per_delivered" and len(currencies) > 1):
            continue
        most = f"; the {MOST_BARS} {which} of {len(known):,}" if len(known) > MOST_BARS else ""
        title, words = f"{rate.title}, by {what}", f"{rate.words}{most}"
        described = f"{words}. " + "; ".join(f"{name} {written}" for name, _, written, _ in known[:MOST_BARS])
        chart_name = f"by-{rate.field.partition('_')[0]}"
        below = f"{words[0].upper()}{words[1:]}."
        figures.append(figure(bars(known[:MOST_BARS]), chart_name, title, described, below=below))
    return figures


def _table(name: str, title: str, which: str, columns: dict[str, list[str]], listed: Sequence[Counts]) -> Markup:
    """The first rows of a table: `columns`, and the figures of `listed`. `which` says which rows are shown."""
    more = f" ({which} {MOST_ROWS} of {len(listed):,}; compare.parquet has all)" if len(listed) > MOST_ROWS else ""
    columns |= _figure_columns(listed[:MOST_ROWS])
    if name == "runs":
        columns.pop("billed", None)  # the page is too narrow for it
    return table(name, f"{title}{more}", list(columns), list(zip(*columns.values(), strict=False)))


def _cut(name: str, most: int = _NAME) -> str:
    name = sanitized(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _figure_columns(listed: Sequence[Counts]) -> dict[str, list[str]]:
    """The figures as columns, without the columns that have no data."""
    columns = {
        "accepted": [f"{counts.accepted:,}" for counts in listed],
        "rejected": [percent(counts.rejection_rate) for counts in listed],
        "unknown": [f"{counts.unknown:,}" for counts in listed],
        "not sent": [f"{counts.unsent:,}" for counts in listed],
        "delivered": [percent(counts.delivery_rate) for counts in listed],
        "converted": [percent(counts.conversion_rate) for counts in listed],
        "billed": [cost(counts.billed, counts.currency) for counts in listed],
        "per delivered": [cost(counts.cost_per_delivered, counts.currency) for counts in listed],
    }
    return {label: cells for label, cells in columns.items() if label == "accepted" or set(cells) - {UNKNOWN, "0"}}
