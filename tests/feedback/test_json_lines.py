"""JSON lines of a file that grows."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import InputError, StoppedError
from runner.feedback.json_lines import LONGEST_LINE, Line, json_lines
from tests.deadline import DEADLINE_S


class Reader:
    """Reads a file in the background; `read` waits until so many lines have come."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._changed = asyncio.Event()

    async def follow(self, path: Path) -> None:
        async with aclosing(json_lines(path)) as batches:
            async for some in batches:
                self.lines += some
                self._changed.set()

    async def read(self, count: int) -> list[Line]:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.lines) < count:
                await self._changed.wait()
                self._changed.clear()
        return self.lines


def following(path: Path, play: Callable[[Reader], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        reader = Reader()
        task = asyncio.ensure_future(reader.follow(path))
        try:
            await play(reader)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def add(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def replace(path: Path, content: bytes) -> None:
    """As a log is rotated: at no moment it is half of the new one."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    path.rename(path.with_suffix(".1"))
    new.rename(path)


def cut_off(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_lines_come_as_they_are_written_and_half_a_line_waits(path: Path) -> None:
    async def play(reader: Reader) -> None:
        assert [(1, {"n": 1})] == await reader.read(1)
        add(path, b'{"n": 2}\n{"n"')
        assert (2, {"n": 2}) == (await reader.read(2))[-1]
        add(path, b": 3}\n")
        assert [1, 2, 3] == [number for number, _ in await reader.read(3)]
        assert {"n": 3} == reader.lines[-1][1]

    path.write_bytes(b'{"n": 1}\n')
    following(path, play)


def test_a_replaced_file_is_read_to_its_end_and_then_the_new_one_from_its_beginning(path: Path) -> None:
    async def play(reader: Reader) -> None:
        await reader.read(1)
        # Both in one moment, as between two looks: the line behind the last look must not be lost.
        add(path, b'{"n": 2}\n{"n": 3}')
        replace(path, b'{"n": 4}\n')
        assert [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 3}), (1, {"n": 4})] == await reader.read(4)

    path.write_bytes(b'{"n": 1}\n')
    following(path, play)


def test_a_file_that_was_cut_off_is_read_from_its_beginning(path: Path) -> None:
    async def play(reader: Reader) -> None:
        await reader.read(2)
        cut_off(path, b'{"n": 3}\n')
        assert (1, {"n": 3}) == (await reader.read(3))[-1]

    path.write_bytes(b'{"n": 1}\n{"n": 2}\n')
    following(path, play)


def test_a_file_that_is_gone_for_a_while_comes_back(path: Path) -> None:
    async def play(reader: Reader) -> None:
        await reader.read(1)
        aside = path.with_suffix(".1")
        os.rename(path, aside)  # noqa: PTH104 (in an event loop)
        add(aside, b'{"n": 2}\n')
        assert (2, {"n": 2}) == (await reader.read(2))[-1]
        os.rename(aside, path)  # noqa: PTH104
        add(path, b'{"n": 3}\n')
        assert (3, {"n": 3}) == (await reader.read(3))[-1]

    path.write_bytes(b'{"n": 1}\n')
    following(path, play)


def test_what_is_no_object_is_told_by_its_number(path: Path) -> None:
    content = (
        b'\xef\xbb\xbf{"n": 1}\r\n\n[1]\nnonsense\n"\xff"\n' + b'{"n": "' + b"x" * 9 * LONGEST_LINE + b'"}\n{"n": 2}\n'
    )

    async def play(reader: Reader) -> None:
        found = await reader.read(6)
        assert [1, 3, 4, 5, 6, 7] == [number for number, _ in found]
        assert [1, 3 * [None]] == [found[0][1] and found[0][1]["n"], [value for _, value in found[1:4]]]
        assert {"n": 2} == found[5][1]

    path.write_bytes(content)
    following(path, play)


def test_a_line_without_an_end_takes_no_memory(path: Path) -> None:
    async def play(reader: Reader) -> None:
        await reader.read(1)
        for _ in range(20):
            add(path, b"x" * 1_000_000)
        add(path, b'\n{"n": 2}\n')
        assert [(2, None), (3, {"n": 2})] == (await reader.read(3))[1:]

    path.write_bytes(b'{"n": 1}\n')
    following(path, play)


def test_a_missing_file_is_an_error(path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        json_lines(path)
    with pytest.raises(InputError, match="is not a file"):
        json_lines(path.parent)


def test_a_file_that_becomes_a_folder_stops_it(path: Path) -> None:
    async def main() -> None:
        async with aclosing(json_lines(path)) as batches:
            await anext(batches)
            make_folder(path)
            with pytest.raises(StoppedError, match="could not be read"):
                await asyncio.wait_for(anext(batches), DEADLINE_S)

    path.write_bytes(b"{}\n")
    asyncio.run(main())


def test_standard_input_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = os.pipe()

    async def main() -> list[Line]:
        return [line async for some in json_lines(None) for line in some]

    with os.fdopen(here, "rb") as standard_input, os.fdopen(there, "wb") as writer:
        monkeypatch.setattr("sys.stdin", standard_input)
        writer.write(b'{"n": 1}\n' * 3000 + b'{"n": 2}')
        writer.close()
        found = asyncio.run(main())
    assert list(range(1, 3002)) == [number for number, _ in found]
    assert {"n": 2} == found[-1][1]


def test_a_standard_input_that_is_closed_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        json_lines(None)
