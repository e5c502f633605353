"""JSON lines as they come: half lines, files that are cut off or replaced, and an end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import InputError
from runner.run.follow import Lines

DEADLINE_S = 20.0


def followed(path: Path, *steps: Callable[[], object]) -> list[tuple[int, dict[str, Any] | None]]:
    """The lines of a file to which each step is done when a line has come since the step before."""
    found: list[tuple[int, dict[str, Any] | None]] = []

    async def main() -> None:
        left = list(steps)
        async with asyncio.timeout(DEADLINE_S):
            async for lines in Lines(path).batches():
                found.extend(lines)
                if not left:
                    return
                left.pop(0)()

    asyncio.run(main())
    return found


def added(path: Path, text: str) -> Callable[[], object]:
    def add() -> None:
        with path.open("a") as file:
            file.write(text)

    return add


def test_lines_count_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"n": 1}\n\n{"n"')

    assert [(1, {"n": 1}), (3, {"n": 2}), (4, None), (5, None)] == followed(path, added(path, ": 2}\nno json\n[1]\n"))


def test_a_file_that_begins_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"n": 1, "long": "................"}\n{"half')

    found = followed(path, lambda: path.write_text('{"n": 2}\n'))

    assert [1, 2] == [line["n"] for _, line in found if line]


def test_a_file_that_is_replaced_is_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "c.jsonl", tmp_path / "new"
    path.write_text('{"n": 1}\n')
    other.write_text('{"n": 2}\n')

    assert [1, 2] == [line["n"] for _, line in followed(path, lambda: other.replace(path)) if line]


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"n": 1}\n')

    assert [(1, {"n": 1}), (2, None)] == followed(path, added(path, "x" * 5_000_000 + "\n"))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Lines(tmp_path / "nothing")
