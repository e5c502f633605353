"""Group commits: what goes into a group, who is told what, and that nothing that was queued is left out."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from runner.base.errors import LedgerError
from runner.ledger.group_commit import GroupCommit
from tests.deadline import DEADLINE_S


class Log:
    """Stands for the database: the groups as they were committed. While `gate` is closed, a commit doesn't end."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.failures: list[tuple[list[str], str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()

    def commit(self, group: Sequence[str]) -> Sequence[str]:
        self.began.set()
        assert self.gate.wait(DEADLINE_S)
        if "full" in group:
            raise LedgerError("disk is full")
        if "bug" in group:
            raise ZeroDivisionError
        self.groups.append(list(group))
        return [item.upper() for item in group]

    def failed(self, group: Sequence[str], error: Exception) -> LedgerError:
        self.failures.append((list(group), type(error).__name__))
        return LedgerError(f"not written: {type(error).__name__}")


async def submitted(commits: GroupCommit[str, str], *items: str) -> list[str]:
    """Submit items at once; the result of each, or its error in words."""
    async with asyncio.timeout(DEADLINE_S):
        found = await asyncio.gather(*map(commits.submit, items), return_exceptions=True)
    return [str(each) for each in found]


async def begun_with(commits: GroupCommit[str, str], *items: str) -> list[str]:
    """Submit items before the thread is there, so that they all wait for its first group; then as `submitted`."""
    waiting = asyncio.create_task(submitted(commits, *items))
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(items) == commits.waiting
    async with commits:
        return await waiting


async def until_it_waits(commits: GroupCommit[str, str], log: Log) -> None:
    """Until the thread has seen what is queued, and waits for more; or until it commits."""
    async with asyncio.timeout(DEADLINE_S):
        while not log.began.is_set():
            with commits._condition:
                if commits._condition._waiters:  # type: ignore[attr-defined]
                    return
            await asyncio.sleep(0)


def test_what_comes_during_a_commit_is_the_next_group() -> None:
    log = Log()

    async def scenario() -> None:
        async with GroupCommit(log.commit, log.failed, name="test") as commits:
            log.gate.clear()
            first = asyncio.create_task(commits.submit("a"))
            await asyncio.to_thread(log.began.wait, DEADLINE_S)
            others = asyncio.create_task(submitted(commits, "b", "c", "d"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert (3, []) == (commits.waiting, log.groups)
            log.gate.set()
            assert "A" == await first
            assert ["B", "C", "D"] == await others

    asyncio.run(scenario())
    assert [["a"], ["b", "c", "d"]] == log.groups


def test_a_group_is_no_larger_than_it_may_be() -> None:
    log = Log()

    async def scenario() -> None:
        commits = GroupCommit(log.commit, log.failed, name="test", most=2)
        assert ["A", "B", "C", "D", "E"] == await begun_with(commits, *"abcde")

    asyncio.run(scenario())
    assert [["a", "b"], ["c", "d"], ["e"]] == log.groups


def test_what_nobody_waits_for_goes_with_what_somebody_does() -> None:
    log = Log()

    async def scenario() -> None:
        async with GroupCommit(log.commit, log.failed, name="test", linger_s=DEADLINE_S) as commits:
            commits.put("a")
            await until_it_waits(commits, log)
            commits.put("b")
            assert ["C"] == await submitted(commits, "c")

    asyncio.run(scenario())
    assert [["a", "b", "c"]] == log.groups


def test_it_is_written_alone_when_nobody_comes() -> None:
    log = Log()

    async def scenario() -> None:
        async with GroupCommit(log.commit, log.failed, name="test", linger_s=0.001) as commits:
            commits.put("a")
            assert await asyncio.to_thread(log.began.wait, DEADLINE_S)

    asyncio.run(scenario())
    assert [["a"]] == log.groups


def test_leaving_writes_all_that_waits() -> None:
    log = Log()

    async def scenario() -> list[str]:
        async with GroupCommit(log.commit, log.failed, name="test", most=1, linger_s=DEADLINE_S) as commits:
            taking = [asyncio.create_task(commits.submit(item)) for item in "ab"]
            await asyncio.sleep(0)
            commits.put("c")
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*taking)

    assert ["A", "B"] == asyncio.run(scenario())
    assert [["a"], ["b"], ["c"]] == log.groups


def test_a_caller_who_leaves_takes_nothing_away() -> None:
    log = Log()

    async def scenario() -> None:
        async with GroupCommit(log.commit, log.failed, name="test") as commits:
            taking = asyncio.create_task(commits.submit("a"))
            await asyncio.sleep(0)
            taking.cancel()
            await asyncio.wait([taking])
            assert ["B"] == await submitted(commits, "b")

    asyncio.run(scenario())
    assert ["a", "b"] == [item for group in log.groups for item in group]


@pytest.mark.parametrize("isolates", [False, True])
def test_a_ledger_that_fails_fails_the_whole_group_and_the_thread_goes_on(*, isolates: bool) -> None:
    log = Log()

    async def scenario() -> None:
        commits = GroupCommit(log.commit, log.failed, name="test", most=2, isolates=isolates)
        expected = ["not written: LedgerError"] * 2 + ["B"]
        assert expected == await begun_with(commits, "a", "full", "b")

    asyncio.run(scenario())
    assert ([(["a", "full"], "LedgerError")], [["b"]]) == (log.failures, log.groups)


@pytest.mark.parametrize(
    ("isolates", "items", "results", "groups"),
    [
        pytest.param(False, ["a", "bug", "b"], ["not written: ZeroDivisionError"] * 3, [], id="a group"),
        pytest.param(
            True, ["a", "bug", "b"], ["A", "not written: ZeroDivisionError", "B"], [["a"], ["b"]], id="one of three"
        ),
        pytest.param(True, ["bug", "a"], ["not written: ZeroDivisionError", "A"], [["a"]], id="one of two"),
        pytest.param(True, ["bug"], ["not written: ZeroDivisionError"], [], id="one alone"),
    ],
)
def test_a_bug_fails_the_group_or_its_item_alone(
    items: list[str], results: list[str], groups: list[list[str]], *, isolates: bool
) -> None:
    log = Log()

    async def scenario() -> None:
        commits = GroupCommit(log.commit, log.failed, name="test", isolates=isolates)
        assert results == await begun_with(commits, *items)

    asyncio.run(scenario())
    assert groups == log.groups


def test_it_is_told_when_nothing_comes() -> None:
    log, idle = Log(), threading.Event()

    async def scenario() -> None:
        async with GroupCommit(log.commit, log.failed, name="test", on_idle=idle.set, idle_s=0.001) as commits:
            assert await asyncio.to_thread(idle.wait, DEADLINE_S)
            assert ["A"] == await submitted(commits, "a")

    asyncio.run(scenario())
    assert [["a"]] == log.groups
