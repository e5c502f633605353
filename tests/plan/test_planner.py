"""From a campaign's folder to its plan file."""

import datetime as dt
import stat
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from runner.base.errors import InputError
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.messages import Encoding, Message
from runner.base.result_columns import RESULT_COLUMNS
from runner.campaign.fields import NumberType
from runner.files.sheet_rows import SheetRows
from runner.numbers.ranges import KIND_LABELS
from runner.plan.inputs import RESERVED_COLUMNS, load_inputs
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import COLUMNS, MESSAGE_ID, ZONES, changed_messages, read_messages
from runner.plan.planner import Planner, Rules, rows_to_show
from tests.files import workbook
from tests.files.workbook import write_workbook
from tests.plan.folder import ANN, BEN, CAMPAIGN, planned, write_folder

EVERY_KEY = """\
name: welcome
account: {subAccountId: acme_hq}
recipients: {file: people.csv, key: id, country: SG, countries: [SG], suppress: [stop.txt]}
message: {template: hello.j2, encoding: GSM7, maxSegments: 1}
rate: 10/s
report: {columns: [city, mobile]}
"""
OPTED_OUT = Exclusion(ExclusionReason.SUPPRESSED, "opted out on 2026-11-20 (replied STOP)")
TEMPLATE = "{% if city == 'nothing' %}{% else %}Hi {{ name }}{% endif %}"
PEOPLE = (
    ANN,
    "2,12,Ben,\n",
    "3,+60123456789,Cyd,\n",
    "4,+6581111111,Dan,\n",
    "1,+6581234567,Eve,\n",
    "6,+6582222222,,Bedok\n",
    "7,+6583333333,Fay,nothing\n",
    f"8,+6584444444,{'x' * 158},Bedok\n",
    "9,+6585555555,Zoë ✓,Bedok\n",
    "10,6586666666,Gus,Yishun\n",
    "11,+6587777777,Hal,Yishun\n",
    "12,+6588888888,Ivy\x07,Yishun\n",
)


def test_numbers_in_several_columns(tmp_path: Path) -> None:
    """The plan says which number is used, and whoever opted out with another one is left out."""
    campaign = CAMPAIGN.replace("country: SG", "country: SG, phone: [mobile, city]")
    people = "1,+6591234567,Ann,+6581234567\n2,6123 4567,Ben,8223 4567\n3,+6583234567,Cyd,+6584234567\n"
    inputs = load_inputs(write_folder(tmp_path, people, campaign=campaign))
    rules = Rules(opted_out=lambda numbers: {n: OPTED_OUT for n in numbers if n in ("+6584234567", "+6561234567")})
    summary = Planner(inputs.audience, inputs.composer, rules=rules).write(tmp_path / "plan.parquet")
    rows = pl.read_parquet(tmp_path / "plan.parquet").select("destination", "reason", "detail").rows()
    assert [
        ("+6591234567", None, None),
        ("+6582234567", "suppressed", "mobile: +6561234567 opted out on 2026-11-20 (replied STOP)"),
        ("+6583234567", "suppressed", "city: +6584234567 opted out on 2026-11-20 (replied STOP)"),
    ] == rows
    assert {"mobile": 1} == summary.by_phone

    planned_rows, summary = planned(tmp_path / "welcome.yaml")
    assert [None, "the number in city", None] == [row["detail"] for row in planned_rows]
    assert {"mobile": 2, "city": 1} == summary.by_phone


def test_every_row_with_its_text_or_why_it_gets_none(tmp_path: Path) -> None:
    file = write_folder(tmp_path, "".join(PEOPLE), template=TEMPLATE, campaign=EVERY_KEY)
    (tmp_path / "stop.txt").write_text("+6581111111\n")
    rows, summary = planned(file, limit=2)
    sg, gsm = "SG", "GSM7"
    expected = [
        (1, "1", "+6591234567", sg, "Hi Ann", gsm, 1, None, None, "Bedok", "+6591234567"),
        (2, "2", None, None, None, None, None, "invalid_number", 'mobile: "12" is too short for a phone number in SG',
         "", "12"),
        (3, "3", "+60123456789", "MY", None, None, None, "country_not_allowed",
         "mobile: +60123456789 is a number in MY; recipients.countries allows only SG", "", "+60123456789"),
        (4, "4", "+6581111111", sg, None, None, None, "suppressed", "mobile: +6581111111 is on the suppression list "
         "stop.txt",
         "", "+6581111111"),
        (5, "1", "+6581234567", sg, None, None, None, "duplicate", 'same key "1" as row 2', "", "+6581234567"),
        (6, "6", "+6582222222", sg, None, None, None, "missing_field", "name is empty, but the text needs it",
         "Bedok", "+6582222222"),
        (7, "7", "+6583333333", sg, None, None, None, "empty_message", "the text is empty", "nothing", "+6583333333"),
        (8, "8", "+6584444444", sg, None, None, None, "too_many_segments",
         "needs 2 segments (161 characters, GSM7); the maximum is 1", "Bedok", "+6584444444"),
        (9, "9", "+6585555555", sg, None, None, None, "not_gsm7",
         "not in GSM-7: ë (U+00EB) at position 6, ✓ (U+2713) at position 8", "Bedok", "+6585555555"),
        (10, "10", "+6586666666", sg, "Hi Gus", gsm, 1, None, 'read "6586666666" as +6586666666', "Yishun",
         "6586666666"),
        (11, "11", "+6587777777", sg, None, None, None, "over_limit",
         "over the limit (--limit 2); run without the limit to send to the rest", "Yishun", "+6587777777"),
        (12, "12", "+6588888888", sg, None, None, None, "invalid_text",
         "U+0007 (control character) at position 7 can't be sent; remove it from the file", "Yishun", "+6588888888"),
    ]  # fmt: skip
    assert expected == [tuple(row.values()) for row in rows]
    assert dict.fromkeys((row["reason"] for row in rows if row["reason"]), 1) == summary.excluded
    assert (12, 2, 2) == (summary.rows, summary.to_send, summary.segments)


def test_what_was_repaired_is_noted_beside_the_text(tmp_path: Path) -> None:
    file = write_folder(tmp_path, "1,6591234567,Ann,\n" + BEN, campaign=CAMPAIGN.replace(", country: SG", ""))
    rows, summary = planned(file)
    assert ['read "6591234567" as +6591234567', None] == [row["detail"] for row in rows]
    assert [None, None] == [row["reason"] for row in rows]
    assert (2, 1) == (summary.to_send, summary.repaired)


def test_columns_and_their_types(tmp_path: Path) -> None:
    planned(write_folder(tmp_path, campaign=CAMPAIGN + "report: {columns: [name]}\n"))
    expected = {
        "row": pl.Int64, "key": pl.String, "destination": pl.String, "country": pl.String, "text": pl.String,
        "encoding": pl.String, "segments": pl.Int8, "reason": pl.String, "detail": pl.String, "name": pl.String,
    }  # fmt: skip
    assert expected == dict(pl.read_parquet_schema(tmp_path / "plan.parquet"))
    assert list(expected) == list(pl.read_parquet_schema(tmp_path / "plan.parquet"))


def test_the_types_stay_when_nothing_will_be_sent(tmp_path: Path) -> None:
    _, summary = planned(write_folder(tmp_path, "1,12,Ann,\n"))
    assert (1, 0) == (summary.rows, summary.to_send)
    assert pl.String == pl.read_parquet_schema(tmp_path / "plan.parquet")["text"]


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    people = "".join(f"k{n},+65{81000000 + n},N{n},\n" for n in range(1, 12_001))
    rows, _ = planned(write_folder(tmp_path, people))
    assert [(n, f"k{n}") for n in range(1, 12_001)] == [(row["row"], row["key"]) for row in rows]


def test_only_its_owner_reads_a_plan(tmp_path: Path) -> None:
    planned(write_folder(tmp_path))
    assert 0o600 == stat.S_IMODE((tmp_path / "plan.parquet").stat().st_mode)


BREAKS = {
    "the template fails on every row": (ANN + BEN, "{{ name }}{{ 1 // 0 }}"),
    "a quote is never closed": (ANN + '2,+6581234567,"Ben,\n', "Hi {{ name }}"),
}


@pytest.mark.parametrize(("people", "template"), BREAKS.values(), ids=BREAKS)
def test_an_old_plan_outlives_one_that_breaks(tmp_path: Path, people: str, template: str) -> None:
    planned(write_folder(tmp_path))
    old = (tmp_path / "plan.parquet").read_bytes()
    with pytest.raises(InputError):
        planned(write_folder(tmp_path, people, template=template))
    assert old == (tmp_path / "plan.parquet").read_bytes()
    assert ["hello.j2", "people.csv", "plan.parquet", "welcome.yaml"] == sorted(p.name for p in tmp_path.iterdir())


def test_a_template_that_fails_on_a_row_leaves_it_out(tmp_path: Path) -> None:
    people = ANN + "2,+6581234567,Ben,x\n"
    rows, _ = planned(write_folder(tmp_path, people, template="{{ name }}{{ 1 // (city|length - 1) }}"))
    assert [None, "template_error"] == [row["reason"] for row in rows]
    assert f"{tmp_path}/hello.j2:1" in rows[1]["detail"]
    assert "integer division or modulo by zero" in rows[1]["detail"]


def test_a_template_that_fails_on_every_row_fails_the_plan(tmp_path: Path) -> None:
    people, template = BREAKS["the template fails on every row"]
    with pytest.raises(InputError) as caught:
        planned(write_folder(tmp_path, people + "3,12,Cyd,\n", template=template))
    [problem] = caught.value.problems
    assert "the template fails on every row" in str(problem)
    assert f"{tmp_path}/hello.j2:1" in str(problem)


def test_missing_fields_can_fail_the_plan_and_are_named_all_at_once(tmp_path: Path) -> None:
    campaign = CAMPAIGN.replace("hello.j2", "hello.j2, missing: error")
    people = ANN + "".join(f"k{n},+65{81000000 + n},,\n" for n in range(2, 14))
    with pytest.raises(InputError) as caught:
        planned(write_folder(tmp_path, people, campaign=campaign))
    problems = [str(problem) for problem in caught.value.problems]
    assert 11 == len(problems)
    assert problems[0].startswith(
        f"{tmp_path}/people.csv: row 3: name is empty, but the text needs it; fill in the field"
    )
    assert "2 more rows have an empty field" in problems[-1]


def test_summary_counts(tmp_path: Path) -> None:
    people = ANN + "2,+447700900123,Zoë,\n" + f"3,+6581234567,{'x' * 158},\n" + "4,1,D,\n5,2,E,\n6,3,F,\n7,4,G,\n"
    _, summary = planned(write_folder(tmp_path, people, template="Hi {{ name }}✓"))
    assert {
        "rows": 7,
        "to_send": 3,
        "segments": 5,
        "repaired": 0,
        "excluded": {"invalid_number": 4},
        "by_encoding": {"UCS2": 3},
        "by_segments": {"1": 2, "3": 1},
        "by_country": {"SG": 2, "GB": 1},
        "reading": [],
    }.items() <= summary.as_json().items()
    assert [4, 5, 6] == [row for row, _ in summary.examples[ExclusionReason.INVALID_NUMBER]]


def test_one_number_under_several_keys_is_told(tmp_path: Path) -> None:
    people = ANN + "2,+6591234567,Ann again,\n3,+6581234567,Ben,\n4,6591234567,Ann once more,\n"
    _, summary = planned(write_folder(tmp_path, people))
    assert (4, 2, [2, 4]) == (summary.to_send, summary.shared.rows, summary.shared.examples)


def test_who_has_opted_out_is_left_out_before_a_text_is_made(tmp_path: Path) -> None:
    """Ann has opted out; Ben was sent to before he opted out, Cyd's row is left out for another reason."""
    people = (ANN, BEN, "3,12,Cyd,\n", "4,+6581111111,Dan,\n")
    inputs = load_inputs(write_folder(tmp_path, "".join(people), template="Hi {{ name }}"))
    asked: list[str] = []

    def opted_out(destinations: Sequence[str]) -> dict[str, Exclusion]:
        asked.extend(destinations)
        return {number: OPTED_OUT for number in ("+6591234567", "+6581234567") if number in destinations}

    def sent(keys: Sequence[str]) -> list[str]:
        return [key for key in keys if key == "2"]

    rules = Rules(missing_fails=True, opted_out=opted_out, sent=sent)
    plan = Planner(inputs.audience, inputs.composer, rules=rules)
    summary = plan.write(tmp_path / "plan.parquet")

    rows = pl.read_parquet(tmp_path / "plan.parquet").select("key", "reason", "detail").rows()
    assert ("1", "suppressed", OPTED_OUT.detail) == rows[0]
    assert [None, "invalid_number", None] == [reason for _, reason, _ in rows[1:]]
    assert ["+6591234567", "+6581111111"] == asked
    assert {ExclusionReason.SUPPRESSED: 1, ExclusionReason.INVALID_NUMBER: 1} == summary.excluded
    assert [(1, OPTED_OUT.detail)] == summary.examples[ExclusionReason.SUPPRESSED]


def test_rows_to_show_have_the_plans_verdicts(tmp_path: Path) -> None:
    file = write_folder(tmp_path, ANN + "2,12,Ben,\n")
    shown = [batch.verdict(index) for batch, index in rows_to_show(load_inputs(file), SheetRows(), sampled=True)]
    texts = [getattr(verdict, "text", None) for verdict in shown]
    assert ["Hi Ann", None] == texts
    assert texts == [row["text"] for row in planned(file)[0]]


def test_messages_are_those_that_will_be_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(write_folder(tmp_path, ANN + "2,12,Ben,\n3,+6581234567,Cyd,\n"))
    ids = MessageIds("welcome", "main")
    batches = list(read_messages(tmp_path / "plan.parquet", ids))
    assert [
        Message(1, "1", "+6591234567", "SG", "Hi Ann", Encoding.GSM7, 1, ids.of("1")),
        Message(3, "3", "+6581234567", "SG", "Hi Cyd", Encoding.GSM7, 1, ids.of("3")),
    ] == [message for batch in batches for message in batch]
    assert COLUMNS == tuple(pl.read_parquet_schema(tmp_path / "plan.parquet"))


def test_rooms_that_do_not_know_each_other_agree() -> None:
    assert set(KIND_LABELS) == {str(kind) for kind in NumberType}
    assert {*(column.name for column in RESULT_COLUMNS), *COLUMNS, ZONES, MESSAGE_ID} == RESERVED_COLUMNS


CHANGES = {
    "nothing": (ANN + BEN, "Hi {{ name }}", (0, [])),
    "a text": (ANN + "2,+6581234567,Bob,\n", "Hi {{ name }}", (1, [(2, "2")])),
    "every text": (ANN + BEN, "Ho {{ name }}", (2, [(1, "1"), (2, "2")])),
    "another order, so other rows": (BEN + ANN, "Ho {{ name }}", (2, [(1, "2"), (2, "1")])),
    "a new row": (ANN + BEN + "3,+6583333333,Cyd,\n", "Hi {{ name }}", (0, [])),
    "a row that is gone": (ANN, "Hi {{ name }}", (0, [])),
    "a row that is excluded now": ("1,12,Ann,\n" + BEN, "Ho {{ name }}", (1, [(2, "2")])),
}


@pytest.mark.parametrize(("people", "template", "expected"), CHANGES.values(), ids=CHANGES)
def test_changed_messages(
    tmp_path: Path, people: str, template: str, expected: tuple[int, list[tuple[int, str]]]
) -> None:
    planned(write_folder(tmp_path / "old"))
    planned(write_folder(tmp_path / "new", people, template=template))
    assert expected == changed_messages(tmp_path / "old/plan.parquet", tmp_path / "new/plan.parquet")


def test_changed_messages_shows_the_first_few(tmp_path: Path) -> None:
    people = "".join(f"{n},+65{81000000 + n},N{n},\n" for n in range(1, 6))
    planned(write_folder(tmp_path / "old", people))
    planned(write_folder(tmp_path / "new", people, template="Ho {{ name }}"))
    old, new = tmp_path / "old/plan.parquet", tmp_path / "new/plan.parquet"
    assert (5, [(1, "1"), (2, "2")]) == changed_messages(old, new, examples=2)


TYPED = """\
{% if vip %}VIP{% else %}Member{% endif %}: {{ n }} item{% if n != 1 %}s{% endif %}, {{ sum }} {{ at | date('H:mm') }}
"""


def typed_folder(folder: Path, name: str, timezone: str = "timezone: Asia/Singapore\n") -> Path:
    campaign = CAMPAIGN.replace("people.csv, key: id, country: SG", name) + timezone
    return write_folder(folder, template=TYPED, campaign=campaign)


def parquet(folder: Path) -> None:
    at = [dt.datetime(2026, 12, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 12, 1, 3, tzinfo=dt.UTC)]
    columns = {"mobile": ["+6591234567", "+6581234567"], "vip": [True, False], "n": [2, 1], "sum": [0.1 + 0.2, 5.0]}
    pl.DataFrame(columns | {"at": at}).write_parquet(folder / "people.parquet")


@pytest.mark.parametrize("processes", [0, 1])
def test_texts_decide_on_the_types_of_the_file(tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.plan.planner.Planner.processes", lambda _: processes)
    file = typed_folder(tmp_path, "people.parquet")
    parquet(tmp_path)
    rows, _ = planned(file)
    assert ["VIP: 2 items, 0.3 10:00", "Member: 1 item, 5 11:00"] == [row["text"] for row in rows]


def test_texts_decide_on_the_types_of_cells(tmp_path: Path) -> None:
    file = typed_folder(tmp_path, "people.xlsx")
    false = workbook.TRUE.replace(">1<", ">0<")
    rows_written: list[list[workbook.Cell]] = [
        ["mobile", "vip", "n", "sum", "at"],
        ["+6591234567", workbook.TRUE, 2, 0.1 + 0.2, workbook.MOMENT],
        ["+6581234567", false, 1, 5, workbook.MOMENT],
    ]
    write_workbook(tmp_path / "people.xlsx", {"One": rows_written})
    rows, _ = planned(file)
    assert ["VIP: 2 items, 0.3 12:00", "Member: 1 item, 5 12:00"] == [row["text"] for row in rows]


def test_times_that_cannot_be_converted_are_noted(tmp_path: Path) -> None:
    file = typed_folder(tmp_path, "people.parquet", timezone="")
    parquet(tmp_path)
    rows, summary = planned(file)
    assert "VIP: 2 items, 0.3 2:00" == rows[0]["text"]
    assert [
        "at: times with a zone are shown as in the file, perhaps in UTC; set the campaign's timezone to convert them "
        "with the filter date"
    ] == summary.reading


@pytest.mark.parametrize("processes", [0, 1])
def test_a_text_that_means_no_stops_the_plan(tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.plan.planner.Planner.processes", lambda _: processes)
    file = write_folder(tmp_path, ANN + "2,+6581234567,Ben,no\n", template="{% if city %}VIP{% endif %}!")
    with pytest.raises(InputError, match=r'hello.j2:1: city is the text "no", which .* \(row 2\); write city \| bool'):
        planned(file)
    assert not (tmp_path / "plan.parquet").exists()
