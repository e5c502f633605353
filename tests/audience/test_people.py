"""Keys that were seen before."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.people import People, numbered
from runner.errors import StoppedError


def test_counts_within_and_over_batches() -> None:
    with People() as people:
        assert [0, 0, 1] == people.count([("a", 1), ("b", 2), ("a", 3)])
        assert [2, 1, 0] == people.count([("a", 4), ("b", 5), ("c", 6)])
        assert [3, 1, 1, 2, None] == people.other_rows([("a", 1), ("a", 3), ("a", 4), ("b", 5), ("c", 6)])


def test_no_room_for_more_is_no_bug() -> None:
    with People() as people:
        people._base.execute("PRAGMA max_page_count=4")
        with pytest.raises(StoppedError, match=r"could not be kept: database or disk is full; make room where"):
            people.count([(f"key-{number}", number) for number in range(5000)])


def test_an_empty_batch() -> None:
    with People() as people:
        assert [] == people.count([])
        assert [] == people.other_rows([])


def test_keys_are_told_apart_exactly() -> None:
    keys = ["a", "A", "a ", "\u00e1", "a\u0301", "", "a\0", "a\0b", "1", "01", "1.0"]
    with People() as people:
        assert [0] * len(keys) == people.count([(key, row) for row, key in enumerate(keys, 1)])


def test_more_keys_than_one_statement_takes() -> None:
    with People() as people:
        people.count([(str(number), number) for number in range(5000)])
        assert [1] * 5000 == people.count([(str(number), 5000 + number) for number in range(5000)])


def test_no_file_of_it_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of real people stay in no folder, also after a kill: the file never has a name."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with People() as people:
        people._base.execute("PRAGMA cache_size=10")
        people.count([(f"+1202555{row:06d}", row) for row in range(20_000)])

        assert [] == list(tmp_path.iterdir())
        assert [1, 1] == people.count([("+1202555000007", 1), ("+1202555019999", 2)])


def test_later_rows_get_a_number() -> None:
    assert ["C-17", "C-17#2", "C-17#3"] == [numbered("C-17", before) for before in range(3)]


def test_a_key_that_looks_numbered_is_numbered_from_the_start() -> None:
    assert ["C#2#1", "C#2#2", "C#x", "#", "C#"] == [
        numbered("C#2", 0),
        numbered("C#2", 1),
        numbered("C#x", 0),
        numbered("#", 0),
        numbered("C#", 0),
    ]


@given(st.lists(st.text("a#12", max_size=5), max_size=30))
def test_no_two_rows_ever_share_a_numbered_key(keys: list[str]) -> None:
    made = [numbered(key, keys[:index].count(key)) for index, key in enumerate(keys)]
    assert len(keys) == len(set(made))
