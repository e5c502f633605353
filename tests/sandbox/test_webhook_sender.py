"""Receipts and replies as a receiver on this computer gets them."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.sandbox import webhooks
from runner.sandbox.options import SandboxOptions
from runner.sandbox.webhooks import Post, PostPlan
from tests.sandbox.client import MESSAGES, Talk, faults_in, serving, talk
from tests.sandbox.receiver import DEADLINE_S, Receiver, receiving

WAY = ["queued", "sent", "delivered_to_operator", "delivered_to_recipient"]
Telling = Callable[[Talk, Receiver], Awaitable[None]]


def listen(telling: Telling, statuses: Iterable[int] = (), *, hangs: bool = False, **options: Any) -> Receiver:  # noqa: ANN401
    """Talk to a sandbox beside a receiver; returns that, once the sandbox has ended."""

    async def session() -> Receiver:
        async with receiving(statuses, hangs=hangs) as receiver:
            async with serving(SandboxOptions(**{"receipt_delay_s": 0, **options})) as talking:
                await telling(talking, receiver)
            return receiver

    return asyncio.run(asyncio.wait_for(session(), 2 * DEADLINE_S))


async def settled(talking: Talk) -> dict[str, Any]:
    """The counts, once nothing is left to tell."""
    async with asyncio.timeout(DEADLINE_S):
        while (stats := await talking.stats())["receipts_waiting"]:
            pass
    return stats


def test_a_message_and_its_receipts() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        umid = await talking.send("welcome.main.k1", dlrCallbackUrl=f"{receiver.url}?of=welcome")
        await receiver.count(4)
        stats = await settled(talking)
        assert dict.fromkeys(WAY, 1) == stats["receipts"]
        assert {umid} == {post.payload["umid"] for post in receiver.posts}

    receiver = listen(telling)
    assert WAY == receiver.said
    assert {("/receipts", None)} == {(post.path, post.authorization) for post in receiver.posts}
    times = [datetime.fromisoformat(post.payload["status"]["timestamp"]) for post in receiver.posts]
    assert sorted(times) == times


def test_every_message_of_many_gets_its_receipts_in_their_order() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        await asyncio.gather(*(talking.send(f"k{n}", dlrCallbackUrl=receiver.url) for n in range(50)))
        await receiver.count(200)

    receiver = listen(telling, receipt_delay_s=0.01)
    assert {f"k{n}": WAY for n in range(50)} == receiver.by_message


def test_disorder_and_duplicates() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        for n in range(5):
            await talking.send(f"k{n}", dlrCallbackUrl=receiver.url)
        await receiver.count(40)
        assert (await settled(talking))["receipt_duplicates"] == 20

    receiver = listen(telling, receipt_disorder=1, receipt_duplicates=1)
    for told in receiver.by_message.values():
        assert told[::2] == told[1::2]
        assert WAY != told[::2]
        assert set(WAY) == set(told)


def test_what_does_not_arrive_agrees_with_the_details_and_the_log() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        ids = [f"k{n}" for n in range(40)]
        for message_id in ids:
            await talking.send(message_id, dlrCallbackUrl=receiver.url, text="x" * 200)
        await receiver.until(lambda posts: sum("price" in post.payload for post in posts) == len(ids))
        rows = {row["clientmessageid"]: row for row in await talking.rows()}
        last = {post.payload["clientMessageId"]: post.payload for post in receiver.posts if "price" in post.payload}
        assert {"delivered", "undelivered"} == {row["status_value"] for row in rows.values()}
        for message_id, payload in last.items():
            row, status = rows[message_id], payload["status"]
            assert (row["status_value"], row["status_details"]) == (status["state"], status["detail"])
            assert row["status_errorcode"] == str(status.get("errorCode", ""))
            assert row["status_errormessage"] == status.get("errorMessage", "")
            assert (row["price_total"], row["smscount"]) == (str(payload["price"]["total"]), "2")
        umid = next(payload["umid"] for payload in last.values() if payload["status"]["state"] == "undelivered")
        details = (await talking.do("GET", f"{MESSAGES}/{umid}")).body
        told = next(payload for payload in last.values() if payload["umid"] == umid)
        assert told["status"]["errorCode"] == details["status"]["errorCode"]

    listen(telling, undelivered_share=0.3)


def test_replies_come_last_and_carry_the_header() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        for n in range(30):
            await talking.send(f"k{n}", dlrCallbackUrl=receiver.url, destination=f"+120255501{n:02}")
        stats = await settled(talking)
        assert stats["inbound"] == len(receiver.posts) - 120

    receiver = listen(telling, stop_share=1, receipt_authorization="Bearer s3cret")
    assert {"Bearer s3cret"} == {post.authorization for post in receiver.posts}
    by_person: dict[str, list[str]] = {}
    for post in receiver.posts:
        person = post.payload["source" if post.said not in WAY else "destination"]
        by_person.setdefault(person, []).append(post.said)
    assert all(WAY == said[:4] and said[4:] for said in by_person.values())
    assert ["STOP", "START"] in [said[4:] for said in by_person.values()]
    assert ["don't stop"] in [said[4:] for said in by_person.values()]


def test_a_start_is_later_than_the_stop_before_it_though_times_are_cut_off_and_the_clock_jumps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(time.time_ns(), -1_000_000_000)
    monkeypatch.setattr(webhooks, "time_ns", lambda: next(clock))

    async def telling(talking: Talk, receiver: Receiver) -> None:
        for n in range(60):
            await talking.send(f"k{n}", dlrCallbackUrl=receiver.url, destination=f"+120255501{n:02}")
        await settled(talking)

    receiver = listen(telling, stop_share=1)
    times: dict[str, list[datetime]] = {}
    for post in receiver.posts:
        if post.said in ("STOP", "START"):
            moment = datetime.fromisoformat(post.payload["timestamp"])
            times.setdefault(post.payload["source"], []).append(moment)
    pairs = [each for each in times.values() if len(each) == 2]
    assert pairs
    assert all(stop < start for stop, start in pairs)


ALL = dict.fromkeys(WAY, 1)
# The receiver's first answers, the options; then the posts that came, and the counts of one message.
COUNTS: list[tuple[str, list[int], dict[str, Any], int, int, dict[str, int], dict[str, int]]] = [
    *((f"{status}, tried again", [status] * 2, {}, 6, 2, ALL, {}) for status in (400, 404, 429, 500, 503)),
    ("given up after the last pause", [500] * 100, {}, 12, 12, {}, {"given_up": 4}),
    ("no pauses", [500], {"receipt_retry_s": ()}, 4, 1, dict.fromkeys(WAY[1:], 1), {"given_up": 1}),
    ("a redirect is not followed", [307], {}, 4, 1, dict.fromkeys(WAY[1:], 1), {"given_up": 1}),
    ("rejected", [], {"reject_share": 1}, 0, 0, {}, {}),
]


@pytest.mark.parametrize(("label", "statuses", "options", "posts", "failed", "taken", "not_sent"), COUNTS)
def test_what_is_counted(
    label: str,
    statuses: list[int],
    options: dict[str, Any],
    posts: int,
    failed: int,
    taken: dict[str, int],
    not_sent: dict[str, int],
) -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        await talking.send("k1", dlrCallbackUrl=receiver.url)
        stats = await settled(talking)
        assert (failed, taken, not_sent) == (stats["failed_posts"], stats["receipts"], stats["receipts_not_sent"])

    receiver = listen(telling, statuses, **{"receipt_retry_s": (0, 0.05), **options})
    assert posts == len(receiver.posts)
    assert {"/receipts"} >= {post.path for post in receiver.posts}
    if statuses[1:2]:  # what was refused comes again, unchanged
        assert receiver.posts[0].body in [post.body for post in receiver.posts[1:]]


def test_nothing_goes_beyond_this_computer() -> None:
    async def talking(told: Talk) -> None:
        await told.send("k1", dlrCallbackUrl="https://example.com/receipts")
        stats = await told.stats()
        assert ({"beyond_loopback": 4}, 0) == (stats["receipts_not_sent"], stats["failed_posts"])

    talk(talking)


def test_a_receiver_that_is_not_there() -> None:
    async def talking(told: Talk) -> None:
        await told.send("k1", dlrCallbackUrl="http://127.0.0.1:1/")
        stats = await settled(told)
        assert (8, {"given_up": 4}) == (stats["failed_posts"], stats["receipts_not_sent"])

    talk(talking, SandboxOptions(receipt_delay_s=0, receipt_retry_s=(0,)))


def test_no_proxy_carries_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")

    async def telling(talking: Talk, receiver: Receiver) -> None:
        await talking.send("k1", dlrCallbackUrl=receiver.url)
        await receiver.count(4)

    listen(telling)


def test_a_cancelled_message_gets_none_and_a_scheduled_one_at_its_time() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        at = datetime.now(UTC) + timedelta(seconds=1)
        cancelled, _ = [
            await talking.send(name, dlrCallbackUrl=receiver.url, scheduled=at.isoformat()) for name in ("no", "yes")
        ]
        assert 200 == (await talking.do("DELETE", f"{MESSAGES}/{cancelled}")).status
        assert receiver.posts == []
        await settled(talking)
        assert datetime.fromisoformat(receiver.posts[0].payload["status"]["timestamp"]) > at - timedelta(seconds=0.1)

    assert {"yes": WAY} == listen(telling).by_message


def test_a_message_for_another_day_holds_nothing_up() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        later = (datetime.now(UTC) + timedelta(days=6)).isoformat()
        await talking.send("later", dlrCallbackUrl=receiver.url, scheduled=later)
        await talking.send("now", dlrCallbackUrl=receiver.url)
        await receiver.count(4)

    started = time.monotonic()
    assert {"now": WAY} == listen(telling).by_message
    assert time.monotonic() - started < webhooks.DRAIN_S


def test_the_end_does_not_wait_for_delays() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        for n in range(20):
            await talking.send(f"k{n}", dlrCallbackUrl=receiver.url)

    started = time.monotonic()
    receiver = listen(telling, receipt_delay_s=3600)
    assert time.monotonic() - started < webhooks.DRAIN_S
    assert {f"k{n}": WAY for n in range(20)} == receiver.by_message


def test_at_the_end_what_waits_for_another_try_gets_one_more() -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        await talking.send("k1", dlrCallbackUrl=receiver.url)
        async with asyncio.timeout(DEADLINE_S):
            while (await talking.stats())["failed_posts"] < 2:
                pass

    receiver = listen(telling, [503, 503], receipt_retry_s=(3600,))
    assert set(WAY) == set(receiver.said)
    assert 6 == len(receiver.posts)


def test_the_end_comes_though_a_receiver_never_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhooks, "DRAIN_S", 0.2)

    async def telling(talking: Talk, receiver: Receiver) -> None:
        await talking.send("k1", dlrCallbackUrl=receiver.url)
        await receiver.count(1)

    listen(telling, hangs=True)
    assert "ended before all receipts were sent; something is left of 1 message" in caplog.text


def test_more_than_can_wait_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITING_LIMIT", 2)

    async def telling(talking: Talk, receiver: Receiver) -> None:
        for n in range(3):
            await talking.send(f"k{n}", dlrCallbackUrl=receiver.url)
        stats = await talking.stats()
        assert (2, {"too_many": 4}) == (stats["receipts_waiting"], stats["receipts_not_sent"])

    assert {"k0", "k1"} == listen(telling, receipt_delay_s=3600).by_message.keys()


def test_a_message_whose_answer_was_lost_gets_its_receipts(tmp_path: Path) -> None:
    async def telling(talking: Talk, receiver: Receiver) -> None:
        with pytest.raises((ConnectionError, OSError)):
            await talking.send("k1", dlrCallbackUrl=receiver.url)
        await receiver.count(4)

    faults = faults_in(tmp_path, {"fault": "accepted_then_reset", "requests": [1]})
    assert {"k1": WAY} == listen(telling, faults=faults).by_message


def test_a_bug_with_one_message_is_not_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    post = PostPlan.post

    def fail_once(plan: PostPlan, position: int, at: int) -> Post:
        if plan.sent["clientMessageId"] == "k1":
            raise RuntimeError("a bug")
        return post(plan, position, at)

    monkeypatch.setattr(PostPlan, "post", fail_once)

    async def telling(talking: Talk, receiver: Receiver) -> None:
        for name in ("k1", "k2"):
            await talking.send(name, dlrCallbackUrl=receiver.url)
        await settled(talking)

    assert {"k2": WAY} == listen(telling).by_message
    assert "failed to post about a message" in caplog.text
