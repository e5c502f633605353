"""The report of real runs: what comes back later, whom it hides, and what nobody's cell can do to it."""

import csv
import io
import re
import resource
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from python_calamine import CalamineWorkbook

from runner.audience.spec import SuppressionList
from runner.audience.suppression import Suppression
from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.delivery import DeliveryState, Receipt
from runner.base.errors import RunLockedError, StoppedError
from runner.base.result_columns import RESULT_COLUMNS
from runner.ledger.ledger import Ledger, RunRecord
from runner.ledger.lock import run_lock
from runner.ledger.receipts import save_receipts
from runner.ledger.request_journal import CancelStatus, Settled, note_cancellations, note_conversions
from runner.ledger.sessions import stop_as_json
from runner.run import report as module
from runner.run.open import recorded_run
from runner.run.paths import RunOptions, RunPaths
from runner.run.report import write_report
from tests.cli.provider import Provider, Reply, Request, Script, error, queued, serving
from tests.cli.workplace import COMMAND, MINIMAL, Workplace, ended, people
from tests.ledger.test_migrations import SCHEMA_1
from tests.report.test_page import ALLOWED, Seen, said

RUN = ("run", "hello.yaml", "--yes")
XLSX = MINIMAL + "report: {formats: [xlsx], columns: [name]}\n"
MASKED = MINIMAL + "report: {mask: true, formats: [xlsx], columns: [name]}\n"
AT = 1_796_090_400_000_000
REPORTS = ("results.parquet", "results.csv", "results.xlsx", "report.html", "numbers-to-remove.csv", "summary.json")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def campaign(tmp_path: Path, provider: Provider) -> Workplace:
    return Workplace(tmp_path, provider.base_url)


@contextmanager
def opened(place: Workplace) -> Iterator[tuple[Ledger, RunRecord, RunPaths]]:
    options = RunOptions(reports=place.folder / "reports")
    with recorded_run("hello", "main", options) as run:
        yield run.ledger, run.record, run.paths


def report(place: Workplace, *, unmask: bool = False) -> dict[str, Any]:
    with opened(place) as (ledger, record, paths):
        return write_report(ledger, record, paths, unmask=unmask).document


def tell(place: Workplace, number: int, state: DeliveryState, **values: Any) -> None:  # noqa: ANN401 (fields)
    """A receipt for the person's message; one that was not accepted has another umid, if any."""
    row = place.results()[number - 1]
    with opened(place) as (ledger, _, _):
        receipt = Receipt(row["umid"] or f"late-{number}", row["client_message_id"], state, AT, **values)
        save_receipts(ledger, [receipt], now=AT, authorized=True)


def refusing(*numbers: int, words: str = "no such number {}") -> Script:
    """The provider refuses these people's messages, in words that quote the number."""
    targets = {f"+65{81230000 + number}" for number in numbers}

    def answer(request: Request) -> Reply:
        to = str(request.body["destination"])
        return error(400, 1002, words.replace("{}", to)) if to in targets else queued(request)

    return answer


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of every file, and of every part of a spreadsheet and every cell of a Parquet file."""
    for path in sorted(folder.iterdir()):
        yield path.name, path.read_bytes()
        if path.suffix == ".xlsx":
            archive = zipfile.ZipFile(path)
            yield from ((f"{path.name}/{name}", archive.read(name)) for name in archive.namelist())


def test_what_came_back_is_in_every_format(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(5), XLSX)
    provider.script = refusing(5)
    assert 1 == campaign(*RUN).exit_code
    tell(campaign, 1, DeliveryState.DELIVERED, detail="delivered_to_recipient", delivered_at=AT, segments=2,
         price="0.0375", currency="SGD")  # fmt: skip
    tell(campaign, 2, DeliveryState.UNDELIVERED, detail="undelivered_to_recipient", error_code=59)
    tell(campaign, 5, DeliveryState.DELIVERED, detail="delivered_to_recipient", delivered_at=AT, price="1",
         currency="SGD")  # fmt: skip
    ids = [row["client_message_id"] for row in campaign.results()]
    with opened(campaign) as (ledger, record, _):
        note_conversions(ledger, record.id, {ids[0]: Conversion(ConversionOutcome.SUCCESS, AT + 1)}, now=AT)
        note_cancellations(ledger, record.id, [Settled(ids[2], CancelStatus.CANCELLED, AT)])

    document = report(campaign)

    first, second, third, fourth, fifth = campaign.results()
    assert ("delivered", Decimal("0.0375"), 2, "SGD", "success") == (
        first["delivery_state"], first["billed_price"], first["billed_segments"], first["billed_currency"],
        first["outcome"],
    )  # fmt: skip
    assert datetime.fromtimestamp(AT / 1e6, UTC) == first["delivered_at"]
    assert ("undelivered", 59, None) == (second["delivery_state"], second["delivery_error"], second["delivered_at"])
    assert ("accepted", "cancelled") == (third["status"], third["delivery_state"])
    assert fourth["delivery_state"] is None
    # A proof of refusal stays one, whatever a receipt says; and what it says is shown.
    assert ("rejected", "invalid_destination", "delivered") == (
        fifth["status"], fifth["reason"], fifth["delivery_state"]
    )  # fmt: skip

    with campaign.path("results.csv").open(newline="") as file:
        told = next(csv.DictReader(file))
    assert ("0.0375", "SGD", "success", "2026-12-01T02:00:00.000001Z") == (
        told["billed_price"], told["billed_currency"], told["outcome"], told["converted_at"]
    )  # fmt: skip
    assert {
        "delivery": {"cancelled": 1, "delivered": 1, "undelivered": 1}, "delivery_errors": {"59": 1},
        "countries": {"SG": {"accepted": 4, "delivered": 1}}, "segments_billed": 2, "billed": {"SGD": "0.0375"},
        "conversions": {"success": 1, "failure": 0},
    }.items() <= document.items()  # fmt: skip
    assert document == campaign.summary()
    removals = campaign.path("numbers-to-remove.csv")
    assert "destination,reason\n+6581230002,the number is not assigned\n" == removals.read_text()
    assert Suppression([SuppressionList(removals)]).find_number("+6581230002")


def test_terminal_page_status_and_comparison_show_the_same_counts(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(9) + "10,12,N10\n")
    provider.script = refusing(8, 9)
    campaign(*RUN)
    bill = {"price": "0.0375", "currency": "SGD", "segments": 1}
    for number in (1, 2, 3):
        tell(campaign, number, DeliveryState.DELIVERED, detail="delivered_to_recipient", delivered_at=AT, **bill)
    tell(campaign, 4, DeliveryState.DELIVERED, detail="delivered_to_operator", **bill)
    tell(campaign, 5, DeliveryState.UNDELIVERED, error_code=59)
    ids = [row["client_message_id"] for row in campaign.results()]
    outcomes = [ConversionOutcome.SUCCESS, ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE]
    conversions = {message_id: Conversion(outcome, AT) for message_id, outcome in zip(ids, outcomes, strict=False)}
    with opened(campaign) as (ledger, record, _):
        note_conversions(ledger, record.id, conversions, now=AT)
        note_cancellations(ledger, record.id, [Settled(ids[5], CancelStatus.CANCELLED, AT)])

    terminal = " ".join(campaign("report", "hello").stdout.split())
    page = said(campaign.path("report.html").read_text(encoding="utf-8"))
    status = orjson.loads(campaign("status", "hello", "--json").stdout)["runs"][0]
    campaign("report", "--campaign", "hello")
    [compared] = pl.read_parquet(campaign.folder / "reports" / "compare.parquet").to_dicts()

    expected = {"accepted": 7, "rejected": 2, "excluded": 1}
    assert all(f"{name} {count} " in words for words in (terminal, page) for name, count in expected.items())
    assert expected == {name: compared[name] for name in expected}
    assert (7, 2, 10, 9) == tuple(status[name] for name in ("accepted", "rejected", "rows", "to_send"))
    assert "rows 10 7 segments accepted" in terminal
    assert "rows in the file 10 9 messages planned" in page
    assert (10, 9) == (compared["rows"], compared["to_send"])

    assert "delivery 6 delivered 3, cancelled 1, delivered_to_operator 1, undelivered 1" in terminal
    assert "delivered 42.9% 3 of 7" in page
    assert "delivered 3 42.9% on its way 1 14.3% not delivered 1 14.3% cancelled 1 14.3% no receipt 1 14.3%" in page
    assert {"delivered": 3, "delivered_to_operator": 1, "undelivered": 1, "cancelled": 1, "pending": 1} == (
        status["delivery"]
    )
    assert (5, 3, 1, 1) == tuple(compared[name] for name in ("receipts", "delivered", "undelivered", "cancelled"))
    assert 3 / 7 == status["delivered_share"] == compared["delivery_rate"]

    assert "conversions 3 success 2, failure 1" in terminal
    assert "2 converted: 28.6% of accepted messages, 66.7% of delivered messages. 1 did not convert; 4" in page
    assert {"success": 2, "failure": 1} == status["conversions"]
    assert (2, 1) == (compared["converted"], compared["not_converted"])

    assert "billed 0.15 SGD, 4 segments" in terminal
    assert "billed 0.1500 SGD for 4 messages" in page
    assert (Decimal("0.15"), "SGD", 4) == tuple(compared[name] for name in ("billed", "currency", "billed_segments"))
    assert "segments 7 in accepted messages" in page
    assert 7 == compared["segments_accepted"]


def test_the_same_ledger_gives_the_same_bytes(campaign: Workplace) -> None:
    campaign.write(people(5), XLSX)
    campaign(*RUN)
    tell(campaign, 2, DeliveryState.UNDELIVERED, error_code=59)
    report(campaign)
    before = {name: campaign.path(name).read_bytes() for name in REPORTS}
    report(campaign)
    assert before == {name: campaign.path(name).read_bytes() for name in REPORTS}
    modes = {name: campaign.path(name).stat().st_mode & 0o777 for name in (*REPORTS, "run.json")}
    assert {0o600} == set(modes.values()), modes
    assert not list(campaign.path("").glob(".*.part"))


def test_a_later_receipt_that_tells_better_takes_the_number_off_the_list(campaign: Workplace) -> None:
    campaign.write(people(2))
    campaign(*RUN)
    tell(campaign, 1, DeliveryState.UNDELIVERED, error_code=59)
    assert "numbers_to_remove" in report(campaign)["files"]
    tell(campaign, 1, DeliveryState.DELIVERED, detail="delivered_to_recipient", delivered_at=AT)
    assert "numbers_to_remove" not in report(campaign)["files"]
    assert not campaign.path("numbers-to-remove.csv").exists()


def test_a_spreadsheet_that_is_no_longer_asked_for_goes(campaign: Workplace) -> None:
    campaign.write(people(2), XLSX)
    campaign(*RUN)
    assert campaign.path("results.xlsx").exists()
    campaign.write(people(2), XLSX.replace("formats: [xlsx], ", ""))
    done = campaign(*RUN)
    assert 0 == done.exit_code, done.stderr
    assert not campaign.path("results.xlsx").exists()


SECRET = "Persephone"
"""A recipient's name, in every field that a row has."""


def test_masked_files_hold_no_number_and_no_text(campaign: Workplace, provider: Provider) -> None:
    rows = [
        f"+6581230001,+6581230001,{SECRET}",
        f'"{SECRET}, 65",+65 8123 0002,"{SECRET}"',
        f"k3,8123-0003,{SECRET} 81230003",
        f"k3,81230004,{SECRET}",
        f"k5,Someone,{SECRET}",
        f'k6,"8123,0006",{SECRET}',
        f"k7,81230007,{SECRET}{'x' * 2_000}",
        f"k8,81230008,8123 0008 {SECRET}",
        "k9,81230009,",
    ]
    columns = MASKED.replace("columns: [name]", "columns: [mobile]")
    campaign.write("".join(f"{row}\n" for row in rows), columns.replace('"Hi {{ name }}"', '"Dear {{ name }}, hi"'))
    provider.script = refusing(1, 2, words=f'no such number {{}}, "Dear {SECRET}, hi"')
    done = campaign(*RUN)
    assert 1 == done.exit_code, done.stderr
    tell(campaign, 3, DeliveryState.UNDELIVERED, error_code=59, error_message="+6581230003")
    campaign(*RUN)
    report(campaign, unmask=True)

    names = {path.name for path in campaign.path("").iterdir()}
    assert {"results.parquet", "results.csv", "results.xlsx", "report.html", "summary.json", "run.json"} <= names
    assert "numbers-to-remove.csv" not in names
    row_words = [str(value) for row in campaign.results() for value in row.values()]
    shown = [(name, data) for name, data in contents(campaign.path("")) if not name.startswith("plan")]
    shown.append(("results.parquet, read", "\n".join(row_words).encode()))
    for name, data in shown:
        for match in re.finditer(rb"8123[ ,-]?000\d", data):
            raise AssertionError(f"{name}: {data[max(match.start() - 80, 0) : match.end() + 20]!r}")
        keyless = data.replace(f"{SECRET}, 65".encode(), b"")  # a key that is no number is in the results
        for match in re.finditer(SECRET.encode(), keyless):
            raise AssertionError(f"{name}: {keyless[max(match.start() - 80, 0) : match.end() + 20]!r}")
    assert 'mobile: "•••" is not a number' == campaign.results()[4]["detail"]
    assert orjson.loads(campaign.path("run.json").read_bytes())["example"] is None


def test_why_it_stopped_is_masked_too(campaign: Workplace) -> None:
    """The provider's words may quote what they answer."""
    campaign.write(people(3), MASKED)
    campaign(*RUN)
    with opened(campaign) as (ledger, record, _):
        ledger.end_run(record.id, now=AT, stop_reason="unexpected_answer", stop_detail='+6581230001 got "Hi N1"')
    document = report(campaign)
    assert '+6581••••01 got "•••"' == document["stopped"]["detail"]
    for name in ("report.html", "summary.json"):
        assert b"81230001" not in campaign.path(name).read_bytes()
        assert b"Hi N1" not in campaign.path(name).read_bytes()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]"])
def test_where_it_cannot_be_read_what_was_asked_for_numbers_are_masked(campaign: Workplace, damage: bytes) -> None:
    campaign.write(people(3), MASKED)
    campaign(*RUN)
    campaign.path("run.json").write_bytes(damage)
    report(campaign, unmask=True)
    assert ["+6581••••01", "+6581••••02", "+6581••••03"] == [row["destination"] for row in campaign.results()]
    assert b"8123000" not in campaign.path("report.html").read_bytes()


NASTY = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    '=HYPERLINK("http://evil.example","x")',
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "@SUM(1)",
    "-2+3",
    "+65 81230000 evil",
    "  =1+1",
    "'quoted'",
    '"both" ""',
    "\u202egnp.exe\u2066",
    "שלום",
    "{{ 7*7 }}{% raw %}",
    "a\nb",
    "x" * 40_000,
)


def test_a_hostile_cell_is_a_cell_everywhere(campaign: Workplace, provider: Provider) -> None:
    """As a key, a carried cell, a part of a text, and in all that the provider says."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [nasty, f"+65{81230001 + place}", nasty] for place, nasty in enumerate(NASTY)
    )
    campaign.write(text.getvalue(), XLSX)

    def answer(request: Request) -> Reply:
        place = int(request.body["destination"].removeprefix("+65")) - 81230001  # requests may overtake each other
        nasty = NASTY[place]
        if place % 2:
            return error(400, 1002, nasty)
        state = {"code": "QUEUED", "description": nasty}
        return Reply(200, {"umid": nasty[:60], "clientMessageId": request.message_id, "status": state})

    provider.script = answer
    done = campaign(*RUN)
    assert 1 == done.exit_code, done.stderr
    with opened(campaign) as (ledger, _, _):
        told = [
            Receipt(row["umid"], row["client_message_id"], DeliveryState.UNDELIVERED, AT, detail=nasty[:40],
                    error_code=59, error_message=nasty[:300], price="1", currency=nasty[:3])
            for row, nasty in zip(campaign.results(), NASTY, strict=True)
            if row["umid"]
        ]  # fmt: skip
        assert told
        save_receipts(ledger, told, now=AT, authorized=True)
    document = report(campaign, unmask=True)

    rows = campaign.results()
    held = [nasty.strip() for nasty in NASTY]  # as every cell is
    assert (held, held) == ([row["key"] for row in rows], [row["name"] for row in rows])

    csv.field_size_limit(100_000)
    with campaign.path("results.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    for row, line in zip(rows, found, strict=True):
        for name in ("key", "name", "detail", "umid", "delivery_detail", "billed_currency", "error_id"):
            written = line[name]
            assert written in (row[name] or "", f"'{row[name]}"), name
            assert not re.match(r"\s*[=+\-@＝＋－＠]", written), (name, written)

    book = CalamineWorkbook.from_path(str(campaign.path("results.xlsx"))).get_sheet_by_name("results").to_python()
    assert [nasty[:100] for nasty in held] == [str(line[1])[:100] for line in book[1:]]
    assert "<f>" not in zipfile.ZipFile(campaign.path("results.xlsx")).read("xl/worksheets/sheet1.xml").decode()

    page = campaign.path("report.html").read_text(encoding="utf-8")
    seen = Seen(page)
    assert set(seen.tags) <= ALLOWED
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert "\u202e" not in page
    assert document["delivery"] == {"undelivered": len(told)}


def test_a_column_that_the_results_have_cannot_be_carried(campaign: Workplace) -> None:
    names = [column.name for column in RESULT_COLUMNS[18:]]
    assert "delivery_state" == names[0]
    campaign.write("", MINIMAL + f"report: {{columns: [{', '.join(names)}]}}\n")
    (campaign.folder / "people.csv").write_text(f"id,mobile,name,{','.join(names)}\n")
    done = campaign("check", "hello.yaml")
    said = " ".join((done.stdout + done.stderr).split())
    assert 2 == done.exit_code, said
    for name in names:
        what = (
            f'the name "{name}" is reserved for a column of the results; remove it, or rename it in the recipient file'
        )
        assert what in said, said


def test_a_run_of_an_earlier_version_still_gets_its_report(campaign: Workplace, provider: Provider) -> None:
    """A ledger of schema 1, and a folder without run.json."""
    provider.script = refusing(2)
    campaign(*RUN)
    before = campaign.results()
    path = campaign.folder / "reports/ledger.sqlite3"
    with opened(campaign):
        pass
    old = path.with_name("old.sqlite3")
    connection = sqlite3.connect(old)
    connection.executescript(SCHEMA_1)
    connection.executescript("DELETE FROM messages; DELETE FROM runs; DELETE FROM meta WHERE name = 'id';")
    connection.execute("ATTACH ? AS new", (str(path),))
    connection.execute("INSERT INTO meta SELECT * FROM new.meta WHERE name = 'id'")
    for table in ("runs", "messages"):
        names = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({table})"))
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM new.{table}")  # noqa: S608
    connection.commit()
    connection.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    old.replace(path)
    campaign.path("run.json").unlink()
    for name in ("results.parquet", "results.csv", "report.html", "summary.json"):
        campaign.path(name).unlink()

    done = campaign("report", "hello/main")

    assert 1 == done.exit_code, done.stderr
    assert before == campaign.results()
    assert campaign.path("report.html").exists()
    assert {"accepted": 4, "rejected": 1} == {name: n for name, n in campaign.summary()["status"].items() if n}


def test_a_full_disk_names_the_file_and_leaves_the_old_report(campaign: Workplace) -> None:
    campaign.write(people(800), XLSX.replace("200/s", "1000/s"))
    campaign(*RUN)
    before = {path.name: path.read_bytes() for path in campaign.path("").iterdir()}
    full = subprocess.run(
        [COMMAND, "report", "hello/main"],
        cwd=campaign.folder,
        env=campaign.environment,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        check=False,
    )
    assert 5 == full.returncode, full.stdout + full.stderr
    assert re.search(
        r"reports/hello/main/results\.(parquet|csv|xlsx) could not be written: File too large", full.stderr
    )
    assert "Traceback" not in full.stderr
    assert before == {path.name: path.read_bytes() for path in campaign.path("").iterdir()}


def test_a_spreadsheet_that_cannot_be_removed_is_said(campaign: Workplace) -> None:
    campaign(*RUN)
    campaign.path("results.xlsx").mkdir()
    with pytest.raises(StoppedError, match=r"results\.xlsx could not be deleted"):
        report(campaign)


@pytest.mark.parametrize("text", [XLSX, MINIMAL], ids=["with a spreadsheet", "without"])
def test_what_a_killed_report_left_is_gone_after_the_next(campaign: Workplace, text: str) -> None:
    campaign.write(people(2), text)
    campaign(*RUN)
    before = {path.name for path in campaign.path("").iterdir()}
    campaign.path(".results.xlsx.rows.part").mkdir()
    (campaign.path(".results.xlsx.rows.part") / "sheet").write_text("+6581230001")
    for name in ("results.parquet", "results.csv", "results.xlsx", "report.html"):
        campaign.path(f".{name}.part").write_text("+6581230001")
    report(campaign)
    assert before == {path.name for path in campaign.path("").iterdir()}


def written(campaign: Workplace) -> dict[str, bytes]:
    """The run's files. Paths in them depend on the folder in which the last report was started."""
    files = {name: data for name, data in contents(campaign.path("")) if not name.startswith(".")}
    return files | {"summary.json": files["summary.json"].replace(f"{campaign.folder}/".encode(), b"")}


def test_several_reports_at_once_are_written_one_after_another(campaign: Workplace) -> None:
    campaign.write(people(200), XLSX.replace("200/s", "1000/s"))
    campaign(*RUN)
    report(campaign)
    before = written(campaign)
    command = ("report", "hello/main")
    with campaign.started(*command) as first, campaign.started(*command) as second:
        for _ in range(2):
            report(campaign)
        assert [0, 0] == [ended(first).exit_code, ended(second).exit_code]
    assert before == written(campaign)
    assert not list(campaign.path("").glob(".*.part"))


def test_another_report_that_never_ends_is_not_waited_for_for_ever(
    campaign: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(*RUN)
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    ledger = campaign.folder / "reports/ledger.sqlite3"
    with run_lock(ledger, "hello", "main~report"), pytest.raises(RunLockedError, match=r"process \d+ on"):
        report(campaign)


def test_a_session_without_an_end_was_killed_unless_another_process_has_the_run(campaign: Workplace) -> None:
    campaign(*RUN)
    with opened(campaign) as (ledger, record, paths):
        columns = ("sub_account_id", "options", "fingerprint", "rows", "to_send")
        values = {name: getattr(record, name) for name in columns}
        killed = ledger.begin_run(name="hello", run="main", now=record.started_at + 1, **values)

        def state(*, has_lock: bool = False) -> object:
            return write_report(ledger, killed, paths, has_lock=has_lock).document["sessions"][-1]["state"]

        assert "killed" == state()
        with run_lock(ledger.path, "hello", "main"):
            assert "sending" == state()
            assert "killed" == state(has_lock=True)


def test_the_summary_is_described_whole(campaign: Workplace) -> None:
    campaign(*RUN)
    guide = (Path(__file__).parents[2] / "docs/reference/files.md").read_text(encoding="utf-8")

    def described(heading: str) -> set[str]:
        table = guide.partition(f"## {heading}\n")[2].partition("\n##")[0]
        cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        return {key for cell in cells for key in re.findall("`(.+?)`", cell)}

    summary = campaign.summary()
    assert described("summary.json") == summary.keys()
    assert described("sessions") == summary["sessions"][0].keys()
    with opened(campaign) as (_, record, _):
        assert described("stopped") == (stop_as_json(replace(record, stop_reason="fuse")) or {}).keys()
