"""Each fuse blows when it should, and not before; it says what it saw."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from runner.base.messages import Encoding, Message
from runner.base.options import FuseLimits
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.dispatch.fuse import DIFFERING_SAMPLE, RECENT, SAMPLE, UNEXPECTED_IN_A_ROW, FuseName, Fuses, wilson_lower

A, R, U = Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN
REASONS = {A: OutcomeReason.QUEUED, R: OutcomeReason.INVALID_SOURCE, U: OutcomeReason.TIMEOUT}


def fed(fuses: Fuses, statuses: Iterable[Status]) -> tuple[int, str] | None:
    """How many outcomes it took, and what blew."""
    for number, status in enumerate(statuses, 1):
        message = Message(number, f"C-{number}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"a.b.{number}")
        if blown := fuses.add(message, Outcome(status, REASONS[status], "because", error_code=1005)):
            return number, blown
    return None


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param([U] * 30, (20, FuseName.UNKNOWN_IN_A_ROW), id="nothing but silence"),
        pytest.param([*[U] * 19, A] * 2, None, id="one answer in time, below the sample"),
        pytest.param([*[A] * 3, U] * 100, (SAMPLE, FuseName.UNKNOWN_SHARE), id="every fourth unknown"),
        pytest.param([*[A] * 4, U] * 100, None, id="every fifth unknown is the limit itself"),
        pytest.param([R] * 60, (SAMPLE, FuseName.REJECTED_SHARE), id="the wrong sender"),
        pytest.param([R] * (SAMPLE - 1), None, id="a small campaign is rejected whole"),
        pytest.param([A, R] * 200, None, id="half rejected is the limit itself"),
        pytest.param([*[A] * 1000, *[R] * 900], None, id="a bad end of a good list"),
        pytest.param([*[A] * 1000, *[U, A, U] * 50], (1000 + 61, FuseName.UNKNOWN_SHARE), id="only the recent count"),
    ],
)
def test_defaults(statuses: list[Status], expected: tuple[int, FuseName] | None) -> None:
    found = fed(Fuses(FuseLimits()), statuses)

    assert expected == (found and (found[0], found[1].partition(":")[0]))


def test_it_says_what_it_saw_with_the_newest_examples() -> None:
    found = fed(Fuses(FuseLimits()), [R] * SAMPLE)

    assert found is not None
    assert (
        "rejectedShare: 50 of 50 messages were rejected; for example row 48: invalid_source 1005 (because); "
        "row 49: invalid_source 1005 (because); row 50: invalid_source 1005 (because)"
    ) == found[1]


def test_an_ignored_fuse_does_not_blow_and_the_others_do() -> None:
    assert fed(Fuses(FuseLimits(), ignored=["rejectedShare"]), [R] * 500) is None
    found = fed(Fuses(FuseLimits(), ignored=["unknownInARow"]), [U] * 500)
    assert found is not None
    assert (SAMPLE, FuseName.UNKNOWN_SHARE) == (found[0], found[1].partition(":")[0])


def answers(*reasons: OutcomeReason, ignored: Sequence[str] = ()) -> tuple[int, str] | None:
    """How many accepted messages it took, and what blew."""
    fuses = Fuses(FuseLimits(), ignored=ignored)
    for number, reason in enumerate(reasons, 1):
        message = Message(number, f"C-{number}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"a.b.{number}")
        if blown := fuses.add(message, Outcome(A, reason, "because")):
            return number, blown
    return None


SAME, NUMBER, ENCODING = OutcomeReason.QUEUED, OutcomeReason.OTHER_DESTINATION, OutcomeReason.OTHER_ENCODING


@pytest.mark.parametrize("reasons", [[NUMBER] * 60, [ENCODING] * 60, [NUMBER, ENCODING] * 30])
def test_answers_that_all_differ_from_what_was_sent(reasons: list[OutcomeReason]) -> None:
    found = answers(*reasons)
    assert found is not None
    assert DIFFERING_SAMPLE == found[0]
    words = "differingAnswers: all 20 accepted messages have another number or encoding in the provider's answer"
    assert found[1].startswith(f"{words}; for example row 18: {reasons[17]} (because); row 19: ")


@pytest.mark.parametrize(
    "reasons",
    [
        pytest.param([NUMBER] * (DIFFERING_SAMPLE - 1), id="too few"),
        pytest.param([SAME, *[NUMBER] * 500], id="the first one agrees"),
        pytest.param(
            [*[ENCODING] * (DIFFERING_SAMPLE - 1), SAME, *[ENCODING] * 500], id="the last of the sample agrees"
        ),
    ],
)
def test_answers_of_which_some_agree(reasons: list[OutcomeReason]) -> None:
    assert answers(*reasons) is None


def test_differing_answers_can_be_ignored() -> None:
    assert answers(*[NUMBER] * 500, ignored=["differingAnswers"]) is None


def test_limits_of_the_campaign() -> None:
    fuses = Fuses(FuseLimits(unknown_in_a_row=3, unknown_share=1.0, rejected_share=0.0))

    assert fed(fuses, [U, U, A, U, U]) is None
    found = fed(fuses, [A] * RECENT + [R])
    assert found is not None
    assert found[1].startswith(f"{FuseName.REJECTED_SHARE}: ")


def is_significant(count: int, of: int, limit: Fraction) -> bool:
    """By the test that the interval inverts: the share is more than 1.96 standard errors of the limit above it."""
    share = Fraction(count, of)
    return share > limit and (share - limit) ** 2 > Fraction("1.96") ** 2 * limit * (1 - limit) / of


@pytest.mark.parametrize(
    ("count", "of", "limit", "expected"),
    [
        pytest.param(2, 93, "1%", False, id="two of 93 are no proof of more than 1%"),
        pytest.param(3, 93, "1%", True, id="three are"),
        pytest.param(59, 100, "50%", False, id="59 of 100"),
        pytest.param(60, 100, "50%", True, id="60 of 100"),
        pytest.param(1, 50, "0%", True, id="one is more than none"),
        pytest.param(50, 50, "100%", False, id="all are not more than all"),
    ],
)
def test_a_share_of_rejections_counts_if_it_is_significant(count: int, of: int, limit: str, expected: bool) -> None:
    as_share = Fraction(limit.removesuffix("%")) / 100
    fuses = Fuses(FuseLimits(rejected_share=float(as_share)))

    assert expected == is_significant(count, of, as_share)
    assert expected == (fed(fuses, [*[A] * (of - count), *[R] * count]) is not None)


def test_the_bound_is_that_of_the_test_which_it_inverts() -> None:
    for of in (1, 50, 93, 100, 1_000, 12_345):
        for count in {0, 1, of // 3, of // 2, of - 1, of}:
            lower = Fraction(wilson_lower(count, of))
            near = Fraction(1, 10**9)
            assert not count or is_significant(count, of, lower - near) or lower < near
            assert not is_significant(count, of, lower + near)


def test_the_table_of_the_guarantees() -> None:
    """How many rejections stop a run, by the limit and the number of messages."""
    guarantees = Path("docs/explanation/guarantees.md").read_text(encoding="utf-8")
    header, _, *rows = guarantees.partition("| `rejectedShare` |")[2].partition("\n\n")[0].splitlines()
    sizes = [int(cell.split()[1].replace(",", "")) for cell in header.strip("| ").split(" | ")]

    found = {}
    for row in rows:
        limit, *counts = row.strip("| ").split(" | ")
        found[limit] = [int(count.replace(",", "")) for count in counts]

    def fewest(of: int, limit: Fraction) -> int:
        return next(count for count in range(of + 1) if is_significant(count, of, limit))

    expected = {limit: [fewest(of, Fraction(limit.removesuffix("%")) / 100) for of in sizes] for limit in found}
    assert ["1%", "5%", "20%", "50%"] == list(found)
    assert expected == found


def not_the_api(number: int, sent_at: int, answered_at: int) -> tuple[Message, Outcome]:
    message = Message(number, f"C-{number}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"a.b.{number}")
    reason = OutcomeReason.UNEXPECTED_ANSWER
    return message, Outcome(Status.UNSENT, reason, "a web page", sent_at=sent_at, answered_at=answered_at)


def test_answers_in_the_providers_place_blow_if_they_come_one_after_the_other() -> None:
    fuses = Fuses(FuseLimits())
    found = [fuses.add(*not_the_api(n, n * 10, n * 10 + 9)) for n in range(1, UNEXPECTED_IN_A_ROW + 1)]

    assert [None] * (UNEXPECTED_IN_A_ROW - 1) == found[:-1]
    words = "unexpectedAnswers: 10 requests in a row got an answer that is not from the SMS API; a proxy or load "
    assert (found[-1] or "").startswith(f"{words}balancer may have answered instead; for example row 8: unexpected")


def test_answers_that_came_together_count_once() -> None:
    fuses = Fuses(FuseLimits())
    assert [None] * 500 == [fuses.add(*not_the_api(number, number, 1_000)) for number in range(500)]


def test_an_answer_of_the_providers_own_begins_the_count_again() -> None:
    fuses = Fuses(FuseLimits())
    for n in range(1, 100):
        if n % UNEXPECTED_IN_A_ROW == 0:
            assert fed(fuses, [A]) is None
        else:
            assert fuses.add(*not_the_api(n, n * 10, n * 10 + 9)) is None


def test_unexpected_answers_can_be_ignored() -> None:
    fuses = Fuses(FuseLimits(), ignored=["unexpectedAnswers"])
    assert [None] * 50 == [fuses.add(*not_the_api(n, n * 10, n * 10 + 9)) for n in range(1, 51)]
