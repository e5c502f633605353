"""Results: a plan and what the ledger knows of it, as Parquet and as CSV."""

import csv
import os
import re
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from python_calamine import CalamineWorkbook

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.delivery import DeliveryState, Receipt
from runner.base.outcomes import OutcomeReason
from runner.base.result_columns import RESULT_COLUMNS
from runner.ledger.ledger import MessageRecord
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import purge_plan
from runner.prices.costs import plain
from runner.report.result_counts import ResultCounts, count_results
from runner.report.results import LedgerEntries, Lookup, WhyUnsent, write_results
from tests.plan.folder import CAMPAIGN, planned, write_folder

IDS = MessageIds("welcome", "main")
CARRYING = CAMPAIGN + "report: {columns: [city]}\n"
SENT_AT = 1_796_090_400_000_000  # 2026-12-01T02:00:00Z
SENT = datetime(2026, 12, 1, 2, tzinfo=UTC)
FILES = ("results.parquet", "results.csv", "results.xlsx")
COLUMNS = [column.name for column in RESULT_COLUMNS]
STOPPED = WhyUnsent(OutcomeReason.INTERRUPTED, "stopped by Ctrl-C")
TYPES = {column.name: column.polars_type for column in RESULT_COLUMNS} | {"city": pl.String}


def record(key: str, status: str, reason: str | None, **values: Any) -> MessageRecord:  # noqa: ANN401 (fields)
    empty = dict.fromkeys(MessageRecord._fields)
    sent = {"destination": f"+658123456{key}", "country": "SG", "encoding": "GSM7", "segments": 1}
    facts = {"message_id": IDS.of(key), "status": status, "reason": reason, "attempts": 1}
    return MessageRecord(**{**empty, **sent, **facts, **values})


LEDGER = [
    record("1", "accepted", "queued", umid="u-1", http_status=200, sent_at=SENT_AT, answered_at=SENT_AT + 12_345,
           attempts=2),
    record("2", "rejected", "invalid_destination", http_status=400, error_code=1002, error_id="e-1",
           detail="Invalid MSISDN", sent_at=SENT_AT, answered_at=SENT_AT + 1_000),
    record("3", "unknown", "timeout", detail="no answer within 45 s", sent_at=SENT_AT),
    record("4", "sending", None),
]  # fmt: skip
PEOPLE = "".join(f"{n},+658123456{n},N{n},c{n}\n" for n in range(1, 6)) + "6,12,Fay,c6\n"


ARRIVED_AT, CONVERTED_AT = SENT_AT + 4_000_000, SENT_AT + 90_000_000
RECEIPT = Receipt(
    "u-1", IDS.of("1"), DeliveryState.DELIVERED, ARRIVED_AT, "delivered_to_recipient", delivered_at=ARRIVED_AT,
    segments=1, price="0.0375", currency="SGD",
)  # fmt: skip
CONVERSION = Conversion(ConversionOutcome.SUCCESS, CONVERTED_AT)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger has a receipt and a conversion for the first message."""
    plainly = lookup
    monkeypatch.setattr(
        "tests.report.test_results.lookup",
        lambda ids: replace(plainly(ids), receipts={IDS.of("1"): RECEIPT}, conversions={IDS.of("1"): CONVERSION}),
    )


def lookup(message_ids: Sequence[str]) -> LedgerEntries:
    return LedgerEntries({found.message_id: found for found in LEDGER if found.message_id in message_ids})


def written(folder: Path, people: str = PEOPLE, campaign: str = CARRYING, *, mask: bool = False) -> ResultCounts:
    planned(write_folder(folder, people, campaign=campaign))
    return write_all(folder, mask=mask)


def write_all(folder: Path, found: Lookup | None = None, *, mask: bool = False) -> ResultCounts:
    """All formats, of the plan that is in the folder; and what they come to."""
    parquet, table, xlsx = (folder / name for name in FILES)
    write_results(
        folder / "plan.parquet", IDS, found or lookup, STOPPED, parquet=parquet, csv=table, xlsx=xlsx, mask=mask
    )
    return count_results(parquet)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(folder / "results.parquet").to_dicts()


def test_the_message_whose_answer_stopped_the_run(tmp_path: Path) -> None:
    planned(write_folder(tmp_path, PEOPLE, campaign=CARRYING))
    stopped_by = {
        "message_id": IDS.of("5"), "attempts": 2, "http_status": 401, "error_code": 1200, "error_id": "e-2",
        "sent_at": SENT_AT, "answered_at": SENT_AT + 7_000,
    }  # fmt: skip
    why = WhyUnsent(OutcomeReason.UNAUTHORIZED, "Invalid credentials", stopped_by)

    def fifth(found: Lookup) -> dict[str, Any]:
        plan, (parquet, table, _) = tmp_path / "plan.parquet", (tmp_path / name for name in FILES)
        write_results(plan, IDS, found, why, parquet=parquet, csv=table)
        return rows_of(tmp_path)[4]

    row = fifth(lookup)
    expected = stopped_by | {
        "status": "unsent", "reason": "unauthorized", "detail": "Invalid credentials", "latency_ms": 7.0, "umid": None,
        "destination": "+6581234565", "country": "SG", "encoding": "GSM7", "segments": 1, "city": "c5",
        "sent_at": SENT, "answered_at": SENT + timedelta(milliseconds=7),
    }  # fmt: skip
    expected["client_message_id"] = expected.pop("message_id")
    assert expected == {name: row[name] for name in expected}

    # A receipt has proved since that it was sent.
    adopted = record("5", "accepted", "receipt", umid="u-5")
    row = fifth(lambda ids: LedgerEntries({IDS.of("5"): adopted} if IDS.of("5") in ids else {}))
    assert ("accepted", "receipt", None, 1) == tuple(row[name] for name in ("status", "reason", "error_id", "attempts"))


def test_each_status(tmp_path: Path) -> None:
    written(tmp_path)
    rows = pl.read_parquet(tmp_path / "results.parquet").to_dicts()
    nothing = dict.fromkeys(TYPES)
    common = [
        {**nothing, "row": n, "key": f"{n}", "destination": f"+658123456{n}", "country": "SG", "encoding": "GSM7",
         "segments": 1, "client_message_id": IDS.of(f"{n}"), "city": f"c{n}"}
        for n in range(1, 6)
    ]  # fmt: skip
    expected = [
        {**common[0], "status": "accepted", "reason": "queued", "umid": "u-1", "http_status": 200, "attempts": 2,
         "sent_at": SENT, "answered_at": SENT + timedelta(microseconds=12_345), "latency_ms": 12.345},
        {**common[1], "status": "rejected", "reason": "invalid_destination", "detail": "Invalid MSISDN",
         "http_status": 400, "error_code": 1002, "error_id": "e-1", "attempts": 1, "sent_at": SENT,
         "answered_at": SENT + timedelta(milliseconds=1), "latency_ms": 1.0},
        {**common[2], "status": "unknown", "reason": "timeout", "detail": "no answer within 45 s", "attempts": 1,
         "sent_at": SENT},
        {**common[3], "status": "unknown", "reason": "in_flight", "detail": "no answer yet",
         "attempts": 1},
        {**common[4], "status": "unsent", "reason": "interrupted", "detail": "stopped by Ctrl-C", "attempts": 0},
        {**nothing, "row": 6, "key": "6", "status": "excluded", "reason": "invalid_number",
         "detail": 'mobile: "12" is too short for a phone number in SG', "city": "c6"},
    ]  # fmt: skip
    assert expected == rows


def test_columns_and_their_types(tmp_path: Path) -> None:
    written(tmp_path)
    schema = pl.read_parquet_schema(tmp_path / "results.parquet")
    assert list(TYPES.items()) == list(schema.items())
    assert [*COLUMNS, "city"] == list(schema)


def test_what_they_come_to(tmp_path: Path) -> None:
    counts = written(tmp_path)
    assert {"accepted": 1, "rejected": 1, "unknown": 2, "unsent": 1, "excluded": 1} == counts.totals.by_status
    assert 1 == counts.totals.in_flight
    assert {
        ("accepted", "queued"): 1,
        ("rejected", "invalid_destination"): 1,
        ("unknown", "timeout"): 1,
        ("unknown", "in_flight"): 1,
        ("unsent", "interrupted"): 1,
        ("excluded", "invalid_number"): 1,
    } == counts.by_reason
    assert (6, 1, {1002: 1}) == (counts.totals.rows, counts.totals.segments_accepted, counts.by_error_code)
    assert [(2, "2", "Invalid MSISDN")] == counts.examples["rejected", "invalid_destination"]


def test_the_same_ledger_gives_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in FILES]
    written(tmp_path)
    assert before == [(tmp_path / name).read_bytes() for name in FILES]


def test_only_their_owner_reads_them(tmp_path: Path) -> None:
    written(tmp_path)
    assert [0o600] * 3 == [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES]


def test_a_spreadsheet_only_where_it_is_asked_for(tmp_path: Path) -> None:
    planned(write_folder(tmp_path, PEOPLE))
    plan, parquet = tmp_path / "plan.parquet", tmp_path / "results.parquet"
    write_results(plan, IDS, lookup, STOPPED, parquet=parquet, csv=tmp_path / "results.csv")
    assert not (tmp_path / "results.xlsx").exists()


def test_a_full_disk_leaves_the_old_results(tmp_path: Path) -> None:
    """In a process of its own, because a limit on the size of files can't be taken back."""
    people = "".join(f"{n},+658{n:07},N{n},c{n}\n" for n in range(1, 2_001))
    written(tmp_path, people)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    script = f"""
import resource
from pathlib import Path
from tests.report.test_results import write_all
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
write_all(Path({str(tmp_path)!r}))
"""
    # Measuring coverage would write into the full disk, too.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", script], env=unmeasured, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert re.search(r"BlockedError: .*/results\.(parquet|csv|xlsx) could not be written: File too large", last), last
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_old_results_outlive_a_lookup_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("tests.report.test_results.LEDGER", [None])
    with pytest.raises(AttributeError):
        written(tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def as_text(value: Any) -> str:  # noqa: ANN401 (any cell)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Decimal):
        return plain(value)
    return "" if value is None else str(value)


ODD_PEOPLE = PEOPLE.replace("c1", '"a ""quoted"", text\nof two lines"').replace("c2", "Zoë ✓ 🎉")


def test_the_csv_says_what_the_parquet_says(tmp_path: Path, told: None) -> None:
    written(tmp_path, ODD_PEOPLE)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    expected = pl.read_parquet(tmp_path / "results.parquet").to_dicts()
    assert [{name: as_text(value) for name, value in row.items()} for row in expected] == found


def test_the_spreadsheet_says_what_the_parquet_says(tmp_path: Path, told: None) -> None:
    written(tmp_path, ODD_PEOPLE)
    book = CalamineWorkbook.from_path(str(tmp_path / "results.xlsx"))
    _, *found = book.get_sheet_by_name("results").to_python()

    def as_cell(value: Any) -> Any:  # noqa: ANN401 (any cell)
        if isinstance(value, datetime):  # a spreadsheet's times have no zone, and milliseconds
            return value.replace(tzinfo=None, microsecond=value.microsecond // 1000 * 1000)
        if isinstance(value, Decimal):
            return float(value)
        return "" if value is None else value

    assert [[as_cell(value) for value in row.values()] for row in rows_of(tmp_path)] == found


def test_the_columns_of_the_csv(tmp_path: Path) -> None:
    written(tmp_path, "1,12,Ann,c1\n")
    assert ",".join(TYPES) == (tmp_path / "results.csv").read_text().partition("\n")[0]


@pytest.mark.parametrize("batch", [1, 2, 10_000])
def test_who_was_sent_to_stays_so_though_they_would_be_left_out_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """A message that reached somebody is never reported as excluded: not by a later opt-out, not by an empty field."""
    monkeypatch.setattr("runner.report.results.BATCH_ROWS", batch)
    campaign = CARRYING.replace("country: SG", "country: SG, suppress: [stop.txt]")
    file = write_folder(
        tmp_path, "1,+6581234561,Ann,c1\n2,+6581234569,Ben,c2\n1,+6581234561,Ann,c1\n", campaign=campaign
    )
    (tmp_path / "stop.txt").write_text("+6581234561\n+6581234569\n")
    planned(file)
    write_all(tmp_path)
    ann, ben, again = rows_of(tmp_path)

    assert ("accepted", "queued", "would be excluded now: suppressed", "u-1") == (
        ann["status"], ann["reason"], ann["detail"], ann["umid"]
    )  # fmt: skip
    # The ledger has Ben's key with another number: that was another message.
    assert ("excluded", "suppressed", None) == (ben["status"], ben["reason"], ben["client_message_id"])
    # One message is told once.
    assert ("excluded", "suppressed") == (again["status"], again["reason"])


CELLS = {
    "=1+1": "'=1+1",
    "=HYPERLINK(0)": "'=HYPERLINK(0)",
    "+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0",
    "-2+3": "'-2+3",
    "@SUM(1)": "'@SUM(1)",
    "＝1+1": "'＝1+1",
    "+6581234567": "+6581234567",
    "-12.5": "-12.5",
    "+12 34": "'+12 34",
    "plain = text": "plain = text",
    "a\n=1+1": "a\n=1+1",
    "+1\n=2": "'+1\n=2",
}


@pytest.mark.parametrize(("cell", "expected"), CELLS.items())
def test_formulas_are_defused_in_the_csv_alone(tmp_path: Path, cell: str, expected: str) -> None:
    quoted = cell.replace('"', '""')
    campaign = CARRYING.replace(", country: SG", "")
    written(tmp_path, f'"{quoted}",+6581234567,Ann,"{quoted}"\n', campaign)
    with (tmp_path / "results.csv").open(newline="") as file:
        [found] = csv.DictReader(file)
    assert (expected, expected, "+6581234567") == (found["key"], found["city"], found["destination"])
    [kept] = pl.read_parquet(tmp_path / "results.parquet").to_dicts()
    assert (cell, cell) == (kept["key"], kept["city"])


def test_formulas_are_defused_in_the_header_too(tmp_path: Path) -> None:
    file = write_folder(tmp_path, campaign=CAMPAIGN + 'report: {columns: ["=1+1", "+65"]}\n', template="Hi")
    (tmp_path / "people.csv").write_text("id,mobile,=1+1,+65\n1,+6581234567,a,b\n")
    planned(file)
    parquet, table = tmp_path / "results.parquet", tmp_path / "results.csv"
    write_results(tmp_path / "plan.parquet", IDS, lookup, STOPPED, parquet=parquet, csv=table)
    with table.open(newline="") as opened:
        assert [*COLUMNS, "'=1+1", "+65"] == next(csv.reader(opened))
    assert [*COLUMNS, "=1+1", "+65"] == list(pl.read_parquet_schema(parquet))


def test_formulas_are_defused_in_the_providers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = record("1", "rejected", "bad_request", detail="=1+1", umid="@x", error_id="-x", sent_at=SENT_AT)
    monkeypatch.setattr("tests.report.test_results.LEDGER", [evil])
    written(tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert ("'=1+1", "'@x", "'-x") == (first["detail"], first["umid"], first["error_id"])


def test_what_came_back_later(tmp_path: Path, told: None) -> None:
    counts = written(tmp_path)
    first, second, *_ = rows_of(tmp_path)
    expected = {
        "delivery_state": "delivered", "delivery_detail": "delivered_to_recipient", "delivery_error": None,
        "delivered_at": SENT + timedelta(seconds=4), "billed_segments": 1, "billed_price": Decimal("0.0375"),
        "billed_currency": "SGD", "outcome": "success", "converted_at": SENT + timedelta(seconds=90),
    }  # fmt: skip
    assert expected == {name: first[name] for name in expected}
    assert dict.fromkeys(expected) == {name: second[name] for name in expected}
    assert ({"delivered": 1}, ["SG"]) == (counts.totals.known_delivery, list(counts.countries))
    singapore = counts.countries["SG"]
    assert Counter(accepted=1, rejected=1, unknown=2, unsent=1) == singapore.by_status
    assert (1, 1, 1) == (singapore.delivered, singapore.segments_accepted, singapore.converted)
    assert {"SGD": Decimal("0.0375")} == counts.accepted.bills
    assert (1, {"success": 1}) == (counts.accepted.billed_segments, counts.accepted.conversions)


def test_a_plan_from_before_a_result_had_its_column(tmp_path: Path, told: None) -> None:
    """It may carry columns of these names; what the ledger says stands under them."""
    planned(write_folder(tmp_path, PEOPLE, campaign=CARRYING))
    plan = pl.read_parquet(tmp_path / "plan.parquet")
    theirs = {"billed_price": "dear", "outcome": "paid", "message_id": "M-1"}
    plan.with_columns(pl.lit(cell).alias(name) for name, cell in theirs.items()).write_parquet(
        tmp_path / "plan.parquet"
    )
    write_all(tmp_path)
    assert TYPES == pl.read_parquet_schema(tmp_path / "results.parquet")
    rows = rows_of(tmp_path)
    assert ["accepted", "rejected", "unknown", "unknown", "unsent", "excluded"] == [row["status"] for row in rows]
    assert [Decimal("0.0375"), *[None] * 5] == [row["billed_price"] for row in rows]
    assert ["success", *[None] * 5] == [row["outcome"] for row in rows]


def test_a_purged_run(tmp_path: Path, told: None) -> None:
    """Nobody is in it any more, and it comes to the same."""
    before = written(tmp_path)
    whole = rows_of(tmp_path)

    def sent_to(message_ids: Sequence[str]) -> Mapping[str, str]:
        return {message_id: record.destination for message_id, record in lookup(message_ids).records.items()}

    def purged(message_ids: Sequence[str]) -> LedgerEntries:
        known = lookup(message_ids)
        return replace(known, records={
            message_id: record._replace(destination="", detail=None) for message_id, record in known.records.items()
        })  # fmt: skip

    purge_plan(tmp_path / "plan.parquet", IDS, sent_to)
    after = write_all(tmp_path, purged)
    gone = {"key", "destination", "city"}
    assert [{**row, **dict.fromkeys(gone), "detail": None} for row in whole] == [
        {**row, "detail": None} for row in rows_of(tmp_path)
    ]
    assert replace(before, examples={}) == replace(after, examples={})
    assert "+6581234561" not in (tmp_path / "results.csv").read_text()


SECRETS = """\
1,+6581234561,Ann,+65 9123 4561
ann@acme.example,+6581234562,Ben,ok
ann@acme.example,+6581234568,Cyd,x
7,Zoë 9123,Zoë,x
8,+6581234567,cent,x
+6591234569,+6581234569,,x
"""


def test_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = [
        record("1", "accepted", "queued", umid="11111111-2222-4333-8444-555555555555"),
        record("ann@acme.example", "rejected", "bad_request", detail='+6581234562 can\'t get "Hi Ben"',
               destination="+6581234562"),
    ]  # fmt: skip
    monkeypatch.setattr("tests.report.test_results.LEDGER", ledger)
    template = 'Hi {{ name }}{% if name == "cent" %}{{ name | currency("SGD") }}{% endif %}'
    planned(write_folder(tmp_path, SECRETS, campaign=CARRYING, template=template))
    counts = write_all(tmp_path, mask=True)

    rows = rows_of(tmp_path)
    assert ["+6581••••61", "+6581••••62", "+6581••••68", None, "+6581••••67", "+6581••••69"] == [
        row["destination"] for row in rows
    ]
    assert ["1", "ann@acme.example", "ann@acme.example", "7", "8", "+6591••••69"] == [row["key"] for row in rows]
    assert ["+65 91•• ••61", "ok", "x", "x", "x", "x"] == [row["city"] for row in rows]
    assert [
        None,
        '+6581••••62 can\'t get "•••"',
        'same key "•••" as row 3',
        'mobile: "•••" has letters',
        f"{tmp_path / 'hello.j2'}:1: this line cannot be rendered: •••",
        "name is empty, but the text needs it",
    ] == [row["detail"] for row in rows]
    # Ids can be looked up by whoever may, and nobody else.
    assert (IDS.of("1"), "11111111-2222-4333-8444-555555555555") == (rows[0]["client_message_id"], rows[0]["umid"])
    assert [(2, "ann@acme.example", '+6581••••62 can\'t get "•••"')] == counts.examples["rejected", "bad_request"]
    sheet = CalamineWorkbook.from_path(str(tmp_path / "results.xlsx")).get_sheet_by_name("results").to_python()
    for text in ((tmp_path / "results.csv").read_text(), repr(sheet), repr(counts)):
        assert not re.search(r"8123456|9123 ?4|Zoë|Ben|cent\b", text)
