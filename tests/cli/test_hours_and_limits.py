"""Sending hours, cooldowns and limits, as whole runs of the installed command meet them."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from runner.dispatch.dispatcher import Dispatcher
from runner.dispatch.feed import Feed
from runner.dispatch.progress import Progress
from runner.ledger.writer import Claim
from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.terminal import Terminal
from tests.cli.workplace import MINIMAL, Workplace, ended, people, person
from tests.ledger.test_trust import swapped

RUN = ("run", "hello.yaml", "--yes")
HERE, FAR = "UTC", "Asia/Singapore"
"""Two zones whose clocks are eight hours apart all year."""


def moment(**ahead: float) -> datetime:
    return (datetime.now(UTC) + timedelta(**ahead)).replace(microsecond=0)


def clock_set_ahead(when: Callable[[Progress], bool]) -> AbstractContextManager[object]:
    """As soon as that holds, the clock by which `campaign run` sends is two hours ahead."""

    def dispatcher(feed: Feed, *, progress: Progress, **parts: Any) -> Dispatcher[Claim]:  # noqa: ANN401
        return Dispatcher(feed, progress=progress, wall=lambda: time.time() + 7200 * when(progress), **parts)

    return patch("runner.run.send.Dispatcher", dispatcher)


def window(begins: datetime, more: str = "") -> str:
    """A campaign with two sending hours a day, in UTC."""
    return MINIMAL + f'window: {{from: "{begins:%H:%M}", to: "{begins + timedelta(hours=2):%H:%M}"{more}}}\n'


def recipients(campaign: str, more: str) -> str:
    return campaign.replace("country: SG", f"country: SG, {more}")


def write_zones(campaign: Workplace, begins: datetime, outside: str) -> None:
    """Two recipients in each of the zones."""
    zones = (HERE, FAR, HERE, FAR)
    rows = [person(number).strip() + f",{zone}\n" for number, zone in enumerate(zones, 1)]
    campaign.write("", window(begins, f", zone: recipient, outside: {outside}"))
    (campaign.folder / "people.csv").write_text("id,mobile,name,zone\n" + "".join(rows))


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_run_killed_in_its_sleep_has_sent_nothing_and_goes_on(campaign: Workplace, provider: Provider) -> None:
    opening = moment(hours=2)
    campaign.write(people(5), window(opening))
    with campaign.started(*RUN) as process:
        assert process.stdout
        said = next(line for line in process.stdout if "waiting for" in line)
        status = campaign("status", "--json").document["runs"][0]
        shown = campaign("status").stdout
        process.kill()
        ended(process)
    words = f"sending hours, until {opening:%Y-%m-%d %H:%M} UTC"
    assert f"0 of 5 (0%) · waiting for {words}" == said.strip()
    assert ("waiting", words) == (status["state"], status["waiting_for"])
    assert f"hello/main: waiting for {words}" in shown
    assert [] == provider.requests
    killed = campaign("status", "--json").document["runs"][0]
    assert ("killed", None) == (killed["state"], killed["waiting_for"])

    campaign.write(people(5), window(moment(hours=-1)))
    assert 0 == campaign(*RUN).exit_code
    assert [1] * 5 == list(provider.sent.values())


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_a_terminal_shows_what_is_waited_for_and_how_much_is_sent(campaign: Workplace) -> None:
    """At 80 columns the words and the time would leave no room for the count: the words get a line of their own."""
    opening = moment(hours=2)
    campaign.write(people(5), window(opening))
    with Terminal(campaign, *RUN) as terminal:
        terminal.read_until("0/5 waiting")
        terminal.press_ctrl_c()
        assert 3 == terminal.wait()
    assert f"waiting for sending hours, until {opening:%Y-%m-%d %H:%M} UTC" in terminal.seen
    assert "0/5 waiting" in terminal.seen


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_who_has_a_message_is_shown_so_when_their_hours_are_over(campaign: Workplace, provider: Provider) -> None:
    write_zones(campaign, moment(hours=-1), "wait")
    with campaign.started(*RUN) as process:
        assert process.stdout
        assert any("waiting for" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert 3 == done.exit_code
    assert "Ctrl-C again" not in done.stdout
    assert {("accepted", "queued"): 2, ("unsent", "interrupted"): 2} == campaign.statuses()
    assert {"+6581230001": 1, "+6581230003": 1} == provider.sent

    file = campaign.folder / "hello.yaml"
    file.write_text(recipients(window(moment(hours=2), ", zone: recipient, outside: skip"), "limit: 1"))
    again = campaign(*RUN, "--accept-changes")
    assert (0, 2) == (again.exit_code, len(provider.requests))
    assert {("accepted", "queued"): 2, ("excluded", "outside_window"): 2} == campaign.statuses()
    assert "now excluded or missing" not in again.stdout


def test_the_provider_keeps_what_is_outside_until_its_hours(campaign: Workplace, provider: Provider) -> None:
    began = moment(hours=-1)
    write_zones(campaign, began, "schedule")
    assert 0 == campaign(*RUN).exit_code
    scheduled = {str(request.body["destination"]): request.body.get("scheduled") for request in provider.requests}
    # Far away the clock is eight hours ahead: the next hours begin eight hours before tomorrow's hours here.
    far = (began + timedelta(hours=24 - 8)).replace(second=0).isoformat()
    assert {"+6581230001": None, "+6581230002": far, "+6581230003": None, "+6581230004": far} == scheduled


def test_nothing_leaves_after_not_after(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(5), MINIMAL + f"notAfter: {moment(hours=1).isoformat()}\n")
    with clock_set_ahead(lambda progress: progress.started > 0):
        done = campaign(*RUN)
    assert (5, 1) == (done.exit_code, len(provider.requests))
    assert {("accepted", "queued"): 1, ("unsent", "too_late"): 4} == campaign.statuses()
    assert "set a later time in the campaign file" in done.stdout

    campaign.write(people(5), MINIMAL + f"notAfter: {moment(seconds=-1).isoformat()}\n")
    late = campaign(*RUN, "--accept-changes")
    assert (2, 1) == (late.exit_code, len(provider.requests))
    assert "after notAfter" in late.stderr


def test_a_run_is_continued_when_the_rest_is_in_time(campaign: Workplace, provider: Provider) -> None:
    """At its rate the whole plan would not be over before `scheduled`; the one message that is left is."""
    slow = MINIMAL.replace("200/s", "10/h").replace("{text:", f"{{scheduled: {moment(minutes=30).isoformat()}, text:")
    campaign.write(people(10), slow)
    assert 2 == campaign(*RUN).exit_code
    campaign.write(people(10), slow.replace("10/h", "200/s"))
    assert 0 == campaign(*RUN, "--limit", "9").exit_code
    campaign.write(people(10), slow)
    done = campaign(*RUN)
    assert (0, 10) == (done.exit_code, len(provider.requests)), done.stderr


@pytest.mark.parametrize("key", ["scheduled", "expiry"])
def test_a_provider_that_is_slow_makes_nobody_lose_a_message(campaign: Workplace, provider: Provider, key: str) -> None:
    """At its rate the run would be over in time; what would leave later stays unsent, instead of being refused."""
    end = moment(hours=1)
    slow_down = threading.Event()
    campaign.write(people(5), MINIMAL.replace("{text:", f"{{{key}: {end.isoformat()}, text:"))

    def script(request: Request) -> Reply:
        if request.before < 2:
            return queued(request)
        slow_down.set()
        return error(429, 2002, "slow down", {"Retry-After": "60"})

    provider.script = script
    with clock_set_ahead(lambda _: slow_down.is_set()):
        done = campaign(*RUN)
    assert 5 == done.exit_code, done.stderr
    assert {("accepted", "queued"): 2, ("unsent", "too_late"): 3} == campaign.statuses()
    assert f"it is past message.{key} ({end:%Y-%m-%d %H:%M} UTC)" in done.stdout


def test_a_limit_holds_over_all_starts_of_a_run(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(7), MINIMAL + "limits: {messages: 6}\n")
    refused = campaign(*RUN)
    assert (2, 0) == (refused.exit_code, len(provider.requests))
    assert "hello.yaml:6:20: limits.messages: the plan has 7 messages" in refused.stderr

    assert 0 == campaign(*RUN, "--limit", "4").exit_code
    campaign.write(people(5, first=11), MINIMAL + "limits: {messages: 6}\n")  # four are gone, five are new
    for _ in range(2):
        stopped = campaign(*RUN)
        assert (5, 6) == (stopped.exit_code, len(provider.requests))
        assert {("accepted", "queued"): 2, ("unsent", "limit_reached"): 3} == campaign.statuses()
        assert "To continue, raise the limit in the campaign file" in stopped.stdout
        said = " ".join(stopped.stdout.split())
        assert "warning: together with earlier messages, the run exceeds limits.messages" in said
    assert {1} == set(provider.sent.values())


def test_a_first_slice_and_then_the_rest(campaign: Workplace, provider: Provider) -> None:
    sliced = recipients(MINIMAL, "sample: 40%")
    campaign.write(people(20), sliced)
    assert 0 == campaign(*RUN).exit_code
    slice_size = len(provider.requests)
    assert 1 < slice_size < 20
    campaign.write(people(20), MINIMAL)
    assert 0 == campaign(*RUN).exit_code
    assert 20 == len(provider.requests)

    campaign.write(people(20), sliced)
    assert 0 == campaign(*RUN, "--limit", "1").exit_code
    assert {("accepted", "queued"): 20} == campaign.statuses()
    assert {1} == set(provider.sent.values())


def test_of_two_campaigns_at_once_each_person_hears_one(campaign: Workplace, provider: Provider) -> None:
    cooled = recipients(MINIMAL, "cooldown: {messages: 1, per: 7d}")
    campaign.write(people(60), cooled)
    (campaign.folder / "other.yaml").write_text(cooled.replace("name: hello", "name: other"))
    with campaign.started(*RUN) as one, campaign.started("run", "other.yaml", "--yes") as other:
        exit_codes = {ended(one).exit_code, ended(other).exit_code}
    assert exit_codes <= {0, 3}
    assert (60, {1}) == (len(provider.sent), set(provider.sent.values()))
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"), ("excluded", "cooldown")} >= set(campaign.statuses())
    assert 60 == len(provider.requests)


def test_what_others_send_later_doesnt_take_a_message_back(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(5), recipients(MINIMAL, "cooldown: {messages: 1, per: 7d}"))
    (campaign.folder / "other.yaml").write_text(MINIMAL.replace("name: hello", "name: other"))
    assert 0 == campaign(*RUN, "--limit", "3").exit_code
    assert 0 == campaign("run", "other.yaml", "--yes").exit_code
    assert 0 == campaign(*RUN).exit_code
    assert {("accepted", "queued"): 3, ("excluded", "cooldown"): 2} == campaign.statuses()
    assert 8 == len(provider.requests)


def test_a_changed_bit_lets_nobody_exceed_the_cooldown(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(3), recipients(MINIMAL, "cooldown: {messages: 1, per: 7d}"))
    (campaign.folder / "other.yaml").write_text(MINIMAL.replace("name: hello", "name: other"))
    assert 0 == campaign("run", "other.yaml", "--yes").exit_code
    in_index = b"+6581230001\0\6"  # the time of the claim follows
    swapped(campaign.folder / "reports/ledger.sqlite3", in_index, in_index.replace(b"0001", b"000q"))
    done = campaign(*RUN)
    assert (5, True) == (done.exit_code, "its index of phone numbers doesn't match its messages" in done.stderr)
    assert 3 == len(provider.requests)


def test_a_number_that_this_run_has_had_is_cooled_under_a_new_key_too(campaign: Workplace, provider: Provider) -> None:
    """Found at plan time: at the claim it would stop the run each time with "the next start leaves them out"."""
    cooled = recipients(MINIMAL, "cooldown: {messages: 1, per: 7d}")
    campaign.write(person(1), cooled)
    assert 0 == campaign(*RUN).exit_code
    campaign.write(person(1).replace("k1", "new1") + person(2), cooled)
    assert 0 == campaign(*RUN).exit_code
    assert Counter({"+6581230001": 1, "+6581230002": 1}) == provider.sent
    assert {("accepted", "queued"): 1, ("excluded", "cooldown"): 1} == campaign.statuses()
