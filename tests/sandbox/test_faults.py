"""When faults happen, what may stand in a fault file, and the errors for everything else."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.sandbox.answers import json_response
from runner.sandbox.faults import COUNTS, TAIL_LIMIT, Fault, FaultName, FaultSchedule, read_faults, spoiled
from tests.sandbox.client import faults_in


def broken(**when: Any) -> Fault:  # noqa: ANN401 (any field)
    return Fault(name=FaultName.BROKEN_JSON, **when)


def reset(**when: Any) -> Fault:  # noqa: ANN401 (any field)
    return Fault(name=FaultName.ACCEPTED_THEN_RESET, **when)


def decisions(*rules: Fault, seed: int = 0, count: int = 20) -> list[FaultName | None]:
    schedule = FaultSchedule(rules, seed=seed)
    found = [schedule.of(number) for number in range(1, count + 1)]
    return [fault.name if fault else None for fault in found]


def hits(*rules: Fault, seed: int = 0, count: int = 20) -> list[int]:
    return [number for number, fault in enumerate(decisions(*rules, seed=seed, count=count), 1) if fault]


BROKEN, RESET = FaultName.BROKEN_JSON, FaultName.ACCEPTED_THEN_RESET


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (broken(requests={3, 4, 10}), [3, 4, 10]),
        (broken(requests=range(5, 9)), [5, 6, 7, 8]),
        (broken(requests=range(18, COUNTS.stop)), [18, 19, 20]),
        (broken(requests=range(1, 3)), [1, 2]),
        (broken(requests=range(5, 9), times=2), [5, 6]),
        (broken(requests={3, 4, 10}, times=1), [3]),
        (broken(share=1), list(range(1, 21))),
        (broken(share=0), []),
        (broken(share=1, times=3), [1, 2, 3]),
    ],
)
def test_when_a_rule_fits(rule: Fault, expected: list[int]) -> None:
    assert expected == hits(rule)


def test_the_share_is_about_as_asked_and_repeats() -> None:
    rule = broken(share=0.1)
    assert abs(len(hits(rule, count=10_000)) - 1_000) < 100
    assert hits(rule, seed=7, count=1_000) == hits(rule, seed=7, count=1_000)
    assert hits(rule, seed=7, count=1_000) != hits(rule, seed=8, count=1_000)


@given(seed=st.integers(), number=st.integers(1, 10_000), share=st.floats(0, 1))
def test_a_decision_depends_on_seed_and_number_alone(seed: int, number: int, share: float) -> None:
    rule = broken(share=share)
    after_others = FaultSchedule([rule], seed=seed)
    for earlier in range(1, min(number, 20)):
        after_others.of(earlier)
    assert FaultSchedule([rule], seed=seed).of(number) == after_others.of(number)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([broken(requests={2}), reset(requests=range(1, 4))], [RESET, BROKEN, RESET, None]),
        # a rule that was not first has its times left
        ([broken(requests={1}), reset(times=1)], [BROKEN, RESET, None, None]),
    ],
)
def test_the_first_rule_that_fits_counts(rules: list[Fault], expected: list[FaultName | None]) -> None:
    assert expected == decisions(*rules, count=4)


def test_two_rules_of_one_share_fall_on_different_requests() -> None:
    found = decisions(broken(share=0.5), reset(share=0.5), count=200)
    assert {BROKEN, RESET, None} == set(found)


def test_messages_and_exports_are_counted_apart() -> None:
    rules = [Fault(name=FaultName.EXPORT_FAILED), broken()]
    assert rules[1] == FaultSchedule(rules).of(1)
    assert rules[0] == FaultSchedule(rules, of_exports=True).of(1)


def test_a_fixed_latency_and_other_faults_take_no_time() -> None:
    faults = [Fault(name=FaultName.LATENCY, seconds=0.25), Fault(name=FaultName.THROTTLE, seconds=5)]
    assert [0.25, 0] == [FaultSchedule().delay_s(fault, 1) for fault in faults]


TAKEN = {"umid": "u", "destination": "12025550149", "encoding": "GSM7", "status": {"code": "QUEUED"}}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (FaultName.OTHER_DESTINATION, {"destination": "12025550140"}),
        (FaultName.OTHER_ENCODING, {"encoding": "UCS2"}),
    ],
)
def test_an_answer_with_another_number_or_encoding(name: FaultName, changes: dict[str, str]) -> None:
    def told(document: dict[str, Any]) -> Any:  # noqa: ANN401 (JSON)
        body = spoiled(json_response(document), Fault(name=name)).body
        assert isinstance(body, bytes)
        return orjson.loads(body)

    assert TAKEN | changes == told(TAKEN)
    refused = {"code": 1002, "message": "no"}
    assert refused == told(refused)


def test_a_long_tail() -> None:
    fault = Fault(name=FaultName.LATENCY, seconds=2, tail=True)
    waits = sorted(FaultSchedule(seed=3).delay_s(fault, number) for number in range(10_000))
    assert waits[0] >= 2
    assert abs(waits[5_000] - 3.2) < 0.1
    assert abs(waits[9_900] - 43) < 6
    assert waits[-1] <= 2 * TAIL_LIMIT
    assert waits == sorted(FaultSchedule(seed=3).delay_s(fault, number) for number in range(10_000))


ERROR, LATENCY, SERVER_ERROR = FaultName.ERROR, FaultName.LATENCY, FaultName.SERVER_ERROR
GOOD: list[tuple[dict[str, Any], Fault]] = [
    ({"fault": "latency", "seconds": 0.05, "tail": True, "share": 0.2},
     Fault(name=LATENCY, seconds=0.05, tail=True, share=0.2)),
    ({"fault": "throttle", "retry_after": "date", "seconds": 2, "requests": [3, 4, 10]},
     Fault(name=FaultName.THROTTLE, seconds=2, retry_after="date", requests=frozenset({3, 4, 10}))),
    ({"fault": "accepted_then_reset", "from": 5, "to": 20, "times": 3}, reset(requests=range(5, 21), times=3)),
    ({"fault": "error", "code": 1201, "status": 401, "from": 5},
     Fault(name=ERROR, code=1201, status=401, requests=range(5, COUNTS.stop))),
    ({"fault": "server_error", "share": 1}, Fault(name=SERVER_ERROR, status=500, share=1)),
    ({"fault": "server_error", "status": 502, "body": False, "to": 2},
     Fault(name=SERVER_ERROR, status=502, body=False, requests=range(1, 3))),
    ({"fault": "export_link_expired", "requests": [1]},
     Fault(name=FaultName.EXPORT_LINK_EXPIRED, status=410, requests=frozenset({1}))),
]  # fmt: skip
ALWAYS = {"share": 1}
BAD: list[tuple[object, str]] = [
    ("latency", 'not an object; write {"fault": …}'),
    ({}, "fault is missing; write one of latency, throttle, "),
    ({"fault": 5, **ALWAYS}, "unknown fault 5; write one of latency"),
    ({"fault": "brokenjson", **ALWAYS}, "unknown fault 'brokenjson'; write broken_json"),
    ({"fault": "broken_json"}, "no key says when it happens; write one of share, requests, or from and to"),
    ({"fault": "broken_json", "share": 1, "from": 2}, "more than one key says when it happens"),
    ({"fault": "broken_json", "from": 5, "to": 4}, "to is less than from"),
    ({"fault": "broken_json", "share": 1.5}, "share is 1.5; write a number from 0 to 1"),
    ({"fault": "broken_json", "share": True}, "share is true; write a number from 0 to 1"),
    ({"fault": "broken_json", "share": "1%"}, 'share is "1%"; write a number from 0 to 1'),
    ({"fault": "broken_json", "requests": 3}, "requests is 3; write a list of numbers of at least 1"),
    ({"fault": "broken_json", "requests": [0]}, "requests is [0]; write a list of numbers of at least 1"),
    ({"fault": "broken_json", "from": 0}, "from is 0; write a whole number of at least 1"),
    ({"fault": "broken_json", "times": 1.5, **ALWAYS}, "times is 1.5; write a whole number of at least 1"),
    ({"fault": "broken_json", "time": 2, **ALWAYS}, "unknown key 'time'; write times"),
    ({"fault": "broken_json", "seconds": 2, **ALWAYS}, "unknown key 'seconds'; write one of share, "),
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


@pytest.mark.parametrize(("rule", "expected"), GOOD, ids=[orjson.dumps(rule).decode() for rule, _ in GOOD])
def test_a_rule(rule: dict[str, Any], expected: Fault, tmp_path: Path) -> None:
    assert (expected,) == read_faults(faults_in(tmp_path, rule))


@pytest.mark.parametrize(("rule", "expected"), BAD, ids=[expected for _, expected in BAD])
def test_a_mistake(rule: Any, expected: str, tmp_path: Path) -> None:  # noqa: ANN401 (any JSON)
    path = faults_in(tmp_path, {"fault": "close_idle", "share": 0.5}, rule)
    with pytest.raises(InputError) as caught:
        read_faults(path)
    [problem] = caught.value.problems
    assert str(problem).startswith(f"{path}: rule 2: {expected}")


def test_all_mistakes_are_shown_at_once(tmp_path: Path) -> None:
    rules = [{"fault": "latency", "seconds": -1, "tail": 0, "share": 1}, {"fault": "close_idle"}]
    with pytest.raises(InputError) as caught:
        read_faults(faults_in(tmp_path, *rules))
    assert ["rule 1", "rule 1", "rule 2"] == [each.path.rpartition(": ")[2] for each in caught.value.problems]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- fault: latency\n", "faults.json:1:"),
        (b'[\n  {"fault": }\n]', "faults.json:2:"),
        (b"{}", "faults.json: not a list; write"),
        (None, "faults.json can't be read: No such file or directory; name another"),
    ],
)
def test_a_file_of_something_else(content: bytes | None, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_faults(path)
    assert expected in str(caught.value)


def test_no_rules_are_no_faults(tmp_path: Path) -> None:
    assert () == read_faults(faults_in(tmp_path))
