"""Keys that were seen before."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.people import People, numbered


def test_counts_within_and_over_batches() -> None:
    with People() as people:
        assert [0, 0, 1] == people.count([("a", 1), ("b", 2), ("a", 3)])
        assert [2, 1, 0] == people.count([("a", 4), ("b", 5), ("c", 6)])
        assert [3, 1, 1, 2, None] == people.other_rows([("a", 1), ("a", 3), ("a", 4), ("b", 5), ("c", 6)])


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on a file's size stands for a full disk")
def test_no_room_for_more_is_no_bug() -> None:
    """In a process of its own, because the limit holds for all of it."""
    script = (
        "import resource, signal\n"
        "from runner.audience.people import People\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))\n"
        "with People() as people:\n"
        "    people.count([(f'key-{number}', number) for number in range(100_000)])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert 1 == ended.returncode
    assert "StoppedError: the keys of the recipients could not be kept: File too large; make room where" in ended.stderr


def test_an_empty_batch() -> None:
    with People() as people:
        assert [] == people.count([])
        assert [] == people.other_rows([])


def test_keys_are_told_apart_exactly() -> None:
    keys = ["a", "A", "a ", "\u00e1", "a\u0301", "", "a\0", "a\0b", "1", "01", "1.0"]
    with People() as people:
        assert [0] * len(keys) == people.count([(key, row) for row, key in enumerate(keys, 1)])


def test_more_keys_than_are_kept_in_memory() -> None:
    keys = [f"person-{number}-of-this-list" if number % 3 else f"+65{number}" for number in range(100_000)]
    with People() as people:
        assert [0] * 100_000 == people.count([(key, row) for row, key in enumerate(keys, 1)])
        assert people._file is not None
        assert [1] * 100_000 == people.count([(key, row) for row, key in enumerate(keys, 100_001)])
        assert [2, 2, 0] == people.count([(keys[0], 200_001), (keys[-1], 200_002), ("new", 200_003)])
        assert [100_001, 1, 1] == people.other_rows([(keys[0], 1), (keys[0], 100_001), (keys[0], 200_001)])
        assert [100_000, None] == people.other_rows([(keys[-1], 200_002), ("new", 200_003)])


@given(st.lists(st.text("ab\0\ud800é", max_size=18) | st.sampled_from(["k" * 16, "k" * 17]), max_size=40))
def test_counts_as_a_dictionary_does(keys: list[str]) -> None:
    seen: dict[str, list[int]] = {}
    expected = []
    for row, key in enumerate(keys, 1):
        expected.append(len(seen.setdefault(key, [])))
        seen[key].append(row)
    with People() as people:
        assert expected == people.count([(key, row) for row, key in enumerate(keys, 1)])
        others = [next((other for other in seen[key] if other != row), None) for row, key in enumerate(keys, 1)]
        assert others == people.other_rows([(key, row) for row, key in enumerate(keys, 1)])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the file is unlinked as soon as it is made")
def test_no_file_of_it_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of real people stay in no folder, also after a kill: the file never has a name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with People() as people:
        people.count([(f"+1202555{row:06d}", row) for row in range(100_000)])

        assert people._file is not None
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
