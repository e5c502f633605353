"""One row of the results: what was planned or sent, and which of receipt, log and cancelling says what became of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.delivery import DeliveryState, Receipt
from runner.base.outcomes import OutcomeReason
from runner.ledger.ledger import MessageRecord
from runner.report.results import LedgerEntries, WhyUnsent, result_rows

AT = 1_796_090_400_000_000
ARRIVED = datetime.fromtimestamp(AT / 1e6, UTC) - timedelta(microseconds=1)
PLANNED = {"row": 1, "key": "1", "destination": "+6581234561", "country": "SG", "encoding": "GSM7", "segments": 1,
           "reason": None, "detail": None}  # fmt: skip
KINDS: dict[str, Any] = {
    name: pl.Int64 if isinstance(value, int) else pl.String for name, value in PLANNED.items()
}  # fmt: skip
UNSENT = WhyUnsent(OutcomeReason.NOT_REACHED, "the run did not come to it")


def record(**values: Any) -> MessageRecord:  # noqa: ANN401 (fields)
    facts = {"message_id": "m-1", "destination": "+6581234561", "encoding": "GSM7", "segments": 1,
             "status": "accepted", "reason": "queued", "attempts": 1}  # fmt: skip
    return MessageRecord(**{**dict.fromkeys(MessageRecord._fields), **facts, **values})


def receipt(state: DeliveryState, **values: Any) -> Receipt:  # noqa: ANN401 (fields)
    return Receipt("u-1", None, state, AT, **values)


def row(known: LedgerEntries | None, message_id: str | None = "m-1", **planned: Any) -> dict[str, Any]:  # noqa: ANN401 (cells)
    """The row of one message."""
    plan = pl.DataFrame([PLANNED | planned], schema=KINDS)
    return result_rows(plan, [message_id], known or LedgerEntries({}), UNSENT).row(0, named=True)


def known(of: MessageRecord, told: Receipt | None = None, **more: Any) -> LedgerEntries:  # noqa: ANN401 (fields)
    return LedgerEntries(
        {"m-1": of}, {"m-1": told} if told else {}, **{name: {"m-1": value} for name, value in more.items()}
    )


S = DeliveryState


@pytest.mark.parametrize(
    ("told", "logged", "cancelled_at", "expected"),
    [
        (None, None, None, None),
        (S.SENT, None, None, "sent"),
        (S.UNDELIVERED, "delivered", None, "undelivered"),
        (None, "Delivered", None, "delivered"),
        (None, "on the moon", None, None),
        (None, None, AT, "cancelled"),
        (S.QUEUED, None, AT, "cancelled"),
        (S.UNKNOWN, None, AT, "cancelled"),
        (None, "queued", AT, "cancelled"),
        # It was sent all the same: the provider said yes to the cancelling, and the phone knows better.
        (S.SENT, None, AT, "sent"),
        (S.DELIVERED, None, AT, "delivered"),
        (None, "undelivered", AT, "undelivered"),
    ],
)
def test_the_state(told: DeliveryState | None, logged: str | None, cancelled_at: int | None, expected: str) -> None:
    more = {} if cancelled_at is None else {"cancelled": cancelled_at}
    found = row(known(record(log_status=logged), receipt(told) if told else None, **more))
    assert expected == found["delivery_state"]


@pytest.mark.parametrize(
    ("told", "logged", "expected"),
    [
        ((None, None, None), (None, None, None), (None, None, None)),
        ((2, "0.075", "SGD"), (None, None, None), (2, Decimal("0.075"), "SGD")),
        ((None, None, None), (1, "0.04", "EUR"), (1, Decimal("0.04"), "EUR")),
        ((None, None, None), (1, " 0.04 ", "EUR"), (1, Decimal("0.04"), "EUR")),
        # The receipt's, else the log's: an amount and its currency come from one of them.
        ((2, "0", "SGD"), (1, "0.04", "EUR"), (2, Decimal(0), "SGD")),
        ((2, None, "SGD"), (1, "0.04", "EUR"), (2, Decimal("0.04"), "EUR")),
        ((None, "0.01", None), (1, "0.04", "EUR"), (1, Decimal("0.01"), None)),
        # To a millionth, and only what is an amount.
        ((1, "0.12345678", "SGD"), (None, None, None), (1, Decimal("0.123457"), "SGD")),
        ((1, "1e999", "SGD"), (None, None, None), (1, None, None)),
        ((1, "NaN", "SGD"), (None, None, None), (1, None, None)),
        ((1, "999999999999.9999995", "SGD"), (None, None, None), (1, None, None)),
        ((None, None, None), (40_000, "dear", "EUR"), (None, None, None)),
    ],
)
def test_the_bill(
    told: tuple[int | None, str | None, str | None],
    logged: tuple[int | None, str | None, str | None],
    expected: tuple[int | None, Decimal | None, str | None],
) -> None:
    segments, price, currency = logged
    kept = record(log_segments=segments, log_price=price, log_currency=currency)
    told_of = receipt(S.DELIVERED, segments=told[0], price=told[1], currency=told[2])
    found = row(known(kept, told_of if any(fact is not None for fact in told) else None))
    assert expected == (found["billed_segments"], found["billed_price"], found["billed_currency"])


def test_error_and_times() -> None:
    found = row(known(record(), receipt(S.UNDELIVERED, detail="undelivered_to_recipient", error_code=59)))
    assert ("undelivered_to_recipient", 59, None) == (
        found["delivery_detail"], found["delivery_error"], found["delivered_at"]
    )  # fmt: skip
    found = row(known(record(), receipt(S.READ, error_code=0, delivered_at=AT - 1)))
    assert ("read", None, ARRIVED) == (found["delivery_state"], found["delivery_error"], found["delivered_at"])


def test_the_conversion() -> None:
    found = row(known(record(), conversions=Conversion(ConversionOutcome.FAILURE)))
    assert ("failure", None) == (found["outcome"], found["converted_at"])
    assert (None, None) == (row(known(record()))["outcome"], row(known(record()))["converted_at"])


def test_who_was_not_sent_to() -> None:
    unsent, excluded = row(None), row(None, None, reason="suppressed", detail="in stop.txt", destination="")
    assert ("unsent", "not_reached", "the run did not come to it", "m-1", 0) == (
        unsent["status"], unsent["reason"], unsent["detail"], unsent["client_message_id"], unsent["attempts"]
    )  # fmt: skip
    assert ("excluded", "suppressed", "in stop.txt", None, None, None) == (
        excluded["status"], excluded["reason"], excluded["detail"], excluded["client_message_id"],
        excluded["attempts"], excluded["destination"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "planned", "expected"),
    [
        ("Invalid MSISDN", {}, "Invalid MSISDN"),
        ("Invalid MSISDN", {"reason": "suppressed"}, "Invalid MSISDN"),
        (None, {"reason": "suppressed", "detail": "in stop.txt"}, "would be excluded now: suppressed"),
        ("", {"detail": "read 0044 as +44"}, "read 0044 as +44"),
        (None, {}, None),
    ],
)
def test_the_words(said: str | None, planned: dict[str, str], expected: str | None) -> None:
    assert expected == row(known(record(detail=said)), **planned)["detail"]


def test_what_was_sent_wins_over_what_would_be_sent_now() -> None:
    sent = record(destination="+6581234569", country=None, encoding="UCS2", segments=2)
    found = row(known(sent))
    assert ("+6581234569", None, "UCS2", 2) == tuple(
        found[name] for name in ("destination", "country", "encoding", "segments")
    )
    assert row(known(record(destination="")))["destination"] is None  # it was purged


@pytest.mark.parametrize(
    ("sent_at", "answered_at", "expected"),
    [(AT, AT + 12_345, 12.345), (AT, None, None), (0, AT, None), (None, AT, None)],
)
def test_the_latency(sent_at: int | None, answered_at: int | None, expected: float | None) -> None:
    assert expected == row(known(record(sent_at=sent_at, answered_at=answered_at)))["latency_ms"]


def test_what_is_told_of_a_message_that_the_ledger_does_not_have() -> None:
    """A conversion outlives the claim of a message that was proved not to have been sent."""
    stray = LedgerEntries({}, conversions={"m-1": Conversion(ConversionOutcome.SUCCESS, AT)}, cancelled={"m-1": AT})
    found = row(stray)
    assert ("unsent", None, None) == (found["status"], found["outcome"], found["delivery_state"])


def test_no_rows() -> None:
    assert 0 == len(result_rows(pl.DataFrame(schema=KINDS), [], LedgerEntries({}), UNSENT))
