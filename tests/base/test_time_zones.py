"""Which names are those of time zones, and which one was meant."""

import zoneinfo

import pytest

from runner.base import time_zones
from runner.base.time_zones import is_zone, not_a_zone


@pytest.mark.parametrize(
    "name", ["Asia/Singapore", "Australia/Lord_Howe", "America/Argentina/Ushuaia", "UTC", "EST5EDT"]
)
def test_knows_zones(name: str) -> None:
    assert is_zone(name)
    assert name == zoneinfo.ZoneInfo(name).key


NOT_ZONES = [
    ("asia/singapore", 'did you mean "Asia/Singapore"?', "small letters"),
    ("Asia/Kuala Lumpur", 'did you mean "Asia/Kuala_Lumpur"?', "a space"),
    ("Kuala Lumpur", 'did you mean "Asia/Kuala_Lumpur"?', "the city alone"),
    ("Europe/Londn", 'did you mean "Europe/London"?', "a typing mistake"),
    ("SGT", 'use an area and a city, such as "Asia/Singapore"', "an abbreviation: they aren't unique"),
    ("GMT+8", 'use an area and a city, such as "Asia/Singapore"', "never Etc/GMT+8, which is in the Pacific"),
    ("Etc/GMT+8", 'use an area and a city, such as "Asia/Singapore"', "in the database, but in the Pacific"),
    ("Etc/GMT-8", 'use an area and a city, such as "Asia/Singapore"', "who writes it may mean either sign"),
    ("UTC +5:30", 'use an area and a city, such as "Asia/Kolkata"', "an offset with minutes"),
    ("GMT-0500", 'use an area and a city, such as "America/New_York"', "an offset of four digits"),
    ("GMT+0", 'use an area and a city, such as "Europe/London" or "UTC"', "London has summer time"),
    (
        "EST",
        'use an area and a city, such as "America/New_York" or "America/Panama" (no summer time)',
        "in the database, but without summer time",
    ),
    (
        "MST",
        'use an area and a city, such as "America/Denver" or "America/Phoenix" (no summer time)',
        "in the database, but without summer time",
    ),
    ("HST", 'use an area and a city, such as "Pacific/Honolulu"', "in the database, as an offset"),
    ("cst", 'use an area and a city, such as "America/Chicago" or "Asia/Shanghai"', "far from each other"),
    ("+08:00", 'use an area and a city, such as "Asia/Singapore"', "an offset: it changes with the season"),
    ("localtime", 'use an area and a city, such as "Asia/Singapore"', "a file of that name stands among the zones"),
    ("../../etc/passwd", 'use an area and a city, such as "Asia/Singapore"', "a path"),
    ("x" * 39, 'use an area and a city, such as "Asia/Singapore"', "something else"),
]


@pytest.mark.parametrize(("name", "remedy", "why"), NOT_ZONES, ids=[row[-1] for row in NOT_ZONES])
def test_suggests_what_was_meant(name: str, remedy: str, why: str) -> None:
    assert not is_zone(name)
    assert f'"{name}" is not a time zone; {remedy}' == not_a_zone(name)


def test_a_column_of_something_else_costs_no_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for a likeness is slow, so it ends after some hundred names."""
    monkeypatch.setattr(time_zones, "_suggested", {str(number): "" for number in range(time_zones._MOST_SUGGESTIONS)})
    assert not_a_zone("Europe/Londn").endswith('use an area and a city, such as "Asia/Singapore"')
    assert not_a_zone("europe/london").endswith('did you mean "Europe/London"?')
