"""What may stand in a fault file, and what is said about everything else."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from runner.errors import InputError
from runner.sandbox.fault_file import read_faults
from runner.sandbox.faults import Fault, FaultName, RetryAfter, Rule

ALWAYS = {"share": 1}

GOOD: list[tuple[dict[str, Any], Rule]] = [
    (
        {"fault": "latency", "seconds": 0.05, "tail": True, "share": 0.2},
        Rule(fault=Fault(name=FaultName.LATENCY, seconds=0.05, tail=True), share=0.2),
    ),
    (
        {"fault": "throttle", "retry_after": "date", "seconds": 2, "requests": [3, 4, 10]},
        Rule(
            fault=Fault(name=FaultName.THROTTLE, seconds=2, retry_after=RetryAfter.DATE),
            requests=frozenset({3, 4, 10}),
        ),
    ),
    (
        {"fault": "accepted_then_reset", "from": 5, "to": 20, "times": 3},
        Rule(fault=Fault(name=FaultName.ACCEPTED_THEN_RESET), first=5, last=20, times=3),
    ),
    (
        {"fault": "error", "code": 1201, "status": 401, "from": 5},
        Rule(fault=Fault(name=FaultName.ERROR, code=1201, status=401), first=5),
    ),
    ({"fault": "server_error", **ALWAYS}, Rule(fault=Fault(name=FaultName.SERVER_ERROR, status=500), share=1)),
    (
        {"fault": "server_error", "status": 502, "body": False, "to": 2},
        Rule(fault=Fault(name=FaultName.SERVER_ERROR, status=502, body=False), last=2),
    ),
    (
        {"fault": "export_link_expired", "requests": [1]},
        Rule(fault=Fault(name=FaultName.EXPORT_LINK_EXPIRED, status=410), requests=frozenset({1})),
    ),
]

BAD: list[tuple[object, str]] = [
    ("latency", 'not an object; write {"fault": …}'),
    ({}, "it names no fault; write one of latency, throttle, "),
    ({"fault": 5, **ALWAYS}, "there is no fault 5; write one of latency"),
    ({"fault": "brokenjson", **ALWAYS}, "there is no fault 'brokenjson'; write broken_json"),
    ({"fault": "broken_json"}, "it doesn't say when it happens; write one of share, requests, or from and to"),
    ({"fault": "broken_json", "share": 1, "from": 2}, "it says in two ways when it happens"),
    ({"fault": "broken_json", "from": 5, "to": 4}, "it ends before it begins"),
    ({"fault": "broken_json", "share": 1.5}, "share is 1.5; write a number from 0 to 1"),
    ({"fault": "broken_json", "share": True}, "share is true; write a number from 0 to 1"),
    ({"fault": "broken_json", "share": "1%"}, 'share is "1%"; write a number from 0 to 1'),
    ({"fault": "broken_json", "requests": 3}, "requests is 3; write a list of numbers from 1 up"),
    ({"fault": "broken_json", "requests": [0]}, "requests is [0]; write a list of numbers from 1 up"),
    ({"fault": "broken_json", "from": 0}, "from is 0; write a whole number from 1 up"),
    ({"fault": "broken_json", "times": 1.5, **ALWAYS}, "times is 1.5; write a whole number from 1 up"),
    ({"fault": "broken_json", "time": 2, **ALWAYS}, "the unknown key 'time'; write times"),
    ({"fault": "broken_json", "seconds": 2, **ALWAYS}, "the unknown key 'seconds'; write one of share, "),
    ({"fault": "latency", **ALWAYS}, "seconds is missing; write a number of seconds from 0 to 3600"),
    ({"fault": "latency", "seconds": -1, **ALWAYS}, "seconds is -1; write a number of seconds from 0 to 3600"),
    ({"fault": "latency", "seconds": 1, "tail": 1, **ALWAYS}, "tail is 1; write true or false"),
    ({"fault": "throttle", "retry_after": "never", **ALWAYS}, 'retry_after is "never"; write one of seconds, date,'),
    ({"fault": "error", **ALWAYS}, "code is missing; write one of 429, 1000, 1001, "),
    ({"fault": "error", "code": 999, **ALWAYS}, "code is 999; write one of 429, 1000, 1001, "),
    ({"fault": "error", "code": 1000, "status": 200, **ALWAYS}, "status is 200; write an HTTP status from 400 to 599"),
    ({"fault": "server_error", "status": 501, **ALWAYS}, "status is 501; write 500, 502, 503 or 504"),
    ({"fault": "export_link_expired", "status": 403, **ALWAYS}, "status is 403; write 404 or 410"),
]


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "faults.json"
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


@pytest.mark.parametrize(("rule", "expected"), GOOD, ids=[orjson.dumps(rule).decode() for rule, _ in GOOD])
def test_a_rule(rule: dict[str, Any], expected: Rule, tmp_path: Path) -> None:
    assert (expected,) == read_faults(written(tmp_path, [rule]))


@pytest.mark.parametrize(("rule", "expected"), BAD, ids=[expected for _, expected in BAD])
def test_a_mistake(rule: object, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path, [{"fault": "close_idle", "share": 0.5}, rule])
    with pytest.raises(InputError) as caught:
        read_faults(path)
    [problem] = caught.value.problems
    assert str(problem).startswith(f"{path}: rule 2: {expected}")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    rules = [{"fault": "latency", "seconds": -1, "tail": 0, "share": 1}, {"fault": "close_idle"}]
    with pytest.raises(InputError) as caught:
        read_faults(written(tmp_path, rules))
    assert [problem.path.rpartition(": ")[2] for problem in caught.value.problems] == ["rule 1", "rule 1", "rule 2"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- fault: latency\n", "faults.json:1:"),
        (b'[\n  {"fault": }\n]', "faults.json:2:"),
        (b"{}", "faults.json: not a list; write"),
    ],
)
def test_a_file_of_something_else(content: bytes, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_faults(written(tmp_path, content))
    assert expected in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read: No such file or directory; name another"):
        read_faults(tmp_path / "nowhere.json")


def test_no_rules_are_no_faults(tmp_path: Path) -> None:
    assert read_faults(written(tmp_path, [])) == ()
