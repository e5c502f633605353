"""The file with what could not be fed back."""

import stat
from pathlib import Path

import pytest

from runner.base.errors import StoppedError
from runner.feedback.conversion_log import AddUnmatched, unmatched_file, unmatched_log
from runner.feedback.conversion_rows import Unmatched

ROWS = [Unmatched(3, "=cmd|x", "no, never"), Unmatched(7, "+6581230001", "it isn't here")]
CONTENT = "row,message,why\n3,'=cmd|x,\"no, never\"\n7,+6581230001,it isn't here\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "feedback-unmatched.csv"


def test_the_file_is_whole_or_not_there(path: Path, tmp_path: Path) -> None:
    with unmatched_file(path, source=tmp_path / "x") as add:
        add(ROWS[:1])
        add([])
        assert not path.exists()
        add(ROWS[1:])
    assert CONTENT == path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_without_unmatched_rows_the_earlier_file_goes(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_text("of yesterday")
    with unmatched_file(path, source=tmp_path / "x") as add:
        add([])
    assert not path.exists()
    with unmatched_file(path, source=tmp_path / "x"):
        pass


def test_a_file_that_is_fed_back_itself_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("key,outcome\n")
    with unmatched_file(path, source=path):
        assert path.exists()
    assert path.exists()


def test_a_failure_leaves_the_earlier_file(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_text("of yesterday")
    with pytest.raises(ZeroDivisionError), unmatched_file(path, source=tmp_path / "x") as add:
        add(_broken(add))
    assert [path] == list(path.parent.iterdir())
    assert "of yesterday" == path.read_text()


def _broken(add: AddUnmatched) -> list[Unmatched]:
    add(ROWS)
    raise ZeroDivisionError


def test_the_log_has_each_row_at_once(path: Path) -> None:
    with unmatched_log(path, replace=False) as add:
        add([])
        assert not path.exists()
        add(ROWS[:1])
        assert CONTENT.splitlines()[:2] == path.read_text().splitlines()
    with unmatched_log(path, replace=False) as add:
        add(ROWS[1:])
    assert CONTENT == path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    with unmatched_log(path, replace=True):
        assert not path.exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    path = tmp_path / "run" / "feedback-unmatched.csv"
    with pytest.raises(StoppedError, match="feedback-unmatched"), unmatched_log(path, replace=False) as add:
        add(ROWS)
    with pytest.raises(StoppedError, match="feedback-unmatched"), unmatched_file(path, source=tmp_path) as add:
        add(ROWS)
