"""Every line of the table from answer to outcome."""

import json
from datetime import UTC, datetime

import pytest

from runner.base.messages import Encoding, Message
from runner.base.outcomes import OutcomeReason, Status, Then
from runner.provider.answer import DEFAULT_RETRY_AFTER_S, amount_of, classify, exact_json

MESSAGE = Message(1, "C-1", "+12025550142", "US", "Hi", Encoding.GSM7, 1, "a.b.c")
NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
UMID = "bda3d56d-1424-e711-813c-06ed3428fe67"


def taken(**changes: object) -> bytes:
    answer: dict[str, object] = {
        "umid": UMID,
        "clientMessageId": "a.b.c",
        "destination": "12025550142",
        "encoding": "GSM7",
        "status": {"code": "QUEUED", "description": "SMS is accepted"},
    } | changes
    return json.dumps({name: value for name, value in answer.items() if value is not None}).encode()


def error(code: int, words: str = "no") -> bytes:
    return json.dumps({"code": code, "message": words, "errorId": "e-1", "timestamp": "2026-12-01T02:00:00Z"}).encode()


ACCEPTED, REJECTED, UNKNOWN, UNSENT = Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN, Status.UNSENT
R = OutcomeReason

DIFFERENCES: list[tuple[str, dict[str, object], OutcomeReason]] = [
    ("as it was sent", {"destination": "+12025550142"}, R.QUEUED),
    ("with spaces", {"destination": "+1 (202) 555-0142"}, R.QUEUED),
    ("with an international prefix", {"destination": "0012025550142"}, R.QUEUED),
    ("in lower case", {"encoding": "gsm7"}, R.QUEUED),
    ("without details", {"destination": None, "encoding": None}, R.QUEUED),
    ("with nothing to compare", {"destination": "1202•••0142", "encoding": "AUTO"}, R.QUEUED),
    ("with other types", {"destination": 12025550199, "encoding": ["UCS2"]}, R.QUEUED),
    ("for another number", {"destination": "12025550143"}, R.OTHER_DESTINATION),
    ("for a shorter number", {"destination": "2025550142"}, R.OTHER_DESTINATION),
    ("in another encoding", {"encoding": "UCS2"}, R.OTHER_ENCODING),
    ("in another encoding, small", {"encoding": "ucs2"}, R.OTHER_ENCODING),
    ("both", {"destination": "12025550143", "encoding": "UCS2"}, R.OTHER_DESTINATION),
]
# Bodies of a 4xx that aren't the provider's error document.
FOREIGN = [
    b"<h1>Bad Request</h1>",
    b"",
    b'{"code": 1002}',
    b'{"message": "no Route matched with those values"}',
    b'{"code": 400, "message": "Bad Request"}',
    b'{"code": "1002", "message": "no"}',
    b'{"code": 1002, "message": null}',
    b'[{"code": 1002, "message": "no"}]',
]
CASES = [
    # label, HTTP status, body, outcome, reason, then
    ("taken", 200, taken(), ACCEPTED, R.QUEUED, Then.GO_ON),
    ("taken without an echo", 200, taken(clientMessageId=None), ACCEPTED, R.QUEUED, Then.GO_ON),
    *[(f"taken, {label}", 200, taken(**changes), ACCEPTED, reason, Then.GO_ON)
      for label, changes, reason in DIFFERENCES],
    ("another number, but refused", 200, taken(destination="12025550143", status={"code": "REJECTED"}), REJECTED,
     R.REJECTED_BY_PROVIDER, Then.GO_ON),
    ("a 200 that refuses", 200, taken(status={"code": "REJECTED", "description": "Invalid MSISDN"}), REJECTED,
     R.REJECTED_BY_PROVIDER, Then.GO_ON),
    ("a refusal without umid", 200, taken(umid=None, status={"code": "REJECTED"}), REJECTED, R.REJECTED_BY_PROVIDER,
     Then.GO_ON),
    ("taken without umid", 200, taken(umid=None), UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("an empty umid", 200, taken(umid=""), UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("another message's answer", 200, taken(clientMessageId="x.y.z"), UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("a status nobody knows", 200, taken(status={"code": "MAYBE"}), UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("a status that is no object", 200, taken(status="QUEUED"), UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("half an answer", 200, taken()[:40], UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("an empty 200", 200, b"", UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("a list", 200, b"[]", UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("a portal's page", 200, b"<html>Please log in</html>", UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("not UTF-8", 200, b"\xff\xfe", UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    ("created", 201, taken(), UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    *[(f"rejected with {code}", 400, error(code), REJECTED, reason, Then.GO_ON) for code, reason in [
        (1000, R.BAD_REQUEST), (1002, R.INVALID_DESTINATION), (1003, R.INVALID_OPTION), (1004, R.INVALID_TEXT),
        (1005, R.INVALID_SOURCE), (1006, R.INVALID_OPTION), (1008, R.INVALID_OPTION), (1009, R.INVALID_DESTINATION),
        (1010, R.INVALID_OPTION), (1011, R.INVALID_OPTION), (1012, R.INVALID_OPTION), (1400, R.RESENDING_INTERVAL),
        (3002, R.INVALID_DESTINATION), (3003, R.INVALID_DESTINATION), (3005, R.INVALID_TEXT), (3006, R.INVALID_TEXT),
        (3009, R.INVALID_OPTION), (3011, R.INVALID_SOURCE), (3020, R.INVALID_OPTION), (9999, R.BAD_REQUEST)]],
    ("rejected with 422", 422, error(1002), REJECTED, R.INVALID_DESTINATION, Then.GO_ON),
    *[(f"not the provider's {status}: {body!r}", status, body, UNSENT, R.UNEXPECTED_ANSWER, Then.BACK_OFF)
      for status in (400, 405, 407, 409, 413, 422, 431) for body in FOREIGN],
    ("the provider's error document with an undocumented status", 409, error(1002), UNSENT, R.UNEXPECTED_ANSWER,
     Then.BACK_OFF),
    *[(f"fatal code {code}", status, error(code), UNSENT, reason, Then.STOP) for status, code, reason in [
        (400, 1001, R.NOT_FOUND), (400, 1014, R.UPGRADE_REQUIRED), (400, 1200, R.UNAUTHORIZED),
        (400, 1201, R.FORBIDDEN), (400, 2001, R.UNSUPPORTED), (400, 2002, R.UNSUPPORTED), (409, 2003, R.UNSUPPORTED)]],
    *[(f"fatal code {code} with {status}", status, error(code), UNKNOWN, reason, Then.GO_ON)
      for code in (1001, 1014, 1200, 1201, 2001, 2002, 2003)
      for status, reason in [(500, R.SERVER_ERROR), (501, R.SERVER_ERROR), (503, R.SERVER_ERROR),
                             (408, R.INVALID_ANSWER), (202, R.INVALID_ANSWER), (304, R.INVALID_ANSWER)]],
    *[(f"fatal HTTP {status}", status, b"", UNSENT, reason, Then.STOP) for status, reason in [
        (401, R.UNAUTHORIZED), (403, R.FORBIDDEN), (404, R.NOT_FOUND), (410, R.UNSUPPORTED),
        (426, R.UPGRADE_REQUIRED),
        *[(redirect, R.UNEXPECTED_ANSWER) for redirect in (301, 302, 303, 307, 308)]]],
    ("too many", 429, error(429), UNSENT, R.THROTTLED, Then.PAUSE),
    ("the server timed out on us", 408, b"", UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
    *[(f"HTTP {status}", status, body, UNKNOWN, R.SERVER_ERROR, Then.GO_ON) for status, body in [
        (500, error(2000)), (500, b""), (502, b"<html>Bad Gateway</html>"), (503, b""), (504, b"")]],
    ("a strange 3xx", 304, b"", UNKNOWN, R.INVALID_ANSWER, Then.GO_ON),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "outcome", "reason", "then"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_outcome(status: int, body: bytes, outcome: Status, reason: OutcomeReason, then: Then) -> None:
    found = classify(status, {}, body, message=MESSAGE, now=NOW)

    assert (outcome, reason, then, status) == (found.status, found.reason, found.then, found.http_status)


def test_the_facts_are_kept() -> None:
    accepted = classify(200, {}, taken(), message=MESSAGE, now=NOW)
    rejected = classify(400, {}, error(1002, "Invalid MSISDN format"), message=MESSAGE, now=NOW)

    assert UMID == accepted.umid
    assert (1002, "e-1", "Invalid MSISDN format") == (rejected.error_code, rejected.error_id, rejected.detail)


def test_what_differs_is_said() -> None:
    differing = taken(destination="12025550143", encoding="UCS2")
    found = classify(200, {}, differing, message=MESSAGE, now=NOW)

    assert (UMID, "accepted, but the answer has the number +12025550143 and the encoding UCS2, not GSM7") == (
        found.umid, found.detail
    )  # fmt: skip


@pytest.mark.parametrize("code", [2**64 - 1, 2**31, -1, True, 1e300, "1002"])
def test_a_code_that_is_none_is_left_out(code: object) -> None:
    """It would break a column of the ledger or of the results."""
    body = json.dumps({"code": code, "message": "no"}).encode()

    assert classify(400, {}, body, message=MESSAGE, now=NOW).error_code is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>nginx</h1></body></html>",
            'a web page instead of an API answer: "502 Bad Gateway"',
        ),
        (b"  <!doctype html><h1>Blocked</h1> by policy", 'a web page instead of an API answer: "Blocked by policy"'),
        (b"<html></html>", "a web page instead of an API answer"),
        (b"upstream connect error", "upstream connect error"),
        (b"sorry " * 1000, f"{('sorry ' * 20)[:119]}…"),
        (b"<p>sorry</p>\n" * 1000, f'a web page instead of an API answer: "{("sorry " * 20)[:119]}…"'),
        (b"<title" * 10_000, 'a web page instead of an API answer: "' + ("<title" * 20)[:119] + '…"'),
        (b"<title>my key is SECRET", 'a web page instead of an API answer: "my key is [API key]"'),
    ],
)
def test_a_body_that_is_no_error_document_is_quoted(body: bytes, expected: str) -> None:
    assert expected == classify(502, {}, body, message=MESSAGE, now=NOW, secret="SECRET").detail


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "the answer is not a JSON object"),
        (taken(umid=None), "the answer has no umid"),
        (taken(status={"code": "NEW"}), "the answer has an unknown status: NEW"),
        (taken(clientMessageId="a.b.d"), "the answer is about another message (a.b.d)"),
    ],
)
def test_what_is_wrong_with_a_200_is_said(body: bytes, words: str) -> None:
    assert words == classify(200, {}, body, message=MESSAGE, now=NOW).detail


@pytest.mark.parametrize("code", [0, 2**31 - 1])
def test_any_other_code_is_kept(code: int) -> None:
    assert code == classify(400, {}, error(code), message=MESSAGE, now=NOW).error_code


def test_ids_are_cut_to_what_the_ledger_holds() -> None:
    body = json.dumps({"code": 1002, "message": "no", "errorId": "e" * 65}).encode()
    refused = classify(400, {}, body, message=MESSAGE, now=NOW)
    accepted = classify(200, {}, taken(umid="u" * 65), message=MESSAGE, now=NOW)

    assert ("e" * 63 + "…", "u" * 63 + "…") == (refused.error_id, accepted.umid)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("2", 2.0, id="seconds"),
        pytest.param("0.5", 0.5, id="half a second"),
        pytest.param("Tue, 01 Dec 2026 02:00:30 GMT", 30.0, id="a date"),
        pytest.param("Tue, 01 Dec 2026 01:00:00 GMT", 0.0, id="a date that is over"),
        pytest.param("-5", 0.0, id="negative"),
        pytest.param("nan", 0.0, id="not a number"),
        pytest.param("999999999", 365 * 86_400.0, id="absurd"),
        pytest.param("1" + "0" * 20, 365 * 86_400.0, id="ten to the power of 20"),
        pytest.param("9" * 5_000, 365 * 86_400.0, id="5,000 digits"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 365 * 86_400.0, id="a date in the year 9999"),
        pytest.param("Tue, 01 Dec 2026 01:00:00 +" + "9" * 30, DEFAULT_RETRY_AFTER_S, id="an offset beyond an int"),
        pytest.param("9" * 30 + " Dec 2026 01:00:00 GMT", DEFAULT_RETRY_AFTER_S, id="a day beyond an int"),
        pytest.param("soon", DEFAULT_RETRY_AFTER_S, id="words"),
        pytest.param("", DEFAULT_RETRY_AFTER_S, id="empty"),
        pytest.param(None, DEFAULT_RETRY_AFTER_S, id="absent"),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    headers = {} if value is None else {"retry-after": value}

    assert seconds == classify(429, headers, b"", message=MESSAGE, now=NOW).retry_after_s


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.0375", "0.0375"),
        ('" 12.5 "', "12.5"),
        ('"-3"', "-3"),
        ("7", "7"),
        ("0", "0"),
        ("-0.0", "0"),
        ("0e20", "0"),
        ("1e-12", "1E-12"),
        ("999999999999999", "999999999999999"),
        ("123456789012345.123456789", "123456789012345.123456789"),
        ("123456789012345.1234567891", None),
        ("1e-13", None),
        ("1e15", None),
        ("1e-999999", None),
        ("1" * 25, None),
        ("true", None),
        ("null", None),
        ('"1e5"', None),
        ('"free"', None),
        ("NaN", None),
        ("Infinity", None),
        ("[1]", None),
    ],
)
def test_an_amount_is_exact_or_none(value: str, expected: str | None) -> None:
    found = amount_of(exact_json(value.encode()))
    assert expected == (None if found is None else str(found))
