"""A plan is the same, whoever composes it: one process, or others beside it."""

import csv
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from runner.audience.audience import read_audience
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.options import Cooldown
from runner.plan import planner
from runner.plan.inputs import load_inputs
from runner.plan.planner import Planner, Rules
from runner.plan.restrictions import FrequencyCap, Limit, Sample, outside_hours
from tests.plan import folder

# Each process gets some of the batches.
ROWS, BATCH_ROWS = 3_000, 700

NUMBERS = (
    "", "abc", "12", "9.1E+07", "'91234567", "6591234567 / 6598765432", "+44 (0)7700 900123", "(0)91234567",
    "+1 202 555 0123", "07700900123", "91234567.0", "９１２３４５６７", "+81312345678", "0081312345678",
    "+882 16 12345678", "80012345", "61234567", "6591234567", "006591234567", "\u202d+65 9123 4567\u202c",
)  # fmt: skip
NAMES = (
    "Ann", "Ben", "Zoë", "O’Neil", "Nguyễn", "李小龍", "", "  Siti ", "Bob\u200b", "x" * 400, "Ta\x07b", "“Q”", "Jo e",
    "{}", "50%", "a\nb", "a\r\nb", "ﬁ", "e\u0301",
)  # fmt: skip
LINKS = ("", "https://ex.com/a", "http://a.b/x y", "www.shop.sg", "WWW.x.sg/a", f"https://ex.com/{'y' * 70}")
ZONES = ("", "", "Asia/Singapore", "Europe/London", "Nowhere")

CAMPAIGNS = {
    "as usual": ("country: SG", "maxSegments: 3", ""),
    "by key": ("country: {column: country}, key: id", "smartEncoding: true", ""),
    "none twice": ("country: SG, key: id, duplicates: reject, where: \"keep = 'yes'\"", "encoding: GSM7", ""),
    "each row": ("country: SG, key: id, duplicates: all, denyCountries: [GB]", "encoding: UCS2", ""),
    "every rule": (
        "country: SG, key: id, zone: zone",
        "requireText: [news], smartEncoding: true",
        'window: {from: "09:00", to: "20:00", zone: recipient, outside: skip}\n',
    ),
}  # fmt: skip
TEMPLATES = (
    "Hi {{ name }}, news in {{ city }}: see {{ link }} 100%",
    "{% if city %}Hi {{ name|title }}{% else %}Hello{% endif %}, news: {{ link|default('ex.sg/a') }} "
    "{{ mobile|phone('national', 'SG') }}",
)


def write(place: Path, recipients: str, message: str, more: str, template: str) -> Path:
    chance = random.Random(11)
    with (place / "people.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "mobile", "country", "name", "city", "link", "zone", "keep"])
        for number in range(ROWS):
            mobile = chance.choice(
                (f"{81_000_000 + chance.randrange(ROWS)}", f"8123 {number % 5000:04d}", *NUMBERS[::3])
            )
            row = [
                f"k{number if chance.random() < 0.95 else chance.randrange(ROWS)}{chance.choice(('', '', '#2'))}",
                mobile if chance.random() < 0.9 else chance.choice(NUMBERS),
                "" if chance.random() < 0.9 else chance.choice(("GB", "sg", "XX", "MY")),
                chance.choice(NAMES),
                chance.choice(("Bedok", "", "Kuala Lumpur", "Århus")),
                chance.choice(LINKS),
                chance.choice(ZONES),
                chance.choice(("yes", "no")),
            ]
            writer.writerow(row[: chance.choice((5, 8, 8, 8, 8, 8, 8, 8, 8))] if chance.random() < 0.05 else row)
    (place / "stop.csv").write_text("phone\n" + "".join(f"+65{81_000_000 + number}\n" for number in range(0, ROWS, 7)))
    (place / "hello.j2").write_text(template)
    campaign = place / "messy.yaml"
    campaign.write_text(
        "name: messy\nsubAccountId: acme_hq\nrate: 10/s\nreport: {columns: [city, keep]}\n"
        f"recipients: {{file: people.csv, suppress: [stop.csv], {recipients}}}\n"
        f"message: {{template: hello.j2, {message}}}\n{more}"
    )
    return campaign


def rules(campaign: Path) -> Rules:
    read = load_inputs(campaign).campaign
    if read.window is None:
        return Rules(carried=read.report.columns)
    out = Exclusion(ExclusionReason.SUPPRESSED, "opted out")

    def ending(texts: Iterable[str], end: str) -> list[str]:
        return [text for text in texts if text.endswith(end)]

    return Rules(
        carried=read.report.columns,
        opted_out=lambda numbers: dict.fromkeys(ending(numbers, "3"), out),
        sample=Sample("messy", 0.8),
        timing=outside_hours(read.window.hours(read.timezone), datetime(2026, 11, 25, 5, tzinfo=UTC)),
        cooldown=FrequencyCap(Cooldown(2, 3600), lambda numbers: dict.fromkeys(ending(numbers, "5"), 1)),
        limit=Limit(500, "--limit"),
        sent=lambda keys: ending(keys, "7"),
    )


def planned(campaign: Path, name: str) -> tuple[dict[str, Any], list[Any], pl.DataFrame]:
    inputs = load_inputs(campaign)
    path = campaign.with_name(name)
    summary = Planner(inputs.audience, inputs.composer, rules=rules(campaign)).write(path)
    return summary.as_json(), summary.samples, pl.read_parquet(path)


@pytest.mark.parametrize(
    ("recipients", "message", "more", "template", "others"),
    # Two others for every rule. For the rest one will do: it gets the same from this process, and starts sooner.
    [(*given, TEMPLATES[place % 2], 2 if given[2] else 1) for place, given in enumerate(CAMPAIGNS.values())],
    ids=CAMPAIGNS,
)
def test_with_other_processes_and_without(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipients: str,
    message: str,
    more: str,
    template: str,
    others: int,
) -> None:
    campaign = write(tmp_path, recipients, message, more, template)
    made = {}
    for count in (0, others):
        monkeypatch.setattr(planner, "processes_wanted", lambda count=count: count)
        monkeypatch.setattr(planner, "SMALL_BYTES", 0)
        monkeypatch.setattr(planner, "read_audience", partial(read_audience, batch_size=BATCH_ROWS))
        made[count] = planned(campaign, f"{count}.parquet")
    assert made[0][:2] == made[others][:2]
    assert made[0][2].equals(made[others][2])
    assert made[0][0]["to_send"] > 100
    assert len(made[0][0]["excluded"]) > 6


def test_a_small_file_needs_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "processes_wanted", None)
    assert 2 == folder.planned(folder.write_folder(tmp_path))[1].rows
