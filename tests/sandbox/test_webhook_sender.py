"""Receipts and replies as a receiver on this computer gets them."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.sandbox import webhooks
from runner.sandbox.options import SandboxOptions
from tests.deadline import DEADLINE_S
from tests.sandbox.client import MESSAGES, Client, faults_in, serving
from tests.sandbox.receiver import Receiver, receiving

WAY = ["queued", "sent", "delivered_to_operator", "delivered_to_recipient"]
ALL = dict.fromkeys(WAY, 1)
Script = Callable[[Client, Receiver], Awaitable[None]]


def listen(script: Script, statuses: Iterable[int] = (), *, hangs: bool = False, **options: Any) -> Receiver:  # noqa: ANN401
    """Run the script with a sandbox beside a receiver; returns that, once the sandbox has ended."""

    async def session() -> Receiver:
        async with receiving(statuses, hangs=hangs) as receiver:
            async with serving(SandboxOptions(**{"receipt_delay_s": 0, **options})) as client:
                await script(client, receiver)
            return receiver

    return asyncio.run(asyncio.wait_for(session(), 2 * DEADLINE_S))


def sending(count: int, posts: int = 0, **fields: str) -> Script:
    """Sends messages k0, k1, … to a number each, and waits for so many posts."""

    async def script(client: Client, receiver: Receiver) -> None:
        numbers = [{"destination": f"+120255501{n:02}"} for n in range(count)]
        sent = (client.send(f"k{n}", dlrCallbackUrl=receiver.url, **fields, **numbers[n]) for n in range(count))
        await asyncio.gather(*sent)
        await receiver.count(posts)

    return script


async def settled(client: Client) -> dict[str, Any]:
    """The counts, once nothing is left to post."""
    async with asyncio.timeout(DEADLINE_S):
        while (stats := await client.stats())["receipts_waiting"]:
            pass
    return stats


def test_a_message_and_its_receipts() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        umid = await client.send("welcome.main.k1", dlrCallbackUrl=f"{receiver.url}?of=welcome")
        await receiver.count(4)
        assert ALL == (await settled(client))["receipts"]
        assert {umid} == {post.payload["umid"] for post in receiver.posts}

    receiver = listen(script)
    assert WAY == receiver.labels
    assert {("/receipts", None)} == {(post.path, post.authorization) for post in receiver.posts}
    times = [datetime.fromisoformat(post.payload["status"]["timestamp"]) for post in receiver.posts]
    assert sorted(times) == times


def test_every_message_of_many_gets_its_receipts_in_their_order() -> None:
    receiver = listen(sending(50, posts=200), receipt_delay_s=0.01)
    assert {f"k{n}": WAY for n in range(50)} == receiver.by_message


def test_disorder_and_duplicates() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        await sending(5, posts=40)(client, receiver)
        assert (await settled(client))["receipt_duplicates"] == 20

    for labels in listen(script, receipt_disorder=1, receipt_duplicates=1).by_message.values():
        assert labels[::2] == labels[1::2]
        assert WAY != labels[::2]
        assert set(WAY) == set(labels)


def test_what_does_not_arrive_agrees_with_the_details_and_the_log() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        await sending(40, text="x" * 200)(client, receiver)
        await receiver.until(lambda posts: sum("price" in post.payload for post in posts) == 40)
        rows = {row["clientmessageid"]: row for row in await client.rows()}
        last = {post.payload["clientMessageId"]: post.payload for post in receiver.posts if "price" in post.payload}
        assert {"delivered", "undelivered"} == {row["status_value"] for row in rows.values()}
        for message_id, payload in last.items():
            row, status = rows[message_id], payload["status"]
            assert (row["status_value"], row["status_details"]) == (status["state"], status["detail"])
            assert row["status_errorcode"] == str(status.get("errorCode", ""))
            assert row["status_errormessage"] == status.get("errorMessage", "")
            assert (row["price_total"], row["smscount"]) == (str(payload["price"]["total"]), "2")
        payload = next(each for each in last.values() if each["status"]["state"] == "undelivered")
        details = (await client.do("GET", f"{MESSAGES}/{payload['umid']}")).body
        assert payload["status"]["errorCode"] == details["status"]["errorCode"]

    listen(script, undelivered_share=0.3)


def test_replies_come_last_and_carry_the_header() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        await sending(30)(client, receiver)
        stats = await settled(client)
        assert stats["inbound"] == len(receiver.posts) - 120

    receiver = listen(script, stop_share=1, receipt_authorization="Bearer s3cret")
    assert {"Bearer s3cret"} == {post.authorization for post in receiver.posts}
    by_person: dict[str, list[str]] = {}
    for post in receiver.posts:
        person = post.payload["source" if post.label not in WAY else "destination"]
        by_person.setdefault(person, []).append(post.label)
    assert all(WAY == labels[:4] and labels[4:] for labels in by_person.values())
    assert ["STOP", "START"] in [labels[4:] for labels in by_person.values()]
    assert ["don't stop"] in [labels[4:] for labels in by_person.values()]


def test_a_start_is_later_than_the_stop_before_it_though_times_are_cut_off_and_the_clock_jumps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(time.time_ns(), -1_000_000_000)
    monkeypatch.setattr(webhooks, "time_ns", lambda: next(clock))
    receiver = listen(sending(60), stop_share=1)
    times: dict[str, list[datetime]] = {}
    for post in receiver.posts:
        if post.label in ("STOP", "START"):
            times.setdefault(post.payload["source"], []).append(datetime.fromisoformat(post.payload["timestamp"]))
    pairs = [each for each in times.values() if len(each) == 2]
    assert pairs
    assert all(stop < start for stop, start in pairs)


NEXT_DAY = {"scheduled": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
BEYOND = {"dlrCallbackUrl": "https://example.com/receipts"}
NOBODY = {"dlrCallbackUrl": "http://127.0.0.1:1/"}
# The receiver's first answers, the options, the message; then the posts that came, and its counts.
COUNTS: dict[str, tuple[list[int], dict[str, Any], dict[str, str], int, int, Mapping[str, int], Mapping[str, int]]] = {
    **{f"{status}, tried again": ([status] * 2, {}, {}, 6, 2, ALL, {}) for status in (400, 404, 429, 500, 503)},
    "given up after the last pause": ([500] * 100, {}, {}, 12, 12, {}, {"given_up": 4}),
    "no pauses": ([500], {"receipt_retry_s": ()}, {}, 4, 1, dict.fromkeys(WAY[1:], 1), {"given_up": 1}),
    "a redirect is not followed": ([307], {}, {}, 4, 1, dict.fromkeys(WAY[1:], 1), {"given_up": 1}),
    "rejected": ([], {"reject_share": 1}, {}, 0, 0, {}, {}),
    "beyond this computer": ([], {}, BEYOND, 0, 0, {}, {"beyond_loopback": 4}),
    "nobody is there": ([], {"receipt_retry_s": (0,)}, NOBODY, 0, 8, {}, {"given_up": 4}),
}


@pytest.mark.parametrize("label", COUNTS)
def test_what_is_counted(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, options, fields, posts, failed, taken, not_sent = COUNTS[label]
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):  # no proxy carries receipts
        monkeypatch.setenv(name, "http://127.0.0.1:1/")

    async def script(client: Client, receiver: Receiver) -> None:
        await client.send("k1", **({"dlrCallbackUrl": receiver.url} | fields))
        stats = await settled(client)
        assert (failed, taken, not_sent) == (stats["failed_posts"], stats["receipts"], stats["receipts_not_sent"])

    receiver = listen(script, statuses, **{"receipt_retry_s": (0, 0.05), **options})
    assert posts == len(receiver.posts)
    assert {"/receipts"} >= {post.path for post in receiver.posts}
    if statuses[1:2]:  # what was refused comes again, unchanged
        assert receiver.posts[0].body in [post.body for post in receiver.posts[1:]]


def test_a_cancelled_message_gets_none_and_a_scheduled_one_at_its_time() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        at = datetime.now(UTC) + timedelta(seconds=1)
        cancelled, _ = [
            await client.send(name, dlrCallbackUrl=receiver.url, scheduled=at.isoformat()) for name in ("no", "yes")
        ]
        assert 200 == (await client.do("DELETE", f"{MESSAGES}/{cancelled}")).status
        assert receiver.posts == []
        await settled(client)
        assert datetime.fromisoformat(receiver.posts[0].payload["status"]["timestamp"]) > at - timedelta(seconds=0.1)

    assert {"yes": WAY} == listen(script).by_message


@pytest.fixture
def hangs_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that at its end waited for a message would wait until the test gives up."""
    monkeypatch.setattr(webhooks, "DRAIN_S", 10 * DEADLINE_S)


@pytest.mark.usefixtures("hangs_at_the_end")
def test_a_message_for_another_day_holds_nothing_up() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        await client.send("later", dlrCallbackUrl=receiver.url, **NEXT_DAY)
        await client.send("now", dlrCallbackUrl=receiver.url)
        await receiver.count(4)

    assert {"now": WAY} == listen(script).by_message


@pytest.mark.usefixtures("hangs_at_the_end")
def test_the_end_does_not_wait_for_delays() -> None:
    receiver = listen(sending(50), receipt_delay_s=3600)
    assert {f"k{n}": WAY for n in range(50)} == receiver.by_message


def test_at_the_end_what_waits_for_another_try_gets_one_more() -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        await client.send("k1", dlrCallbackUrl=receiver.url)
        async with asyncio.timeout(DEADLINE_S):
            while (await client.stats())["failed_posts"] < 2:
                pass

    receiver = listen(script, [503, 503], receipt_retry_s=(3600,))
    assert set(WAY) == set(receiver.labels)
    assert 6 == len(receiver.posts)


def test_the_end_comes_though_a_receiver_never_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhooks, "DRAIN_S", 0.2)
    listen(sending(webhooks.CONNECTIONS + 1, posts=1), hangs=True)
    assert "ended before all receipts were sent; 33 message(s) have receipts left" in caplog.text


def test_more_than_can_wait_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITING_LIMIT", 2)

    async def script(client: Client, receiver: Receiver) -> None:
        await sending(3)(client, receiver)
        stats = await client.stats()
        assert (2, {"too_many": 4}) == (stats["receipts_waiting"], stats["receipts_not_sent"])

    assert 2 == len(listen(script, receipt_delay_s=3600).by_message)


def test_a_message_whose_answer_was_lost_gets_its_receipts(tmp_path: Path) -> None:
    async def script(client: Client, receiver: Receiver) -> None:
        with pytest.raises((ConnectionError, OSError)):
            await client.send("k1", dlrCallbackUrl=receiver.url)
        await receiver.count(4)

    faults = faults_in(tmp_path, {"fault": "accepted_then_reset", "requests": [1]})
    assert {"k1": WAY} == listen(script, faults=faults).by_message


def test_a_bug_with_one_message_is_not_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receipt_of = webhooks.receipt_of

    def fail_once(sent: Mapping[str, Any], *step: Any) -> bytes:  # noqa: ANN401
        if sent["clientMessageId"] == "k0":
            raise RuntimeError("a bug")
        return receipt_of(sent, *step)

    monkeypatch.setattr(webhooks, "receipt_of", fail_once)
    assert {"k1": WAY} == listen(sending(2, posts=4)).by_message
    assert "failed to post about a message" in caplog.text
