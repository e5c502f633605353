"""The answers of faults: those that stand in for a judgement, and those that are spoiled after it. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from math import ceil

import orjson
from aiohttp import hdrs

from runner.sandbox.answers import NO_HEADERS, Answer, Refusal
from runner.sandbox.codes import Code, http_status_of
from runner.sandbox.faults import Fault, FaultName, RetryAfter

PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
OTHER_MESSAGE_ID = "the-id-of-another-message"
ON_PURPOSE = "a fault of the sandbox, which was asked for it"


def instead(fault: Fault, now: datetime) -> Refusal | Answer | None:
    """The answer that comes without a look at the message; None when it shall be judged. `now` is aware, in UTC."""
    match fault.name:
        case FaultName.THROTTLE:
            return Refusal(Code.QUOTA_EXCEEDED, ON_PURPOSE, 429, _retry_after(fault, now))
        case FaultName.ERROR:
            code = Code(fault.code)
            return Refusal(code, ON_PURPOSE, fault.status or http_status_of(code), HEADERS.get(code, NO_HEADERS))
        case FaultName.SERVER_ERROR if not fault.body:
            return Answer(fault.status, b"", content_type=None)
        case FaultName.SERVER_ERROR if fault.status == 500:
            return Refusal(Code.INTERNAL_ERROR, ON_PURPOSE, 500)
        case FaultName.SERVER_ERROR:  # what stands before the provider answers, and knows no JSON
            page = PAGE.format(f"{fault.status} {HTTPStatus(fault.status).phrase}")
            return Answer(fault.status, page.encode(), content_type="text/html")
    return None


def spoiled(answer: Answer, fault: Fault) -> Answer | Refusal:
    """What is left of the answer to a message that has been judged."""
    match fault.name:
        case FaultName.ACCEPTED_ERROR_500:
            return Refusal(Code.INTERNAL_ERROR, ON_PURPOSE, 500)
        case FaultName.BROKEN_JSON:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        case FaultName.MISSING_UMID:
            body = orjson.loads(answer.body)
            body.pop("umid", None)
            return replace(answer, body=orjson.dumps(body))
        case FaultName.WRONG_CLIENT_MESSAGE_ID:
            body = orjson.loads(answer.body) | {"clientMessageId": OTHER_MESSAGE_ID}
            return replace(answer, body=orjson.dumps(body))
        case FaultName.WRONG_CONTENT_TYPE:
            return replace(answer, content_type="text/html")
        case FaultName.WRONG_ENCODING:
            return replace(answer, headers={**answer.headers, hdrs.CONTENT_ENCODING: "gzip"})
    return answer


def _retry_after(fault: Fault, now: datetime) -> Mapping[str, str]:
    match fault.retry_after:
        case RetryAfter.ABSENT:
            return NO_HEADERS
        case RetryAfter.GARBAGE:
            return {hdrs.RETRY_AFTER: "soon"}
        case RetryAfter.DATE:  # it has whole seconds, and must not be too early
            date = now.replace(microsecond=0) + timedelta(seconds=ceil(fault.seconds + now.microsecond / 1e6))
            return {hdrs.RETRY_AFTER: format_datetime(date, usegmt=True)}
        case RetryAfter.SECONDS:
            return {hdrs.RETRY_AFTER: str(ceil(fault.seconds))}


HEADERS: dict[Code, Mapping[str, str]] = {
    Code.INSECURE_PROTOCOL: {hdrs.UPGRADE: "TLS/1.3"},
    Code.QUOTA_EXCEEDED: {hdrs.RETRY_AFTER: "1"},
}
