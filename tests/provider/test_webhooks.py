"""What the provider posts, in its documented form and in the forms that it may come in all the same."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.delivery import DeliveryState, Inbound, Receipt
from runner.provider.webhooks import EARLIEST, LATEST, Ignored, NotAnEventError, read_event
from runner.sandbox.delivery import DELIVERED, UNDELIVERED, DeliveryStatus
from runner.sandbox.webhooks import OUR_NUMBER, reply_of, sent_of, statuses_to
from runner.sandbox.webhooks import receipt_of as receipt_from_sandbox

UMID = "9e09ac86-bd74-5465-851d-1eb5a5fdbb9a"
AT = 1_780_000_000_123_456  # 2026-05-28T20:26:40.123456Z
MORE: Mapping[str, Any] = {"price": {"total": 0.0375, "perSms": 0.0125, "currency": "SGD"}, "smsCount": 3}


def receipt_body(status: Mapping[str, Any] | None = None, /, **payload: Any) -> bytes:  # noqa: ANN401 (JSON)
    """A receipt as the documentation shows one; a field that is given as ... is left out."""
    told = {"state": "delivered", "detail": "delivered_to_recipient", "timestamp": "2026-05-28T20:26:40.123456Z",
            "errorCode": 0, "errorMessage": ""} | dict(status or {})  # fmt: skip
    whole = {"umid": UMID, "batchId": "3e09ac86-bd74-5465-851d-1eb5a5fdbb9b", "clientMessageId": "sale.main.abc",
             "clientBatchId": "b", "subAccountId": "acme_hq", "source": "ACME", "destination": "+12025550142",
             "status": known(told)} | payload  # fmt: skip
    event = {"namespace": "SMS", "eventType": "outbound_message_status_changed",
             "description": "SMS outbound message delivery receipt", "payload": known(whole)}  # fmt: skip
    return json.dumps(event).encode()


def inbound_body(**payload: Any) -> bytes:  # noqa: ANN401 (JSON)
    whole = {"umid": UMID, "subAccountId": "acme_hq", "timestamp": "2026-05-28T20:26:40.123456Z",
             "source": "+12025550142", "destination": "+12025550199", "body": "STOP", "encoding": "GSM7",
             "smsCount": 1, "price": {"total": 0.01, "perSms": 0.01, "currency": "USD"}} | payload  # fmt: skip
    event = {"namespace": "SMS", "eventType": "inbound_message_received", "description": "", "payload": known(whole)}
    return json.dumps(event).encode()


def known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ...}


def receipt_of(body: bytes) -> Receipt:
    receipt = read_event(body)
    assert isinstance(receipt, Receipt)
    return receipt


def inbound_of(body: bytes) -> Inbound:
    inbound = read_event(body)
    assert isinstance(inbound, Inbound)
    return inbound


def test_a_receipt_as_documented() -> None:
    assert Receipt(
        umid=UMID, message_id="sale.main.abc", state=DeliveryState.DELIVERED, at=AT, detail="delivered_to_recipient",
        error_code=0, error_message=None, delivered_at=AT, segments=3, price="0.0375", currency="SGD",
    ) == read_event(receipt_body(**MORE))  # fmt: skip


def test_a_receipt_of_what_did_not_arrive() -> None:
    status = {"state": "undelivered", "detail": "rejected_by_operator", "errorCode": 59, "errorMessage": "unknown"}
    receipt = receipt_of(receipt_body(status))
    assert ("undelivered", "rejected_by_operator", 59, "unknown", None) == (
        receipt.state, receipt.detail, receipt.error_code, receipt.error_message, receipt.delivered_at,
    )  # fmt: skip


def test_a_receipt_with_nothing_but_what_it_needs() -> None:
    status = {"detail": ..., "errorCode": ..., "errorMessage": ..., "state": "sent"}
    rest = dict.fromkeys(("batchId", "clientMessageId", "clientBatchId", "subAccountId", "source", "destination"), ...)
    assert Receipt(UMID, None, DeliveryState.SENT, AT) == read_event(receipt_body(status, **rest))


def test_an_inbound_message_as_documented() -> None:
    assert Inbound(UMID, "+12025550142", "+12025550199", "STOP", AT) == read_event(inbound_body())


def test_a_reply_needs_no_more_than_who_and_what() -> None:
    inbound = inbound_of(inbound_body(umid=..., destination=..., timestamp=..., encoding=..., smsCount=..., price=...))
    assert Inbound("", "+12025550142", "", "STOP", LATEST) == inbound


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00", "9999-12-31T23:59:59Z", "", "soon", None, 17, {}])
def test_a_reply_counts_as_the_newest_word_when_its_time_cannot_be_true(timestamp: object) -> None:
    assert LATEST == inbound_of(inbound_body(timestamp=timestamp)).at


@pytest.mark.parametrize("state", [state.value for state in DeliveryState])
def test_every_state(state: str) -> None:
    assert state == receipt_of(receipt_body({"state": state})).state
    assert state == receipt_of(receipt_body({"state": f" {state.title()} "})).state


@pytest.mark.parametrize("state", ["teleported", "", "x" * 5_000, "zustellung läuft", "\ud800"])
def test_a_state_that_nobody_knows_is_unknown(state: str) -> None:
    assert DeliveryState.UNKNOWN == receipt_of(receipt_body({"state": state})).state


def test_at_the_operator_is_not_delivered_yet() -> None:
    assert receipt_of(receipt_body({"detail": "delivered_to_operator"})).delivered_at is None
    assert receipt_of(receipt_body({"detail": "Delivered_To_Operator"})).delivered_at is None
    assert AT == receipt_of(receipt_body({"detail": None})).delivered_at


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(59, 59, id="whole"),
        pytest.param("59", 59, id="text"),
        pytest.param(" 59 ", 59, id="text with spaces"),
        pytest.param(59.0, 59, id="with a point"),
        pytest.param(1022, 1022, id="beyond the list"),
        *(pytest.param(code, None, id=repr(code)[:20]) for code in
          (None, "", "x", "٣", -1, 59.5, 2**31, 10**400, "9" * 5_000, 1e300, True, [59], {"code": 59})),
    ],
)  # fmt: skip
def test_an_error_code_in_whatever_form(code: object, expected: int | None) -> None:
    assert expected == receipt_of(receipt_body({"errorCode": code})).error_code


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0.0375", "0.0375"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("0", "0"),
        ("3", "3"),
        ("120.50", "120.5"),
        ("100", "100"),
        ("3.75e-2", "0.0375"),
        ("1E+2", "100"),
        ('"0.0375"', "0.0375"),
        ("123456789.12345678901234", "123456789.12345678901234"),
        *((each, None) for each in (
            "-0.5", "-3", "NaN", "Infinity", "-Infinity", "null", '""', '"free"', '"1e3"', "true", "[]", "{}", "1e9",
            "1e99", "1e-99", "1e999999", "1e-999999", "1e99999999999999999999", "1e-99999999999999999999",
            "0.1234567890123456789012345", "9" * 400, '"0,0375"', '"NaN"',
        )),
    ],
)  # fmt: skip
def test_a_price_is_the_text_that_was_written(number: str, expected: str | None) -> None:
    body = receipt_body(price={"total": "PRICE", "currency": "SGD"}).replace(b'"PRICE"', number.encode())
    receipt = receipt_of(body)
    assert (expected, "SGD" if expected is not None else None) == (receipt.price, receipt.currency)


@given(st.decimals(0, 999_999_999, places=6))
def test_any_price(price: Decimal) -> None:
    body = receipt_body(price={"total": "PRICE"}).replace(b'"PRICE"', f"{price:f}".encode())
    told = receipt_of(body).price
    assert told is not None
    assert price == Decimal(told)
    assert "." not in told or not told.endswith(("0", "."))


@pytest.mark.parametrize("price", [None, 0.5, "0.5", [], {}, {"currency": "SGD"}])
def test_without_a_total_nothing_is_told_of_money(price: object) -> None:
    receipt = receipt_of(receipt_body(price=price))
    assert (None, None) == (receipt.price, receipt.currency)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("2026-05-28T20:26:40.123456Z", AT, id="six digits"),
        pytest.param("2026-05-28T20:26:40.1234567Z", AT, id="seven digits"),
        pytest.param("2026-05-28T20:26:40.1Z", AT - 23_456, id="one digit"),
        pytest.param("2026-05-28T20:26:40.12Z", AT - 3_456, id="two digits"),
        pytest.param("2026-05-28T20:26:40Z", AT - 123_456, id="whole seconds"),
        pytest.param("2026-05-28t20:26:40.123456z", AT, id="small letters"),
        pytest.param("2026-05-28T20:26:40.123456", AT, id="without an offset"),
        pytest.param("2026-05-29T04:26:40.123456+08:00", AT, id="an offset"),
        pytest.param("2026-05-29T04:26:40.1234567+0800", AT, id="an offset without a colon"),
        pytest.param("2026-05-28T14:56:40.123456-05:30", AT, id="an offset back"),
        pytest.param(" 2026-05-28 20:26:40.123456Z ", AT, id="spaces"),
        pytest.param("0001-01-01T00:00:00", EARLIEST, id="no time at all"),
        pytest.param("0001-01-01T00:00:00+14:00", EARLIEST, id="before all times"),
        pytest.param("1970-01-01T00:00:00Z", EARLIEST, id="the epoch"),
        pytest.param("9999-12-31T23:59:59.9999999Z", LATEST, id="the end of times"),
        pytest.param("9999-12-31T23:59:59.9999999-14:00", LATEST, id="behind all times"),
    ],
)
def test_a_time_in_whatever_form(written: str, expected: int) -> None:
    receipt = receipt_of(receipt_body({"timestamp": written}))
    assert expected == receipt.at
    assert (expected if EARLIEST < expected < LATEST else None) == receipt.delivered_at


@given(st.integers(EARLIEST, LATEST), st.integers(-14 * 60, 14 * 60))
def test_any_time(at: int, offset_min: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    written = moment.astimezone(timezone(timedelta(minutes=offset_min))).isoformat()
    assert at == receipt_of(receipt_body({"timestamp": written})).at


def test_strings_are_cut_to_what_the_ledger_holds() -> None:
    receipt = receipt_of(
        receipt_body(
            {"detail": "d" * 1_000, "errorMessage": "e" * 50_000},
            umid="u" * 1_000, clientMessageId="c" * 1_000, price={"total": 1, "currency": "DOLLARS"},
        )
    )  # fmt: skip
    assert (64, 350, 40, 300, "DOL") == (
        len(receipt.umid), len(receipt.message_id or ""), len(receipt.detail or ""), len(receipt.error_message or ""),
        receipt.currency,
    )  # fmt: skip
    inbound = inbound_of(inbound_body(body="STOP " * 10_000, source="+" + "1" * 500))
    assert (2_000, 40) == (len(inbound.body), len(inbound.source))


@pytest.mark.parametrize("odd", ["\ud800", "a\0b", "\udfff\0", "é\x1b[31m", "𝓢", "\u202e"])
def test_a_database_takes_every_string(odd: str) -> None:
    receipt = receipt_of(receipt_body({"detail": odd, "errorMessage": odd}, umid=f"u{odd}", clientMessageId=f"c{odd}"))
    inbound = inbound_of(inbound_body(body=f"STOP{odd}", umid=odd, destination=odd))
    connection = sqlite3.connect(":memory:")
    for text in (receipt.umid, receipt.message_id, receipt.detail, receipt.error_message, inbound.body, inbound.umid):
        assert (text,) == connection.execute("select ?", (text,)).fetchone()
        assert "\0" not in (text or "")
    connection.close()


def test_a_body_in_utf_8_in_whatever_way() -> None:
    event = json.loads(inbound_body(body="¡Alto! 停"))
    plain = json.dumps(event, ensure_ascii=False).encode()
    assert ["¡Alto! 停"] * 2 == [inbound_of(body).body for body in (plain, b"\xef\xbb\xbf" + plain)]


@pytest.mark.parametrize("field", ["umid", "status"])
@pytest.mark.parametrize("value", [..., None, "", "  ", 17, [], {}])
def test_a_receipt_without_what_counts(field: str, value: object) -> None:
    with pytest.raises(NotAnEventError, match="the receipt lacks its umid, state or timestamp"):
        read_event(receipt_body(**{field: value}))


@pytest.mark.parametrize("field", ["state", "timestamp"])
@pytest.mark.parametrize("value", [..., None, 17, [], {}])
def test_a_status_without_what_counts(field: str, value: object) -> None:
    with pytest.raises(NotAnEventError, match="the receipt lacks its umid, state or timestamp"):
        read_event(receipt_body({field: value}))


@pytest.mark.parametrize("value", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-05-28T25:00:00Z", "1" * 5_000])
def test_a_receipt_with_a_time_that_cannot_be_read(value: str) -> None:
    with pytest.raises(NotAnEventError, match="timestamp"):
        read_event(receipt_body({"timestamp": value}))


@pytest.mark.parametrize("field", ["source", "body"])
@pytest.mark.parametrize("value", [..., None, 17, [], {}])
def test_a_reply_without_what_counts(field: str, value: object) -> None:
    with pytest.raises(NotAnEventError, match="the inbound message lacks its source or body"):
        read_event(inbound_body(**{field: value}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"hello", "not JSON", id="text"),
        pytest.param(b'{"namespace": "SMS"', "not JSON", id="cut off"),
        pytest.param(b"\xff\xfe\xfa", "not JSON", id="bytes"),
        pytest.param(b"[" * 100_000, "not JSON", id="without an end"),
        pytest.param(b"1" * 60_000, "not JSON", id="a number without an end"),
        pytest.param(b"[]", "not a JSON object", id="an array"),
        pytest.param(b'"SMS"', "not a JSON object", id="a string"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b"1e99999999999999999999", "not a JSON object", id="a number"),
        pytest.param(b"{}", "no eventType", id="nothing in it"),
        pytest.param(b'{"eventType": 7}', "no eventType", id="a kind that is a number"),
        pytest.param(b'{"eventType": "inbound_message_received"}', "no payload", id="no payload"),
        pytest.param(b'{"eventType": "inbound_message_received", "payload": []}', "no payload", id="a list in it"),
    ],
)
def test_what_is_no_event(body: bytes, words: str) -> None:
    with pytest.raises(NotAnEventError, match=words):
        read_event(body)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"namespace": "ChatApps", "eventType": "inbound_message_received"}, "ChatApps/inbound_message_received"),
        ({"namespace": "SMS", "eventType": "price_changed"}, "SMS/price_changed"),
        ({"namespace": {"a": 1}, "eventType": "price_changed"}, "/price_changed"),
        ({"eventType": "\x1b[31m\ud800\n<b>"}, "/?[31m??<b>"),
        ({"namespace": "n" * 100, "eventType": "x"}, "n" * 60),
    ],
)  # fmt: skip
def test_what_is_none_of_ours(event: object, kind: str) -> None:
    assert Ignored(kind) == read_event(json.dumps(event).encode())


@pytest.mark.parametrize("namespace", ["SMS", "sms", None, ...])
def test_the_namespace_may_be_absent(namespace: object) -> None:
    event = known(json.loads(receipt_body()) | {"namespace": namespace})
    assert UMID == receipt_of(json.dumps(event).encode()).umid


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
STATUS = ("state", "detail", "timestamp", "errorCode", "errorMessage")
PAYLOAD = ("umid", "clientMessageId", "status", "price", "smsCount", "source", "destination", "body", "timestamp")


@given(st.dictionaries(st.sampled_from(STATUS), JSON), st.dictionaries(st.sampled_from(PAYLOAD), JSON), st.booleans())
def test_nothing_in_a_payload_is_a_bug(status: dict[str, Any], payload: dict[str, Any], is_receipt: bool) -> None:
    body = receipt_body(status, **payload) if is_receipt else inbound_body(**payload)
    try:
        event = read_event(body)
    except NotAnEventError:
        return
    assert isinstance(event, Receipt if is_receipt else Inbound)
    assert EARLIEST <= event.at <= LATEST


@given(st.binary(max_size=200))
def test_no_body_is_a_bug(body: bytes) -> None:
    with pytest.raises(NotAnEventError):
        read_event(body)


@pytest.mark.parametrize("final", [DELIVERED, *UNDELIVERED], ids=lambda final: f"{final.state}-{final.error_code}")
def test_what_the_sandbox_posts_is_understood(final: DeliveryStatus) -> None:
    entry = {"umid": UMID, "subAccountId": "acme_hq", "clientMessageId": "sale.main.abc"}
    sent = sent_of(entry | {"destination": "+12025550142", "text": "Hi"})
    told = [receipt_of(receipt_from_sandbox(sent, each, AT)) for each in statuses_to(final)]
    assert {(UMID, "sale.main.abc")} == {(each.umid, each.message_id) for each in told}
    assert max(AT - each.at for each in told) < 10_000  # it writes from two digits of a second to seven
    assert (final.state, final.detail, final.error_code) == (told[-1].state, told[-1].detail, told[-1].error_code)
    assert told[-1].price is not None


@pytest.mark.parametrize("sender", ["ACME", None])
@pytest.mark.parametrize("body", ["STOP", "Stop. Thank you", "退订", "hello \U0001f600"])
def test_the_replies_of_the_sandbox_are_understood(sender: str | None, body: str) -> None:
    entry = {"destination": "+12025550142", "text": "Hi"} | ({"source": sender} if sender else {})
    sent = sent_of(entry | {"umid": UMID, "subAccountId": "acme_hq"})
    inbound = inbound_of(reply_of(sent, body, AT))
    assert ("+12025550142", sender or OUR_NUMBER, body) == (inbound.source, inbound.destination, inbound.body)
    assert AT - inbound.at < 10_000
    assert inbound.umid
