"""Results as `write_results` writes them, made up for the page's tests: any size, with receipts and conversions."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from runner.base.events import Event, EventKind
from runner.base.result_columns import RESULT_COLUMNS
from runner.ledger.ledger import RunRecord
from runner.report.page import Page
from runner.report.result_counts import count_results
from runner.report.run_settings import RunSettings

START = datetime(2026, 11, 25, 9, tzinfo=UTC)
START_US = int(START.timestamp() * 1e6)
TIME = pl.Datetime("us", "UTC")
SCHEMA: dict[str, Any] = {column.name: column.polars_type for column in RESULT_COLUMNS} | {"city": pl.String}
SETTINGS = RunSettings(
    file="autumn-fair.yaml",
    recipients="autumn-fair.csv",
    rate="40/s",
    per_second=40.0,
    template_name="autumn-fair.txt.j2",
    template="Hi {{ first_name | title }}, the Acme autumn fair opens on Friday in {{ city }}."
    '{% if segment == "gold" %} Skip the queue.{% endif %} Reply STOP to opt out.',
    example="Hi Will, the Acme autumn fair opens on Friday in York. Reply STOP to opt out.",
    example_masked="Hi •••, the Acme autumn fair opens on Friday in •••. Reply STOP to opt out.",
    source="ACME",
    currency="EUR",
    prices={"GB": "0.041", "US": "0.0079", "AU": "0.0385"},
    tracked=True,
    with_receipts=True,
)


def accepted(number: int, at: datetime = START, **values: Any) -> dict[str, Any]:  # noqa: ANN401 (columns)
    """A row that the provider took; `values` override it."""
    destination = f"+4477009{number % 100_000:05}"
    return {
        "row": number, "key": destination, "destination": destination, "country": "GB", "status": "accepted",
        "reason": "queued", "umid": f"u-{number}", "encoding": "GSM7", "segments": 1, "attempts": 1,
        "http_status": 200, "sent_at": at, "answered_at": at + timedelta(milliseconds=52), "latency_ms": 52.0,
    } | values  # fmt: skip


def excluded(number: int, reason: str, detail: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 (columns)
    """A row that the plan left out."""
    return {"row": number, "status": "excluded", "reason": reason, "detail": detail} | values


def lively(rows: int = 1_200, *, per_second: float = 40, seed: int = 5) -> list[dict[str, Any]]:
    """A run with a bit of everything: refusals, an unknown, exclusions, receipts, conversions, bills."""
    chance = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(1, rows + 1):
        at = START + timedelta(seconds=number / per_second)
        latency = chance.lognormvariate(3.9, 0.35)
        draw, country = chance.random(), chance.choices(["GB", "US", "AU"], [5, 3, 2])[0]
        if draw < 0.02:
            made.append(excluded(number, *chance.choice(_EXCLUDED), key=f"C{number}"))
            continue
        row = accepted(
            number, at, key=f"C{number}", country=country, latency_ms=latency,
            answered_at=at + timedelta(milliseconds=latency), segments=chance.choices([1, 2], [9, 1])[0],
            encoding=chance.choices(["GSM7", "UCS2"], [9, 1])[0],
        )  # fmt: skip
        if draw < 0.03:
            row |= {"status": "rejected", "reason": "invalid_destination", "detail": f"{row['destination']} is invalid",
                    "error_code": 1002, "http_status": 400, "umid": None}  # fmt: skip
        elif draw < 0.033:
            row |= {"status": "unknown", "reason": "timeout", "detail": "no answer within 45 s", "latency_ms": None,
                    "answered_at": None, "umid": None}  # fmt: skip
        else:
            _tell(row, at, chance)
        made.append(row)
    return made


_EXCLUDED = [
    ("invalid_number", 'mobile: "+120255501" is too short for a phone number in US'),
    ("missing_field", "first_name is empty, but the text needs it"),
    ("duplicate", "same number as row 3"),
    ("suppressed", "in opted-out.csv, line 7"),
]


def _tell(row: dict[str, Any], at: datetime, chance: random.Random) -> None:
    """What receipts and feedback say of it."""
    draw = chance.random()
    if draw < 0.02:
        return
    row |= {"billed_segments": row["segments"], "billed_currency": "EUR",
            "billed_price": Decimal("0.0410") * row["segments"]}  # fmt: skip
    if draw < 0.04:
        row |= {"delivery_state": "delivered", "delivery_detail": "delivered_to_operator"}
    elif draw < 0.09:
        code = chance.choice([1, 1, 1, 59, 21, 13, 36])
        row |= {"delivery_state": "undelivered", "delivery_detail": "undelivered_to_recipient", "delivery_error": code}
    else:
        arrived = at + timedelta(seconds=chance.lognormvariate(1.2, 0.8))
        row |= {"delivery_state": "delivered", "delivery_detail": "delivered_to_recipient", "delivered_at": arrived}
        if chance.random() < 0.2:
            row |= {"outcome": "success", "converted_at": arrived + timedelta(seconds=chance.lognormvariate(5, 0.9))}
        elif chance.random() < 0.1:
            row |= {"outcome": "failure"}


def page_for(folder: Path, rows: Sequence[dict[str, Any]], **values: Any) -> Page:  # noqa: ANN401 (fields of Page)
    """The rows as results.parquet, and what a ledger would say of their run; `values` override Page's fields."""
    results = folder / "results.parquet"
    pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(results)
    fields: dict[str, Any] = {
        "record": record(), "counts": count_results(results), "settings": SETTINGS, "events": EVENTS,
        "results": results, "version": "0.1.0",
    }  # fmt: skip
    return Page(**(fields | values))


def record(**values: Any) -> RunRecord:  # noqa: ANN401 (columns)
    """A run that went to its end."""
    fields = dict.fromkeys(RunRecord.__slots__) | {
        "id": 1, "name": "autumn-fair", "run": "main", "sub_account_id": "acme_hq", "options": "{}",
        "fingerprint": "3f9a8c04d17be2566aa0915c7be04d2f8e6b1c93a5d7f02846ce9b1da3750f21", "rows": 1_200,
        "to_send": 1_176, "created_at": START_US, "started_at": START_US, "ended_at": START_US + 31_000_000,
    }  # fmt: skip
    return RunRecord(**(fields | values))  # type: ignore[arg-type]


EVENTS = (
    Event(EventKind.STARTED, START_US),
    Event(EventKind.THROTTLED, START_US + 8_000_000, 1.5, "429; the provider asked for 1 s"),
    Event(EventKind.THROTTLED, START_US + 11_000_000, 1.5, "429; the provider asked for 1 s"),
    Event(EventKind.STOPPED, START_US + 19_000_000, None, "stopped by Ctrl-C"),
    Event(EventKind.STARTED, START_US + 21_000_000),
    Event(EventKind.ENDED, START_US + 31_000_000),
)
