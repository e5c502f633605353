"""Keys, and the rows that have them."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.key_index import _BITS, _LEAVES, KeyIndex


def added(index: KeyIndex, keys: Iterable[str], first: int = 1) -> list[int]:
    return [index.add(key, row) for row, key in enumerate(keys, first)]


def test_counts_and_remembers_two_rows_of_each() -> None:
    index = KeyIndex()
    assert [0, 0, 1, 2, 1, 0] == added(index, "abaabc")
    assert [3, 5, 1, 1, 2, None] == [index.other_row(key, row) for row, key in enumerate("abaabc", 1)]
    assert [1, 2, 6, None] == [index.first_row(key) for key in "abcd"]
    assert index.other_row("d", 7) is None


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on a file's size stands for a full disk")
def test_no_room_for_more_is_no_bug() -> None:
    """In a process of its own, because the limit holds for all of it."""
    script = (
        "import resource, signal\n"
        "from runner.audience.key_index import KeyIndex\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))\n"
        "index = KeyIndex()\n"
        "for number in range(100_000):\n"
        "    index.add(f'key-{number}', number)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert 1 == ended.returncode
    assert "BlockedError: can't write a temporary file: File too large; free space in" in ended.stderr


def test_keys_are_told_apart_exactly() -> None:
    keys = ["a", "A", "a ", "\u00e1", "a\u0301", "", "a\0", "a\0b", "1", "01", "1.0"]
    assert [0] * len(keys) == added(KeyIndex(), keys)


def test_spellings_are_told_apart_and_counted() -> None:
    index = KeyIndex(str.casefold)
    assert [0, 0, 1, 0, 0, 0, 1] == added(index, ["a", "A", "a", "b", "á", "Á", "A"])
    assert (2, [(2, 1), (6, 5)]) == (index.respelled, index.respelled_rows)
    assert [1, 2, 4, None] == [index.first_row(key) for key in ("a", "A", "b", "B")]
    assert [1, 2, 4, 4, None] == [index.similar_row(key) for key in ("a", "A", "b", "B", "c")]
    assert [3, 7] == [index.other_row("a", 1), index.other_row("A", 2)]


def test_keys_whose_digests_begin_alike_are_told_apart() -> None:
    """What memory holds of two digests agrees, so only their records in the file tell the keys apart."""
    met: dict[int, str] = {}
    pairs: list[tuple[str, str]] = []
    for key in map(str, range(200_000)):
        which, bits = _BITS.unpack_from(blake2b(key.encode(), digest_size=16).digest())
        if other := met.setdefault(which % _LEAVES << 16 | bits, key):
            pairs += [(other, key)] if other != key else []
    assert len(pairs) > 5
    for first, second in pairs:
        index = KeyIndex()
        assert [0, 0, 1, 1] == added(index, (first, second, first, second))
        assert [1, 2] == [index.first_row(first), index.first_row(second)]


def test_more_keys_than_are_kept_in_memory() -> None:
    keys = [f"person-{number}-of-this-list" if number % 3 else f"+65{number}" for number in range(40_000)]
    index = KeyIndex()
    assert [0] * 40_000 == added(index, keys)
    assert index._records.name is not None
    assert [1] * 40_000 == added(index, keys, 40_001)
    assert [2, 2, 0] == added(index, (keys[0], keys[-1], "new"), 80_001)
    assert [40_001, 1, 1] == [index.other_row(keys[0], row) for row in (1, 40_001, 80_001)]
    assert [40_000, None] == [index.other_row(keys[-1], 80_002), index.other_row("new", 80_003)]
    assert list(range(1, 40_001)) == [index.first_row(key) for key in keys]
    assert index.first_row("nobody") is None


@given(st.lists(st.text("ab\0\ud800é", max_size=18) | st.sampled_from(["k" * 16, "k" * 17]), max_size=40))
def test_counts_as_a_dictionary_does(keys: list[str]) -> None:
    seen: dict[str, list[int]] = {}
    expected = []
    for row, key in enumerate(keys, 1):
        expected.append(len(seen.setdefault(key, [])))
        seen[key].append(row)
    index = KeyIndex()
    assert expected == added(index, keys)
    others = [next((other for other in seen[key] if other != row), None) for row, key in enumerate(keys, 1)]
    assert others == [index.other_row(key, row) for row, key in enumerate(keys, 1)]
    assert [seen[key][0] for key in keys] == [index.first_row(key) for key in keys]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the file is unlinked as soon as it is made")
def test_no_file_of_it_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of real people stay in no folder, also after a kill: the file never has a name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    index = KeyIndex()
    added(index, (f"+1202555{row:06d}" for row in range(100_000)))

    assert index._records.name is not None
    assert [] == list(tmp_path.iterdir())
    assert [1, 1] == added(index, ("+1202555000007", "+1202555019999"))
