"""What faults do: to an answer (pure), and to the connection that it leaves by."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from math import ceil

import orjson
from aiohttp import hdrs, web

from runner.sandbox.answers import NO_HEADERS, Answer, Code, RefusedError
from runner.sandbox.faults import Fault, FaultName

PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
OTHER_MESSAGE_ID = "the-id-of-another-message"
ON_PURPOSE = "a fault of the sandbox, which was asked for it"
# Headers that the document demands with a code.
HEADERS: dict[Code, Mapping[str, str]] = {
    Code.INSECURE_PROTOCOL: {hdrs.UPGRADE: "TLS/1.3"},
    Code.QUOTA_EXCEEDED: {hdrs.RETRY_AFTER: "1"},
}

# Set when the sandbox ends, for those who would wait forever.
CLOSING = web.AppKey("closing", asyncio.Event)

# Close at once and drop what is unsent: the other side gets a RST instead of an orderly end.
NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


def instead(fault: Fault, now: datetime) -> Answer | None:
    """The answer that comes without a look at the message; None when it shall be judged. `now` is aware, in UTC.

    Raises `RefusedError` for an error of the provider's.
    """
    match fault.name:
        case FaultName.THROTTLE:
            raise RefusedError(Code.QUOTA_EXCEEDED, ON_PURPOSE, headers=_retry_after(fault, now))
        case FaultName.ERROR:
            code = Code(fault.code)
            raise RefusedError(code, ON_PURPOSE, fault.status or None, HEADERS.get(code, NO_HEADERS))
        case FaultName.SERVER_ERROR if not fault.body:
            return Answer(fault.status, b"", content_type=None)
        case FaultName.SERVER_ERROR if fault.status == 500:
            raise RefusedError(Code.INTERNAL_ERROR, ON_PURPOSE)
        case FaultName.SERVER_ERROR:  # what stands before the provider answers, and knows no JSON
            page = PAGE.format(f"{fault.status} {HTTPStatus(fault.status).phrase}")
            return Answer(fault.status, page.encode(), content_type="text/html")
    return None


def spoiled(answer: Answer, fault: Fault) -> Answer:
    """What the fault makes of the answer to a message that has been judged. Raises `RefusedError` for a 500."""
    match fault.name:
        case FaultName.ACCEPTED_ERROR_500:
            raise RefusedError(Code.INTERNAL_ERROR, ON_PURPOSE)
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
        case "absent":
            return NO_HEADERS
        case "garbage":
            return {hdrs.RETRY_AFTER: "soon"}
        case "date":  # it has whole seconds, and must not be too early
            date = now.replace(microsecond=0) + timedelta(seconds=ceil(fault.seconds + now.microsecond / 1e6))
            return {hdrs.RETRY_AFTER: format_datetime(date, usegmt=True)}
    return {hdrs.RETRY_AFTER: str(ceil(fault.seconds))}


def response(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.http_status, headers=answer.headers, content_type=answer.content_type
    )


async def transmit(request: web.Request, answer: Answer, fault: FaultName | None = None) -> web.StreamResponse:
    """The answer as a response. With a fault of connections the damage is done when this returns."""
    ending = ENDINGS.get(fault) if fault else None
    return await ending(request, answer) if ending else response(answer)


async def cut_off(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Promise the whole body, send half of it, close."""
    whole = web.StreamResponse(status=answer.http_status, headers=answer.headers)
    whole.content_type = answer.content_type or "application/octet-stream"
    whole.content_length = len(answer.body)
    await whole.prepare(request)
    await whole.write(answer.body[: len(answer.body) // 2])
    _close(request)
    return whole


async def _reset(request: web.Request, _answer: Answer | None = None) -> web.StreamResponse:
    """Reset the connection; the answer gets lost."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        request.transport.abort()
    return web.Response()  # has nowhere to go


async def _never(request: web.Request, _answer: Answer | None = None) -> web.StreamResponse:
    """Wait until the client goes, which cancels the handler, or the sandbox ends."""
    await request.app[CLOSING].wait()
    return await _reset(request)


async def _answer_and_close(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Answer as if the connection were to be kept alive, and close it."""
    sent = response(answer)
    await sent.prepare(request)
    await sent.write_eof()
    _close(request)
    return sent


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()  # after what is written has left


ENDINGS: dict[FaultName, Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]] = {
    FaultName.ACCEPTED_THEN_RESET: _reset,
    FaultName.HALF_RESPONSE: cut_off,
    FaultName.NEVER_ANSWER: _never,
    FaultName.CLOSE_IDLE: _answer_and_close,
}
BEFORE_READING: dict[FaultName, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    FaultName.RESET_BEFORE_READING: _reset,
    FaultName.NEVER_ANSWER_UNBOOKED: _never,
}
