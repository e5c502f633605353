import contextlib
import io
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.base.errors import LedgerError
from runner.ledger.ledger import Ledger, open_ledger
from runner.receipts.intake import EVENT_LIMIT_BYTES, Loaded, lines_of, load
from runner.receipts.optout_words import BUILT_IN
from tests.receipts.events import OTHER, broken, kept, opted, receipt, reply


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with open_ledger(str(path), create=True) as ledger:
        yield ledger


def loaded(ledger: Ledger, content: bytes) -> Loaded:
    return load(ledger, lines_of(io.BytesIO(content).readline), BUILT_IN)


def test_every_event_is_taken(ledger: Ledger, path: Path) -> None:
    events = [receipt("u1", "sent"), receipt("u1"), receipt("u2", "failed"), reply("STOP"), reply("hello"), OTHER]
    found = loaded(ledger, b"\n".join(events) + b"\n")
    assert (6, 0) == (found.lines, found.bad)
    assert {"receipt": 3, "opt_out": 1, "reply": 1, "ignored": 1} == found.counts
    assert {"u1": "delivered", "u2": "failed"} == kept(path)
    assert {"+12025550123"} == set(opted(path))


def test_loading_twice_changes_nothing(ledger: Ledger, path: Path) -> None:
    content = b"\n".join([receipt("u1"), reply("STOP"), reply("START", at="2026-11-25T09:00:00Z"), receipt("u2")])

    def rows() -> list[list[object]]:
        with closing(sqlite3.connect(path)) as database, database:
            columns = "umid, message_id, state, at, delivered_at, segments"
            return [
                database.execute(f"SELECT {columns} FROM receipts ORDER BY umid").fetchall(),  # noqa: S608
                database.execute("SELECT * FROM optouts").fetchall(),
            ]

    first = loaded(ledger, content)
    once = rows()
    assert first == loaded(ledger, content)
    assert once == rows()
    assert not opted(path)["+12025550123"][0]


def test_bad_lines_are_named_and_the_others_taken(ledger: Ledger, path: Path) -> None:
    content = b"\n".join([receipt("u1"), b"hello", b"", b"[]", b"{}", b"\xff\xfe", receipt("u2"), b"  ", receipt("")])
    found = loaded(ledger, content + b"\n")
    assert {"u1", "u2"} == set(kept(path))
    assert (7, 5) == (found.lines, found.bad)
    assert [
        (2, "the line is not JSON"),
        (4, "the line is not a JSON object"),
        (5, "the line has no eventType"),
        (6, "the line is not JSON"),
        (9, "the receipt lacks its umid, state or timestamp"),
    ] == found.examples


def test_all_bad_lines_are_counted_and_ten_named(ledger: Ledger) -> None:
    found = loaded(ledger, b"x\n" * 10_000)
    assert (10_000, list(range(1, 11))) == (found.bad, [line for line, _ in found.examples])


@pytest.mark.parametrize("left_out", [1, 30, 150])
def test_a_last_line_that_is_cut_off_is_named_so(ledger: Ledger, path: Path, left_out: int) -> None:
    found = loaded(ledger, receipt("u1") + b"\n" + receipt("u2")[:-left_out])
    assert [(2, "the file ends in the middle of this line")] == found.examples
    assert {"u1"} == set(kept(path))


def test_a_last_line_needs_no_end(ledger: Ledger, path: Path) -> None:
    assert 0 == loaded(ledger, receipt("u1") + b"\r\n" + receipt("u2")).bad
    assert {"u1", "u2"} == set(kept(path))


def test_a_byte_order_mark_is_no_trouble(ledger: Ledger, path: Path) -> None:
    assert 0 == loaded(ledger, b"\xef\xbb\xbf" + receipt("u1") + b"\n").bad
    assert {"u1"} == set(kept(path))


def test_nothing(ledger: Ledger) -> None:
    assert Loaded() == loaded(ledger, b"")
    assert Loaded() == loaded(ledger, b"\n\n \n")


def test_a_file_without_line_ends_is_one_bad_line(ledger: Ledger, path: Path) -> None:
    content = receipt("u1") + b"\n" + b"x" * (5 * EVENT_LIMIT_BYTES) + b"\n" + receipt("u2") + b"\n" + b"{" * 70_000
    found = loaded(ledger, content)
    assert [(2, "the line is longer than 64 KiB"), (4, "the line is longer than 64 KiB")] == found.examples
    assert {"u1", "u2"} == set(kept(path))


def test_no_line_is_handed_on_longer_than_it_may_be() -> None:
    lines = list(lines_of(io.BytesIO(b"y" * 1_000_000 + b"\nz" + b"w" * EVENT_LIMIT_BYTES).readline))
    assert [EVENT_LIMIT_BYTES + 1, EVENT_LIMIT_BYTES + 1] == [len(line) for line in lines]


def test_what_came_before_a_ledger_that_fails_is_kept(ledger: Ledger, path: Path) -> None:
    def lines() -> Generator[bytes, None, None]:
        for index in range(1_500):
            yield receipt(f"u{index}")
        with broken(path):
            yield receipt("late")
            for index in range(1_500):
                yield receipt(f"v{index}")

    with contextlib.closing(lines()) as given, pytest.raises(LedgerError, match="the ledger could not be written"):
        load(ledger, given, BUILT_IN)
    assert 1_000 == len(kept(path))
