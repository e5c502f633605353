"""Opt-outs by hand and from files, and the list that goes out and comes back in."""

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from runner.audience.spec import SuppressionList
from runner.audience.suppression import Suppression
from runner.base.clock import now_us
from runner.base.errors import InputError
from runner.base.exclusions import ExclusionReason
from runner.base.optouts import OptOut, OptOutSource
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.optouts import all_optouts, newest_by_number, note_optouts, opted_out
from runner.run import optouts as module
from runner.run.optouts import (
    AT_A_TIME,
    add,
    as_csv,
    exclusion_of,
    how,
    read_file,
    read_numbers,
    remove,
)

ANN, BEN = "+12025550142", "+12025550143"
DAY_US = 86_400_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:
        yield ledger


def reply(destination: str, at: int, word: str | None = "STOP", *, is_out: bool = True) -> OptOut:
    return OptOut(destination, is_out, at, OptOutSource.REPLY, word)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (reply(ANN, 0), "replied STOP"),
        (reply(ANN, 0, "stop\n all"), "replied stop all"),
        (reply(ANN, 0, None), "replied"),
        (OptOut(ANN, True, 0, OptOutSource.COMMAND), "campaign optouts add"),
        (OptOut(ANN, True, 0, OptOutSource.FILE), "campaign optouts add --file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_it_came(one: OptOut, words: str) -> None:
    assert words == how(one)


def test_a_plan_says_since_when_and_how() -> None:
    exclusion = exclusion_of(reply(ANN, 1_795_132_799_000_000))

    assert ExclusionReason.SUPPRESSED == exclusion.reason
    assert "opted out on 2026-11-19 (replied STOP)" == exclusion.detail


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    assert ["+6591234567", ANN] == read_numbers(["9123 4567", "+1 (202) 555-0142", "+65 9123-4567"], "sg")


def test_every_number_that_cant_be_read_is_named() -> None:
    with pytest.raises(InputError) as caught:
        read_numbers(["12", ANN, "91234567"], None)

    assert ['"12" has no country code; add --country', '"91234567" has no country code; add --country'] == [
        str(problem) for problem in caught.value.problems
    ]


def test_a_country_that_is_none() -> None:
    with pytest.raises(InputError, match='--country: "Narnia" is not a country; write its code'):
        read_numbers(["91234567"], "Narnia")


def test_added_ones_are_out_from_now_on(ledger: Ledger) -> None:
    before = now_us()

    assert (2, 2) == add(ledger, [ANN, BEN])

    found = opted_out(ledger, [ANN, BEN])
    assert {OptOutSource.COMMAND} == {one.source for one in found.values()}
    assert all(before <= one.at <= now_us() for one in found.values())
    assert (1, 0) == add(ledger, [ANN])


def test_removed_ones_may_be_sent_to(ledger: Ledger) -> None:
    add(ledger, [ANN])

    assert [ANN] == remove(ledger, [ANN, BEN])
    assert {} == opted_out(ledger, [ANN, BEN])
    assert {ANN} == set(newest_by_number(ledger, [ANN, BEN])), "who was never out isn't noted"
    assert [] == remove(ledger, [ANN])


def test_what_a_person_says_now_wins_over_a_clock_that_is_ahead(ledger: Ledger) -> None:
    ahead = now_us() + DAY_US
    note_optouts(ledger, [reply(ANN, ahead), reply(BEN, ahead, "START", is_out=False)])

    remove(ledger, [ANN])
    add(ledger, [BEN])

    assert {BEN} == set(opted_out(ledger, [ANN, BEN]))


def test_a_number_that_is_added_by_hand_stays_out_although_an_older_start_comes_late(ledger: Ledger) -> None:
    note_optouts(ledger, [reply(ANN, now_us() - 2 * DAY_US)])
    add(ledger, [ANN])

    note_optouts(ledger, [reply(ANN, now_us() - DAY_US, "START", is_out=False)])

    assert {ANN} == set(opted_out(ledger, [ANN]))


def test_a_list_that_is_given_again_keeps_what_people_said(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text(f"phone\n{ANN}\n{BEN}\n{BEN}\n")
    note_optouts(ledger, [reply(ANN, 5)])
    listed = read_file(tmp_path / "out.csv", None)

    assert (2, 1) == add(ledger, [], listed)
    assert (2, 0) == add(ledger, [], listed)

    found = opted_out(ledger, [ANN, BEN])
    assert (reply(ANN, 5), OptOutSource.FILE) == (found[ANN], found[BEN].source)


def test_one_that_is_given_by_hand_and_in_the_file_counts_once(ledger: Ledger) -> None:
    assert (2, 2) == add(ledger, [ANN], [int(ANN), int(BEN)])


LISTS = {
    "a header": ("out.csv", b"id,phone,since\n1,+12025550142,x\n2,+12025550143,y\n"),
    "no header": ("out.txt", b"+12025550142\n+12025550143\n"),
    "another word above": ("out.csv", b"opted out\n+12025550142\n\n+12025550143\n"),
    "UTF-16": ("out.csv", "phone\n+12025550143\n+1 202 555 0142\n".encode("utf-16")),
    "twice": ("out.csv", b"phone\n+12025550142\n+12025550143\n+12025550142\n"),
}


@pytest.mark.parametrize(("name", "content"), LISTS.values(), ids=LISTS)
def test_any_suppression_list_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    assert [int(ANN), int(BEN)] == list(read_file(tmp_path / name, None))


@pytest.mark.parametrize("column", ["phone", ANN], ids=["a header", "a number for a header"])
def test_a_parquet_list_is_read(tmp_path: Path, column: str) -> None:
    pl.DataFrame({column: [ANN, BEN]}).write_parquet(tmp_path / "out.parquet")

    assert [int(ANN), int(BEN)] == list(read_file(tmp_path / "out.parquet", None))


def test_numbers_of_a_list_are_at_home_in_the_country(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("phone\n9123 4567\n")

    assert [6591234567] == list(read_file(tmp_path / "out.csv", "SG"))


WRONG = {
    "a number in doubt": ("phone\n91234567\n", "out.csv:2:1: ", "add --country", "nothing was changed"),
    "an empty file": ("", "out.csv is empty"),
    "no column for it": ("id,name\n1,Ann\n", "no column is named phone"),
    "a row without one": ("phone,name\n,Ann\n", "the number is missing", "nothing was changed"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_list_in_doubt_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    content, *words = case
    Path("out.csv").write_text(content)

    with pytest.raises(InputError) as caught:
        read_file(Path("out.csv"), None)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "recipients.country" not in str(caught.value)


def test_the_column_of_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of replies: our own number is in `To`."""
    monkeypatch.chdir(tmp_path)
    Path("out.csv").write_text(f"From,To\n{ANN},{BEN}\n")

    assert [int(ANN)] == list(read_file(Path("out.csv"), None, "From"))
    with pytest.raises(InputError) as caught:
        read_file(Path("out.csv"), None)
    words = 'several columns could have the phone numbers: "From", "To"; choose one: --phone "From", '
    assert f"out.csv: {words}or keep only one of them in the file" == str(caught.value)


def test_a_list_that_isnt_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError) as caught:
        read_file(Path("out.csv"), None)
    assert "out.csv does not exist; check the path" == str(caught.value)


def test_the_exported_list_suppresses_and_can_be_added_elsewhere(ledger: Ledger, tmp_path: Path) -> None:
    numbers = [f"+1202555{n:04}" for n in range(100, 200)]
    note_optouts(ledger, [reply(number, n) for n, number in enumerate(numbers)])
    file = tmp_path / "out.csv"
    file.write_text("".join(as_csv(ledger)), encoding="utf-8")

    for key in (None, "customer_id"):
        suppression = Suppression([SuppressionList(file)], key=key)
        assert 100 == len(suppression)
        assert ["out.csv"] * 100 == [suppression.find_number(number) for number in numbers]
    with open_ledger(str(tmp_path / "other.sqlite3"), create=True) as other:
        assert (100, 100) == add(other, [], read_file(file, None))
        assert numbers == [one.destination for one in all_optouts(other)]


def test_nobody_to_export_is_a_list_too(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("".join(as_csv(ledger)))

    assert "destination,since,how\n" == file.read_text()
    assert 0 == len(Suppression([SuppressionList(file)]))


def test_an_exported_word_is_no_formula_and_breaks_no_row(ledger: Ledger) -> None:
    words = ["=1+1", ' +cmd|"/c calc"!A1', "a,b", "x\ny", "STOP"]
    note_optouts(ledger, [reply(f"+1202555010{n}", 0, word) for n, word in enumerate(words)])

    exported = pl.read_csv("".join(as_csv(ledger)).encode())["how"].to_list()

    assert ["replied =1+1", 'replied +cmd|"/c calc"!A1', "replied a,b", "replied x y", "replied STOP"] == exported


def test_a_large_export_comes_in_parts(ledger: Ledger) -> None:
    numbers = [f"+1202{n:07}" for n in range(AT_A_TIME + 1)]
    note_optouts(ledger, [reply(number, 0) for number in numbers])

    parts = list(as_csv(ledger))

    assert len(parts) > 1
    assert ["destination", *numbers] == [line.partition(",")[0] for line in "".join(parts).splitlines()]


def test_others_can_write_while_a_long_list_is_added(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    came = []

    def other_writes() -> None:
        with closing(sqlite3.connect(ledger.path, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
            came.append(len(list(all_optouts(ledger))))

    monkeypatch.setattr(module, "give_way", other_writes)
    add(ledger, [], array("Q", range(12025550000, 12025550000 + 2 * AT_A_TIME + 1)))
    assert [0, AT_A_TIME, 2 * AT_A_TIME] == came
