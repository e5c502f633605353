"""A campaign's options: on the wire, in the fingerprint, and in words."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.base.messages import Encoding
from runner.campaign import Campaign, read
from runner.campaign.message_section import SENT_KEYS
from runner.provider.payload import SendOptions
from runner.run.plan import canonical, changed_options, described_options
from runner.run.send import send_options
from tests.plan.folder import CAMPAIGN, write_folder

EVERY_OPTION = """\
name: welcome
account: {subAccountId: acme_hq, region: europe}
recipients: {file: people.csv, key: id, country: SG}
message:
  template: hello.j2
  source: ACME
  encoding: UCS2
  conversionTracking: false
  scheduled: 2026-12-01T10:00:00+08:00
  expiry: 4h
  dlrCallbackUrl: https://example.com/receipts
  clientIp: 203.0.113.7
rate: 10/s
"""


def campaign(folder: Path, text: str) -> Campaign:
    file, problems = read(write_folder(folder, campaign=text))
    assert [] == problems
    assert file is not None
    return file.campaign


def test_every_option(tmp_path: Path) -> None:
    made = campaign(tmp_path, EVERY_OPTION)
    assert {
        "account.subAccountId": "acme_hq",
        "account.region": "europe",
        "message.source": "ACME",
        "message.encoding": "UCS2",
        "message.conversionTracking": "false",
        "message.scheduled": "2026-12-01T02:00:00+00:00",
        "message.expiry": "14400 s after the send",
        "message.dlrCallbackUrl": "https://example.com/receipts",
        "message.clientIp": "203.0.113.7",
        "recipients.country": "true",
    } == described_options(made)
    assert SendOptions(
        source="ACME",
        encoding=Encoding.UCS2,
        scheduled=datetime(2026, 12, 1, 2, tzinfo=UTC),
        expiry=timedelta(hours=4),
        dlr_callback_url="https://example.com/receipts",
        client_ip="203.0.113.7",
        track="None",
        send_country=True,
    ) == send_options(made)


def test_a_key_that_goes_to_the_provider_is_sent_and_described(tmp_path: Path) -> None:
    described = described_options(campaign(tmp_path, EVERY_OPTION))
    assert set() == {f"message.{key}" for key in SENT_KEYS.values()} - set(described), "add the key to EVERY_OPTION"
    assert {field.name for field in fields(SendOptions)} == {*SENT_KEYS, "track", "send_country"} - {
        "conversion_tracking"
    }, "mark the key as SENT in the section message"


def test_the_fewest_options(tmp_path: Path) -> None:
    made = campaign(tmp_path, CAMPAIGN.replace(", country: SG", ""))
    assert {
        "account.subAccountId": "acme_hq",
        "account.region": "asia",
        "message.encoding": "AUTO",
        "recipients.country": "false",
    } == described_options(made)
    assert SendOptions() == send_options(made)


@pytest.mark.parametrize(("tracking", "track"), [("true", "Outcome"), ("false", "None"), (None, None)])
def test_conversion_tracking_has_three_ways(tmp_path: Path, tracking: str | None, track: str | None) -> None:
    said = f", conversionTracking: {tracking}" if tracking else ""
    made = campaign(tmp_path, CAMPAIGN.replace("hello.j2}", f"hello.j2{said}}}"))
    assert track == send_options(made).track


@pytest.mark.parametrize(("expiry", "words"), [("90s", "90 s"), ("100d", "8640000 s"), ("16667min", "1000020 s")])
def test_an_expiry_is_told_exactly(tmp_path: Path, expiry: str, words: str) -> None:
    made = campaign(tmp_path, CAMPAIGN.replace("hello.j2}", f"hello.j2, expiry: {expiry}}}"))
    assert f"{words} after the send" == described_options(made)["message.expiry"]


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ('from: "09:00", to: "20:00", days: [tue, mon], zone: recipient', "09:00 to 20:00, mon tue, recipient, wait"),
        ('from: "22:30", to: "24:00", days: [sun], outside: skip', "22:30 to 24:00, sun, UTC, skip"),
    ],
)
def test_sending_hours_are_told_in_one_text(tmp_path: Path, window: str, words: str) -> None:
    assert words == described_options(campaign(tmp_path, f"{CAMPAIGN}window: {{{window}}}\n"))["window"]


def test_changed_options_in_words() -> None:
    before = {"message.source": "ACME", "message.encoding": "AUTO", "message.expiry": "60 s after the send"}
    now = {"message.source": "ACME2", "message.encoding": "AUTO", "message.clientIp": "203.0.113.7"}
    assert [
        "message.clientIp: was not set, now 203.0.113.7",
        "message.expiry: was 60 s after the send, now not set",
        "message.source: was ACME, now ACME2",
    ] == changed_options(before, now)
    assert [] == changed_options(now, now)


def test_the_canonical_text_does_not_know_an_order() -> None:
    assert '{"a":"1","b":"2"}' == canonical({"b": "2", "a": "1"})
