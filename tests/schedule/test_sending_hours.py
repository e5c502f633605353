"""Sending hours against the wall clocks of zones that make it hard, and against a model that asks minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.base.messages import Encoding, Message
from runner.base.options import Outside, SendingHours
from runner.schedule.sending_hours import AHEAD, Hours, SendingHoursGate

ALL_DAYS = frozenset(range(7))
WORKDAYS = frozenset(range(5))

NO_CLOCK_CHANGE = "America/Phoenix"
HALF_HOUR_OFF = "Asia/Kolkata"
ZONES = [
    NO_CLOCK_CHANGE,
    "Europe/London",
    "Australia/Sydney",  # the other half of the year
    HALF_HOUR_OFF,
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Chatham",  # 45 minutes off, and changes
    "America/New_York",
    "America/Santiago",  # changes at midnight
    "Africa/Casablanca",  # changes around Ramadan
    "Pacific/Kiritimati",  # the first to have a day
    "Pacific/Pago_Pago",  # the last
]


def nine_to_eight(zone: str | None = None, days: frozenset[int] = ALL_DAYS) -> SendingHours:
    return SendingHours(9 * 60, 20 * 60, days, zone)


def at(text: str) -> datetime:
    """A moment with its offset; without one it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def is_inside(window: SendingHours, zones: tuple[str, ...], moment: datetime) -> bool:
    """The model: what the wall clocks show, and nothing else."""
    return all(_shows_an_allowed_time(window, moment.astimezone(ZoneInfo(zone))) for zone in zones)


def _shows_an_allowed_time(window: SendingHours, wall: datetime) -> bool:
    minute, today, yesterday = wall.hour * 60 + wall.minute, wall.weekday(), (wall.weekday() - 1) % 7
    if window.opens < window.closes:
        return today in window.days and window.opens <= minute < window.closes
    return (today in window.days and minute >= window.opens) or (yesterday in window.days and minute < window.closes)


@pytest.mark.parametrize(
    ("zone", "now", "opening", "closing"),
    [
        # Singapore has no clock changes.
        ("Asia/Singapore", "2026-11-25T09:00+08:00", None, "2026-11-25T20:00+08:00"),
        ("Asia/Singapore", "2026-11-25T19:59:59.999+08:00", None, "2026-11-25T20:00+08:00"),
        ("Asia/Singapore", "2026-11-25T20:00+08:00", "2026-11-26T09:00+08:00", "2026-11-26T20:00+08:00"),
        ("Asia/Singapore", "2026-11-25T03:00+08:00", "2026-11-25T09:00+08:00", "2026-11-25T20:00+08:00"),
        # London goes forward on 29 March 2026 at 01:00 UTC, back on 25 October.
        ("Europe/London", "2026-03-28T20:00+00:00", "2026-03-29T09:00+01:00", "2026-03-29T20:00+01:00"),
        ("Europe/London", "2026-10-24T20:00+01:00", "2026-10-25T09:00+00:00", "2026-10-25T20:00+00:00"),
        # Sydney goes back on 5 April 2026, forward on 4 October.
        ("Australia/Sydney", "2026-04-04T20:00+11:00", "2026-04-05T09:00+10:00", "2026-04-05T20:00+10:00"),
        ("Australia/Sydney", "2026-10-03T20:00+10:00", "2026-10-04T09:00+11:00", "2026-10-04T20:00+11:00"),
        # Lord Howe the same days, by half an hour.
        ("Australia/Lord_Howe", "2026-04-04T20:00+11:00", "2026-04-05T09:00+10:30", "2026-04-05T20:00+10:30"),
        ("Australia/Lord_Howe", "2026-10-03T20:00+10:30", "2026-10-04T09:00+11:00", "2026-10-04T20:00+11:00"),
        # Phoenix stays as it is while the rest of its country changes on 8 March 2026.
        ("America/Phoenix", "2026-03-07T20:00-07:00", "2026-03-08T09:00-07:00", "2026-03-08T20:00-07:00"),
        ("Asia/Kolkata", "2026-03-29T20:00+05:30", "2026-03-30T09:00+05:30", "2026-03-30T20:00+05:30"),
    ],
)
def test_nine_is_nine_on_the_wall(zone: str, now: str, opening: str | None, closing: str) -> None:
    hours = Hours(nine_to_eight(zone))

    assert at(opening or now) == hours.opening((), at(now))
    assert at(closing) == hours.closing((), at(now))


def test_a_time_that_is_skipped_begins_after_the_gap() -> None:
    """London's clocks go from 01:00 to 02:00: there is no 01:30."""
    hours = Hours(SendingHours(90, 240, ALL_DAYS, "Europe/London"))

    assert at("2026-03-29T01:00+00:00") == hours.opening((), at("2026-03-29T00:10+00:00"))
    assert at("2026-03-29T03:00+00:00") == hours.closing((), at("2026-03-29T00:10+00:00"))


def test_hours_inside_of_the_gap_do_not_come_that_day() -> None:
    hours = Hours(SendingHours(70, 110, ALL_DAYS, "Europe/London"))

    assert at("2026-03-30T01:10+01:00") == hours.opening((), at("2026-03-29T00:30+00:00"))


def test_a_time_that_comes_twice_counts_both_times() -> None:
    """London's clocks go from 02:00 back to 01:00 at 01:00 UTC."""
    from_half_past = Hours(SendingHours(90, 240, ALL_DAYS, "Europe/London"))
    assert at("2026-10-25T00:30Z") == from_half_past.opening((), at("2026-10-25T00:00Z"))
    assert at("2026-10-25T01:00Z") == from_half_past.closing((), at("2026-10-25T00:00Z"))  # it is not yet 01:30 again
    assert at("2026-10-25T01:30Z") == from_half_past.opening((), at("2026-10-25T01:00Z"))

    until_half_past = Hours(SendingHours(0, 90, ALL_DAYS, "Europe/London"))
    assert at("2026-10-25T00:30Z") == until_half_past.closing((), at("2026-10-25T00:00Z"))
    assert at("2026-10-25T01:00Z") == until_half_past.opening((), at("2026-10-25T00:30Z"))
    assert at("2026-10-25T01:30Z") == until_half_past.closing((), at("2026-10-25T00:30Z"))


def test_hours_past_midnight_belong_to_the_day_on_which_they_begin() -> None:
    friday_night = Hours(SendingHours(22 * 60, 6 * 60, frozenset({4}), "Asia/Singapore"))

    saturday = at("2026-11-28T05:59+08:00")
    assert saturday == friday_night.opening((), saturday)
    assert at("2026-11-28T06:00+08:00") == friday_night.closing((), saturday)
    assert at("2026-12-04T22:00+08:00") == friday_night.opening((), at("2026-11-28T06:00+08:00"))
    assert at("2026-11-27T22:00+08:00") == friday_night.opening((), at("2026-11-27T05:00+08:00"))  # not Thursday's


@pytest.mark.parametrize(("opens", "closes"), [(0, 1440), (0, 0), (540, 540)])
def test_the_full_day_never_closes(opens: int, closes: int) -> None:
    hours = Hours(SendingHours(opens, closes, ALL_DAYS, None))
    now = at("2026-10-20T12:34:56Z")

    assert now == hours.opening(("Europe/London", "Australia/Lord_Howe"), now)
    assert hours.closing(("Europe/London", "Australia/Lord_Howe"), now) is None


def test_full_workdays_end_on_friday_at_midnight() -> None:
    hours = Hours(SendingHours(0, 1440, WORKDAYS, "Asia/Kolkata"))

    assert at("2026-11-28T00:00+05:30") == hours.closing((), at("2026-11-23T12:00+05:30"))
    assert at("2026-11-30T00:00+05:30") == hours.opening((), at("2026-11-28T00:00+05:30"))


def test_it_must_be_inside_in_all_zones() -> None:
    """A North American number may be anywhere from Honolulu to New York."""
    hours = Hours(nine_to_eight())
    zones = ("America/New_York", "Pacific/Honolulu")

    assert at("2026-11-25T09:00-10:00") == hours.opening(zones, at("2026-11-25T09:00-05:00"))
    assert at("2026-11-25T20:00-05:00") == hours.closing(zones, at("2026-11-25T09:00-05:00"))


@pytest.mark.parametrize(
    ("window", "zones"),
    [
        pytest.param(nine_to_eight(), (), id="no zone"),
        pytest.param(nine_to_eight(), ("Atlantis/Capital",), id="a zone that nobody knows"),
        pytest.param(nine_to_eight(), ("Asia/Singapore", "Atlantis/Capital"), id="one of two"),
        pytest.param(nine_to_eight(), ("../../etc/passwd",), id="a path"),
        pytest.param(nine_to_eight(), ("America",), id="a folder of zones"),
        pytest.param(nine_to_eight(), ("",), id="an empty name"),
        pytest.param(nine_to_eight(days=frozenset()), ("Asia/Singapore",), id="no day"),
        pytest.param(nine_to_eight("Atlantis/Capital"), ("Asia/Singapore",), id="the window's own zone"),
        pytest.param(
            SendingHours(9 * 60, 17 * 60, ALL_DAYS, None),
            ("Europe/London", "Pacific/Auckland"),
            id="zones too far apart",
        ),
        pytest.param(
            SendingHours(0, 1440, frozenset({0}), None),
            ("Pacific/Kiritimati", "Pacific/Niue"),
            id="a Monday 25 hours apart",
        ),
    ],
)
def test_what_never_opens(window: SendingHours, zones: tuple[str, ...]) -> None:
    now = at("2026-11-25T12:00Z")

    assert Hours(window).opening(zones, now) is None
    assert Hours(window).closing(zones, now) is None


def test_a_weekly_window_is_found_across_a_clock_change() -> None:
    """From Sunday 20:00 to Sunday 09:00 there are 6 days and 14 hours, and the hour that London gains."""
    hours = Hours(nine_to_eight("Europe/London", frozenset({6})))

    assert at("2026-10-25T09:00Z") == hours.opening((), at("2026-10-18T20:00+01:00"))


zone_sets = st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple)
minutes = st.one_of(st.sampled_from([0, 90, 120, 150, 180, 540, 1200]), st.integers(0, 1439))
windows = st.builds(
    SendingHours,
    opens=minutes,
    closes=st.one_of(minutes, st.just(1440)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    zone=st.none(),
)
CHANGES = [
    "2026-03-08T09:00Z",
    "2026-03-29T01:00Z",
    "2026-04-04T15:00Z",
    "2026-09-06T04:00Z",
    "2026-10-03T16:00Z",
    "2026-10-25T01:00Z",
    "2026-11-01T06:00Z",
    "2026-02-15T02:00Z",
]
near_changes = st.builds(
    lambda change, away_s: at(change) + timedelta(seconds=away_s),
    st.sampled_from(CHANGES),
    st.integers(-99_999, 99_999),
)
anywhen = st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
moments = st.one_of(near_changes, anywhen)


@settings(max_examples=100)
@given(windows, zone_sets, st.lists(moments, min_size=1, max_size=8))
def test_it_is_inside_when_the_wall_clocks_say_so(
    window: SendingHours, zones: tuple[str, ...], times: list[datetime]
) -> None:
    """Also when one clock is asked about moments in any order: nothing that was kept may answer for another time."""
    hours = Hours(window)
    for moment in times:
        assert is_inside(window, zones, moment) == (moment == hours.opening(zones, moment))


@settings(max_examples=50)
@given(windows, zone_sets, moments)
@example(SendingHours(150, 180, ALL_DAYS, None), ("Australia/Lord_Howe",), at("2026-10-03T14:00Z"))
@example(SendingHours(1430, 10, ALL_DAYS, None), ("America/Santiago",), at("2026-09-05T14:00Z"))
def test_the_opening_and_closing_are_those_of_a_search_minute_by_minute(
    window: SendingHours, zones: tuple[str, ...], moment: datetime
) -> None:
    hours = Hours(window)
    end = moment + AHEAD
    opening = first_minute(window, zones, moment, end, inside=True)

    assert opening == hours.opening(zones, moment)
    if opening:
        closing = first_minute(window, zones, opening, opening + AHEAD, inside=False)
        found = hours.closing(zones, moment)
        assert closing == found or (closing is None and (found is None or found > opening + AHEAD))
    else:
        assert hours.closing(zones, moment) is None


def first_minute(
    window: SendingHours, zones: tuple[str, ...], moment: datetime, end: datetime, *, inside: bool
) -> datetime | None:
    """Every zone here is whole minutes off UTC, so that whole minutes are where something begins."""
    while moment <= end:
        if is_inside(window, zones, moment) is inside:
            return moment
        moment = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return None


def message(*zones: str) -> Message:
    return Message(1, "C-1", "+12025550142", "US", "Hi", Encoding.GSM7, 1, "a.b.1", zones)


def gate(
    outside: Outside = Outside.WAIT, zone: str | None = "Asia/Singapore", days: frozenset[int] = ALL_DAYS
) -> SendingHoursGate:
    return SendingHoursGate(SendingHours(9 * 60, 20 * 60, days, zone, outside))


@pytest.mark.parametrize("outside", [Outside.WAIT, Outside.SKIP])
def test_a_message_waits_for_its_hours(outside: Outside) -> None:
    hours, evening = gate(outside), at("2026-11-25T20:00+08:00").timestamp()

    assert at("2026-11-25T09:00+08:00").timestamp() == hours.opens_at(message(), evening - 0.1)
    assert at("2026-11-26T09:00+08:00").timestamp() == hours.opens_at(message(), evening)
    assert hours.may_leave(message(), evening - 5, evening - 0.1)
    assert not hours.may_leave(message(), evening - 5, evening)


def test_the_words_name_the_zone_that_opens() -> None:
    opening = gate().opens_at(message(), at("2026-11-25T20:00+08:00").timestamp())
    assert "sending hours, until 2026-11-26 09:00 Asia/Singapore" == gate().words(opening or 0)

    own = gate(zone=None)
    opening = own.opens_at(message("America/New_York", "Pacific/Honolulu"), at("2026-11-25T09:00-05:00").timestamp())
    assert "sending hours, until 2026-11-25 09:00 Pacific/Honolulu" == own.words(opening or 0)
    assert "sending hours, until 2026-11-25 19:30 UTC" == own.words((opening or 0) + 1800)  # nobody's


def test_scheduled_messages_leave_at_any_time() -> None:
    hours, night = gate(Outside.SCHEDULE), at("2026-11-26T03:00+08:00")

    assert night.timestamp() == hours.opens_at(message(), night.timestamp())
    assert at("2026-11-26T09:00+08:00") == hours.schedule_at(message(), night)
    assert hours.schedule_at(message(), at("2026-11-26T09:00+08:00")) is None


def test_hours_that_begin_within_a_minute_are_waited_for() -> None:
    hours, opening = gate(Outside.SCHEDULE), at("2026-11-26T09:00+08:00").timestamp()

    assert opening - 61 == hours.opens_at(message(), opening - 61)
    assert opening == hours.opens_at(message(), opening - 60)
    assert not hours.may_leave(message(), opening - 61, opening - 59)


@pytest.mark.parametrize(("not_after", "may"), [("2026-11-26T09:00+08:00", False), ("2026-11-26T09:01+08:00", True)])
def test_nothing_is_scheduled_for_when_it_is_too_late(not_after: str, may: bool) -> None:
    window = SendingHours(9 * 60, 20 * 60, ALL_DAYS, "Asia/Singapore", Outside.SCHEDULE)
    hours, night = (
        SendingHoursGate(window, not_after=at(not_after).timestamp()),
        at("2026-11-26T03:00+08:00").timestamp(),
    )

    assert (night if may else at("2026-11-26T09:00+08:00").timestamp()) == hours.opens_at(message(), night)
    assert may is hours.may_leave(message(), night, night)


@pytest.mark.parametrize(
    ("made", "left", "may"),
    [
        pytest.param("2026-11-26T19:59:50+08:00", "2026-11-26T19:59:59+08:00", True, id="both inside"),
        pytest.param("2026-11-26T19:59:59+08:00", "2026-11-26T20:00:01+08:00", False, id="it would be sent at night"),
        pytest.param(
            "2026-11-26T20:00:01+08:00", "2026-11-27T03:00:00+08:00", True, id="scheduled for the same moment"
        ),
        pytest.param(
            "2026-11-27T08:58:00+08:00", "2026-11-27T09:00:05+08:00", False, id="scheduled for what has passed"
        ),
        pytest.param("2026-11-26T21:00:00+08:00", "2026-11-27T21:00:00+08:00", False, id="scheduled for a day ago"),
    ],
)
def test_a_request_only_leaves_as_it_was_made(made: str, left: str, may: bool) -> None:
    assert may is gate(Outside.SCHEDULE).may_leave(message(), at(made).timestamp(), at(left).timestamp())


def test_what_cannot_be_scheduled_never_leaves() -> None:
    hours, now = gate(Outside.SCHEDULE, zone=None), at("2026-11-26T03:00+08:00")

    for nowhere in (message(), message("Atlantis/Capital")):
        assert hours.opens_at(nowhere, now.timestamp()) is None
        assert not hours.may_leave(nowhere, now.timestamp(), now.timestamp())
        # Were it sent all the same, the provider refuses it: None would have sent it in the night.
        assert (hours.schedule_at(nowhere, now) or now) > now + timedelta(days=7)


def test_more_than_seven_days_ahead_is_never() -> None:
    """A minute a week, and clocks that go back in between: 7 days become 7 and an hour."""
    window = SendingHours(20 * 60, 20 * 60 + 1, frozenset({5}), "Europe/London", Outside.SCHEDULE)
    just_after = at("2026-10-24T20:01+01:00").timestamp()
    hours = SendingHoursGate(window)

    assert hours.opens_at(message(), just_after) is None
    assert just_after + 3600 * 2 == hours.opens_at(message(), just_after + 3600 * 2)
