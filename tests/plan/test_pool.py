"""Other processes that judge and compose: in order, with every end that one of them or the whole plan can come to."""

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from operator import truediv
from pathlib import Path
from typing import cast

import pytest

from runner.audience.row_batch import RowBatch
from runner.base.errors import StoppedError
from runner.plan.pool import AHEAD, RowComposer, composing, processes_wanted
from tests.cli.workplace import MINIMAL, Workplace, people, person
from tests.deadline import DEADLINE_S
from tests.plan.doing import Doing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there plans are made in one process")


def doing(what: Callable[[int], object]) -> RowComposer:
    return cast("RowComposer", Doing(what))


def batches(count: int) -> list[RowBatch]:
    return [RowBatch(first, [(f"cell {first}",)]) for first in range(count)]


@pytest.mark.parametrize("processes", [0, 2])
def test_batches_come_back_in_their_order_with_their_cells(processes: int) -> None:
    with composing(doing(oct), processes) as work:
        for with_texts in (False, True):
            found = [(batch.first, batch.cells, batch.notes) for batch in work(batches(50), with_texts)]
            assert [(first, [(f"cell {first}",)], [oct(first)]) for first in range(50)] == found
    assert [] == multiprocessing.active_children()


def test_only_so_many_batches_are_taken_ahead() -> None:
    taken: list[int] = []

    def taking() -> Iterator[RowBatch]:
        for batch in batches(100):
            taken.append(batch.first)
            yield batch

    with composing(doing(oct), 2) as work:
        next(work(taking(), True))
        assert 2 * AHEAD == len(taken)


def test_an_error_in_another_process_comes_out_here() -> None:
    with pytest.raises(ZeroDivisionError), composing(doing(partial(truediv, 1)), 2) as work:
        list(work(batches(3), True))


def test_a_process_that_dies_stops_the_plan() -> None:
    words = "a planning process was killed, perhaps because memory ran out; run the command again"
    with pytest.raises(StoppedError, match=words), composing(doing(signal.raise_signal), 2) as work:
        list(work([RowBatch(signal.SIGKILL, [("",)])] * 9, True))


def test_a_plan_that_stops_waits_for_nobody() -> None:
    def interrupted() -> Iterator[RowBatch]:
        yield RowBatch(1_000, [("",)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), composing(doing(time.sleep), 2) as work:
        list(work(interrupted(), True))
    assert [] == multiprocessing.active_children()


def test_where_no_process_can_be_started_this_one_does_it() -> None:
    """In a process that may open no more files."""
    script = (
        "import resource\n"
        "from runner.audience.row_batch import RowBatch\n"
        "from runner.plan.pool import composing\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))\n"
        "with composing(lambda batch, with_texts: batch, 2) as work:\n"
        "    print([batch.first for batch in work([RowBatch(1, []), RowBatch(2, [])], True)])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert ("[1, 2]\n", 0) == (ended.stdout, ended.returncode), ended.stderr


def test_one_core_is_used_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert 0 == processes_wanted()


def composers(pid: int) -> list[int]:
    """The children that compose; the resource tracker of multiprocessing is another one."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started_composers(plan: "subprocess.Popen[str]") -> list[int]:
    while len(found := composers(plan.pid)) < processes_wanted():
        assert plan.poll() is None
        time.sleep(0.01)
    return found


@functools.cache
def many_people() -> str:
    """Far more than are planned before the plan is broken off."""
    return people(150_000)


linux_with_cores = pytest.mark.skipif(
    sys.platform != "linux" or processes_wanted() == 0, reason="looks for processes in /proc"
)


@linux_with_cores
@pytest.mark.parametrize(
    ("whom", "number", "words"),
    [
        ("composer", signal.SIGKILL, "a planning process was killed, perhaps because memory ran out"),
        ("plan", signal.SIGINT, "interrupted; run it again to continue"),
        ("plan", signal.SIGTERM, "interrupted; run it again to continue"),
        ("all", signal.SIGINT, "interrupted; run it again to continue"),
    ],
)
def test_a_plan_that_is_broken_off_leaves_nothing(
    tmp_path: Path, whom: str, number: signal.Signals, words: str
) -> None:
    """`all` get what a terminal sends for Ctrl-C."""
    place = Workplace(tmp_path, None)
    place.process = subprocess.Popen
    place.write(many_people())
    with place.started("plan", "hello.yaml") as plan:
        found = started_composers(plan)
        for pid in {"composer": found[:1], "plan": [plan.pid], "all": [*found, plan.pid]}[whom]:
            os.kill(pid, number)
        said = plan.communicate(timeout=DEADLINE_S)[1]
    assert 3 == plan.returncode, said
    assert words in said
    assert "Traceback" not in said
    assert [] == list(tmp_path.glob("reports/*/*/*plan.parquet*"))
    assert not any(map(is_running, found))


@linux_with_cores
def test_none_outlives_a_plan_that_is_killed(tmp_path: Path) -> None:
    place = Workplace(tmp_path, None)
    place.process = subprocess.Popen
    place.write(many_people())
    with place.started("plan", "hello.yaml") as plan:
        found = started_composers(plan)
        plan.kill()
        plan.communicate(timeout=DEADLINE_S)  # standard error ends when the last that has it does
    assert -signal.SIGKILL == plan.returncode
    assert not any(map(is_running, found))


@linux_with_cores
def test_nothing_is_imported_from_where_the_user_stands(tmp_path: Path) -> None:
    place = Workplace(tmp_path, None)
    place.process = subprocess.Popen
    # Few rows and short texts, but a file that is large enough for other processes.
    rows = "".join(person(number, "N" * 999) for number in range(1_100))
    place.write(rows, MINIMAL.replace("{{ name }}", "you"))
    for name in ("runner/__init__.py", "multiprocessing/__init__.py", "socket.py", "signal.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('imported')\n")
    with place.started("plan", "hello.yaml") as plan:
        said = plan.communicate(timeout=DEADLINE_S)[1]
    assert 0 == plan.returncode, said
    assert "imported" not in said
