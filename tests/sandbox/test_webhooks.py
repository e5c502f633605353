import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox.delivery import (
    AT_OPERATOR,
    DELIVERED,
    SENT,
    UNDELIVERED,
    WAITING,
    DeliveryStatus,
)
from runner.sandbox.options import SandboxOptions
from runner.sandbox.webhooks import (
    OUR_NUMBER,
    PostPlan,
    disordered,
    plan_posts,
    receipt_of,
    reply_of,
    sent_of,
    statuses_to,
    timestamp_of,
)

UMID = "9f1c2e7a-6b40-4de1-8a2c-1f0d9e7c5b31"
AT = 1_764_035_999_123_456  # 2025-11-25T01:59:59.123456Z
TAKEN = {"umid": UMID, "subAccountId": "acme_hq"}
MESSAGE = TAKEN | {
    "destination": "+12025550123",
    "text": "Hello",
    "clientMessageId": "welcome.main.k1",
    "source": "ACME",
}
SENT_MESSAGE = sent_of(MESSAGE)
REJECTED = next(status for status in UNDELIVERED if status.detail == "rejected_by_operator")


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


def test_the_states_of_a_message_and_only_the_last_has_a_price() -> None:
    assert (WAITING, SENT, AT_OPERATOR, DELIVERED) == statuses_to(DELIVERED)
    assert (WAITING, SENT, REJECTED) == statuses_to(REJECTED)
    priced = [each for each in statuses_to(DELIVERED) if "price" in event(receipt_of(SENT_MESSAGE, each, AT))[1]]
    assert [DELIVERED] == priced


def test_what_did_not_arrive_and_what_is_absent() -> None:
    sent = sent_of(TAKEN | {"destination": "12025550123", "text": "x" * 161})
    assert {
        "umid": UMID,
        "subAccountId": "acme_hq",
        "destination": "+12025550123",
        "status": {
            "state": "undelivered",
            "detail": "rejected_by_operator",
            "errorCode": 15,
            "errorMessage": "invalid destination",
        },
        "price": {"total": 0.0, "perSms": 0.0, "currency": "USD"},
        "smsCount": 2,
    } == event(receipt_of(sent, REJECTED, AT))[1]
    assert 0.02 == event(receipt_of(sent, DELIVERED, AT))[1]["price"]["total"]
    assert OUR_NUMBER == event(reply_of(sent, "STOP", AT))[1]["destination"]


def test_a_reply() -> None:
    envelope, payload = event(reply_of(SENT_MESSAGE, "STOP", AT))
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


@given(st.floats(0, 1, exclude_max=True), st.sampled_from([DELIVERED, REJECTED]))
def test_disorder_is_the_same_in_another_order(share: float, final: DeliveryStatus) -> None:
    way = statuses_to(final)
    other = disordered(way, share)
    assert way != other
    assert sorted(map(str, way)) == sorted(map(str, other))


@given(st.integers(0, 4_000_000_000_000_000), st.integers())
def test_a_timestamp_is_cut_off_and_never_rounded(at: int, about: int) -> None:
    text = timestamp_of(at, about)
    fraction = text[20:-1]
    assert 2 <= len(fraction) <= 7
    read = datetime.fromisoformat(text)
    exact = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    assert timedelta(0) <= exact - read < timedelta(microseconds=10 ** max(6 - len(fraction), 0))
    assert read <= exact
    assert {2, 3, 4, 5, 6, 7} == {len(timestamp_of(at, n)[20:-1]) for n in range(100)}


HERE = "http://127.0.0.1:8090/receipts"
BEYOND = "https://example.com/receipts"


def planned(fields: dict[str, Any], **options: Any) -> tuple[PostPlan | None, int]:  # noqa: ANN401 - any option
    return plan_posts(MESSAGE | fields, SandboxOptions(**options))


def plan(fields: dict[str, Any], **options: Any) -> PostPlan:  # noqa: ANN401 - any option
    made, left_out = planned(fields, **options)
    assert made is not None
    assert left_out == 0
    return made


def test_the_receipts_of_a_message() -> None:
    made = plan({"dlrCallbackUrl": HERE})
    assert (statuses_to(DELIVERED), HERE) == (made.steps, str(made.receipts_url))


@pytest.mark.parametrize("url", [BEYOND, "http://127.0.0.1@example.com/", "http://192.0.2.7/"])
def test_what_goes_beyond_this_computer_is_left_out(url: str) -> None:
    assert (None, 4) == planned({"dlrCallbackUrl": url})
    assert 4 == len(plan({"dlrCallbackUrl": url}, receipts_beyond_loopback=True).steps)


def test_a_url_that_the_client_cannot_read_is_left_out() -> None:
    assert (None, 4) == planned({"dlrCallbackUrl": "http://127.0.0.1:99999/"})


def test_replies() -> None:
    """They come after the receipts, from those who were reached, and may have a URL of their own."""
    receipts = statuses_to(DELIVERED)
    made = plan({"dlrCallbackUrl": HERE}, stop_share=1, seed=3)
    assert (receipts, {str}) == (made.steps[:4], set(map(type, made.steps[4:])))
    lost = plan({"dlrCallbackUrl": HERE}, stop_share=1, undelivered_share=1)
    assert {DeliveryStatus} == set(map(type, lost.steps))
    assert (None, 0) == planned({}, stop_share=1)
    elsewhere, left_out = planned({"dlrCallbackUrl": BEYOND}, stop_share=1, inbound_url=HERE)
    assert elsewhere is not None
    assert (4, HERE, {str}) == (left_out, str(elsewhere.replies_url), set(map(type, elsewhere.steps)))
    alone = plan({}, stop_share=1, inbound_url=HERE, receipt_disorder=1)
    assert {str} == set(map(type, alone.steps))
    assert not alone.comes_twice(0, SandboxOptions(receipt_duplicates=1))


def test_disorder_is_of_the_receipts_alone_and_the_same_each_time() -> None:
    made, again = (plan({"dlrCallbackUrl": HERE}, receipt_disorder=1, stop_share=1) for _ in range(2))
    assert statuses_to(DELIVERED) != made.steps[:4]
    assert set(statuses_to(DELIVERED)) == set(made.steps[:4])
    assert {str} == set(map(type, made.steps[4:]))
    assert made.steps == again.steps


def test_the_shares_are_about_as_asked() -> None:
    options: dict[str, Any] = {"receipt_disorder": 0.3, "receipt_duplicates": 0.3, "seed": 5}
    made = [plan({"dlrCallbackUrl": HERE, "clientMessageId": f"k{n}"}, **options) for n in range(2_000)]
    sandbox = SandboxOptions(**options)
    assert abs(sum(each.steps != statuses_to(DELIVERED) for each in made) - 600) < 80
    assert abs(sum(each.comes_twice(0, sandbox) for each in made) - 600) < 80


def test_delays_are_about_as_asked_for_and_people_take_longer() -> None:
    options = SandboxOptions(receipt_delay_s=2)
    made = plan({"dlrCallbackUrl": HERE}, stop_share=1)
    assert 1 <= made.delay_s(1, options) < 3
    assert 3 <= made.delay_s(4, options) < 9
