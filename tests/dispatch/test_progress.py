"""What is noted of pauses: few entries for any run, with their whole length."""

import pytest

from runner.base.events import Event, EventKind
from runner.base.outcomes import OutcomeReason
from runner.dispatch.progress import MOST_EVENTS, Progress, Stop


def test_pauses_of_one_kind_that_follow_each_other_are_one() -> None:
    progress = Progress()

    for second in range(60):
        progress.note_pause(EventKind.THROTTLED, 1000.0 + second, 1.0)

    assert [Event(EventKind.THROTTLED, 1_000_000_000, 60.0)] == progress.events


def test_a_shorter_pause_inside_of_a_longer_one_takes_nothing_away() -> None:
    progress = Progress()

    progress.note_pause(EventKind.THROTTLED, 10.0, 30.0)
    progress.note_pause(EventKind.THROTTLED, 20.0, 1.0)

    assert [Event(EventKind.THROTTLED, 10_000_000, 30.0)] == progress.events


def test_pauses_far_apart_or_of_another_kind_stand_alone() -> None:
    progress = Progress()

    progress.note_pause(EventKind.THROTTLED, 10.0, 1.0)
    progress.note_pause(EventKind.UNREACHABLE, 11.0, 2.0, "ConnectionRefusedError")
    progress.note_pause(EventKind.UNREACHABLE, 100.0, 4.0, "TimeoutError")

    assert [
        Event(EventKind.THROTTLED, 10_000_000, 1.0),
        Event(EventKind.UNREACHABLE, 11_000_000, 2.0, "ConnectionRefusedError"),
        Event(EventKind.UNREACHABLE, 100_000_000, 4.0, "TimeoutError"),
    ] == progress.events


def test_a_run_of_many_troubles_keeps_a_bounded_number() -> None:
    progress = Progress()

    for number in range(2 * MOST_EVENTS):
        progress.note_pause(EventKind.THROTTLED, 100.0 * number, 1.0)

    assert MOST_EVENTS == len(progress.events)
    assert 100.0 * (2 * MOST_EVENTS - 1) + 1.0 == progress.events[-1].at / 1e6 + (progress.events[-1].seconds or 0.0)


FOR_A_PERSON = {
    "fuse", "limit_reached", "too_late", "unauthorized", "forbidden", "not_found", "upgrade_required", "unsupported",
    "unexpected_answer", "tls_failed",
}  # fmt: skip


@pytest.mark.parametrize("reason", OutcomeReason)
def test_the_exit_code_of_each_reason_to_stop(reason: OutcomeReason) -> None:
    assert (5 if reason.value in FOR_A_PERSON else 3) == Stop(reason, "because").exit_code
