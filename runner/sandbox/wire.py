"""Putting an answer on the wire, or failing to: the faults of connections."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from runner.sandbox.answers import Answer
from runner.sandbox.faults import FaultName

CLOSING = web.AppKey("closing", asyncio.Event)
"""Set when the sandbox ends, for those who would wait forever."""

# Close at once and drop what is unsent: the other side gets a RST instead of an orderly end.
NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


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


async def reset(request: web.Request, answer: Answer | None = None) -> web.StreamResponse:
    """Reset the connection; the answer gets lost."""
    del answer
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        request.transport.abort()
    return web.Response()  # has nowhere to go


async def never(request: web.Request, answer: Answer | None = None) -> web.StreamResponse:
    """Wait until the client goes, which cancels the handler, or the sandbox ends."""
    await request.app[CLOSING].wait()
    return await reset(request, answer)


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
    FaultName.ACCEPTED_THEN_RESET: reset,
    FaultName.HALF_RESPONSE: cut_off,
    FaultName.NEVER_ANSWER: never,
    FaultName.CLOSE_IDLE: _answer_and_close,
}
BEFORE_READING: dict[FaultName, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    FaultName.RESET_BEFORE_READING: reset,
    FaultName.NEVER_ANSWER_UNBOOKED: never,
}
