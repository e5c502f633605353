"""When an export of the log covers the moment at which a message would have been received."""

import pytest

from runner.run.witnesses import Accepted, Witnesses

SECOND = 1_000_000
MINUTES = 60 * SECOND
START = 1_800_000_000 * SECOND


def export(
    *, count: int = 10, ahead: int = 0, without: set[int] | None = None, others: tuple[int, ...] = ()
) -> Witnesses:
    """An export of `count` messages, one a second from START, by a provider whose clock is `ahead` of ours."""
    sent = [START + number * SECOND for number in range(count)]
    witnesses = Witnesses(Accepted(str(number), at, at + 20_000) for number, at in enumerate(sent))
    for number, at in enumerate(sent):
        if number not in (without or set()):
            witnesses.see(str(number), at + ahead + 10_000, is_own=True)
    for at in others:
        witnesses.see("hello:test:x", at, is_own=True)
    witnesses.close()
    return witnesses


def second(number: float) -> int:
    return START + int(number * SECOND)


@pytest.mark.parametrize("ahead", [0, 20 * MINUTES, -20 * MINUTES, 8 * 60 * MINUTES])
def test_messages_before_and_after_cover_what_is_between_by_the_providers_clock(ahead: int) -> None:
    after = export(ahead=ahead).after(second(4.1), second(5.5))
    assert second(6) + 10_000 + ahead == after


@pytest.mark.parametrize(
    ("begin", "end"), [(-5, -4), (-1, 3), (3, 12), (9.5, 9.6)], ids=["before", "no before", "no after", "after"]
)
def test_what_is_not_between_two_messages_is_not_covered(begin: float, end: float) -> None:
    assert export().after(second(begin), second(end)) is None


def test_only_the_newest_or_the_oldest(subtests: pytest.Subtests) -> None:
    for name, without in {"newest": set(range(5)), "oldest": set(range(5, 10))}.items():
        with subtests.test(name):
            witnesses = export(without=without)
            assert (name == "newest") == bool(witnesses.after(second(7.1), second(7.2)))
            assert (name == "oldest") == bool(witnesses.after(second(2.1), second(2.2)))


def test_a_hole_proves_nothing_for_what_is_in_it() -> None:
    witnesses = export(without={4, 5})
    assert witnesses.after(second(4.1), second(4.2)) is None
    assert witnesses.after(second(3.1), second(3.2)) is None
    assert witnesses.after(second(1.1), second(1.2))
    assert witnesses.after(second(7.1), second(7.2))


def test_a_test_message_or_another_run_is_a_witness_if_the_clocks_are_known() -> None:
    assert export(others=(second(20),)).after(second(9.5), second(9.6)) == second(20)
    assert export(others=(second(-20),)).after(second(-5), second(-4))
    assert export(without=set(range(10)), others=(second(-20), second(20))).after(second(4.1), second(4.2)) is None
    assert export(count=0, others=(second(-20), second(20))).after(second(4.1), second(4.2)) is None


def test_a_clock_that_was_changed_makes_the_span_longer() -> None:
    """Half of the messages show another offset: what left is covered only if it is under both."""
    sent = [START + number * MINUTES for number in range(100)]
    witnesses = Witnesses(Accepted(str(number), at, at + 20_000) for number, at in enumerate(sent))
    for number, at in enumerate(sent):
        witnesses.see(str(number), at + (20 * MINUTES if number >= 50 else 0) + 10_000, is_own=True)
    witnesses.close()
    assert witnesses.after(sent[10] + SECOND, sent[10] + 2 * SECOND) == sent[31] + 10_000
    assert witnesses.after(sent[85] + SECOND, sent[85] + 2 * SECOND) == sent[86] + 20 * MINUTES + 10_000
    assert witnesses.after(sent[99] + SECOND, sent[99] + 2 * SECOND) is None


def test_lines_without_a_time_or_with_two_are_no_evidence_but_are_there() -> None:
    sent = [START + number * SECOND for number in range(10)]
    witnesses = Witnesses(Accepted(str(number), at, at + 20_000) for number, at in enumerate(sent))
    for number, at in enumerate(sent):
        witnesses.see(str(number), None if number == 4 else at + 10_000, is_own=True)
    witnesses.see("5", sent[5] + 10_000, is_own=True)  # the same line again
    witnesses.see("6", sent[6] + 5 * MINUTES, is_own=True)
    witnesses.close()
    assert witnesses.after(second(4.1), second(4.2)) == second(5) + 10_000
    assert witnesses.after(second(5.1), second(6.2)) == second(7) + 10_000


def test_whole_seconds_are_up_to_one_second_late() -> None:
    sent = [START + number * SECOND // 2 for number in range(20)]
    witnesses = Witnesses(Accepted(str(number), at, at + 20_000) for number, at in enumerate(sent))
    for number, at in enumerate(sent):
        witnesses.see(str(number), at // SECOND * SECOND, is_own=True)
    witnesses.close()
    assert (witnesses.after(second(5.1), second(5.2)) or 0) > second(6)
    assert witnesses.after(second(8.6), second(8.9)) is None


def test_a_log_without_any_accepted_message_belongs_to_another_account() -> None:
    assert export(without=set(range(10))).lacks_all_before(second(1)) == "0"
    assert export(without=set(range(10))).lacks_all_before(START) is None
    assert export(without=set(range(9))).lacks_all_before(second(9)) is None
