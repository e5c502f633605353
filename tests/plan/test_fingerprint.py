"""What a plan's digest of its messages covers, and the IDs of its messages."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.audience.row_batch import RowBatch
from runner.base.messages import Encoding, Text
from runner.base.options import Rate
from runner.plan.message_ids import MessageIds
from runner.plan.summary import Fingerprint, PlanSummary
from tests.plan.folder import ANN, BEN, CAMPAIGN, planned, write_folder

HELLO = "Hi {{ name }}"
TRACKED = CAMPAIGN.replace("hello.j2}", "hello.j2, conversionTracking: true}")


def digest(folder: Path, people: str = ANN + BEN, template: str = HELLO, campaign: str = CAMPAIGN) -> str:
    return planned(write_folder(folder, people, template=template, campaign=campaign))[1].messages_digest


SAME = {
    "another folder": (ANN + BEN, HELLO, CAMPAIGN),
    "an excluded row more": (ANN + "9,12,Nobody,\n" + BEN, HELLO, CAMPAIGN),
    "another way to write a number": (ANN.replace("+65", "65") + BEN, HELLO, CAMPAIGN),
    "a column that isn't sent": (ANN.replace("Bedok", "Yishun") + BEN, HELLO, CAMPAIGN),
    "an option": (ANN + BEN, HELLO, TRACKED),
    "another rate": (ANN + BEN, HELLO, CAMPAIGN.replace("10/s", "20/s")),
    "another run": (ANN + BEN, HELLO, CAMPAIGN + "run: second\n"),
    "a carried column": (ANN + BEN, HELLO, CAMPAIGN + "report: {columns: [city]}\n"),
}
OTHER = {
    "a text": (ANN + BEN, "Ho {{ name }}", CAMPAIGN),
    "one row's text": (ANN.replace("Ann", "Anne") + BEN, HELLO, CAMPAIGN),
    "a destination": (ANN.replace("4567", "4568") + BEN, HELLO, CAMPAIGN),
    "a key": (ANN.replace("1,", "9,", 1) + BEN, HELLO, CAMPAIGN),
    "the order": (BEN + ANN, HELLO, CAMPAIGN),
    "a row less": (ANN, HELLO, CAMPAIGN),
    "the encoding": (ANN + BEN, HELLO, CAMPAIGN.replace("hello.j2}", "hello.j2, encoding: UCS2}")),
}


@pytest.mark.parametrize(("people", "template", "campaign"), SAME.values(), ids=SAME)
def test_the_same_messages_the_same_digest(tmp_path: Path, people: str, template: str, campaign: str) -> None:
    assert digest(tmp_path / "a") == digest(tmp_path / "b", people, template, campaign)


@pytest.mark.parametrize(("people", "template", "campaign"), OTHER.values(), ids=OTHER)
def test_another_message_another_digest(tmp_path: Path, people: str, template: str, campaign: str) -> None:
    assert digest(tmp_path / "a") != digest(tmp_path / "b", people, template, campaign)


def test_another_time_zone_another_digest(tmp_path: Path) -> None:
    """It decides when a phone rings, and with `outside: schedule` what the provider is told."""
    campaign = CAMPAIGN + 'window: {from: "09:00", to: "20:00", zone: recipient}\n'
    campaign = campaign.replace("key: id", "key: id, zone: city")
    zoned = ANN.replace("Bedok", "Asia/Singapore")
    before = digest(tmp_path / "a", zoned, campaign=campaign)
    assert before == digest(tmp_path / "b", zoned, campaign=campaign)
    assert before != digest(tmp_path / "c", ANN.replace("Bedok", "Europe/London"), campaign=campaign)


def messages(*told: tuple[str, str, str]) -> RowBatch:
    """A batch of messages, each as key, destination and text."""
    count = len(told)
    keys, destinations, texts = zip(*told, strict=True)
    batch = RowBatch(1, [()] * count, None, [*keys], [*destinations], [None] * count, [None] * count, [()] * count)
    for text in texts:
        batch.add_text(Text(text, Encoding.GSM7, 1))
    return batch


@given(st.lists(st.text(max_size=4), min_size=3, max_size=3), st.lists(st.text(max_size=4), min_size=3, max_size=3))
def test_no_text_imitates_a_fields_end(one: list[str], other: list[str]) -> None:
    prints = []
    for key, destination, text in (one, other):
        made = Fingerprint()
        made.add(messages((key, destination, text)), [0])
        prints.append(made.hexdigest())
    assert (one == other) == (prints[0] == prints[1])


def test_a_message_id_is_the_same_for_ever() -> None:
    # A literal: another derivation would send again to everybody in a run that is under way.
    assert "spring-sale.2026-12.k36362qixvjb2ysf7fh7cfsc" == MessageIds("spring-sale", "2026-12").of("C-1001")


def test_a_message_id_tells_apart_name_run_and_key() -> None:
    ids = {
        MessageIds(name, run).of(key).rpartition(".")[2]
        for name, run, key in [("n", "r", "k"), ("m", "r", "k"), ("n", "s", "k"), ("n", "r", "l"), ("nr", "", "k")]
    }
    assert 5 == len(ids)


def test_a_message_id_fits_and_holds_no_personal_data() -> None:
    longest = MessageIds("n" * 64, "r" * 64)
    for key in ("+6591234567", "ann@example.com", "", "Ω" * 500, "\ud83d"):
        found = longest.of(key)
        assert len(found) <= 350
        assert re.fullmatch(r"n{64}\.r{64}\.[a-z2-7]{24}", found)
        assert key.strip("+") not in found or not key


@given(st.sets(st.text(), max_size=20))
def test_no_two_keys_share_an_id(keys: set[str]) -> None:
    ids = MessageIds("n", "r")
    assert len(keys) == len({ids.of(key) for key in keys})


def test_seconds_at_the_rate_count_from_the_first() -> None:
    summary = PlanSummary()
    assert 0 == summary.seconds_at(Rate(10, 1))
    summary.add(messages(*[("k", "+6591234567", "Hi")] * 11), range(11), ())
    assert 1 == summary.seconds_at(Rate(10, 1))
    assert 600 == summary.seconds_at(Rate(60, 3600))
