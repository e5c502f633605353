"""Answers and events with JSON of any shape: each ends as a documented outcome, event or error, never as a bug."""

import json
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.delivery import Receipt
from runner.base.errors import StoppedError
from runner.base.messages import Encoding, Message
from runner.base.optouts import OptOut
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.ledger.ledger import open_ledger
from runner.ledger.optouts import note_optouts
from runner.ledger.receipts import save_receipts
from runner.provider.answer import classify, http_date, read_answer
from runner.provider.message_actions import cancel_ended, feedback_ended
from runner.provider.prices import read_balance, read_price_list
from runner.provider.webhooks import INBOUND, RECEIPT, Ignored, NotAnEventError, read_event
from runner.receipts.intake import read_reply
from runner.receipts.optout_words import BUILT_IN

MESSAGE = Message(1, "C-1", "+12025550142", "US", "Hi", Encoding.GSM7, 1, "a.b.c")
NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def nested(depth: int, opening: str, closing: str) -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


# JSON, already written: what Python can't express is in it, too.
ODD_VALUES = [
    *(nested(depth, "[", "]") for depth in (200, 1_000, 1_023, 5_000)),
    *(nested(depth, '{"code":', "}") for depth in (200, 1_000, 5_000)),
    *(b"9" * digits for digits in (10, 20, 400, 5_000)),
    *(b"-1", b"1e400", b"-1e400", b"1e-400", b"0.1e99999999999", b"1002.0", b"NaN", b"Infinity", b"true", b"null"),
    *(rb'"\ud800"', rb'"a\u0000b"', rb'"\u001b[2J"', b'"\xed\xa0\x80"', b'"\xff"', b'""', b'" "'),
    *(b'"%s"' % (b"9" * 5_000), b'"2026-12-01T02:00:00Z"', b'"0001-01-01T00:00:00+23:59"'),
    b'"9999-12-31T23:59:59-23:59"',
    *(b'"QUEUED"', b'"REJECTED"', b'"a.b.c"', b'"delivered"', b'"STOP"', b'"+12025550142"', b'"USD"', b'"sg"', b"1002"),
]  # fmt: skip
KEYS = (
    *("code", "message", "errorId", "umid", "clientMessageId", "status", "destination", "encoding", "description"),
    *("cancelledCount", "balance", "currency", "subAccounts", "subAccountId", "outbound", "countries", "alpha2Code"),
    *("operators", "operatorName", "price", "amount", "total", "state", "detail", "timestamp", "errorCode", "smsCount"),
    *("source", "body", "payload"),
)
SCALARS = st.sampled_from(ODD_VALUES) | st.integers().map(lambda number: b"%d" % number)


def containers(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    # A list of pairs, because a key may come twice.
    pairs = st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=6)
    objects = pairs.map(lambda found: b"{%b}" % b",".join(b'"%b":%b' % (key.encode(), value) for key, value in found))
    return objects | st.lists(inner, max_size=3).map(lambda found: b"[%b]" % b",".join(found))


VALUES = st.recursive(SCALARS, containers, max_leaves=12)


def document(*names: str) -> st.SearchStrategy[bytes]:
    """An object with these fields, each with a value of any kind, or left out, and any other document."""
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES))
    whole = fields.map(
        lambda found: b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), value) for name, value in found.items())
    )
    return whole | VALUES | st.binary(max_size=40)


STATUSES = st.sampled_from([200, 201, 202, 204, 206, 301, 304, 400, 401, 404, 408, 413, 422, 425, 429, 500, 501, 503])
HEADER = (
    st.sampled_from(["9" * 400, "1e400", "nan", "-inf", "Fri, 31 Dec 9999 23:59:59 -9999"])
    | st.just("9" * 30 + " Dec 2026 1:0 Z")
    | st.text(max_size=60)
    | st.datetimes().map(lambda moment: f"{moment:%a, %d %b %Y %H:%M:%S} GMT")
)  # fmt: skip


def check_storable(outcome: Outcome) -> None:
    """The ledger, UTF-8 files and a terminal can take the texts and numbers."""
    texts = (outcome.detail, outcome.umid or "", outcome.error_id or "")
    assert all(text.encode() is not None and text.replace("\n", "").isprintable() is not None for text in texts)
    assert not any(character < " " for text in texts for character in text)
    assert outcome.error_code is None or 0 <= outcome.error_code < 2**31
    assert outcome.retry_after_s is None or 0 <= outcome.retry_after_s <= 365 * 86_400
    assert len(outcome.detail) <= 400


@given(STATUSES, HEADER, document("code", "message", "errorId", "umid", "clientMessageId", "status", "destination"))
def test_messages(status: int, header: str, body: bytes) -> None:
    found = classify(status, {"retry-after": header, "location": header}, body, message=MESSAGE, now=NOW, secret="S")

    check_storable(found)
    if status == 408 or status >= 500 or 200 < status < 300:
        assert Status.UNKNOWN is found.status
    if found.status is Status.REJECTED and status != 200:
        said = orjson.loads(body)
        assert type(said["code"]) is int
        assert isinstance(said["message"], str)


@given(STATUSES, HEADER, document("code", "message", "errorId", "cancelledCount"))
def test_feedback_and_cancelling(status: int, header: str, body: bytes) -> None:
    answer = read_answer(status, {"retry-after": header, "location": header}, body, now=NOW)
    for found in (feedback_ended(answer), cancel_ended(answer)):
        check_storable(found)
        if found.status is Status.ACCEPTED:
            assert 200 <= status < 300


@given(HEADER)
def test_dates(header: str) -> None:
    found = http_date(header)
    assert found is None or found.tzinfo is not None


@given(document("subAccounts", "balance", "currency"))
def test_prices_and_balances(body: bytes) -> None:
    try:
        prices = read_price_list(body)
        for price in prices.prices:
            json.dumps([price.country, price.operator, price.sub_account]).encode()
        "".join(why for _, why in prices.left_out).encode()
    except StoppedError as error:
        str(error).encode()
    try:
        f"{read_balance(body).amount:f}".encode()
    except StoppedError as error:
        str(error).encode()


COUNTRY = document("alpha2Code", "countryName", "operators")


@given(st.lists(COUNTRY, max_size=3), VALUES)
def test_countries_of_a_price_list(countries: list[bytes], name: bytes) -> None:
    listed = b'{"subAccounts":[{"subAccountId":%b,"outbound":{"countries":[%b]}}]}' % (name, b",".join(countries))
    try:
        prices = read_price_list(listed)
    except StoppedError:
        return
    for why in (text for each in prices.left_out for text in each):
        why.encode()


@pytest.mark.parametrize("kind", [RECEIPT, INBOUND])
def test_receipts_and_replies(tmp_path: Path, kind: str) -> None:
    fields = document(
        *("umid", "clientMessageId", "status", "price", "smsCount", "source", "destination", "body", "timestamp")
    )
    receipts = st.builds(
        lambda status, price, rest: b'{"umid":"u-1","status":{"state":%b,"timestamp":"2026-12-01T02:00:00Z",'
        b'"errorCode":%b,"errorMessage":%b},"price":{"total":%b,"currency":%b},"clientMessageId":%b}'
        % (*status, *price, rest),
        st.tuples(SCALARS, SCALARS, SCALARS), st.tuples(SCALARS, SCALARS), SCALARS,
    )  # fmt: skip

    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as ledger:

        @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(fields | receipts, SCALARS)
        def check(payload: bytes, namespace: bytes) -> None:
            for whose in (b'"SMS"', namespace):
                body = b'{"namespace":%b,"eventType":"%b","payload":%b}' % (whose, kind.encode(), payload)
                try:
                    event = read_event(body)
                except NotAnEventError as error:
                    str(error).encode()
                    continue
                if isinstance(event, Ignored):
                    event.kind.encode()
                elif isinstance(event, Receipt):
                    save_receipts(ledger, [event], now=1, authorized=True)
                else:
                    _, optout = read_reply(event, BUILT_IN, 1)
                    assert optout is None or isinstance(optout, OptOut)
                    note_optouts(ledger, [optout] if optout else [])

        check()


@pytest.mark.parametrize("field", ["umid", "status", "clientMessageId"])
def test_a_deeply_nested_field_is_unknown(field: str) -> None:
    deep = {"umid": '"u-1"', "status": '{"code": "QUEUED"}'} | {field: "[" * 1_000 + "]" * 1_000}
    body = ("{" + ",".join(f'"{name}": {value}' for name, value in deep.items()) + "}").encode()
    if field == "status":
        body = body.replace(b'"status": [', b'"status": {"code": [').replace(b"]}", b"]}}")
    found = classify(200, {}, body, message=MESSAGE, now=NOW)

    assert (Status.UNKNOWN, OutcomeReason.INVALID_ANSWER, Then.GO_ON) == (found.status, found.reason, found.then)
