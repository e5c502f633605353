"""When faults happen: the decisions, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox.faults import TAIL_LIMIT, Fault, FaultName, Faults, Rule

BROKEN = Fault(name=FaultName.BROKEN_JSON)
RESET = Fault(name=FaultName.ACCEPTED_THEN_RESET)
FAILED = Fault(name=FaultName.EXPORT_FAILED)


def decisions(*rules: Rule, seed: int = 0, count: int = 20) -> list[Fault | None]:
    faults = Faults(rules, seed=seed)
    return [faults.of(number) for number in range(1, count + 1)]


def hits(*rules: Rule, seed: int = 0, count: int = 20) -> list[int]:
    return [number for number, fault in enumerate(decisions(*rules, seed=seed, count=count), 1) if fault]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(fault=BROKEN, requests=frozenset({3, 4, 10})), [3, 4, 10]),
        (Rule(fault=BROKEN, first=5, last=8), [5, 6, 7, 8]),
        (Rule(fault=BROKEN, first=18), [18, 19, 20]),
        (Rule(fault=BROKEN, last=2), [1, 2]),
        (Rule(fault=BROKEN, first=5, last=8, times=2), [5, 6]),
        (Rule(fault=BROKEN, requests=frozenset({3, 4, 10}), times=1), [3]),
        (Rule(fault=BROKEN, share=1), list(range(1, 21))),
        (Rule(fault=BROKEN, share=0), []),
        (Rule(fault=BROKEN, share=1, times=3), [1, 2, 3]),
    ],
)
def test_when_a_rule_fits(rule: Rule, expected: list[int]) -> None:
    assert expected == hits(rule)


def test_a_share_is_kept_and_repeats() -> None:
    rule = Rule(fault=BROKEN, share=0.1)
    assert abs(len(hits(rule, count=10_000)) - 1_000) < 100
    assert hits(rule, seed=7, count=1_000) == hits(rule, seed=7, count=1_000)
    assert hits(rule, seed=7, count=1_000) != hits(rule, seed=8, count=1_000)


@given(seed=st.integers(), number=st.integers(1, 10_000), share=st.floats(0, 1))
def test_a_decision_depends_on_seed_and_number_alone(seed: int, number: int, share: float) -> None:
    rule = Rule(fault=BROKEN, share=share)
    after_others = Faults([rule], seed=seed)
    for earlier in range(1, min(number, 20)):
        after_others.of(earlier)
    assert Faults([rule], seed=seed).of(number) == after_others.of(number)


def test_the_first_rule_that_fits_counts() -> None:
    rules = [Rule(fault=BROKEN, requests=frozenset({2})), Rule(fault=RESET, first=1, last=3)]
    assert [RESET, BROKEN, RESET, None] == decisions(*rules, count=4)


def test_a_rule_that_was_not_first_keeps_its_times() -> None:
    rules = [Rule(fault=BROKEN, requests=frozenset({1})), Rule(fault=RESET, first=1, times=1)]
    assert [BROKEN, RESET, None] == decisions(*rules, count=3)


def test_two_rules_of_one_share_fall_on_different_requests() -> None:
    found = decisions(Rule(fault=BROKEN, share=0.5), Rule(fault=RESET, share=0.5), count=200)
    assert {BROKEN, RESET, None} == set(found)


def test_messages_and_exports_are_counted_apart() -> None:
    rules = [Rule(fault=FAILED, first=1), Rule(fault=BROKEN, first=1)]
    assert BROKEN == Faults(rules).of(1)
    assert FAILED == Faults(rules, of_exports=True).of(1)


def test_a_fixed_latency() -> None:
    assert Faults().delay_s(Fault(name=FaultName.LATENCY, seconds=0.25), 1) == 0.25


def test_other_faults_take_no_time() -> None:
    assert Faults().delay_s(Fault(name=FaultName.THROTTLE, seconds=5), 1) == 0


def test_a_long_tail() -> None:
    fault = Fault(name=FaultName.LATENCY, seconds=2, tail=True)
    waits = sorted(Faults(seed=3).delay_s(fault, number) for number in range(10_000))
    assert waits[0] >= 2
    assert abs(waits[5_000] - 3.2) < 0.1
    assert abs(waits[9_900] - 43) < 6
    assert waits[-1] <= 2 * TAIL_LIMIT
    assert waits == sorted(Faults(seed=3).delay_s(fault, number) for number in range(10_000))
