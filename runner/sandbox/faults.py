"""Faults: what shall go wrong, and for which requests. Pure; `fault_effects` does what is decided here.

A fault file is a JSON list of rules, each an object with a `fault` and when it happens (docs/sandbox.md). The decision
about the n-th request depends on the file, the seed and n alone, so that a failure repeats.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from runner.base.errors import InputError, Position, Problem
from runner.sandbox.answers import Code
from runner.sandbox.delivery import chance

LONGEST_S = 3600
TAIL_SHAPE = 1.5
TAIL_LIMIT = 100.0


class FaultName(StrEnum):
    """Every fault. "Booked" ones judge the message as usual first, so that a sound one is accepted and in the book."""

    # the answer comes late, and is the usual one
    LATENCY = "latency"
    # another answer, without a look at the message: not booked
    THROTTLE = "throttle"
    ERROR = "error"
    SERVER_ERROR = "server_error"
    # booked, and the answer is spoiled
    ACCEPTED_ERROR_500 = "accepted_error_500"
    BROKEN_JSON = "broken_json"
    MISSING_UMID = "missing_umid"
    WRONG_CLIENT_MESSAGE_ID = "wrong_client_message_id"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    WRONG_ENCODING = "wrong_encoding"
    # booked, and the connection breaks
    ACCEPTED_THEN_RESET = "accepted_then_reset"
    HALF_RESPONSE = "half_response"
    NEVER_ANSWER = "never_answer"
    CLOSE_IDLE = "close_idle"
    # the connection breaks before the body is read: not booked
    RESET_BEFORE_READING = "reset_before_reading"
    NEVER_ANSWER_UNBOOKED = "never_answer_unbooked"
    # of log exports
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

    It happens to a `share` of the requests, or to certain ones by their number (from 1), `times` times at most. The
    fields from `seconds` to `body` belong to some faults only, as `PARAMETERS` has them.
    """

    name: FaultName
    seconds: float = 1.0
    tail: bool = False
    retry_after: str = "seconds"
    code: int = 0
    status: int = 0
    body: bool = True
    share: float | None = None
    requests: frozenset[int] | None = None
    first: int = 1
    last: int | None = None
    times: int | None = None

    def fits(self, number: int, *, index: int, seed: int) -> bool:
        if self.share is not None:
            return chance(seed, "rule", index, number) < self.share
        if self.requests is not None:
            return number in self.requests
        return self.first <= number and (self.last is None or number <= self.last)


class FaultSchedule:
    """Decides request by request; of the rules that fit, the first counts. Numbers come in order, each once."""

    def __init__(self, rules: Sequence[Fault] = (), *, seed: int = 0, of_exports: bool = False) -> None:
        # A rule keeps its place in the file, so that its share falls on the same requests whatever stands around it.
        self._rules = [(i, rule) for i, rule in enumerate(rules) if rule.name.is_of_exports == of_exports]
        self._left = {i: math.inf if rule.times is None else rule.times for i, rule in self._rules}
        self._seed = seed

    def of(self, number: int) -> Fault | None:
        """What happens to this request."""
        for index, rule in self._rules:
            if self._left[index] and rule.fits(number, index=index, seed=self._seed):
                self._left[index] -= 1
                return rule
        return None

    def delay_s(self, fault: Fault, number: int) -> float:
        """How long a latency lasts. With a tail (Pareto's), `seconds` is the least: half take more than 1.6 times as
        long, one in a hundred more than 21 times, none more than a hundred times.
        """
        if fault.name is not FaultName.LATENCY:
            return 0.0
        if not fault.tail:
            return fault.seconds
        stretch = float((1 - chance(self._seed, "tail", number)) ** (-1 / TAIL_SHAPE))
        return fault.seconds * min(stretch, TAIL_LIMIT)


def read_faults(path: Path) -> tuple[Fault, ...]:
    """The file's rules. Raises `InputError` with everything that is wrong in it."""
    try:
        rules = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError.of(f"the fault file {path} cannot be read: {error.strerror}", "name another file") from error
    except orjson.JSONDecodeError as error:
        where = Position(str(path), error.lineno, error.colno)
        raise InputError([Problem(f"not JSON: {error.msg}", "write a list of rules", where=where)]) from error
    if not isinstance(rules, list):
        raise InputError([Problem("not a list", 'write [{"fault": …}, …]', path=str(path))])
    problems = [
        Problem(what, f"write {remedy}", path=f"{path}: rule {number}")
        for number, rule in enumerate(rules, 1)
        for what, remedy in _mistakes_of(rule)
    ]
    if problems:
        raise InputError(problems)
    return tuple(map(_fault_of, rules))


def _fault_of(rule: Mapping[str, Any]) -> Fault:
    name = FaultName(rule["fault"])
    given = {
        NAMES.get(key, key): value for key, value in (DEFAULTS.get(name, {}) | dict(rule)).items() if key != "fault"
    }
    if "requests" in given:
        given["requests"] = frozenset(given["requests"])
    return Fault(name=name, **given)


def _mistakes_of(rule: object) -> list[tuple[str, str]]:
    """What is wrong with a rule, and what to write instead."""
    if not isinstance(rule, dict):
        return [("not an object", '{"fault": …}')]
    name = rule.get("fault")
    if not isinstance(name, str) or name not in set(FaultName):
        what = f"there is no fault {name!r}" if "fault" in rule else "it names no fault"
        return [(what, _suggestion(str(name), list(FaultName)))]
    keys = PARAMETERS.get(FaultName(name), {}) | WHEN
    mistakes = []
    for key, value in rule.items():
        if key != "fault" and key not in keys:
            mistakes.append((f"the unknown key {key!r}", _suggestion(key, list(keys))))
        elif key != "fault" and not keys[key].allows(value):
            mistakes.append((f"{key} is {orjson.dumps(value).decode()}", keys[key].remedy))
    missing = [key for key, each in keys.items() if each.required and key not in rule]
    mistakes += [(f"{key} is missing", keys[key].remedy) for key in missing]
    return mistakes or _mistakes_of_when(rule)


def _mistakes_of_when(rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    ways = ["share" in rule, "requests" in rule, "from" in rule or "to" in rule]
    if sum(ways) != 1:
        what = "it doesn't say when it happens" if not any(ways) else "it says in two ways when it happens"
        return [(what, "one of share, requests, or from and to")]
    if rule.get("to", math.inf) < rule.get("from", 1):
        return [("it ends before it begins", "a to that isn't below from")]
    return []


def _suggestion(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 1)
    return close[0] if close else f"one of {', '.join(known)}"


@dataclass(frozen=True, slots=True)
class Key:
    """What may stand behind a key of a rule. `remedy` completes "write …"."""

    allows: Callable[[Any], bool]
    remedy: str
    required: bool = False


def _is_number(value: object, least: float, most: float, kinds: tuple[type, ...] = (int, float)) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most  # type: ignore[operator]


def _is_count(value: object, least: float = 1, most: float = math.inf) -> bool:
    return _is_number(value, least, most, (int,))


def _is_one_of(*values: object) -> Callable[[Any], bool]:
    # By type as well: true equals 1.
    return lambda value: any(value == each and type(value) is type(each) for each in values)


COUNT = Key(_is_count, "a whole number from 1 up")
SECONDS = Key(lambda value: _is_number(value, 0, LONGEST_S), f"a number of seconds from 0 to {LONGEST_S}")
SWITCH = Key(_is_one_of(True, False), "true or false")
CODES = tuple(map(int, Code))
RETRY_AFTER = ("seconds", "date", "absent", "garbage")


WHEN = {
    "share": Key(lambda value: _is_number(value, 0, 1), "a number from 0 to 1"),
    "requests": Key(
        lambda value: isinstance(value, list) and all(map(_is_count, value)), "a list of numbers from 1 up"
    ),
    "from": COUNT,
    "to": COUNT,
    "times": COUNT,
}
PARAMETERS: dict[FaultName, dict[str, Key]] = {
    FaultName.LATENCY: {"seconds": replace(SECONDS, required=True), "tail": SWITCH},
    FaultName.THROTTLE: {
        "retry_after": Key(_is_one_of(*RETRY_AFTER), f"one of {', '.join(RETRY_AFTER)}"),
        "seconds": SECONDS,
    },
    FaultName.ERROR: {
        "code": Key(_is_one_of(*CODES), f"one of {', '.join(map(str, CODES))}", required=True),
        "status": Key(lambda value: _is_count(value, 400, 599), "an HTTP status from 400 to 599"),
    },
    FaultName.SERVER_ERROR: {"status": Key(_is_one_of(500, 502, 503, 504), "500, 502, 503 or 504"), "body": SWITCH},
    FaultName.EXPORT_LINK_EXPIRED: {"status": Key(_is_one_of(404, 410), "404 or 410")},
}
DEFAULTS: dict[FaultName, dict[str, Any]] = {
    FaultName.SERVER_ERROR: {"status": 500},
    FaultName.EXPORT_LINK_EXPIRED: {"status": 410},
}
# Keys of the file that aren't the field's name: `from` is a word of Python.
NAMES = {"from": "first", "to": "last"}
