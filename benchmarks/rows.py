"""Recipient files and campaigns for the benchmarks. A row depends only on its index, so the files are reproducible."""

import csv
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

# The command that is measured.
CAMPAIGN = str(Path(sys.executable).with_name("campaign"))

# Five fields, a filter and a condition. Jinja's own `title` gives the same results for these names, so the texts of the
# compared programs are the same.
TEMPLATE = (
    "Hi {{ first_name | title }}, your {{ tier }} points are worth {{ points }} until {{ until }}."
    "{% if city %} Show this in {{ city }}.{% endif %} Reply STOP to opt out."
)

HEADER = ("mobile", "first_name", "city", "tier", "points", "until", "customer", "source")
SUPPRESSED = 100_000

_FIRST = ("anna", "budi", "chloe", "deepa", "emil", "farah", "grace", "hannah", "ivan", "jin", "kavitha", "lim")
_CITIES = ("Leeds", "Bath", "", "York", "Hull", "Derby", "Oxford", "Truro", "Ely")
_SECOND = ("", "", "", "-may", " lee", " ann", "beth", " bin omar", " jo", " rose")
_TIERS = ("Silver", "Gold", "Blue")

# A prime near 2**32 divided by the golden ratio, as in Knuth's multiplicative hashing.
_MIXER = 2_654_435_761


def clean(folder: Path, count: int, rate: str) -> Path:
    """A campaign with this many recipients, who all get a message. Returns the campaign file."""
    name = f"clean-{count}"
    _write(folder / f"{name}.csv", (_row(index, f"+44{_national(index)}") for index in range(count)))
    return _campaign(folder, name, rate, f"recipients: {name}.csv")


def dirty(folder: Path, count: int, rate: str) -> Path:
    """A campaign with a realistic file: national numbers of one country, of which 4% are invalid or duplicates.

    100,000 numbers are suppressed; a file with a million rows contains 40,000 of them.
    """
    name = f"dirty-{count}"
    _write(folder / f"{name}.csv", (_row(index, _as_written(index)) for index in range(count)))
    suppressed = folder / "suppressed.csv"
    if not suppressed.exists():
        numbers = chain.from_iterable(
            (f"+44{_national(index * 20)}", f"+4475{index:08}") for index in range(SUPPRESSED // 2)
        )
        with suppressed.open("w", encoding="utf-8") as file:
            file.write("phone\n")
            file.writelines(f"{number}\n" for number in numbers)
    recipients = f"recipients:\n  file: {name}.csv\n  phone: mobile\n  country: GB\n  suppress: [{suppressed.name}]"
    return _campaign(folder, name, rate, recipients)


def _campaign(folder: Path, name: str, rate: str, recipients: str) -> Path:
    (folder / "text.j2").write_text(TEMPLATE, encoding="utf-8")
    path = folder / f"{name}.yaml"
    words = f"name: {name}\nsubAccountId: acme_hq\n{recipients}\ntemplate: text.j2\nrate: {rate}\n"
    path.write_text(words, encoding="utf-8")
    return path


def _write(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    if path.exists():
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)


def _row(index: int, mobile: str) -> tuple[str, ...]:
    mixed = index * _MIXER % 2**32  # neighbouring rows differ, as in real files; otherwise the file compresses too well
    first = _FIRST[mixed % 12] + _SECOND[mixed // 12 % 10]
    first = first.upper() if mixed % 5 < 3 else first
    city, tier = _CITIES[mixed % 9], _TIERS[mixed % 3]
    points, until = f"{mixed % 9973}.{mixed % 100:02}", f"{mixed // 1000 % 28 + 1} December"
    return mobile, first, city, tier, points, until, f"C{index:09}", "web" if mixed % 4 else "shop"


def _national(index: int) -> str:
    """A British mobile number without the leading zero. All from 071 to 073 are valid; each index has its own."""
    return f"7{100_000_000 + index * _MIXER % 300_000_000}"


def _as_written(index: int) -> str:
    """The number, written in the ways of people and spreadsheets. 2% are invalid and 2% are duplicates."""
    kind = index % 50
    number = _national(index)
    if kind == 0:
        return number[:6]
    if kind == 1:
        return f"0{_national(index - index % 1000 + 2)}"
    if kind < 10:
        return f"0{number[:4]} {number[4:]}"
    if kind < 15:
        return f"0{number[:4]}-{number[4:7]}-{number[7:]}"
    if kind < 19:
        return f"+44{number}"
    if kind < 22:
        return number  # a spreadsheet read it as an integer and removed the zero
    if kind < 23:
        return f"0044 {number}"
    return f"0{number}"
