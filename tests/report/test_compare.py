"""Runs compared: rates that are honest about what isn't known, the Parquet file and the page."""

import re
from collections import Counter
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from runner.report.compare import (
    SCHEMA,
    ComparedRun,
    by_campaign,
    compare_page_of,
    write_compare_page,
    write_parquet,
)
from runner.report.counts import Counts
from tests.report.sample import START_US, record

FULL = Counts(
    by_status=Counter(accepted=90, rejected=10), delivery=Counter(delivered=80, failed=8, pending=2),
    conversions=Counter(success=9, failure=1), bills={"EUR": Decimal("4.00")}, billed_segments=90,
).with_rates()  # fmt: skip
RATES = ("rejection_rate", "delivery_rate", "conversion_rate", "cost_per_delivered")


def accepted(number: int, *, delivered: int = 0, bills: dict[str, Decimal] | None = None) -> Counts:
    """Accepted messages, some of them delivered."""
    delivery = Counter(delivered=delivered, pending=number - delivered)
    return Counts(by_status=Counter(accepted=number), delivery=delivery, bills=bills or {}).with_rates()


def run(name: str = "autumn-fair", run: str = "main", counts: Counts = FULL, **values: Any) -> ComparedRun:  # noqa: ANN401
    return ComparedRun(record(name=name, run=run, **values), "finished", counts)


def page(*runs: ComparedRun) -> str:
    return compare_page_of(runs, asked="of autumn-*", version="0.1.0")


def test_the_largest_campaign_comes_first() -> None:
    small, large = run("a", counts=accepted(1)), run("b", counts=accepted(2))
    assert ["b", "a"] == list(by_campaign([small, large]))


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "compare.parquet"
    write_parquet(path, [run(), run(run="new", counts=Counts(), ended_at=None)])
    frame = pl.read_parquet(path)
    assert SCHEMA == dict(frame.schema)
    first, second = frame.to_dicts()
    assert ("autumn-fair", "main", "finished", 90) == (
        first["campaign"],
        first["run"],
        first["state"],
        first["accepted"],
    )
    assert (Decimal("4.00"), "EUR", Decimal("0.05"), 0.1) == (
        first["billed"],
        first["currency"],
        first["cost_per_delivered"],
        first["conversion_rate"],
    )
    assert {None} == {second[name] for name in (*RATES, "billed", "currency", "ended_at")}
    assert {0} == {second[name] for name in SCHEMA if isinstance(second[name], int) and name not in ("rows", "to_send")}
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("amount", [Decimal("1e30"), Decimal("-1e40")])
def test_an_absurd_bill_does_not_end_the_report(tmp_path: Path, amount: Decimal) -> None:
    counts = accepted(1, delivered=1, bills={"EUR": amount})
    write_parquet(tmp_path / "compare.parquet", [run(counts=counts)])
    assert [None] == pl.read_parquet(tmp_path / "compare.parquet")["billed"].to_list()
    assert "autumn-fair/main" in Whole(page(run(counts=counts))).words


class Whole(HTMLParser):
    """Fails where a page isn't well-formed, and collects its ids and links."""

    VOID = ("meta", "link", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.words = ""
        self.feed(html)
        assert [] == self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        assert "script" != tag
        assert not any(name.startswith("on") or name == "src" for name in found)
        assert found.get("href", "data:,") == "data:,"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_compares_campaigns() -> None:
    html = page(run(), run("welcome", counts=accepted(7)))
    whole = Whole(html)
    assert len(whole.ids) == len(set(whole.ids))
    assert {"by-rejection-half", "by-delivery-half", "by-conversion-half", "by-cost-half"} <= {
        name.removesuffix("-title") for name in whole.ids
    }
    for words in (
        "2 runs, 2 campaigns · runs of autumn-*",
        "of autumn-*",
        "Delivered, by campaign",
        "88.9%",
        "0.0500 EUR",
        "welcome/main",
    ):
        assert words in whole.words
    assert html == page(run(), run("welcome", counts=accepted(7)))


def test_one_campaigns_runs_are_compared_with_each_other() -> None:
    whole = Whole(page(run(run="w48"), run(run="w49")))
    assert "Delivered, by run" in whole.words
    assert 'id="campaigns' not in whole.ids


def test_where_nothing_is_known_nothing_is_drawn() -> None:
    whole = Whole(page(run(counts=Counts())))
    assert "Rates compared" not in whole.words
    assert "Converted, by" not in whole.words


def test_bars_of_two_currencies_do_not_stand_beside_each_other() -> None:
    dollars = accepted(1, delivered=1, bills={"USD": Decimal(1)})
    whole = Whole(page(run(), run("welcome", counts=dollars)))
    assert "Cost per delivered message, by" not in whole.words
    assert "billed, EUR" in whole.words
    assert "billed, USD" in whole.words
    assert "– (EUR, USD)" in Whole(page(run(), run(counts=dollars), run("other"))).words


HOSTILE = '{{7*7}}"><script>alert(1)</script>\u202e\\"];//\u2028'


def test_hostile_names_are_only_shown() -> None:
    html = page(run(HOSTILE, HOSTILE), run("b" * 64, "c" * 64), run("b" * 64 + "x"))
    whole = Whole(html)
    assert "<script" not in html
    assert "\u202e" not in html
    assert "{{7*7}}" in whole.words
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", html)
    assert any(words.startswith("{{7*7}}") for words in drawn)


def test_a_thousand_runs_are_a_small_page(tmp_path: Path) -> None:
    runs = [run(f"campaign-{n % 200}", f"run-{n}", started_at=START_US + n) for n in range(1_000)]
    path = tmp_path / "compare.html"
    write_compare_page(path, runs, asked="of all", version="0.1.0")
    assert 400_000 > path.stat().st_size
    words = Whole(path.read_text(encoding="utf-8")).words
    assert "Runs (newest 100 of 1,000; compare.parquet has all)" in words
    assert "the 15 campaigns with the most accepted messages of 200" in words
    assert "run-999" in words
    assert "run-899" not in words
