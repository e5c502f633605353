"""The time of single steps of a plan: `python -m benchmarks.steps`. Comments that claim a speed name this command."""

import timeit
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, timezone

from runner.audience.key_index import KeyIndex
from runner.message.compose import Composer
from runner.message.environment import environment
from runner.message.template import compile_template
from runner.numbers.phone import Number, normalise
from runner.numbers.zones import zones_of

TEMPLATE = "Hi {{ first_name }}, show this message in {{ city }} for 10% off. Reply STOP to opt out."
ROW = {"first_name": "Anna", "city": "Penang"}
TIMES = 5_000

Step = tuple[str, Callable[[], object]]


def examples() -> list[str]:
    """A number of Singapore, of the USA, and of Jamaica, which shares the country code 1 with 24 other countries."""
    found = (phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE) for region in ("SG", "US", "JM"))
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in found if number]


def by_the_library(number: str, country: str | None = None) -> tuple[bool, str | None, int]:
    """The same results as `normalise`, with the public functions of phonenumbers."""
    parsed = phonenumbers.parse(number, country)
    region = phonenumbers.region_code_for_number(parsed)
    return phonenumbers.is_valid_number(parsed), region, phonenumbers.number_type(parsed)


def another_key() -> Callable[[], object]:
    """A function that adds one key to an index that has a million."""
    index, numbers = KeyIndex(), count(1)
    for number in islice(numbers, 1_000_000):
        index.add(f"+65{number}", number)
    return lambda: index.add(f"+65{(number := next(numbers))}", number)


def steps() -> Iterator[Step]:
    """All steps, each with its name."""
    for number in examples():
        found = normalise(number)
        assert isinstance(found, Number)
        parsed = phonenumbers.parse(number)
        yield f"audience.phone: {number}", partial(normalise, number)
        yield "    by phonenumbers alone", partial(by_the_library, number)
        yield f"audience.zones: {number}", partial(zones_of, found)
        yield "    by phonenumbers alone", partial(timezone.time_zones_for_number, parsed)
    for written in ("8123 4567", "6581234567"):
        yield f"audience.phone: {written} in SG", partial(normalise, written, "SG")
        yield "    by phonenumbers alone", partial(by_the_library, written, "SG")
    yield "audience.key_index: a key among a million", another_key()
    yield "message.template: text and fields", partial(compile_template(TEMPLATE, "t").render, ROW)
    yield "    by Jinja", partial(environment().from_string(TEMPLATE).render, ROW)
    for name, template in (
        ("GSM-7", TEMPLATE),
        ("with a link", f"{TEMPLATE} https://example.com/sale"),
        ("with a dash, replaceable", f"{TEMPLATE} \N{EN DASH}"),
        ("in Thai", f"{TEMPLATE} \N{THAI CHARACTER SO SO}"),
    ):
        compose = Composer(compile_template(template, "t")).compose
        yield f"message.compose: {name}", partial(compose, ROW, {column: column for column in ROW})


def microseconds(step: Callable[[], object]) -> float:
    """The best of five."""
    return min(timeit.repeat(step, number=TIMES, repeat=5)) / TIMES * 1e6


def main() -> None:
    for name, step in steps():
        print(f"{name:<42} {microseconds(step):>6.1f} µs")


if __name__ == "__main__":
    main()
