"""The table that `make bench` prints, and a description of the machine."""

import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `met` is None if there is no target, or if it could not be measured."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {None: "", True: "met", False: "NOT MET"}[self.met]
        return f"{self.what:<58}  {self.figure:<44}  {self.target:<28}  {verdict}".rstrip()


def print_rows(rows: Iterable[Row]) -> None:
    """Print each row as soon as it is measured, because a benchmark takes minutes."""
    print(Row("what", "figure", "target", None), flush=True)
    for row in rows:
        print(row, flush=True)


def place() -> str:
    """The machine, and its load before the benchmarks start."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return (
        f"{_processor()}, {cores} cores, load {load:.1f} before; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}; commit {commit.stdout.strip() or 'unknown'}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()
