"""The main job, from a campaign file to its results, against a provider of the test's own."""

import bisect
import csv
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import polars as pl
import pytest

from tests.cli.provider import Provider, Reply, Request, error, queued
from tests.cli.workplace import KEY, MINIMAL, Workplace, people, person

# The provider takes messages up to 7 days ahead, and a plan that it would not take is refused.
SCHEDULED, EXPIRY = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}T10:00:00+08:00" for days in (2, 3))

EVERY_FIELD = f"""\
name: hello
run: first
account: {{subAccountId: acme_hq}}
recipients: {{file: people.csv, key: id, country: SG}}
message:
  template: hello.j2
  source: ACME
  encoding: UCS2
  conversionTracking: true
  scheduled: {SCHEDULED}
  expiry: {EXPIRY}
  dlrCallbackUrl: https://example.com/receipts
  clientIp: 203.0.113.7
rate: 200/s
report: {{columns: [name]}}
"""


def test_everything_that_was_sent_is_in_the_results(campaign: Workplace, provider: Provider) -> None:
    campaign.write(person(1, "Ann") + "k2,12,Ben\n" + person(3, "Zoë ✓") + person(1, "Again"), EVERY_FIELD)
    (campaign.folder / "hello.j2").write_text("Hi {{ name }},\nhow are you?\n")
    done = campaign("run", "hello.yaml", "--yes")
    assert (0, "") == (done.exit_code, done.stderr)

    sent = {request.body["destination"]: request for request in provider.requests}
    assert ["+6581230001", "+6581230003"] == sorted(provider.sent.elements())
    for destination, text in (("+6581230001", "Hi Ann,\nhow are you?"), ("+6581230003", "Hi Zoë ✓,\nhow are you?")):
        request = sent[destination]
        message_id = request.body["clientMessageId"]
        assert re.fullmatch(r"hello\.first\.[a-z2-7]{24}", message_id)
        assert {
            "destination": destination,
            "text": text,
            "clientMessageId": message_id,
            "source": "ACME",
            "encoding": "UCS2",
            "track": "Outcome",
            "scheduled": SCHEDULED,
            "expiry": EXPIRY,
            "dlrCallbackUrl": "https://example.com/receipts",
            "clientIp": "203.0.113.7",
            "country": "SG",
        } == request.body
        assert ("POST", "/api/v1/subaccounts/acme_hq/messages") == (request.method, request.path)
        assert f"Bearer {KEY}" == request.headers["Authorization"]
        assert "application/json" == request.headers["Content-Type"]
    assert {1} == set(provider.message_ids.values())

    rows = campaign.results("first")
    assert [
        (1, "k1", "+6581230001", "accepted", "queued", "Ann"),
        (2, "k2", None, "excluded", "invalid_number", "Ben"),
        (3, "k3", "+6581230003", "accepted", "queued", "Zoë ✓"),
        (4, "k1", "+6581230001", "excluded", "duplicate", "Again"),
    ] == [tuple(row[name] for name in ("row", "key", "destination", "status", "reason", "name")) for row in rows]
    for row in (rows[0], rows[2]):
        request = sent[row["destination"]]
        assert (f"umid-{request.before}", request.message_id) == (row["umid"], row["client_message_id"])
        assert (200, 1, "UCS2", 1) == tuple(row[name] for name in ("http_status", "attempts", "encoding", "segments"))
        assert row["sent_at"] <= row["answered_at"]
    with campaign.path("results.csv", "first").open(encoding="utf-8", newline="") as file:
        assert [row["umid"] or "" for row in rows] == [row["umid"] for row in csv.DictReader(file)]

    ledger = campaign.ledger("SELECT message_id, key, destination, status, umid FROM messages")
    assert sorted((r["client_message_id"], r["key"], r["destination"], "accepted", r["umid"]) for r in rows if r["umid"]
                  ) == sorted(ledger)  # fmt: skip
    summary = campaign.summary("first")
    assert {"accepted": 2, "rejected": 0, "unknown": 0, "unsent": 0, "excluded": 2} == summary["status"]
    assert {"accepted": {"queued": 2}, "excluded": {"duplicate": 1, "invalid_number": 1}} == summary["reasons"]
    assert (4, 2, None) == (summary["rows"], summary["segments_accepted"], summary["stopped"])


def test_the_fewest_fields(campaign: Workplace, provider: Provider) -> None:
    (campaign.folder / "people.csv").write_text("id,mobile,name\nk1,+6581230001,Ann\n")
    (campaign.folder / "hello.yaml").write_text(MINIMAL.replace(", key: id, country: SG", ""))
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    [request] = provider.requests
    assert {"destination", "text", "clientMessageId", "encoding"} == request.body.keys()


def test_conversion_tracking_refused(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(1), MINIMAL.replace('}}"}', '}}", conversionTracking: false}'))
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    assert ["None"] == [request.body["track"] for request in provider.requests]


@pytest.mark.parametrize("kind", ["parquet", "tsv"])
def test_other_kinds_of_files(campaign: Workplace, provider: Provider, kind: str) -> None:
    """Numbers stay whole numbers, whatever a column's type is."""
    columns: dict[str, list[Any]] = {"id": [7, None, 9], "mobile": [6581230007, 6581230008, 6581230009],
                                     "name": [1.5, 2.0, 1234567.0]}  # fmt: skip
    frame = pl.DataFrame(columns)
    if kind == "parquet":
        frame.write_parquet(campaign.folder / "people.parquet")
    else:
        frame.write_csv(campaign.folder / "people.tsv", separator="\t")
    (campaign.folder / "hello.yaml").write_text(MINIMAL.replace("people.csv", f"people.{kind}"))
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    assert {"+6581230007": 1, "+6581230009": 1} == provider.sent
    assert [("7", "accepted"), (None, "excluded"), ("9", "accepted")] == [
        (row["key"], row["status"]) for row in campaign.results()
    ]


def test_rejections_end_with_1_and_are_listed(campaign: Workplace, provider: Provider) -> None:
    def script(request: Request) -> Reply:
        if request.body["text"] == "Hi N2":
            return error(400, 1002, "Invalid MSISDN format")
        if request.body["text"] == "Hi N4":
            return Reply(200, {"umid": "u", "status": {"code": "REJECTED", "description": "Blocked"}})
        return queued(request)

    provider.script = script
    done = campaign("run", "hello.yaml", "--yes")
    assert 1 == done.exit_code
    assert ["accepted", "rejected", "accepted", "rejected", "accepted"] == [r["status"] for r in campaign.results()]
    second, fourth = campaign.results()[1], campaign.results()[3]
    names = ("reason", "detail", "http_status", "error_code", "error_id")
    assert ("invalid_destination", "Invalid MSISDN format", 400, 1002, "error-1002") == tuple(second[n] for n in names)
    assert ("rejected_by_provider", "Blocked", 200, None, None) == tuple(fourth[n] for n in names)
    assert {"1002": 1} == campaign.summary()["error_codes"]
    for words in ("1002", "invalid_destination", "row 3 (key k2)", "finished", "2 rejected"):
        assert words in done.stdout
    again = campaign("run", "hello.yaml", "--yes")
    assert (1, 5) == (again.exit_code, len(provider.requests))


def test_the_rate_is_held_at_the_provider(campaign: Workplace, provider: Provider) -> None:
    campaign.write(people(100), MINIMAL.replace("200/s", "50/s"))
    assert 0 == campaign("run", "hello.yaml", "--yes").exit_code
    # When each left: arrivals come in bunches on a busy machine.
    times = sorted(sent_at / 1e6 for (sent_at,) in campaign.ledger("SELECT sent_at FROM messages"))
    most = max(bisect.bisect_left(times, start + 1) - n for n, start in enumerate(times))
    assert 100 == len(times)
    assert most <= 51  # one more than the rate: its time is taken a moment after its turn


def test_summary_is_what_json_prints(campaign: Workplace, provider: Provider) -> None:
    done = campaign("run", "hello.yaml", "--yes", "--json")
    assert orjson.loads(campaign.path("summary.json").read_bytes()) == done.document
    assert "hello/main" in done.stderr
    assert set(done.document) == {
        "campaign", "run", "sub_account_id", "fingerprint", "version", "created_at", "started_at", "ended_at",
        "sandbox", "sent_to",
        "sessions", "stopped", "rows", "status", "reasons", "warnings", "thresholds", "error_codes",
        "replies_to_review",
        "segments_accepted", "delivered", "delivery", "countries", "delivery_errors", "segments_billed", "billed",
        "conversions", "files",
    }  # fmt: skip
    readable = [
        path.name
        for path in (campaign.folder / "reports").rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.stat().st_mode & 0o077
    ]
    assert [] == readable  # files with numbers in them are their owner's alone
