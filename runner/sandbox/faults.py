"""Simulated failures ("faults"): what goes wrong, and for which requests.

A fault file is a JSON list of rules. Each rule is an object with a `fault` and when it happens; see
docs/reference/sandbox.md. The decision about the n-th request depends only on the file, the seed and n, so that every
run has the same failures.
"""

import asyncio
import math
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiohttp import hdrs, web

from runner.base.errors import InputError, Position, Problem
from runner.base.text import closest
from runner.sandbox.answers import Code, RefusedError
from runner.sandbox.delivery import chance

# The longest `seconds` of a rule.
LONGEST_S = 3600
# The Pareto distribution of latencies with a tail: its shape, and the largest factor.
TAIL_SHAPE = 1.5
TAIL_LIMIT = 100.0
# Valid request numbers and counts.
COUNTS = range(1, sys.maxsize)
PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
OTHER_MESSAGE_ID = "the-id-of-another-message"
ON_PURPOSE = "a simulated failure of the sandbox"

# Set when the sandbox ends, for handlers that never answer.
CLOSING = web.AppKey("closing", asyncio.Event)

# Close at once and drop unsent data: the other side gets a reset (RST) instead of a normal close.
NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class FaultName(StrEnum):
    """All faults. "Booked" means that the message is handled as usual first, so that a valid one is in the book."""

    # the usual answer, but late
    LATENCY = "latency"
    # an error instead of the usual answer: not booked
    THROTTLE = "throttle"
    ERROR = "error"
    SERVER_ERROR = "server_error"
    WEB_PAGE = "web_page"
    # booked, but the answer is damaged
    ACCEPTED_ERROR_500 = "accepted_error_500"
    BROKEN_JSON = "broken_json"
    MISSING_UMID = "missing_umid"
    WRONG_CLIENT_MESSAGE_ID = "wrong_client_message_id"
    OTHER_DESTINATION = "other_destination"
    OTHER_ENCODING = "other_encoding"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    WRONG_ENCODING = "wrong_encoding"
    # booked, but the connection breaks
    ACCEPTED_THEN_RESET = "accepted_then_reset"
    HALF_RESPONSE = "half_response"
    NEVER_ANSWER = "never_answer"
    CLOSE_IDLE = "close_idle"
    # the connection breaks before the body is read: not booked
    RESET_BEFORE_READING = "reset_before_reading"
    NEVER_ANSWER_UNBOOKED = "never_answer_unbooked"
    # for log exports
    EXPORT_FAILED = "export_failed"
    EXPORT_CANCELLED = "export_cancelled"
    EXPORT_ERROR = "export_error"
    EXPORT_NEVER_ENDS = "export_never_ends"
    EXPORT_JOB_LOST = "export_job_lost"
    EXPORT_LINK_EXPIRED = "export_link_expired"
    EXPORT_CUT_OFF = "export_cut_off"

    @property
    def is_of_exports(self) -> bool:
        return self.startswith("export_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule of the fault file: what goes wrong, and when.

    It applies to a `share` of the requests, or to the request numbers in `requests` (from 1), at most `times` times.
    The fields from `seconds` to `body` apply only to some faults; see `PARAMETERS`.
    """

    name: FaultName
    seconds: float = 1.0
    tail: bool = False
    retry_after: str = "seconds"
    code: int = 0
    status: int = 0
    body: bool = True
    share: float | None = None
    requests: Container[int] = COUNTS
    times: int | None = None


class FaultSchedule:
    """Decides for each request. The first matching rule counts. Call `of` once per number, in order."""

    def __init__(self, rules: Sequence[Fault] = (), *, seed: int = 0, of_exports: bool = False) -> None:
        # By position in the file, which seeds the chance: so a rule's share doesn't depend on the rules around it.
        self._rules = [(i, rule) for i, rule in enumerate(rules) if rule.name.is_of_exports == of_exports]
        self._times_left = {i: math.inf if rule.times is None else rule.times for i, rule in self._rules}
        self._seed = seed

    def of(self, number: int) -> Fault | None:
        """The fault for this request, if any."""
        for index, rule in self._rules:
            by_chance = rule.share is not None and chance(self._seed, "rule", index, number) < rule.share
            if self._times_left[index] and (by_chance or (rule.share is None and number in rule.requests)):
                self._times_left[index] -= 1
                return rule
        return None

    def delay_s(self, fault: Fault, number: int) -> float:
        """How long a latency lasts. With a tail (a Pareto distribution), `seconds` is the minimum: half of the requests
        take more than 1.6 times as long, 1% more than 21 times, none more than 100 times.
        """
        if fault.name is not FaultName.LATENCY:
            return 0.0
        stretch = float((1 - chance(self._seed, "tail", number)) ** (-1 / TAIL_SHAPE))
        return fault.seconds * (min(stretch, TAIL_LIMIT) if fault.tail else 1)


def read_faults(path: Path) -> tuple[Fault, ...]:
    """The rules of the file. Raises `InputError` with all mistakes in it."""
    try:
        rules = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError.of(f"the fault file {path} can't be read: {error.strerror}", "name another file") from error
    except orjson.JSONDecodeError as error:
        where = Position(str(path), error.lineno, error.colno)
        raise InputError([Problem(f"not valid JSON: {error.msg}", "write a list of rules", where=where)]) from error
    if not isinstance(rules, list):
        raise InputError([Problem("not a list", 'write [{"fault": …}, …]', path=str(path))])
    problems = [
        Problem(what, f"write {remedy}", path=f"{path}: rule {number}")
        for number, rule in enumerate(rules, 1)
        for what, remedy in _mistakes_in(rule)
    ]
    if problems:
        raise InputError(problems)
    return tuple(map(_fault_of, rules))


def _fault_of(rule: Mapping[str, Any]) -> Fault:
    fields = {"status": DEFAULT_STATUSES.get(rule["fault"], 0), **rule}
    name, first, last = FaultName(fields.pop("fault")), fields.pop("from", COUNTS[0]), fields.pop("to", COUNTS[-1])
    requests = frozenset(fields.pop("requests")) if "requests" in fields else range(first, last + 1)
    return Fault(name=name, requests=requests, **fields)


def _mistakes_in(rule: object) -> list[tuple[str, str]]:
    """What is wrong with a rule, and what to write instead."""
    if not isinstance(rule, dict):
        return [("not an object", '{"fault": …}')]
    fault = rule.get("fault")
    if fault not in list(FaultName):
        what = f"unknown fault {fault!r}" if "fault" in rule else "fault is missing"
        return [(what, _suggestion(str(fault), FaultName))]
    keys = {**PARAMETERS.get(fault, {}), **WHEN}
    mistakes = [
        (f"{key} is {orjson.dumps(value).decode()}", keys[key].remedy)
        if key in keys
        else (f"unknown key {key!r}", _suggestion(key, keys))
        for key, value in rule.items()
        if key != "fault" and not (key in keys and keys[key].allows(value))
    ]
    mistakes += [(f"{key} is missing", each.remedy) for key, each in keys.items() if each.required and key not in rule]
    if mistakes:
        return mistakes
    ways = len({"share", "requests"} & rule.keys()) + ("from" in rule or "to" in rule)
    if ways != 1:
        what = "more than one key says when it happens" if ways else "no key says when it happens"
        return [(what, "one of share, requests, or from and to")]
    if rule.get("to", math.inf) < rule.get("from", 1):
        return [("to is less than from", "a to that is at least from")]
    return []


def _suggestion(word: str, words: Iterable[str]) -> str:
    return closest(word, words) or f"one of {', '.join(words)}"


class Key(NamedTuple):
    """The valid values for a key of a rule. `remedy` completes "write …"."""

    allows: Callable[[Any], bool]
    remedy: str
    required: bool = False


def _number(most: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and 0 <= value <= most


def _one_of(values: Sequence[object]) -> Callable[[Any], bool]:
    # Compares types, too, because True == 1.
    return lambda value: type(value) is type(values[0]) and value in values


COUNT = Key(_one_of(COUNTS), "a whole number of at least 1")
SECONDS = Key(_number(LONGEST_S), f"a number of seconds from 0 to {LONGEST_S}")
SWITCH = Key(_one_of((True, False)), "true or false")
RETRY_AFTER = ("seconds", "date", "absent", "garbage")

WHEN = {
    "share": Key(_number(1), "a number from 0 to 1"),
    "requests": Key(
        lambda value: isinstance(value, list) and all(map(COUNT.allows, value)), "a list of numbers of at least 1"
    ),
    "from": COUNT,
    "to": COUNT,
    "times": COUNT,
}
PARAMETERS: dict[FaultName, dict[str, Key]] = {
    FaultName.LATENCY: {"seconds": SECONDS._replace(required=True), "tail": SWITCH},
    FaultName.THROTTLE: {
        "retry_after": Key(_one_of(RETRY_AFTER), f"one of {', '.join(RETRY_AFTER)}"),
        "seconds": SECONDS,
    },
    FaultName.ERROR: {
        "code": Key(_one_of([*map(int, Code)]), f"one of {', '.join(map(str, map(int, Code)))}", required=True),
        "status": Key(_one_of(range(400, 600)), "an HTTP status from 400 to 599"),
    },
    FaultName.SERVER_ERROR: {"status": Key(_one_of((500, 502, 503, 504)), "500, 502, 503 or 504"), "body": SWITCH},
    FaultName.WEB_PAGE: {"status": Key(_one_of((400, 404, 405, 413)), "400, 404, 405 or 413")},
    FaultName.EXPORT_LINK_EXPIRED: {"status": Key(_one_of((404, 410)), "404 or 410")},
}
DEFAULT_STATUSES = {FaultName.SERVER_ERROR: 500, FaultName.WEB_PAGE: 400, FaultName.EXPORT_LINK_EXPIRED: 410}


def early_response(fault: Fault, now: datetime) -> web.Response | None:
    """The response of a fault that ignores the message, or None. Raises `RefusedError`. `now` is aware, in UTC."""
    match fault.name:
        case FaultName.THROTTLE:
            raise RefusedError(Code.QUOTA_EXCEEDED, ON_PURPOSE, headers=_retry_after(fault, now))
        case FaultName.ERROR:
            raise RefusedError(Code(fault.code), ON_PURPOSE, fault.status or None)
        case FaultName.SERVER_ERROR if not fault.body:
            return web.Response(status=fault.status)
        case FaultName.SERVER_ERROR if fault.status == 500:
            raise RefusedError(Code.INTERNAL_ERROR, ON_PURPOSE)
        case (
            FaultName.SERVER_ERROR | FaultName.WEB_PAGE
        ):  # like a gateway in front of the provider, which answers with a web page
            page = PAGE.format(f"{fault.status} {HTTPStatus(fault.status).phrase}")
            return web.Response(body=page.encode(), status=fault.status, content_type="text/html")
    return None


def spoiled(response: web.Response, fault: Fault) -> web.Response:
    """The response to a message that was handled, damaged by the fault. Raises `RefusedError` for a 500."""
    assert isinstance(response.body, bytes)
    match fault.name:
        case FaultName.ACCEPTED_ERROR_500:
            raise RefusedError(Code.INTERNAL_ERROR, ON_PURPOSE)
        case FaultName.BROKEN_JSON:
            response.body = response.body[: len(response.body) // 2]
        case FaultName.MISSING_UMID:
            fields = orjson.loads(response.body)
            fields.pop("umid", None)
            response.body = orjson.dumps(fields)
        case FaultName.WRONG_CLIENT_MESSAGE_ID:
            response.body = orjson.dumps(orjson.loads(response.body) | {"clientMessageId": OTHER_MESSAGE_ID})
        case FaultName.OTHER_DESTINATION:
            _change(response, "destination", lambda number: number[:-1] + str((int(number[-1]) + 1) % 10))
        case FaultName.OTHER_ENCODING:
            _change(response, "encoding", lambda encoding: "UCS2" if encoding == "GSM7" else "GSM7")
        case FaultName.WRONG_CONTENT_TYPE:
            response.content_type = "text/html"
        case FaultName.WRONG_ENCODING:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response


def _change(response: web.Response, name: str, change: Callable[[str], str]) -> None:
    """Change a field of the answer's JSON. An error body doesn't have it, and stays as it is."""
    fields = orjson.loads(response.body)  # type: ignore[arg-type]
    if name in fields:
        response.body = orjson.dumps(fields | {name: change(fields[name])})


def _retry_after(fault: Fault, now: datetime) -> Mapping[str, str]:
    # A date has whole seconds. It is rounded up, so that it isn't too early.
    date = now.replace(microsecond=0) + timedelta(seconds=math.ceil(fault.seconds + now.microsecond / 1e6))
    http_date = format_datetime(date, usegmt=True)
    values = {"seconds": str(math.ceil(fault.seconds)), "date": http_date, "garbage": "soon"}
    return {hdrs.RETRY_AFTER: values[fault.retry_after]} if fault.retry_after in values else {}


async def transmit(request: web.Request, response: web.Response, fault: Fault | None) -> web.StreamResponse:
    """The response that the handler must return. A fault of the connection happens in here."""
    ending = ENDINGS.get(fault.name) if fault else None
    return await ending(request, response) if ending else response


async def cut_off(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Announce the whole body, send half of it, and close the connection."""
    assert isinstance(response.body, bytes)
    whole = web.StreamResponse(status=response.status, headers=response.headers)
    whole.content_length = len(response.body)
    await whole.prepare(request)
    await whole.write(response.body[: len(response.body) // 2])
    _close(request)
    return whole


async def _reset(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Reset the connection, so that the response is lost."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        request.transport.abort()
    return response


async def _never(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Wait until the client disconnects, which cancels the handler, or until the sandbox ends."""
    await request.app[CLOSING].wait()
    return await _reset(request, response)


async def _answer_and_close(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Answer, then close the connection without announcing it."""
    await response.prepare(request)
    await response.write_eof()
    _close(request)
    return response


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()  # sends the written data first


ENDINGS: dict[FaultName, Callable[[web.Request, web.Response], Awaitable[web.StreamResponse]]] = {
    FaultName.ACCEPTED_THEN_RESET: _reset,
    FaultName.HALF_RESPONSE: cut_off,
    FaultName.NEVER_ANSWER: _never,
    FaultName.CLOSE_IDLE: _answer_and_close,
    FaultName.RESET_BEFORE_READING: _reset,
    FaultName.NEVER_ANSWER_UNBOOKED: _never,
}
BEFORE_READING = (FaultName.RESET_BEFORE_READING, FaultName.NEVER_ANSWER_UNBOOKED)
