"""What the provider's answer means and what happens next: one table for all requests. Pure.

`read_answer` reads any answer. `classify` adds a rule for messages. The provider has no idempotency key, so a second
request can text a person twice. A message is `unsent` only with proof that the provider did not accept it, and
`accepted` only with proof that it did. Anything in between is `unknown`, and never sent again automatically.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status, Then
from runner.base.text import sanitized

# The pause after a 429 without a Retry-After header. The provider's limits are per second.
DEFAULT_RETRY_AFTER_S = 1.0

# The longest Retry-After, a year. No run waits that long (`giveUpAfter`), but a time in the year 10000 can't be shown.
_MAX_RETRY_AFTER_S = 365 * 86_400.0
_MESSAGE_LENGTH = 300

# The most digits of an amount, before and after the point. Larger exponents than Decimal allows become infinity, which
# is not an amount.
_MOST_DIGITS = 24
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,14})?")
_EXACT = Context(prec=2 * _MOST_DIGITS, traps=[])

_R = OutcomeReason

# Error codes about one message; the next message may be fine. The source of `_REJECTED` and `_FATAL` is the error code
# table in the documentation of the SMS API. For other codes, the HTTP status decides.
_REJECTED: dict[int | None, OutcomeReason] = {
    **dict.fromkeys((1002, 1009, 3002, 3003), _R.INVALID_DESTINATION),
    **dict.fromkeys((1004, 3005, 3006), _R.INVALID_TEXT),
    **dict.fromkeys((1005, 3011), _R.INVALID_SOURCE),
    **dict.fromkeys((1003, 1006, 1008, 1010, 1011, 1012, 3009, 3020), _R.INVALID_OPTION),
    1400: _R.RESENDING_INTERVAL,
}

# Error codes and statuses about the account or the program: every other request would get the same answer.
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

# The lowest of the provider's codes. A lower one is a gateway's, which repeats the HTTP status in its JSON.
_FIRST_CODE = 1000

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# What to check, for reasons that a person can do something about.
ADVICE: dict[OutcomeReason, str] = {
    _R.UNAUTHORIZED: "check that EIGHTXEIGHT_API_KEY is complete and belongs to this account and region",
    _R.FORBIDDEN: "check that the API key may use this sub-account, and that the account allows this computer's IP "
    "address",
    _R.NOT_FOUND: "check account.subAccountId and account.region (and EIGHTXEIGHT_BASE_URL, if it is set)",
    _R.UPGRADE_REQUIRED: "the provider requires TLS 1.3; check for a proxy or an old OpenSSL that doesn't support it",
    _R.UNSUPPORTED: "the provider no longer supports this request; upgrade campaign-runner",
    _R.UNEXPECTED_ANSWER: "the answer is not from the SMS API; check account.region and EIGHTXEIGHT_BASE_URL",
    _R.NO_CONNECTION: "check this computer's network, DNS, proxy and firewall",
    _R.FUSE: "check the examples: are the file, the sender ID and the text right? does the provider have an outage?",
    _R.OTHER_DESTINATION: "compare the numbers in the results; ask the provider's support where these messages went "
    "before you send more",
    _R.OTHER_ENCODING: "these messages may have more segments and cost more than planned; check message.encoding",
    _R.INVALID_DESTINATION: "check these numbers, and recipients.country if they are national numbers",
    _R.INVALID_TEXT: "check the rendered text with `campaign preview`",
    _R.INVALID_SOURCE: "check message.source: the provider must have approved this sender ID",
    _R.INVALID_OPTION: "check the options under message: (scheduled, expiry, clientIp, dlrCallbackUrl)",
    _R.RESENDING_INTERVAL: "the provider blocks repeated messages to the same number; wait before the next campaign",
}

# The title of a web page, and a tag. Neither pattern can match across tags, so both are fast on any body.
_HTML_TITLE = re.compile(r"<title[^<>]*>([^<>]+)", re.IGNORECASE)
_HTML_TAG = re.compile(r"<[^<>]*>")

# A number in an answer may have these.
_BETWEEN_DIGITS = str.maketrans("", "", " +-./()\u00a0")
_ENCODINGS = frozenset({Encoding.GSM7, Encoding.UCS2})


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's answer to any request, and what happens next if the request is safe to repeat.

    `document` is the body's JSON object, empty if the body isn't one. `code`, `message` (one line, at most 300
    characters, without the API key) and `error_id` come from the provider's error document. `retry_after_s` is the
    Retry-After header, or None if it is missing or not valid. `reason` is None for a success (2xx).

    `then`: GO_ON, the request succeeded or only this one was refused; PAUSE, all requests wait for `pause_s`; BACK_OFF,
    a temporary failure; STOP, every other request would get the same answer.
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
        """How long to pause, in seconds; None if the answer doesn't ask for a pause."""
        if self.then is not Then.PAUSE:
            return None
        return DEFAULT_RETRY_AFTER_S if self.retry_after_s is None else self.retry_after_s


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime, secret: str = "") -> Answer:
    """Read an answer. `headers` must find lower-case names; `now` (aware) is needed if Retry-After is a date.

    `secret` is removed from all texts, because an answer may quote the request's headers, and the texts are stored in
    the ledger and in reports.
    """
    document = _json_object(body)
    code = document.get("code")
    # A code outside this range isn't one, and it would not fit into the columns of the ledger and the results.
    code = code if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 2**31 else None
    is_error = code is not None and code >= _FIRST_CODE and isinstance(document.get("message"), str)
    reason, then = _what_follows(status, code if is_error else None)
    message = _line(document.get("message"), secret, _MESSAGE_LENGTH)
    if reason is _R.UNEXPECTED_ANSWER and status in REDIRECTS:
        location = _line(headers.get("location"), secret)
        message = f"redirected to {location}" if location else "redirected, without a location"
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
    """The table. The first row that matches counts. `code` is None unless the body is the provider's error document.

    A proxy or load balancer may answer in the provider's place. Its 4xx says that the request went no further, but
    nothing about the message in it.
    """
    if status == 429:
        return _R.THROTTLED, Then.PAUSE
    if 200 <= status < 300:
        return None, Then.GO_ON
    if status == 408:
        return _R.INVALID_ANSWER, Then.BACK_OFF
    if status >= 400 and (fatal := _FATAL.get(code) or _FATAL_STATUS.get(status)):
        return fatal, Then.STOP
    if status >= 500:
        return _R.SERVER_ERROR, Then.BACK_OFF
    if status >= 400:
        if code is not None and status in (400, 422):
            return _REJECTED.get(code, _R.BAD_REQUEST), Then.GO_ON
        return _R.UNEXPECTED_ANSWER, Then.BACK_OFF
    if status in REDIRECTS:
        return _R.UNEXPECTED_ANSWER, Then.STOP
    return _R.INVALID_ANSWER, Then.STOP


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    message: Message,
    now: datetime,
    secret: str = "",
    sent_at: int | None = None,
    answered_at: int | None = None,
) -> Outcome:
    """The outcome of a message, from the answer to its request.

    The other arguments are those of `read_answer`. `sent_at` and `answered_at` (microseconds since the epoch) are
    copied to the outcome.
    """
    facts: dict[str, Any] = {"http_status": status, "sent_at": sent_at, "answered_at": answered_at}
    if status == 200:
        return _of_200(_json_object(body), message, secret, facts)
    answer = read_answer(status, headers, body, now=now, secret=secret)
    facts |= {"error_code": answer.code, "error_id": answer.error_id}
    # If there is no error document, quote the beginning of the body; if there is no body, name the status.
    detail = answer.message or _quoted_body(body, secret) or status_text(status)
    if status >= 500:  # a server that fails may have taken the message, whatever its body says
        return Outcome(Status.UNKNOWN, _R.SERVER_ERROR, detail, **facts)
    reason = answer.reason or _R.INVALID_ANSWER  # a 2xx that isn't in the provider's documentation
    if reason is _R.INVALID_ANSWER:
        return Outcome(Status.UNKNOWN, reason, detail, **facts)
    if answer.then is Then.GO_ON:
        return Outcome(Status.REJECTED, reason, detail, **facts)
    return Outcome(Status.UNSENT, reason, detail, answer.then, retry_after_s=answer.pause_s, **facts)


def _of_200(document: Mapping[str, Any], message: Message, secret: str, facts: Mapping[str, Any]) -> Outcome:
    """A 200 counts only if its body is complete: the provider also sends rejections with 200, and proxies anything."""
    state = document.get("status")
    state = state if isinstance(state, dict) else {}
    code, description = state.get("code"), _line(state.get("description"), secret, _MESSAGE_LENGTH)
    umid = _line(document.get("umid"), secret, 64) or None
    echoed = document.get("clientMessageId")
    if echoed is not None and echoed != message.message_id:
        wrong = f"the answer is about another message ({_said(echoed, secret)})"
    elif code == "QUEUED" and umid:
        reason, differs = _difference(document, message)
        return Outcome(Status.ACCEPTED, reason, differs or description, umid=umid, **facts)
    elif code == "REJECTED":
        return Outcome(Status.REJECTED, _R.REJECTED_BY_PROVIDER, description, umid=umid, **facts)
    elif not document:
        wrong = "the answer is not a JSON object"
    elif code == "QUEUED":
        wrong = "the answer has no umid"
    else:
        wrong = f"the answer has an unknown status: {_said(code, secret)}"
    return Outcome(Status.UNKNOWN, _R.INVALID_ANSWER, wrong, **facts)


def _difference(document: Mapping[str, Any], message: Message) -> tuple[OutcomeReason, str]:
    """What an answer that accepts the message has that the request didn't: the reason, and a description.

    QUEUED and "" if they agree. A field that is missing or can't be read is not compared.
    """
    reason, found = _R.QUEUED, []
    encoding, number = document.get("encoding"), document.get("destination")
    encoding = encoding.upper() if isinstance(encoding, str) else None
    number = number.translate(_BETWEEN_DIGITS).removeprefix("00") if isinstance(number, str) else ""
    if encoding in _ENCODINGS and encoding != message.encoding:
        reason = _R.OTHER_ENCODING
        found.append(f"the encoding {encoding}, not {message.encoding.value}")
    if number != message.destination[1:] and number.isascii() and number.isdigit():
        reason = _R.OTHER_DESTINATION
        found.insert(0, f"the number +{number[:20]}")
    return reason, f"accepted, but the answer has {' and '.join(found)}" if found else ""


def status_text(status: int) -> str:
    """`HTTP 503 Service Unavailable`."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def http_date(value: str | None) -> datetime | None:
    """The aware time of an HTTP date (RFC 9110, 5.6.7), or None for anything else."""
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):  # OverflowError: a day or an offset with dozens of digits
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def exact_json(body: bytes) -> object:
    """JSON with exact decimals, for money. orjson, which is used everywhere else, makes floats of them.

    Raises ValueError if the body isn't JSON.
    """
    try:
        return json.loads(body, parse_float=_EXACT.create_decimal)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def amount_of(value: object) -> Decimal | None:
    """An amount of money from `exact_json`: a number, or a number in quotes. None for others and for extreme values."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    amount = Decimal(value)
    _, digits, exponent = amount.as_tuple()
    # Checked before any use of the amount: 1e-999999 would be written out with a million zeros.
    if not isinstance(exponent, int) or exponent < -_MOST_DIGITS or len(digits) > _MOST_DIGITS:
        return None
    if not amount:
        return Decimal(0)  # also for -0.0
    return amount if -12 <= amount.adjusted() < 15 else None


def _retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a Retry-After header: a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    try:
        seconds = float(value or "")
    except ValueError:
        if (when := http_date(value)) is None:
            return None
        seconds = (when - now).total_seconds()
    return min(seconds, _MAX_RETRY_AFTER_S) if seconds >= 0 else 0.0  # also for NaN


def _quoted_body(body: bytes, secret: str) -> str:
    """The beginning of a body that isn't an error document. A web page is named as such, and its tags are removed."""
    text = body.decode("utf-8", "replace")
    if not text.lstrip().startswith("<"):
        return _line(text, secret)
    title = _HTML_TITLE.search(text)
    shown = _line(title[1] if title else _HTML_TAG.sub(" ", text), secret)
    return f'a web page instead of an API answer: "{shown}"' if shown else "a web page instead of an API answer"


def _line(value: object, secret: str, length: int = 120) -> str:
    """A text on one line, shortened; "" for other types. The secret is removed first, so that no part of it remains.

    Characters that a terminal would obey, or that a database refuses, are replaced.
    """
    if not isinstance(value, str):
        return ""
    line = sanitized(" ".join((value.replace(secret, "[API key]") if secret else value).split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def _said(value: object, secret: str) -> str:
    """A value of any type for an error message. Lists and objects are not shown: they can be nested very deeply."""
    return "a list or an object" if isinstance(value, list | dict) else _line(str(value), secret)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
