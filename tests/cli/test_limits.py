"""Limits of the process, such as `ulimit -n 16`: words, before anything leaves."""

import errno
import resource
from pathlib import Path

import pytest

from runner.cli.limits import limit_met
from tests.cli.workplace import Workplace


@pytest.mark.parametrize(
    ("which", "value", "words"),
    [
        (
            resource.RLIMIT_NOFILE,
            16,
            "error: a run needs at least 64 open files, and this shell or service",
        ),
        (resource.RLIMIT_AS, 800_000_000, "error: a run needs at least 2 GB of memory, and this shell or service"),
    ],
)
def test_a_run_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int, value: int, words: str
) -> None:
    of_process = resource.getrlimit
    monkeypatch.setattr("resource.getrlimit", lambda asked: (value, value) if asked == which else of_process(asked))
    place = Workplace(tmp_path, None)
    done = place("run", "hello.yaml", "--yes", "--sandbox")
    assert (5, True) == (done.exit_code, done.stderr.startswith(words)), done.stderr
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError("Too many open files (os error 24): plan.parquet"), "ulimit -n"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "ulimit -v"),
        (MemoryError(), "ulimit -v"),
        (RuntimeError("can't start new thread"), "ulimit -v"),
        (ImportError("x.so: failed to map segment from shared object"), "ulimit -v"),
        (ValueError("a bug"), None),
    ],
)
def test_what_met_a_limit(error: Exception, words: str | None) -> None:
    found = limit_met(error)
    assert words in found if words and found else found is None
