"""Reads a fault file: JSON, a list of rules, each an object with a `fault` and when it happens.

[
  {"fault": "latency", "seconds": 0.05, "tail": true, "share": 0.2},
  {"fault": "throttle", "retry_after": "date", "seconds": 2, "requests": [3, 4, 10]},
  {"fault": "accepted_then_reset", "from": 5, "to": 20, "times": 3}
]
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from runner.errors import InputError, Position, Problem
from runner.sandbox.codes import Code
from runner.sandbox.faults import Fault, FaultName, RetryAfter, Rule

LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class Key:
    """What may stand behind a key of a rule. `remedy` completes "write …"."""

    holds: Callable[[Any], bool]
    remedy: str
    required: bool = False


def read_faults(path: Path) -> tuple[Rule, ...]:
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
        Problem(what, remedy, path=f"{path}: rule {number}")
        for number, rule in enumerate(rules, 1)
        for what, remedy in mistakes_of(rule)
    ]
    if problems:
        raise InputError(problems)
    return tuple(map(_rule_of, rules))


def mistakes_of(rule: object) -> list[tuple[str, str]]:
    """What is wrong with a rule, and what to write instead."""
    if not isinstance(rule, dict):
        return [("not an object", 'write {"fault": …}')]
    name = rule.get("fault")
    if not isinstance(name, str) or name not in set(FaultName):
        what = f"there is no fault {name!r}" if "fault" in rule else "it names no fault"
        return [(what, f"write {_suggestion(str(name), list(FaultName))}")]
    keys = PARAMETERS.get(FaultName(name), {}) | WHEN
    found = [_mistake_of(key, value, keys) for key, value in rule.items() if key != "fault"]
    found += [
        (f"{key} is missing", f"write {rules.remedy}")
        for key, rules in keys.items()
        if rules.required and key not in rule
    ]
    return [mistake for mistake in found if mistake] or _mistakes_of_when(rule)


def _mistake_of(key: str, value: object, keys: Mapping[str, Key]) -> tuple[str, str] | None:
    if key not in keys:
        return f"the unknown key {key!r}", f"write {_suggestion(key, list(keys))}"
    if not keys[key].holds(value):
        return f"{key} is {orjson.dumps(value).decode()}", f"write {keys[key].remedy}"
    return None


def _mistakes_of_when(rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    ways = ["share" in rule, "requests" in rule, "from" in rule or "to" in rule]
    if sum(ways) != 1:
        what = "it doesn't say when it happens" if not any(ways) else "it says in two ways when it happens"
        return [(what, "write one of share, requests, or from and to")]
    if rule.get("to", math.inf) < rule.get("from", 1):
        return [("it ends before it begins", "write a to that isn't below from")]
    return []


def _rule_of(rule: Mapping[str, Any]) -> Rule:
    name = FaultName(rule["fault"])
    parameters = DEFAULTS.get(name, {}) | {key: rule[key] for key in PARAMETERS.get(name, {}) if key in rule}
    if "retry_after" in parameters:
        parameters["retry_after"] = RetryAfter(parameters["retry_after"])
    return Rule(
        fault=Fault(name=name, **parameters),
        share=rule.get("share"),
        requests=frozenset(rule["requests"]) if "requests" in rule else None,
        first=rule.get("from", 1),
        last=rule.get("to"),
        times=rule.get("times"),
    )


def _suggestion(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 1)
    return close[0] if close else f"one of {', '.join(known)}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _is_one_of(*values: object) -> Callable[[Any], bool]:
    # By type as well: true equals 1.
    return lambda value: any(value == each and type(value) is type(each) for each in values)


COUNT = Key(_is_count, "a whole number from 1 up")
SECONDS = Key(lambda value: _is_number(value, 0, LONGEST_S), f"a number of seconds from 0 to {LONGEST_S}")
SWITCH = Key(lambda value: isinstance(value, bool), "true or false")

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
    FaultName.LATENCY: {"seconds": Key(SECONDS.holds, SECONDS.remedy, required=True), "tail": SWITCH},
    FaultName.THROTTLE: {
        "retry_after": Key(_is_one_of(*map(str, RetryAfter)), f"one of {', '.join(RetryAfter)}"),
        "seconds": SECONDS,
    },
    FaultName.ERROR: {
        "code": Key(_is_one_of(*map(int, Code)), f"one of {', '.join(map(str, map(int, Code)))}", required=True),
        "status": Key(lambda value: _is_count(value) and 400 <= value <= 599, "an HTTP status from 400 to 599"),
    },
    FaultName.SERVER_ERROR: {"status": Key(_is_one_of(500, 502, 503, 504), "500, 502, 503 or 504"), "body": SWITCH},
    FaultName.EXPORT_LINK_EXPIRED: {"status": Key(_is_one_of(404, 410), "404 or 410")},
}
DEFAULTS: dict[FaultName, dict[str, Any]] = {
    FaultName.SERVER_ERROR: {"status": 500},
    FaultName.EXPORT_LINK_EXPIRED: {"status": 410},
}
