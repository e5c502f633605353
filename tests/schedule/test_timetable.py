"""When a plan would be sent, and the moments that a campaign can't keep any more."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.options import Outside, Rate, SendingHours
from runner.campaign import CampaignFile, read
from runner.schedule.timetable import Slot, end_of, last_departure, moment_problems, refusal, span_problems, timetable

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
EVERY_DAY = frozenset(range(7))
OFFICE = SendingHours(9 * 60, 17 * 60, EVERY_DAY, None)
LONDON, NEW_YORK, SYDNEY = ("Europe/London",), ("America/New_York",), ("Australia/Sydney",)

Campaign = Callable[[str], CampaignFile]


def at(hour: int, minute: int = 0, day: int = 25) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_without_a_window_all_leave_from_now_on() -> None:
    assert [Slot((), 61, NOON, at(12, 1))] == timetable(None, {(): 61}, Rate(1, 1), NOON)


def test_each_group_waits_for_its_own_hours() -> None:
    slots = timetable(OFFICE, {LONDON: 10, NEW_YORK: 10, SYDNEY: 10}, Rate(10, 1), NOON)

    # New York opens at 14:00 UTC, Sydney at 22:00 UTC (daylight saving time there).
    assert [(LONDON, NOON), (NEW_YORK, at(14)), (SYDNEY, at(22))] == [(slot.zones, slot.begins) for slot in slots]
    assert at(22, 0) + timedelta(seconds=0.9) == end_of(slots, NOON)


def test_a_run_longer_than_its_hours_goes_on_the_next_day() -> None:
    # From 12:00 to 17:00 London sends 5 × 3,600; the last 1,000 begin at 09:00 on the next day.
    [slot] = timetable(OFFICE, {LONDON: 19_000}, Rate(1, 1), NOON)

    assert slot.begins == NOON
    assert slot.ends
    assert abs(slot.ends - (at(9, day=26) + timedelta(seconds=1_000))) < timedelta(seconds=3)


def test_with_skip_what_is_left_at_the_end_of_the_hours_is_late() -> None:
    skipping = SendingHours(9 * 60, 17 * 60, EVERY_DAY, None, Outside.SKIP)
    [slot] = timetable(skipping, {LONDON: 19_000}, Rate(1, 1), NOON)

    assert (at(17), 1_000) == (slot.ends, slot.late)


def test_scheduled_ones_leave_at_once_and_ring_later() -> None:
    scheduling = SendingHours(9 * 60, 17 * 60, EVERY_DAY, None, Outside.SCHEDULE)

    assert [Slot(NEW_YORK, 11, at(14), NOON + timedelta(seconds=10))] == timetable(
        scheduling, {NEW_YORK: 11}, Rate(1, 1), NOON
    )


def test_what_takes_more_than_a_year_has_no_end() -> None:
    slots = timetable(OFFICE, {LONDON: 10_000_000}, Rate(1, 60), NOON)

    assert end_of(slots, NOON) is None


def test_nothing_to_send_ends_at_once() -> None:
    assert end_of(timetable(OFFICE, {}, Rate(1, 1), NOON), NOON) == NOON


@given(
    counts=st.dictionaries(st.sampled_from([LONDON, NEW_YORK, SYDNEY]), st.integers(1, 5_000), min_size=1),
    rate=st.builds(Rate, st.integers(1, 50), st.sampled_from([1, 60])),
    minutes=st.integers(0, 7 * 24 * 60),
)
def test_every_group_has_a_slot_that_ends_after_it_begins(
    counts: dict[tuple[str, ...], int], rate: Rate, minutes: int
) -> None:
    now = NOON + timedelta(minutes=minutes)
    slots = timetable(OFFICE, counts, rate, now)

    assert counts == {slot.zones: slot.count for slot in slots}
    assert all(now <= slot.begins <= (slot.ends or slot.begins) for slot in slots)
    fastest = now + timedelta(seconds=(sum(counts.values()) - 1) / rate.per_second) - timedelta(seconds=5)
    end = end_of(slots, now)
    assert end is None or fastest <= end


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    (tmp_path / "people.csv").write_text("phone\n+12025550142\n")

    def made(lines: str) -> CampaignFile:
        text = f"name: a\nsubAccountId: acme_hq\nrecipients: people.csv\nrate: 10/s\ntimezone: Asia/Singapore\n{lines}"
        (tmp_path / "a.yaml").write_text(text)
        file, problems = read(tmp_path / "a.yaml")
        assert file is not None
        assert [] == problems
        return file

    return made


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("message: {text: Hi, scheduled: 2026-11-25T12:00:00Z}\n", "6:32: message.scheduled: 2026-11-25 20:00 "
         "Asia/Singapore is in the past; write a later time, or remove the key"),
        ("message: {text: Hi, expiry: 2026-11-25T11:59:00Z}\n", "6:29: message.expiry: 2026-11-25 19:59 "
         "Asia/Singapore is in the past; write a later time, or remove the key"),
        ("message: {text: Hi, scheduled: 2026-12-02T12:00:01Z}\n", "6:32: message.scheduled: 2026-12-02 20:00 "
         "Asia/Singapore is more than 7 days ahead, the provider's limit; write an earlier time, or start the run "
         "after 2026-11-25 20:00 "
         "Asia/Singapore"),
        # Nobody would get it: the provider stops trying before it begins.
        ("message: {text: Hi, scheduled: 2026-11-25T16:00:00Z, expiry: 4h}\n", "6:62: message.expiry: a message sent "
         "now would expire at 2026-11-26 00:00 Asia/Singapore, before its scheduled time; write a date and time "
         "after scheduled"),
    ],
)  # fmt: skip
def test_moments_that_cannot_be_kept(campaign: Campaign, lines: str, problem: str) -> None:
    file = campaign(lines)

    assert [f"{file.path}:{problem}"] == [str(found) for found in moment_problems(file, NOON)]


def test_moments_that_can_be_kept(campaign: Campaign) -> None:
    soon = "message: {text: Hi, scheduled: 2026-12-02T12:00:00Z, expiry: 2027-12-02T12:00:00Z}\n"

    assert [] == moment_problems(campaign(soon), NOON)
    assert [] == moment_problems(campaign("message: {text: Hi, scheduled: 7d, expiry: 8d}\n"), NOON)
    later = "message: {text: Hi, scheduled: 2026-11-25T15:59:00Z, expiry: 4h}\n"
    assert [] == moment_problems(campaign(later), NOON)


@pytest.mark.parametrize(
    ("lines", "minutes", "problems"),
    [
        ("message: {text: Hi, scheduled: 2026-11-25T12:30:00Z}\n", 30, []),
        ("message: {text: Hi, scheduled: 2026-11-25T12:30:00Z}\n", 31, ["message.scheduled"]),
        ("message: {text: Hi, expiry: 2026-11-25T12:30:00Z}\n", 29, []),
        ("message: {text: Hi, expiry: 2026-11-25T12:30:00Z}\n", 30, ["message.expiry"]),
        ("message: {text: Hi, scheduled: 20min, expiry: 2026-11-25T12:30:00Z}\n", 9, []),
        ("message: {text: Hi, scheduled: 20min, expiry: 2026-11-25T12:30:00Z}\n", 10, ["message.expiry"]),
        ("message: {text: Hi, expiry: 4h}\n", 10_000, []),
    ],
)
def test_moments_that_come_before_the_run_is_over(
    campaign: Campaign, lines: str, minutes: int, problems: list[str]
) -> None:
    found = span_problems(campaign(lines), NOON + timedelta(minutes=minutes), NOON)

    assert problems == [problem.path for problem in found]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("message: {text: Hi, scheduled: 1h, expiry: 4h}\n", None),
        ("message: {text: Hi}\nnotAfter: 2026-11-25T13:00:00Z\n", (13, "notAfter")),
        ("message: {text: Hi, scheduled: 2026-11-25T14:00:00Z}\n", (14, "message.scheduled")),
        ("message: {text: Hi, expiry: 2026-11-25T15:00:00Z}\n", (15, "message.expiry")),
        ("message: {text: Hi, scheduled: 2h, expiry: 2026-11-25T15:00:00Z}\n", (13, "message.expiry")),
        ("message: {text: Hi, expiry: 2026-11-25T15:00:00Z}\nnotAfter: 2026-11-25T13:00:00Z\n", (13, "notAfter")),
    ],
)
def test_from_when_on_nothing_leaves(campaign: Campaign, lines: str, expected: tuple[int, str] | None) -> None:
    found = last_departure(campaign(lines).campaign, NOON)

    assert expected == (found and (found[0].hour, found[1]))


@pytest.mark.parametrize(
    ("lines", "hour", "expected"),
    [
        ("", 12, None),
        ("notBefore: 2026-11-25T13:00:00Z\n", 12, "it is 2026-11-25 20:00 Asia/Singapore, before notBefore "
         "(2026-11-25 21:00 Asia/Singapore)"),
        ("notBefore: 2026-11-25T12:00:00Z\n", 12, None),
        ("notAfter: 2026-11-25T12:00:00Z\n", 12, "it is 2026-11-25 20:00 Asia/Singapore, after notAfter "
         "(2026-11-25 20:00 Asia/Singapore)"),
        # A time of day is today's, where the campaign is at home: at 17:00 UTC it is tomorrow in Singapore.
        ('notAfter: "10:00"\n', 12, "it is 2026-11-25 20:00 Asia/Singapore, after notAfter (2026-11-25 10:00 "
         "Asia/Singapore)"),
        ('notAfter: "10:00"\n', 17, None),
        ('notBefore: "10:00"\n', 17, "it is 2026-11-26 01:00 Asia/Singapore, before notBefore (2026-11-26 10:00 "
         "Asia/Singapore)"),
    ],
)  # fmt: skip
def test_a_run_refuses_to_start_out_of_its_time(
    campaign: Campaign, lines: str, hour: int, expected: str | None
) -> None:
    file = campaign(f"message: {{text: Hi}}\n{lines}")

    assert expected == refusal(file.campaign, at(hour))
