"""A plan without its people: what goes, what stays, and which row's message is still known."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from runner.base.errors import LedgerError
from runner.plan.message_ids import MessageIds
from runner.plan.plan_file import MESSAGE_ID, purge_plan
from tests.plan.folder import CAMPAIGN, planned, planner, write_folder

IDS = MessageIds("welcome", "main")
PEOPLE = (
    "1,+6591234567,Ann,Bedok\n",
    "2,+6581234567,Ben,Yishun\n",
    "2,+6581111111,Eve,Yishun\n",
    "3,12,Cyd,Bedok\n",
    "4,+6582222222,,Bedok\n",
)
CARRYING = CAMPAIGN + "report: {columns: [city]}\n"


def nobody(_message_ids: Sequence[str]) -> Mapping[str, str]:
    return {}


def test_numbers_keys_texts_and_words_go_and_the_rest_stays(tmp_path: Path) -> None:
    file = write_folder(tmp_path, "".join(PEOPLE), campaign=CARRYING)
    before, _ = planned(file)
    plan = tmp_path / "plan.parquet"

    assert purge_plan(plan, IDS, nobody)

    after = pl.read_parquet(plan)
    schema = dict.fromkeys(("key", "destination", "country", "text", "encoding", "reason", "detail", "city"), pl.String)
    assert {"row": pl.Int64, "segments": pl.Int8, MESSAGE_ID: pl.String, **schema} == dict(after.schema)
    for name in ("row", "country", "encoding", "segments", "reason"):
        assert [row[name] for row in before] == after[name].to_list(), name
    for name in ("key", "destination", "text", "detail", "city"):
        assert [None] * 5 == after[name].to_list(), name
    assert [IDS.of("1"), IDS.of("2"), None, None, None] == after[MESSAGE_ID].to_list()
    for written in ("91234567", "Ann", "Hi", "Bedok"):
        assert written.encode() not in plan.read_bytes()


def test_who_was_sent_to_and_is_left_out_now_stays_known(tmp_path: Path) -> None:
    """Two rows share a number and are left out by now, and one message went to it: the first of them had it."""
    plan = tmp_path / "plan.parquet"
    columns = {"row": pl.Int64, "segments": pl.Int8} | dict.fromkeys(
        ("key", "destination", "country", "text", "encoding", "reason", "detail"), pl.String
    )
    rows = [
        (1, "a", "+1", "suppressed"),  # sent
        (2, "b", "+2", "suppressed"),  # sent, but to another number
        (3, "c", "+3", "suppressed"),  # never sent
        (4, "a", "+1", "filtered"),  # the same key as the first
        (5, None, None, "unreadable_row"),
        (6, "a", "+1", "duplicate"),
    ]
    named = [dict(zip(("row", "key", "destination", "reason"), row, strict=True)) for row in rows]
    pl.DataFrame(named, schema=columns).write_parquet(plan)
    numbers = {IDS.of("a"): "+1", IDS.of("b"): "+9"}

    purge_plan(plan, IDS, lambda ids: {one: numbers[one] for one in ids if one in numbers})

    assert [IDS.of("a"), None, None, None, None, None] == pl.read_parquet(plan)[MESSAGE_ID].to_list()


def test_purging_twice_changes_nothing(tmp_path: Path) -> None:
    planned(write_folder(tmp_path))
    plan = tmp_path / "plan.parquet"
    purge_plan(plan, IDS, nobody)
    before = plan.read_bytes()

    assert not purge_plan(plan, IDS, nobody)
    assert before == plan.read_bytes()


def test_a_plan_of_many_parts_stays_in_order(tmp_path: Path) -> None:
    people = "".join(f"{n},+65{81230000 + n},N{n},\n" for n in range(4_500))
    planner(write_folder(tmp_path, people)).write(tmp_path / "plan.parquet")

    purge_plan(tmp_path / "plan.parquet", IDS, nobody)

    after = pl.read_parquet(tmp_path / "plan.parquet")
    assert list(range(1, 4_501)) == after["row"].to_list()
    assert [IDS.of(str(n)) for n in range(4_500)] == after[MESSAGE_ID].to_list()


def test_zones_go_too(tmp_path: Path) -> None:
    plan = tmp_path / "plan.parquet"
    planned(write_folder(tmp_path))
    pl.read_parquet(plan).with_columns(zones=pl.lit("Asia/Singapore")).write_parquet(plan)

    purge_plan(plan, IDS, nobody)

    assert [None, None] == pl.read_parquet(plan)["zones"].to_list()


def test_a_plan_stays_whole_when_the_ledger_cant_be_asked(tmp_path: Path) -> None:
    file = write_folder(tmp_path, "".join(PEOPLE))
    planned(file)
    plan = tmp_path / "plan.parquet"
    before = plan.read_bytes()

    def fails(_message_ids: Sequence[str]) -> Mapping[str, str]:
        raise LedgerError("the ledger could not be read")

    with pytest.raises(LedgerError):
        purge_plan(plan, IDS, fails)
    assert before == plan.read_bytes()
    assert [] == list(tmp_path.glob(".*"))
