"""Log exports that go wrong on purpose."""

from pathlib import Path

import aiohttp
import pytest

from tests.sandbox.disturbed import faults_in
from tests.sandbox.talk import Talk, talk


def test_a_message_whose_answer_was_lost_is_in_the_log(tmp_path: Path) -> None:
    async def talking(to: Talk) -> None:
        with pytest.raises(aiohttp.ClientError):
            await to.send("welcome-1")
        assert ["welcome-1"] == [row["clientmessageid"] for row in await to.rows()]

    talk(talking, faults=faults_in(tmp_path, {"fault": "accepted_then_reset", "requests": [1]}))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("export_failed", ["queued", "failed", "failed"]),
        ("export_cancelled", ["queued", "cancelled", "cancelled"]),
        ("export_error", ["queued", "error", "error"]),
        ("export_never_ends", ["queued", "running", "running", "running"]),
    ],
)
def test_an_export_that_comes_to_nothing(fault: str, expected: list[str], tmp_path: Path) -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        job_id = await to.start()
        assert [{"status": status} for status in expected] == [await to.ask(job_id) for _ in expected]
        assert len(await to.rows()) == 1  # the next one goes well
        assert (await to.stats())["faults"] == {fault: 1}

    talk(talking, export_polls=1, faults=faults_in(tmp_path, {"fault": fault, "requests": [1]}))


def test_a_job_that_is_lost(tmp_path: Path) -> None:
    async def talking(to: Talk) -> None:
        job_id = await to.start()
        assert (await to.ask(job_id))["code"] == 4018

    talk(talking, faults=faults_in(tmp_path, {"fault": "export_job_lost", "requests": [1]}))


@pytest.mark.parametrize(("parameters", "status"), [({}, 410), ({"status": 404}, 404)])
def test_a_link_that_has_expired(parameters: dict[str, object], status: int, tmp_path: Path) -> None:
    async def talking(to: Talk) -> None:
        await to.send("welcome-1")
        [link] = await to.links()
        async with to.client.get(link) as response:
            assert (status, 1300) == (response.status, (await response.json())["code"])

    talk(talking, faults=faults_in(tmp_path, {"fault": "export_link_expired", "requests": [1], **parameters}))


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    async def talking(to: Talk) -> None:
        for number in range(4):
            await to.send(f"welcome-{number}")
        whole, cut = await to.links()
        assert len(await to.download(whole)) == 2
        async with to.client.get(cut) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
            assert response.content_length is not None
            assert response.content.total_bytes == response.content_length // 2

    talk(talking, export_rows=2, faults=faults_in(tmp_path, {"fault": "export_cut_off", "requests": [1]}))
