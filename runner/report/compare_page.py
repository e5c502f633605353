"""compare.html: runs and campaigns side by side, on one page that needs nothing but itself; as report.html is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import altair as alt
import orjson
from markupsafe import Markup

from runner.base.files import write_atomically
from runner.base.text import shown
from runner.base.wording import counted, moment, money, share
from runner.report.charts import HALF, data_of, drawn, room
from runner.report.compare import ComparedRun, by_campaign
from runner.report.counts import Counts, added_up
from runner.report.layout import Figure, table
from runner.report.page import rendered

MOST_BARS = 15
# Rows of a table on the page; the Parquet file has all.
MOST_ROWS = 100

_NAME, _RUN_NAME = 28, 40
# CSS pixels of a name beside its bar.
_LABEL = 130

UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class _Rate:
    """Something to compare: of one value or None for each, and how it is written."""

    name: str
    title: str
    words: str
    colour: str
    value: Callable[[Counts], float | None]
    written: Callable[[Counts], str]


def percent(rate: float | None) -> str:
    """`97.3%`, or a dash where it isn't known."""
    return UNKNOWN if rate is None else share(rate, 1) if rate else "0%"


def cost(amount: Decimal | None, currency: str | None) -> str:
    """`0.0412 EUR`; a dash and the currencies where there are several."""
    if amount is not None:
        return money(amount, currency)
    return f"{UNKNOWN} ({currency})" if currency and "," in currency else UNKNOWN


_RATES = (
    _Rate("rejection", "Rejected", "of the messages that the provider took or refused", "var(--rejected)",
          lambda one: one.rejection_rate, lambda one: percent(one.rejection_rate)),
    _Rate("delivery", "Delivered", "of the accepted messages, where receipts tell", "var(--accepted)",
          lambda one: one.delivery_rate, lambda one: percent(one.delivery_rate)),
    _Rate("conversion", "Converted", "of the accepted messages, where conversions were told", "var(--good)",
          lambda one: one.conversion_rate, lambda one: percent(one.conversion_rate)),
    _Rate("cost", "Cost of a delivered message", "as the provider bills it", "var(--unsent)",
          lambda one: None if one.cost_per_delivered is None else float(one.cost_per_delivered),
          lambda one: cost(one.cost_per_delivered, one.currency)),
)  # fmt: skip


def write_compare_page(path: Path, runs: Sequence[ComparedRun], *, asked: str, version: str) -> None:
    """Write the page of these runs, oldest first; it appears when it is whole. Raises StoppedError.

    `asked` says in words which runs were asked for, "" for all; `version` is this program's.
    """
    write_atomically(path, compare_page_of(runs, asked=asked, version=version).encode("utf-8", "replace"))


def compare_page_of(runs: Sequence[ComparedRun], *, asked: str, version: str) -> str:
    """The page as HTML."""
    grouped = by_campaign(runs)
    campaigns = {name: added_up(run.counts for run in several) for name, several in grouped.items()}
    tables = [_runs(runs)]
    if len(campaigns) > 1:
        what, compared = "campaign", list(campaigns.items())
        tables.insert(0, _campaigns(campaigns, {name: len(several) for name, several in grouped.items()}))
    else:
        what, compared = "run", [(run.record.run, run.counts) for run in reversed(runs)]
    return rendered(
        "compare.html.j2",
        asked=shown(asked, 300),
        counted=f"{counted(len(runs), 'run')} of {counted(len(campaigns), 'campaign')}",
        key_figures=_key_figures(added_up(campaigns.values())),
        figures=_figures(what, compared),
        tables=tables,
        version=version,
    )


def _key_figures(total: Counts) -> list[tuple[str, str, str]]:
    """All runs together, as (what, figure, words)."""
    found = [("accepted", f"{total.accepted:,}", counted(total.segments_accepted, "segment"))]
    known = [rate for rate in _RATES[:3] if rate.value(total) is not None]
    found += [(rate.title.lower(), rate.written(total), rate.words) for rate in known]
    for currency, amount in sorted(total.bills.items()):
        found.append((f"billed, {shown(currency, 8)}" if currency else "billed", money(amount, None), ""))
    if total.cost_per_delivered is not None:
        found.append(("cost of a delivered message", cost(total.cost_per_delivered, total.currency), ""))
    return found[:8]


def _figures(what: str, compared: Sequence[tuple[str, Counts]]) -> list[Figure]:
    """A chart for each rate that is known of anything."""
    figures = []
    currencies = {one.currency for _, one in compared if one.cost_per_delivered is not None}
    for rate in _RATES:
        known = [(_cut(name), one) for name, one in compared if rate.value(one) is not None]
        # Bars of several currencies beside each other would lie.
        if not known or (rate.name == "cost" and len(currencies) > 1):
            continue
        listed = known[:MOST_BARS]
        first = "campaigns with the most accepted messages" if what == "campaign" else "newest"
        most = f"; the {MOST_BARS} {first} of {len(known):,}" if len(known) > MOST_BARS else ""
        title, words = f"{rate.title}, by {what}", f"{rate.words}{most}"
        told = f"{words}. " + "; ".join(f"{name} {rate.written(one)}" for name, one in listed)
        drawings = drawn(_bars(rate, listed), f"by-{rate.name}", title=title, words=told, widths=HALF)
        figures.append(Figure(title, drawings, f"{words[0].upper()}{words[1:]}."))
    return figures


def _bars(rate: _Rate, listed: Sequence[tuple[str, Counts]]) -> alt.TopLevelMixin:
    # A bar goes by its place: two names may be cut to the same text.
    names = {f"{place:02}": name for place, (name, _) in enumerate(listed)}
    values = [
        {"at": at, "value": rate.value(one), "words": rate.written(one)}
        for at, (_, one) in zip(names, listed, strict=True)
    ]
    most = max(rate.value(one) or 0.0 for _, one in listed) or 1.0
    label = f"{orjson.dumps(names).decode()}[datum.value]"  # JSON is a Vega expression too
    base = alt.Chart(data_of(values), height=alt.Step(26)).encode(
        y=alt.Y("at:N", title=None, sort=None,
                axis=alt.Axis(domain=False, ticks=False, labelColor="var(--ink)", labelLimit=_LABEL, labelExpr=label,
                      minExtent=min(room([*names.values()]), _LABEL))),
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, most * 1.35], nice=False)),
    )  # fmt: skip
    bars = base.mark_bar(height=15, fill=rate.colour)
    return alt.layer(bars, base.mark_text(align="left", dx=6).encode(text="words:N"))


def _campaigns(campaigns: dict[str, Counts], runs: dict[str, int]) -> Markup:
    listed = list(campaigns.items())[:MOST_ROWS]
    columns = {"campaign": [_cut(name) for name, _ in listed], "runs": [f"{runs[name]:,}" for name, _ in listed]}
    columns |= _columns([one for _, one in listed])
    return _table("campaigns", f"Campaigns{_of(len(campaigns), 'the largest')}", columns)


def _runs(runs: Sequence[ComparedRun]) -> Markup:
    listed = list(reversed(runs))[:MOST_ROWS]
    columns = {
        "run": [_cut(run.name, _RUN_NAME) for run in listed],
        "started": [moment(run.record.started_at).partition(",")[0] for run in listed],
        "state": [run.state for run in listed],
    }
    columns |= _columns([run.counts for run in listed])
    columns.pop("billed", None)  # it would be one too many for the page's width
    return _table("runs", f"Runs{_of(len(runs), 'the newest')}", columns)


def _table(name: str, caption: str, columns: dict[str, list[str]]) -> Markup:
    return table(name, caption, list(columns), list(zip(*columns.values(), strict=True)))


def _cut(name: str, most: int = _NAME) -> str:
    name = shown(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _of(number: int, which: str) -> str:
    return f" ({which} {MOST_ROWS} of {number:,}; all are in the Parquet file)" if number > MOST_ROWS else ""


def _columns(listed: Sequence[Counts]) -> dict[str, list[str]]:
    """The figures as columns; without those that say nothing of any."""
    columns = {
        "accepted": [f"{one.accepted:,}" for one in listed],
        "rejected": [percent(one.rejection_rate) for one in listed],
        "unknown": [f"{one.unknown:,}" for one in listed],
        "not sent": [f"{one.unsent:,}" for one in listed],
        "delivered": [percent(one.delivery_rate) for one in listed],
        "converted": [percent(one.conversion_rate) for one in listed],
        "billed": [cost(one.billed, one.currency) for one in listed],
        "per delivered": [cost(one.cost_per_delivered, one.currency) for one in listed],
    }
    return {label: cells for label, cells in columns.items() if label == "accepted" or set(cells) - {UNKNOWN, "0"}}
