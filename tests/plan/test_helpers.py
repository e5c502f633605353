"""Processes that take a part of the work: in order, with every end that one of them or the whole plan can come to."""

import operator
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.errors import StoppedError
from runner.plan.helpers import AHEAD, Helpers, helpers_wanted
from tests.cli.workplace import Workplace, people

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there plans are made in one process")


def test_answers_come_in_the_order_of_the_jobs() -> None:
    with Helpers(2) as helpers:
        helpers.begin(len)
        jobs = [(number, "x" * number) for number in range(100)]
        assert [(number, number) for number in range(100)] == list(helpers.answers(jobs))
        assert [("again", 3)] == list(helpers.answers([("again", [1, 2, 3])]))


def test_jobs_and_answers_larger_than_a_socket_holds() -> None:
    with Helpers(2) as helpers:
        helpers.begin(operator.itemgetter(slice(None)))
        large = "é\ud800" * 1_000_000
        assert [large] * 9 == [answer for _, answer in helpers.answers([(None, large)] * 9)]


def test_only_so_many_jobs_are_taken_ahead() -> None:
    taken: list[int] = []

    def jobs() -> Iterator[tuple[int, str]]:
        for number in range(100):
            taken.append(number)
            yield number, "x"

    with Helpers(2) as helpers:
        helpers.begin(len)
        answers = helpers.answers(jobs())
        next(answers)
        assert 2 * AHEAD == len(taken)


def test_an_error_in_a_helper_is_a_bug_with_its_traceback() -> None:
    with Helpers(1) as helpers:
        helpers.begin(int)
        with pytest.raises(RuntimeError, match=r"(?s)helps with the plan:.*ValueError: invalid literal.*'x'"):
            list(helpers.answers([(1, "1"), (2, "x")]))


@pytest.mark.parametrize(
    ("function", "job", "words"),
    [(signal.raise_signal, 9, "ended by SIGKILL"), (sys.exit, 5, "ended with exit code 5")],
)
def test_a_helper_that_dies_stops_the_plan(function: Callable[[int], object], job: int, words: str) -> None:
    with Helpers(2) as helpers:
        helpers.begin(function)
        with pytest.raises(StoppedError, match=f"a process that helps with the plan {words}.*run it again"):
            list(helpers.answers([(None, job)] * 9))


def test_none_outlives_the_process_that_started_it() -> None:
    """Killed while they work. They hold its standard error, which ends when the last of them has."""
    script = (
        "import os, signal, time\n"
        "from runner.plan.helpers import Helpers\n"
        "helpers = Helpers(2)\n"
        "helpers.begin(time.sleep)\n"
        "for _ in helpers.answers([(None, 0)] + [(None, 1_000)] * 3):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60)
    assert (-signal.SIGKILL, b"") == (ended.returncode, ended.stderr)


def test_one_core_is_used_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert 0 == helpers_wanted()


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@pytest.mark.skipif(sys.platform != "linux" or helpers_wanted() == 0, reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("whom", "number", "words"),
    [
        ("helper", signal.SIGKILL, "a process that helps with the plan ended by SIGKILL, perhaps for want of memory"),
        ("plan", signal.SIGINT, "interrupted; run it again to continue"),
        ("plan", signal.SIGTERM, "interrupted; run it again to continue"),
    ],
)
def test_a_plan_that_is_broken_off_leaves_nothing(
    tmp_path: Path, whom: str, number: signal.Signals, words: str
) -> None:
    place = Workplace(tmp_path, None)
    place.write(people(60_000))
    with place.started("plan", "hello.yaml") as plan:
        while not (found := children(plan.pid)):
            assert plan.poll() is None
        os.kill(found[0] if whom == "helper" else plan.pid, number)
        said = plan.communicate(timeout=60)[1]
    assert 3 == plan.returncode, said
    assert words in said
    assert [] == list(tmp_path.glob("reports/*/*/*plan.parquet*"))
