import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox.fate import AT_OPERATOR, DELIVERED, QUEUED, SENT, UNDELIVERED
from runner.sandbox.webhooks import OUR_NUMBER, Reply, disordered, receipt_of, reply_of, sent_of, timestamp_of, way_to

UMID = "9f1c2e7a-6b40-4de1-8a2c-1f0d9e7c5b31"
AT = 1_764_035_999_123_456  # 2025-11-25T01:59:59.123456Z
MESSAGE = {"destination": "+12025550123", "text": "Hello", "clientMessageId": "welcome.main.k1", "source": "ACME"}
SENT_MESSAGE = sent_of(MESSAGE, umid=UMID, sub_account_id="acme_hq")
REJECTED = next(fate for fate in UNDELIVERED if fate.detail == "rejected_by_operator")


def event(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The envelope, and what is in it without its time."""
    envelope = orjson.loads(body)
    payload = envelope.pop("payload")
    time = payload.get("status", payload).pop("timestamp")
    assert re.fullmatch(r"2025-11-25T01:59:59\.12(3(4(5(60?)?)?)?)?Z", time)
    return envelope, payload


def test_a_receipt_of_a_message_that_arrived() -> None:
    envelope, payload = event(receipt_of(SENT_MESSAGE, DELIVERED, AT))
    assert ("SMS", "outbound_message_status_changed") == (envelope["namespace"], envelope["eventType"])
    assert {
        "umid": UMID,
        "clientMessageId": "welcome.main.k1",
        "subAccountId": "acme_hq",
        "source": "ACME",
        "destination": "+12025550123",
        "status": {"state": "delivered", "detail": "delivered_to_recipient"},
        "price": {"total": 0.01, "perSms": 0.01, "currency": "USD"},
        "smsCount": 1,
    } == payload


def test_only_the_last_state_has_a_price() -> None:
    priced = [each for each in way_to(DELIVERED) if "price" in event(receipt_of(SENT_MESSAGE, each, AT))[1]]
    assert [DELIVERED] == priced


def test_a_receipt_of_a_message_that_did_not_arrive() -> None:
    _, payload = event(receipt_of(SENT_MESSAGE, REJECTED, AT))
    assert {
        "state": "undelivered",
        "detail": "rejected_by_operator",
        "errorCode": 15,
        "errorMessage": "the destination is invalid",
    } == payload["status"]
    assert payload["price"]["total"] == 0.0


def test_segments_are_billed_and_what_is_absent_stays_so() -> None:
    sent = sent_of({"destination": "12025550123", "text": "x" * 161}, umid=UMID, sub_account_id="acme_hq")
    _, payload = event(receipt_of(sent, DELIVERED, AT))
    assert (2, 0.02, "+12025550123") == (payload["smsCount"], payload["price"]["total"], payload["destination"])
    assert not {"clientMessageId", "source"} & payload.keys()


def test_a_reply() -> None:
    envelope, payload = event(reply_of(SENT_MESSAGE, Reply("STOP"), AT))
    assert ("SMS", "inbound_message_received") == (envelope["namespace"], envelope["eventType"])
    assert str(UUID(payload["umid"])) != UMID
    del payload["umid"]
    assert {
        "subAccountId": "acme_hq",
        "source": "+12025550123",
        "destination": "ACME",
        "body": "STOP",
        "encoding": "GSM7",
        "smsCount": 1,
    } == payload


def test_a_reply_to_a_message_without_a_sender() -> None:
    sent = sent_of({"destination": "12025550123", "text": "Hi"}, umid=UMID, sub_account_id="acme_hq")
    assert event(reply_of(sent, Reply("STOP"), AT))[1]["destination"] == OUR_NUMBER


def test_the_way_of_a_message() -> None:
    assert (QUEUED, SENT, AT_OPERATOR, DELIVERED) == way_to(DELIVERED)
    assert (QUEUED, SENT, REJECTED) == way_to(REJECTED)


@given(st.floats(0, 1, exclude_max=True), st.sampled_from([DELIVERED, REJECTED]))
def test_disorder_is_the_same_in_another_order(share: float, fate: Any) -> None:  # noqa: ANN401 - a fate
    way = way_to(fate)
    other = disordered(way, share)
    assert way != other
    assert set(way) == set(other)
    assert len(way) == len(other)


@given(st.integers(0, 4_000_000_000_000_000), st.integers())
def test_a_timestamp_is_cut_off_and_never_rounded(at: int, about: int) -> None:
    text = timestamp_of(at, about)
    fraction = text[20:-1]
    assert 2 <= len(fraction) <= 7
    read = datetime.fromisoformat(text)
    exact = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    assert timedelta(0) <= exact - read < timedelta(microseconds=10 ** max(6 - len(fraction), 0))
    assert read <= exact


def test_timestamps_come_with_all_numbers_of_digits() -> None:
    assert {2, 3, 4, 5, 6, 7} == {len(timestamp_of(AT, n)[20:-1]) for n in range(100)}
