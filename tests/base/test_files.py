"""Files that are whole or not there."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.errors import BlockedError, StoppedError
from runner.base.files import part_of, remove, replacing, write_atomically


def test_the_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert b"new" == path.read_bytes()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    write_atomically(path, b"newer")
    assert b"newer" == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def half() -> Iterator[bytes]:
    yield b"new"
    raise ZeroDivisionError


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.writelines(half())
    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_killed_process_leaves_the_old_file_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = f"""
import os, signal
from pathlib import Path
from runner.base.files import replacing
with replacing(Path({str(path)!r})) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert -signal.SIGKILL == subprocess.run([sys.executable, "-c", script], check=False).returncode
    assert (b"old", b"half") == (path.read_bytes(), part_of(path).read_bytes())
    write_atomically(path, b"new")
    assert b"new" == path.read_bytes()
    assert not part_of(path).exists()


def test_only_files_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    for path in (Path(), Path("/"), Path("pipe"), Path("link")):
        with pytest.raises(BlockedError, match="could not be written: it is not a file"):
            write_atomically(path, b"")
    assert {"pipe", "link"} == {path.name for path in tmp_path.iterdir()}
    assert stat.S_ISFIFO(Path("link").stat().st_mode)


def test_what_cannot_be_written_or_removed_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    with pytest.raises(StoppedError, match="folder could not be written"):
        write_atomically(tmp_path / "folder", b"")
    with pytest.raises(StoppedError, match="folder could not be deleted"):
        remove(tmp_path / "folder")
    remove(tmp_path / "nothing")
