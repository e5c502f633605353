"""From an HTTP answer, or from its absence, to an outcome. Pure functions; the one place that knows the table.

The rule behind the table: `unsent` only with proof that the provider did not take the message, `accepted` only with
proof that it did. Everything between is `unknown` and never sent again by itself, because the provider has no
idempotency key and a second request can text a person twice.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from runner.models import Outcome, OutcomeReason, Status, Then
from runner.provider.codes import FATAL, FATAL_STATUS, REJECTIONS

DEFAULT_RETRY_AFTER_S = 1.0
"""The pause after a 429 that doesn't say how long; the provider's own limits are per second."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    message_id: str,
    now: datetime,
    secret: str = "",
    sent_at: int | None = None,
    answered_at: int | None = None,
) -> Outcome:
    """What the answer `status`, `headers`, `body` says about the message `message_id`.

    `headers` are by lower-case names; `now` is aware and only serves a Retry-After that is a date. An
    answer may quote the request's headers, and its words end in the ledger and the report: `secret` is cut out of them.
    `sent_at` and `answered_at` stand in the outcome.
    """
    words = _Words(secret)
    data = _json_object(body)
    if status == 200:
        return _of_200(data, message_id, words, {"http_status": 200, "sent_at": sent_at, "answered_at": answered_at})

    code = data.get("code")
    # Of the size that codes have: what else a server sends must not break a column of the ledger or the results.
    code = code if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 2**31 else None
    facts: dict[str, Any] = {
        "http_status": status,
        "sent_at": sent_at,
        "answered_at": answered_at,
        "error_code": code,
        "error_id": words.text(data.get("errorId"), 64) or None,
        # The body's beginning where it isn't the provider's error document.
        "detail": words.text(data.get("message"), 300) or words.text(body.decode("utf-8", "replace")),
    }
    fatal = FATAL.get(code) if code is not None else None
    fatal = fatal or FATAL_STATUS.get(status)
    if status == 429:
        seconds = retry_after_s(headers.get("retry-after"), now)
        return Outcome(Status.UNSENT, OutcomeReason.THROTTLED, then=Then.PAUSE, retry_after_s=seconds, **facts)
    if fatal:
        return Outcome(Status.UNSENT, fatal, then=Then.STOP, **facts)
    if status in (400, 422):
        reason = REJECTIONS.get(code, OutcomeReason.BAD_REQUEST) if code is not None else OutcomeReason.BAD_REQUEST
        return Outcome(Status.REJECTED, reason, **facts)
    if status in _REDIRECTS:
        facts["detail"] = f"redirected to {words.text(headers.get('location')) or 'nowhere'}"
        return Outcome(Status.UNSENT, OutcomeReason.UNEXPECTED_ANSWER, then=Then.STOP, **facts)
    if 400 <= status < 500 and status != 408:
        return Outcome(Status.UNSENT, OutcomeReason.UNEXPECTED_ANSWER, then=Then.STOP, **facts)
    if status >= 500:
        return Outcome(Status.UNKNOWN, OutcomeReason.SERVER_ERROR, **facts)
    return Outcome(Status.UNKNOWN, OutcomeReason.INVALID_ANSWER, **facts)


class _Words:
    """Takes words out of an answer: on one line, without the secret, and only then cut to a length."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def text(self, value: object, length: int = 120) -> str:
        if not isinstance(value, str):
            return ""
        whole = value.replace(self._secret, "[API key]") if self._secret else value
        line = " ".join(whole.split())
        return line if len(line) <= length else line[: length - 1] + "…"


def _of_200(data: Mapping[str, Any], message_id: str, words: _Words, facts: Mapping[str, Any]) -> Outcome:
    """A 200 counts only when it is whole: the provider also sends rejections with it, and proxies send anything."""
    state = data.get("status")
    state = state if isinstance(state, dict) else {}
    code, said = state.get("code"), words.text(state.get("description"), 300)
    umid = words.text(data.get("umid"), 64) or None
    echoed = data.get("clientMessageId")
    if echoed is not None and echoed != message_id:
        wrong = f"the answer is about another message ({words.text(str(echoed))})"
    elif code == "QUEUED" and umid:
        return Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, said, umid=umid, **facts)
    elif code == "REJECTED":
        return Outcome(Status.REJECTED, OutcomeReason.REJECTED_BY_PROVIDER, said, umid=umid, **facts)
    elif not data:
        wrong = "the answer is not a JSON object"
    elif code == "QUEUED":
        wrong = "the answer has no umid"
    else:
        wrong = f"the answer has the unknown status {words.text(str(code))}"
    return Outcome(Status.UNKNOWN, OutcomeReason.INVALID_ANSWER, wrong, **facts)


def retry_after_s(value: str | None, now: datetime) -> float:
    """Seconds to wait by a Retry-After header: a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return DEFAULT_RETRY_AFTER_S
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return DEFAULT_RETRY_AFTER_S
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    if not seconds >= 0:  # also when it is NaN
        return 0.0
    return min(seconds, 86_400.0)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}
