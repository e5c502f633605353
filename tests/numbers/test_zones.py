"""Where a phone may be."""

import phonenumbers
import pytest
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

from runner.base.time_zones import is_zone
from runner.numbers import zones
from runner.numbers.phone import Number, normalise
from runner.numbers.zones import zones_of
from tests.numbers.test_ranges import corpus

PLACES = [
    ("+6591234567", ("Asia/Singapore",), "one zone for all"),
    ("+12025550123", ("America/New_York",), "by its area code"),
    ("+447700900123", ("Europe/Guernsey", "Europe/Isle_of_Man", "Europe/Jersey", "Europe/London"), "fiction"),
    (
        "+61491570156",
        (
            "Australia/Adelaide",
            "Australia/Brisbane",
            "Australia/Eucla",
            "Australia/Lord_Howe",
            "Australia/Perth",
            "Australia/Sydney",
            "Indian/Christmas",
            "Indian/Cocos",
        ),
        "a mobile may be anywhere in its country",
    ),
    ("+870773111632", (), "a ship"),
]


def valid(destination: str) -> Number:
    found = normalise(destination)
    assert isinstance(found, Number)
    return found


@pytest.mark.parametrize(("destination", "expected", "why"), PLACES, ids=[row[-1] for row in PLACES])
def test_where_a_number_may_be(destination: str, expected: tuple[str, ...], why: str) -> None:
    assert expected == zones_of(valid(destination))


def test_a_number_of_no_area_may_be_anywhere_in_north_america() -> None:
    assert {"America/New_York", "America/Los_Angeles", "Pacific/Honolulu"} < set(zones_of(valid("+18005550123")))


def test_agrees_with_phonenumbers() -> None:
    found = {}
    expected = {}
    for number in corpus():
        read = normalise(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
        if isinstance(read, Number) and not read.destination.startswith("+447700900"):
            found[read.destination] = zones_of(read)
            expected[read.destination] = tuple(sorted({*time_zones_for_number(number)} - {UNKNOWN_TIMEZONE}))
    assert 3_000 < len(expected)
    assert expected == found


def test_this_computer_knows_every_zone_of_a_number() -> None:
    """Else the numbers of a whole country would be held back."""
    assert not {zone for zones in TIMEZONE_DATA.values() for zone in zones if not is_zone(zone)}


def test_a_zone_that_this_computer_does_not_know_makes_a_number_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the others alone, a text might arrive at night in the one."""
    monkeypatch.setattr(zones, "known_zones", lambda: frozenset({"Europe/London", "Europe/Jersey", "Europe/Guernsey"}))
    assert () == zones._sorted.__wrapped__(("Europe/Isle_of_Man", "Europe/London"))
    assert ("Europe/Jersey", "Europe/London") == zones._sorted.__wrapped__(("Europe/London", "Europe/Jersey"))
