"""One row per rule of the provider's document and guides."""

from datetime import UTC, datetime
from typing import Any

import pytest

from runner.sandbox.answers import RefusedError
from runner.sandbox.checks import check
from tests.sandbox import document
from tests.sandbox.client import HELLO

NOW = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)

TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("smallest", {}),
    ("no plus", {"destination": "12025550123"}),
    ("national with country", {"destination": "7700900123", "country": "GB"}),
    ("shortest number", {"destination": "+1234567"}),
    ("longest number", {"destination": "+123456789012345"}),
    ("alphanumeric source of 11", {"source": "ACME Stores"}),
    ("numeric source of 16", {"source": "1234567890123456"}),
    ("clientMessageId of 350", {"clientMessageId": "x" * 350}),
    ("text of more than ten segments", {"text": "x" * 1531}),
    ("text of one blank", {"text": " "}),
    ("encoding", {"encoding": "UCS2"}),
    ("scheduled in seven days", {"scheduled": "2026-12-08T18:00:00+08:00"}),
    ("scheduled in the past", {"scheduled": "2026-11-01T10:00:00Z"}),
    ("scheduled with seven digits of a second", {"scheduled": "2026-12-01T11:00:00.1234567+00:00"}),
    ("expiry in a minute", {"expiry": "2026-12-01T10:01:00Z"}),
    ("dlrCallbackUrl", {"dlrCallbackUrl": "https://example.com:8443/receipts?a=b"}),
    ("clientIp of version 4", {"clientIp": "203.0.113.7"}),
    ("clientIp of version 6", {"clientIp": "2001:db8::7"}),
    ("track Outcome", {"track": "Outcome"}),
    ("track None", {"track": "None"}),
    ("unknown field", {"colour": "green"}),
]

REFUSED: list[tuple[str, object, int]] = [
    ("array", [], 1000),
    ("string", "Hello", 1000),
    ("null", None, 1000),
    ("a field that is null", {"track": None}, 1000),
    ("a time that is null", {"scheduled": None}, 1011),
    ("a sender id that is null", {"source": None}, 1005),
    ("no destination", {"destination": None}, 3002),
    ("empty destination", {"destination": ""}, 1002),
    ("letters", {"destination": "+1202555CALL"}, 1002),
    ("six digits", {"destination": "+123456"}, 1002),
    ("sixteen digits", {"destination": "+1234567890123456"}, 1002),
    ("trunk zero", {"destination": "07700900123", "country": "GB"}, 1002),
    ("international prefix", {"destination": "0012025550123"}, 1002),
    ("blanks in the number", {"destination": "+1 202 555 0123"}, 1002),
    ("line feed after the number", {"destination": "+12025550123\n"}, 1002),
    ("digits of another script", {"destination": "+١٢٠٢٥٥٥٠١٢٣"}, 1002),
    ("destination is a number", {"destination": 12025550123}, 1002),
    ("country of three letters", {"country": "USA"}, 1009),
    ("country is a boolean, as Norway in YAML", {"country": False}, 1009),
    ("alphanumeric source of 12", {"source": "ACME Stores!"}, 3011),
    ("numeric source of 17", {"source": "12345678901234567"}, 3011),
    ("empty source", {"source": ""}, 1005),
    ("source is a number", {"source": 12345}, 1005),
    ("source beyond ASCII", {"source": "Café"}, 1005),
    ("clientMessageId of 351", {"clientMessageId": "x" * 351}, 3009),
    ("clientMessageId is a number", {"clientMessageId": 7}, 1008),
    ("no text", {"text": None}, 3005),
    ("empty text", {"text": ""}, 1004),
    ("text is an object", {"text": {"en": "Hello"}}, 1004),
    ("encoding in small letters", {"encoding": "gsm7"}, 1003),
    ("encoding is a list", {"encoding": ["AUTO"]}, 1003),
    ("scheduled in more than seven days", {"scheduled": "2026-12-08T10:00:01Z"}, 1011),
    ("scheduled without offset", {"scheduled": "2026-12-02T10:00:00"}, 1011),
    ("scheduled as a date", {"scheduled": "2026-12-02"}, 1011),
    ("scheduled on a day that isn't", {"scheduled": "2026-02-30T10:00:00Z"}, 1011),
    ("scheduled as seconds", {"scheduled": 1796119200}, 1011),
    ("expiry in the past", {"expiry": "2026-12-01T09:59:59Z"}, 1006),
    ("expiry in words", {"expiry": "tomorrow"}, 1006),
    ("relative dlrCallbackUrl", {"dlrCallbackUrl": "/receipts"}, 3020),
    ("dlrCallbackUrl without host", {"dlrCallbackUrl": "https:///receipts"}, 3020),
    ("dlrCallbackUrl of another scheme", {"dlrCallbackUrl": "ftp://example.com/"}, 3020),
    ("dlrCallbackUrl with half an address", {"dlrCallbackUrl": "https://[::1"}, 3020),
    ("clientIp out of range", {"clientIp": "203.0.113.256"}, 1012),
    ("clientIp as an integer", {"clientIp": 3405803783}, 1012),
    ("track is a boolean", {"track": True}, 1000),
    ("track in words of our own", {"track": "Conversion"}, 1000),
]


def complete(body: object) -> object:
    """The fields of a row beside the two required ones; null takes one away."""
    if not isinstance(body, dict):
        return body
    fields: dict[str, Any] = HELLO | body
    return {name: value for name, value in fields.items() if value is not None or name not in ("destination", "text")}


@pytest.mark.parametrize(("label", "body"), TAKEN, ids=[row[0] for row in TAKEN])
def test_takes(label: str, body: dict[str, Any]) -> None:
    message = complete(body)
    assert message == check(message, NOW)
    document.validate(message, "components", "schemas", "Message")


@pytest.mark.parametrize(("label", "body", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refuses(label: str, body: object, code: int) -> None:
    with pytest.raises(RefusedError) as caught:
        check(complete(body), NOW)
    assert (400, code) == (caught.value.http_status, caught.value.code)


@pytest.mark.parametrize("name", ["destination", "text"])
def test_null_is_as_bad_as_absent_in_a_required_field(name: str) -> None:
    errors = []
    for rest in ({name: None}, {}):
        body = {key: value for key, value in HELLO.items() if key != name} | rest
        with pytest.raises(RefusedError) as caught:
            check(body, NOW)
        errors.append((caught.value.code, str(caught.value)))
    assert errors[0] == errors[1]
