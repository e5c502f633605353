"""From the provider's answer to what follows: one table for messages, feedback, cancelling, exports and prices. Pure.

`read_answer` reads any answer. `classify` adds what only messages have: the provider has no idempotency key, and a
second request can text a person twice. So a message is `unsent` only with proof that the provider did not take it, and
`accepted` only with proof that it did. Everything between is `unknown`, and never sent again by itself.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from runner.base.outcomes import Outcome, OutcomeReason, Status, Then

# The pause after a 429 that doesn't say how long; the provider's own limits are per second.
DEFAULT_RETRY_AFTER_S = 1.0

_MAX_RETRY_AFTER_S = 86_400.0
_MESSAGE_LENGTH = 300

# The most digits of an amount, also of one below 1. A number past all bounds becomes infinite, and is none.
_MOST_DIGITS = 24
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,14})?")
_EXACT = Context(prec=2 * _MOST_DIGITS, traps=[])

_R = OutcomeReason

# Error codes about one message: the next one may well be fine. Source, also of `_FATAL`: the error code table of the
# SMS API's documentation. With a code that isn't there, the HTTP status decides.
_REJECTED: dict[int | None, OutcomeReason] = {
    **dict.fromkeys((1002, 1009, 3002, 3003), _R.INVALID_DESTINATION),
    **dict.fromkeys((1004, 3005, 3006), _R.INVALID_TEXT),
    **dict.fromkeys((1005, 3011), _R.INVALID_SOURCE),
    **dict.fromkeys((1003, 1006, 1008, 1010, 1011, 1012, 3009, 3020), _R.INVALID_OPTION),
    1400: _R.RESENDING_INTERVAL,
}

# Error codes and statuses about the account or the program: every further request would get the same answer.
_FATAL: dict[int | None, OutcomeReason] = {
    1001: _R.NOT_FOUND,
    1014: _R.UPGRADE_REQUIRED,
    1200: _R.UNAUTHORIZED,
    1201: _R.FORBIDDEN,
    **dict.fromkeys((2001, 2002, 2003), _R.UNSUPPORTED),
}
_FATAL_STATUS = {
    401: _R.UNAUTHORIZED,
    403: _R.FORBIDDEN,
    404: _R.NOT_FOUND,
    410: _R.UNSUPPORTED,
    426: _R.UPGRADE_REQUIRED,
}

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# What to check, for the reasons where a person can do something.
ADVICE: dict[OutcomeReason, str] = {
    _R.UNAUTHORIZED: "check EIGHTXEIGHT_API_KEY: is it complete, and a key of this region and account?",
    _R.FORBIDDEN: "check that the API key may use this sub-account, and that this computer's address is allow-listed",
    _R.NOT_FOUND: "check account.subAccountId and account.region (and EIGHTXEIGHT_BASE_URL, if it is set)",
    _R.UPGRADE_REQUIRED: "the provider wants TLS 1.3; check whether a proxy or an old OpenSSL stands between",
    _R.UNSUPPORTED: "the provider doesn't support this request any longer; look for a newer campaign-runner",
    _R.UNEXPECTED_ANSWER: "check account.region and EIGHTXEIGHT_BASE_URL: this doesn't look like the SMS API",
    _R.NO_CONNECTION: "check the network, DNS, proxy and firewall of this computer",
    _R.FUSE: "look at the examples: is it the right file, sender and text, or is the provider in trouble?",
    _R.INVALID_DESTINATION: "check these numbers and the country they are read with",
    _R.INVALID_TEXT: "check the rendered text with `campaign preview`",
    _R.INVALID_SOURCE: "check message.source: it must be a sender id that the provider has approved",
    _R.INVALID_OPTION: "check the options under message: (scheduled, expiry, clientIp, dlrCallbackUrl)",
    _R.RESENDING_INTERVAL: "the provider blocks a repeated message to the same number; wait before another campaign",
}

# After these, nobody knows whether the provider acted on the request.
_NO_PROOF = frozenset({_R.SERVER_ERROR, _R.INVALID_ANSWER})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the provider to any request, and what follows from it for a request that may be repeated.

    `document` is the body's JSON object, empty where the body is none. `code`, `message` (one line, at most 300
    characters) and `error_id` are from the provider's error document; the API key is removed from the words.
    `retry_after_s` is the Retry-After header, None without a usable one. `reason` is None for a success (2xx).

    `then`: GO_ON, the request succeeded, or was refused for itself alone; PAUSE, all requests rest for `pause_s`;
    BACK_OFF, a passing fault; STOP, every other request would get the same answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Mapping[str, Any]
    code: int | None
    message: str
    error_id: str | None
    retry_after_s: float | None
    reason: OutcomeReason | None
    then: Then

    @property
    def pause_s(self) -> float | None:
        """Seconds to rest, where that is what follows."""
        if self.then is not Then.PAUSE:
            return None
        return DEFAULT_RETRY_AFTER_S if self.retry_after_s is None else self.retry_after_s


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime, secret: str = "") -> Answer:
    """Read an answer. `headers` must find lower-case names; `now` (aware) serves a Retry-After that is a date.

    An answer may quote the request's headers, and its words end in ledger and report: `secret` is removed from them.
    """
    document = _json_object(body)
    code = document.get("code")
    # Of the size that codes have: what else a server sends must not break a column of the ledger or the results.
    code = code if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 2**31 else None
    reason, then = _what_follows(status, code)
    message = _line(document.get("message"), secret, _MESSAGE_LENGTH)
    if reason is _R.UNEXPECTED_ANSWER and status in REDIRECTS:
        message = f"redirected to {_line(headers.get('location'), secret) or 'nowhere'}"
    return Answer(
        status=status,
        headers=headers,
        body=body,
        document=document,
        code=code,
        message=message,
        error_id=_line(document.get("errorId"), secret, 64) or None,
        retry_after_s=_retry_after_s(headers.get("retry-after"), now),
        reason=reason,
        then=then,
    )


def _what_follows(status: int, code: int | None) -> tuple[OutcomeReason | None, Then]:
    """The table. Its first row that fits counts."""
    if status == 429:
        return _R.THROTTLED, Then.PAUSE
    if fatal := _FATAL.get(code) or _FATAL_STATUS.get(status):
        return fatal, Then.STOP
    if 200 <= status < 300:
        return None, Then.GO_ON
    if status in (400, 422):
        return _REJECTED.get(code, _R.BAD_REQUEST), Then.GO_ON
    if status == 408:
        return _R.INVALID_ANSWER, Then.BACK_OFF
    if status >= 500:
        return _R.SERVER_ERROR, Then.BACK_OFF
    if status >= 400 or status in REDIRECTS:
        return _R.UNEXPECTED_ANSWER, Then.STOP
    return _R.INVALID_ANSWER, Then.STOP


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
    """What an answer says about the message `message_id`.

    The other arguments are those of `read_answer`; `sent_at` and `answered_at` (microseconds since the epoch) stand in
    the outcome.
    """
    facts: dict[str, Any] = {"http_status": status, "sent_at": sent_at, "answered_at": answered_at}
    if status == 200:
        return _of_200(_json_object(body), message_id, secret, facts)
    answer = read_answer(status, headers, body, now=now, secret=secret)
    facts |= {"error_code": answer.code, "error_id": answer.error_id}
    # The body's beginning where it isn't the provider's error document.
    detail = answer.message or _line(body.decode("utf-8", "replace"), secret)
    reason = answer.reason or _R.INVALID_ANSWER  # a 2xx that the provider doesn't give
    if reason in _NO_PROOF:
        return Outcome(Status.UNKNOWN, reason, detail, **facts)
    if answer.then is Then.GO_ON:
        return Outcome(Status.REJECTED, reason, detail, **facts)
    return Outcome(Status.UNSENT, reason, detail, answer.then, retry_after_s=answer.pause_s, **facts)


def _of_200(document: Mapping[str, Any], message_id: str, secret: str, facts: Mapping[str, Any]) -> Outcome:
    """A 200 counts only when it is whole: the provider also sends rejections with it, and proxies send anything."""
    state = document.get("status")
    state = state if isinstance(state, dict) else {}
    code, description = state.get("code"), _line(state.get("description"), secret, _MESSAGE_LENGTH)
    umid = _line(document.get("umid"), secret, 64) or None
    echoed = document.get("clientMessageId")
    if echoed is not None and echoed != message_id:
        wrong = f"the answer is about another message ({_line(str(echoed), secret)})"
    elif code == "QUEUED" and umid:
        return Outcome(Status.ACCEPTED, _R.QUEUED, description, umid=umid, **facts)
    elif code == "REJECTED":
        return Outcome(Status.REJECTED, _R.REJECTED_BY_PROVIDER, description, umid=umid, **facts)
    elif not document:
        wrong = "the answer is not a JSON object"
    elif code == "QUEUED":
        wrong = "the answer has no umid"
    else:
        wrong = f"the answer has the unknown status {_line(str(code), secret)}"
    return Outcome(Status.UNKNOWN, _R.INVALID_ANSWER, wrong, **facts)


def http_date(value: str | None) -> datetime | None:
    """The aware moment of an HTTP date (RFC 9110, 5.6.7); None for anything else."""
    try:
        moment = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def exact_json(body: bytes) -> object:
    """JSON with exact decimals, for money: orjson, used everywhere else, makes floats of them.

    Raises ValueError when the body isn't JSON.
    """
    try:
        return json.loads(body, parse_float=_EXACT.create_decimal)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def amount_of(value: object) -> Decimal | None:
    """An amount of money in `exact_json`: a number, also in quotes. None for all else, and for what has no end."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    amount = Decimal(value)
    _, digits, exponent = amount.as_tuple()
    # Before anything is counted or written with it: 1e-999999 would be written out with a million zeros.
    if not isinstance(exponent, int) or exponent < -_MOST_DIGITS or len(digits) > _MOST_DIGITS:
        return None
    if not amount:
        return Decimal(0)  # also for -0.0
    return amount if -12 <= amount.adjusted() < 15 else None


def _retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header: a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    try:
        seconds = float(value or "")
    except ValueError:
        if (when := http_date(value)) is None:
            return None
        seconds = (when - now).total_seconds()
    return min(seconds, _MAX_RETRY_AFTER_S) if seconds >= 0 else 0.0  # also when it is NaN


def _line(value: object, secret: str, length: int = 120) -> str:
    """A text on one line, without the secret, and only then cut to a length; "" for anything but a text."""
    if not isinstance(value, str):
        return ""
    line = " ".join((value.replace(secret, "[API key]") if secret else value).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
