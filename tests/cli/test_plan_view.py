"""The lines of a plan: nothing that is strange, and no group of recipients, is left out of them."""

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tests.cli.workplace import MINIMAL, Workplace, people, person

WINDOW = 'window: {from: "09:00", to: "20:00", zone: recipient}\n'


def one_of_each_country() -> list[str]:
    """An example of a mobile number for each that has one; three of Singapore come first."""
    examples = {
        region: phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    }
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in examples.values() if number]


def written(offline: Workplace, numbers: list[str], campaign: str = MINIMAL) -> None:
    offline.write(people(3) + "".join(f"x{row},{number},N\n" for row, number in enumerate(numbers)), campaign)


@pytest.mark.parametrize("prices", ["", "prices: prices.csv\n"])
def test_every_country_is_named_however_few_its_messages(offline: Workplace, prices: str) -> None:
    known = sorted(phonenumbers.SUPPORTED_REGIONS - {"ZW"})
    (offline.folder / "prices.csv").write_text(
        "country,price,currency\n" + "".join(f"{country},0.05,USD\n" for country in known)
    )
    written(offline, one_of_each_country(), MINIMAL + prices)
    done = offline.here("plan", "hello.yaml", "--json")
    words = " ".join(done.stderr.split())
    countries = done.document["by_country"]
    assert len(countries) > 200
    for country, count in countries.items():
        assert f"{country} {count}" in words
    if prices:
        assert words.index("ZW 1 1 segment, NO PRICE") < words.index("× 0.05 USD"), "what has no price comes first"


def test_groups_that_begin_together_share_a_line(offline: Workplace) -> None:
    zones = ["Asia/Tokyo", "Asia/Seoul", "Europe/London", "Asia/Kolkata", "America/New_York", "Australia/Sydney"]
    rows = [f"k{row},+65{81230000 + row},N,{zones[row % len(zones)]}\n" for row in range(60)]
    campaign = MINIMAL.replace("country: SG", "country: SG, zone: zone") + WINDOW
    (offline.folder / "hello.yaml").write_text(campaign)
    (offline.folder / "people.csv").write_text("id,mobile,name,zone\n" + "".join(rows))
    done = offline.here("plan", "hello.yaml", "--json")
    openings = {slot["begins_at"] for slot in done.document["timetable"]}
    lines = [line for line in done.stderr.splitlines() if " now" in line or " from 20" in line]
    assert len(openings) == len(lines)
    assert 60 == sum(int(line.split()[0]) for line in lines)


def test_what_rings_later_has_no_end_before_it_begins(offline: Workplace) -> None:
    campaign = MINIMAL + WINDOW.replace("}", ", outside: schedule}")
    written(offline, ["+12025550142", "+447700900001", "+61491570006"], campaign)
    slots = offline.here("plan", "hello.yaml", "--json").document["timetable"]
    assert any(slot["ends_at"] is None for slot in slots)
    assert all(slot["ends_at"] is None or slot["begins_at"] <= slot["ends_at"] for slot in slots)


def test_warnings_break_at_80_columns_between_words(offline: Workplace) -> None:
    link = "http://a-rather-long-name-of-a-site.example/{{ name }}"
    offline.write(people(3), "kind: marketing\n" + MINIMAL.replace("Hi {{ name }}", f"{link} {link}"))
    done = offline.here("plan", "hello.yaml", "--json")
    (marketing, links) = done.document["warnings"]
    site = "http://a-rather-long-name-of-a-site.exam…"
    words = f"3 texts have an unencrypted link: {site} (from the template, line 1; rows 2, 3, 4); use"
    assert links.startswith(words), "each text counts once"
    lines = done.stderr.splitlines()
    assert max(map(len, lines)) <= 80
    assert f"warning: {marketing} warning: {links}" in " ".join(" ".join(lines).split())


def test_placeholders_and_garbled_cells(offline: Workplace) -> None:
    offline.write(
        people(1) + "a,+6581239001,NULL\nb,+6581239002,SÃ©bastien\nc,+6581239003,O&#039;Brien\nd,+6581239004,#N/A\n"
    )
    plan = offline.here("plan", "hello.yaml", "--json").document
    placeholders, garbled = plan["warnings"]
    words = 'has a placeholder for a missing value: "NULL" (from the column name; row 3); clear such cells in the file'
    assert f"1 text {words}" == placeholders
    assert garbled.startswith(
        '2 texts have garbled characters: "SÃ©bastien" → "Sébastien" (from the column name; row 4)'
    )
    assert {"unreadable_row": 1} == plan["excluded"]
    text = (offline.folder / "hello.yaml").read_text()
    (offline.folder / "hello.yaml").write_text(text.replace("country: SG", "country: SG, repair: true"))
    done = offline.here("plan", "hello.yaml", "--json")
    assert [placeholders] == done.document["warnings"]
    assert "recipients.repair mended:" in done.stderr
    details = pl.read_parquet(offline.folder / done.document["plan"])["detail"].to_list()
    assert 'mended "O&#039;Brien" → "O\'Brien" in the column name' == details[3]


def test_rows_that_are_left_out_in_the_same_words_share_a_line(offline: Workplace) -> None:
    rows = people(2) + "x1,,N\nx2,,N\nx3,12,N\ny1,+6581239001,\ny2,+6581239002,\ny3,+6581239003,\ny4,+6581239004,\n"
    offline.write(rows)
    words = " ".join(offline.here("plan", "hello.yaml", "--json").stderr.split())
    assert "missing_field 4 rows 7, 8, 9, …: name is empty, but the text needs it" in words
    assert (
        'invalid_number 3 rows 4, 5: mobile is empty row 6: mobile: "12" is too short for a phone number in SG' in words
    )


REQUIRED = {
    # the names of the rows; what is added to `recipients`; the exit code; why
    "no text has it": (["Ann", "Bob"], "", 2),
    "one text has it": (["Ann", "nonstop"], "", 0),
    "the only one that has it got enough": (["Ann", "Stop"], ", limit: 1", 0),
}


@pytest.mark.parametrize(("names", "recipients", "exit_code"), REQUIRED.values(), ids=REQUIRED)
def test_required_text_that_no_text_has_is_a_mistake(
    offline: Workplace, names: list[str], recipients: str, exit_code: int
) -> None:
    campaign = MINIMAL.replace("country: SG", f"country: SG{recipients}").replace('}}"', '}}", requireText: [STOP]')
    offline.write("".join(person(number, name) for number, name in enumerate(names)), campaign)
    done = offline.here("plan", "hello.yaml", "--json")
    assert exit_code == done.exit_code
    what, remedy = "no message contains the required text", "add it to the template, or correct this key"
    problems = [f"hello.yaml:4:47: message.requireText: {what}; {remedy}"] if exit_code else []
    assert problems == done.document["problems"]
