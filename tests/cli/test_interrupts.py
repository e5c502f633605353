"""A signal at any moment outside of sending: exit code 3, one line, no process left."""

import itertools
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.cli.provider import Provider
from tests.cli.workplace import MINIMAL, Done, Workplace, ended, people
from tests.deadline import DEADLINE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

WORDS = "interrupted; run it again to continue\n"
MANY = 60_000  # enough for other processes to work on it

Trigger = Callable[[int, Path], bool]


def is_handled(pid: int, _: Path) -> bool:
    """The command handles SIGTERM. Before that, Python starts, and reacts in its own way."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def loads(library: str) -> Trigger:
    """A library is being imported, and may be about to install a handler of its own."""
    return lambda pid, _: library in Path(f"/proc/{pid}/maps").read_text()


def composes(pid: int, _: Path) -> bool:
    """The other processes are being started."""
    return any((task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir())


def has(pattern: str) -> Trigger:
    """A file is there."""
    return lambda _, folder: any(folder.glob(f"reports/hello/main/{pattern}"))


def interrupted(
    place: Workplace, arguments: list[str], when: Trigger, after_s: float, number: signal.Signals
) -> Done | None:
    """Send a signal `after_s` seconds after `when` is true. None if the command had ended by then."""
    mark = uuid.uuid4().hex
    place.process = subprocess.Popen
    with place.started(*arguments, MARK=mark) as process:
        if not came_true(process, when, place.folder):
            return None
        time.sleep(after_s)  # any moment will do
        is_late = process.poll() is not None
        process.send_signal(number)
        done = ended(process)
    end = time.monotonic() + DEADLINE_S
    while left := [pid for pid in processes() if mark in environment(pid)]:
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.01)
    return None if is_late or done.exit_code == 0 else done


def came_true(process: "subprocess.Popen[str]", when: Trigger, folder: Path) -> bool:
    while process.poll() is None:
        try:
            if when(process.pid, folder):
                return True
        except OSError:  # it is just ending
            continue
        time.sleep(0.005)
    return False


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def environment(pid: int) -> str:
    """Empty for a zombie."""
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


MOMENTS: dict[str, tuple[Trigger, float]] = {
    "at once": (is_handled, 0.0),
    "while polars is loaded": (loads("polars"), 0.0),
    "just after polars is loaded": (loads("polars"), 0.1),
    "as other processes start": (composes, 0.0),
    "while they work": (composes, 0.5),
    "as the plan is written": (has(".plan.parquet.part"), 0.0),
    "in the middle of the plan": (has(".plan.parquet.part"), 0.2),
    "once the plan is there": (has("plan.parquet"), 0.0),
}
SIGNALS = itertools.cycle([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
CASES = [pytest.param(*moment, next(SIGNALS), id=name) for name, moment in MOMENTS.items()]


@pytest.mark.parametrize(("when", "after_s", "number"), CASES)
def test_a_plan(tmp_path: Path, when: Trigger, after_s: float, number: signal.Signals) -> None:
    place = Workplace(tmp_path, None)
    place.write(people(MANY))
    done = interrupted(place, ["plan", "hello.yaml"], when, after_s, number)
    assert done is None or (3, WORDS) == (done.exit_code, done.stderr)


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
@pytest.mark.parametrize("after_s", [0.0, 0.1])
def test_other_files(tmp_path: Path, kind: str, after_s: float) -> None:
    place = Workplace(tmp_path, None)
    place.write(people(MANY // 10), MINIMAL.replace("people.csv", f"people.{kind}"))
    frame = pl.read_csv(tmp_path / "people.csv", infer_schema=False)
    if kind == "parquet":
        frame.write_parquet(tmp_path / "people.parquet")
    else:
        frame.write_excel(tmp_path / "people.xlsx")
    done = interrupted(place, ["plan", "hello.yaml"], loads("calamine" if kind == "xlsx" else "polars"), after_s,
                       signal.SIGINT)  # fmt: skip
    assert done is None or (3, WORDS) == (done.exit_code, done.stderr)


@pytest.mark.parametrize("command", ["check", "preview"])
@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5])
def test_commands_that_read_the_file(tmp_path: Path, command: str, after_s: float) -> None:
    place = Workplace(tmp_path, None)
    place.write(people(MANY))
    done = interrupted(place, [command, "hello.yaml"], is_handled, after_s, signal.SIGINT)
    assert done is None or (3, WORDS) == (done.exit_code, done.stderr)


@pytest.mark.parametrize(("name", "after_s"), [(".results.csv.part", 0.0), ("results.csv", 0.0), ("results.csv", 0.3)])
def test_a_report_that_is_being_written(campaign: Workplace, provider: Provider, name: str, after_s: float) -> None:
    done = interrupted(campaign, ["run", "hello.yaml", "--yes"], has(name), after_s, signal.SIGINT)
    assert done is None or (3, WORDS) == (done.exit_code, done.stderr)
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    assert {1} == set(provider.message_ids.values())


def test_json_is_one_document(tmp_path: Path) -> None:
    place = Workplace(tmp_path, None)
    place.write(people(MANY))
    done = interrupted(place, ["plan", "hello.yaml", "--json"], loads("polars"), 0.1, signal.SIGTERM)
    assert done is not None
    assert 3 == done.exit_code
    assert {"exit_code": 3, "errors": [WORDS.strip()]} == done.document
