import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.delivery import DeliveryState, Inbound, Receipt
from runner.base.errors import LedgerError
from runner.base.optouts import DoubtfulReply, OptOut, OptOutSource
from runner.ledger.ledger import open_ledger
from runner.ledger.replies import waiting_replies
from runner.receipts import intake as intake_module
from runner.receipts.intake import FullError, Intake, Metrics, e164, read_reply, write_events
from runner.receipts.optout_words import BUILT_IN
from tests.deadline import DEADLINE_S
from tests.receipts.events import AT_US, broken, kept, opted

NOW = AT_US + 3_600_000_000


def a_receipt(umid: str) -> Receipt:
    return Receipt(umid, None, DeliveryState.DELIVERED, AT_US)


def a_reply(body: str, source: str = "12025550123", at: int = AT_US) -> Inbound:
    return Inbound("in", source, "ACME", body, at)


def is_well(intake: Intake) -> bool:
    return intake.error is None


def is_gone(intake: Intake) -> bool:
    return intake.gone is not None


NUMBERS = [
    ("12025550123", "+12025550123", "as the provider writes it"),
    ("+12025550123", "+12025550123", "E.164"),
    (" +1 (202) 555-0123 ", "+12025550123", "as people write it"),
    ("447700900123", "+447700900123", "another country"),
    ("ACME", None, "a sender's name"),
    ("ACME12345678", None, "a name with digits"),
    ("12345", None, "a short code"),
    ("1234567890123456", None, "longer than any number"),
    ("0491570156", None, "national: the country isn't known"),
    ("", None, "nothing"),
    ("+", None, "nothing but a plus"),
    ("١٢٠٢٥٥٥٠١٢٣", "+12025550123", "Arabic-Indic digits"),
    ("+１２０２５５５０１２３", "+12025550123", "full-width digits"),
    ("0065 9123 4567", "+6591234567", "with 00 instead of the plus"),
    ("\u202a+65 9123 4567\u202c", "+6591234567", "with invisible marks"),
    ("tel:+65-9123-4567", "+6591234567", "a link"),
    ("whatsapp:+6591234567", "+6591234567", "from another platform"),
    ("01165912345678", None, "011 is a prefix in one country only"),
]


@pytest.mark.parametrize(("source", "number", "why"), NUMBERS)
def test_numbers(source: str, number: str | None, why: str) -> None:
    assert number == e164(source), why


@given(st.text(max_size=40))
def test_a_number_is_e164_or_none(source: str) -> None:
    number = e164(source)
    assert number is None or (number[0] == "+" and number[1] != "0" and number[1:].isascii() and 8 <= len(number) <= 16)


def test_events_are_written_and_counted(tmp_path: Path) -> None:
    replies = [a_reply("START", at=AT_US + 1), a_reply("who is this?"), a_reply("STOP", "ACME")]
    events: list[Receipt | Inbound] = [a_receipt("u"), a_reply("Stop. Thanks"), *replies]
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
        kinds, _ = write_events(ledger, events, BUILT_IN, NOW, authorized=True)
    assert ["receipt", "opt_out", "opt_in", "reply", "unusable"] == [kind for kind, _ in kinds]
    assert {"u"} == set(kept(tmp_path / "ledger.sqlite3"))
    assert {"+12025550123"} == set(opted(tmp_path / "ledger.sqlite3"))


@pytest.mark.parametrize(
    ("reply", "kind", "stored"),
    [
        (a_reply("Stop. Thanks"), "opt_out", OptOut("+12025550123", True, AT_US, OptOutSource.REPLY, "stop")),
        (
            a_reply("START", at=AT_US + 1),
            "opt_in",
            OptOut("+12025550123", False, AT_US + 1, OptOutSource.REPLY, "start"),
        ),
        (a_reply("STOP acme"), "opt_out", OptOut("+12025550123", True, AT_US, OptOutSource.REPLY, "stop")),
        (a_reply("who is this?"), "reply", None),
        (a_reply("who is this?", "ACME"), "reply", None),
        (a_reply("STOP", "ACME"), "unusable", None),
        (a_reply("stop?! or not"), "opt_out", OptOut("+12025550123", True, AT_US, OptOutSource.REPLY, "stop")),
        (
            a_reply("Is it the last bus to stop?"),
            "review",
            DoubtfulReply("in", "+12025550123", AT_US, "Is it the last bus to stop?", "stop"),
        ),
        (a_reply("Is it the last bus to stop?", "ACME"), "reply", None),
    ],
)
def test_replies(reply: Inbound, kind: str, stored: OptOut | DoubtfulReply | None) -> None:
    assert (kind, stored) == read_reply(reply, BUILT_IN, NOW)


def test_a_clock_that_is_ahead_makes_no_opt_out_of_tomorrow() -> None:
    for body in ("STOP", "when does it stop?"):
        _, stored = read_reply(a_reply(body, at=NOW + 10**12), BUILT_IN, NOW)
        assert stored is not None
        assert NOW == stored.at


def test_what_waits_is_written_when_the_block_ends(tmp_path: Path) -> None:
    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            async with Intake(ledger, BUILT_IN, Metrics(), authorized=True) as intake:
                takings = [asyncio.create_task(intake.take(a_receipt(f"u{index}"))) for index in range(5_000)]
                await asyncio.wait(takings, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*takings)

    asyncio.run(session())
    assert 5_000 == len(kept(tmp_path / "ledger.sqlite3"))


def test_who_leaves_before_the_answer_takes_nothing_away(tmp_path: Path) -> None:
    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            async with Intake(ledger, BUILT_IN, Metrics(), authorized=True) as intake:
                taking = asyncio.create_task(intake.take(a_receipt("u")))
                await asyncio.sleep(0)
                taking.cancel()
                await asyncio.wait([taking])
                assert taking.cancelled()

    asyncio.run(session())
    assert {"u"} == set(kept(tmp_path / "ledger.sqlite3"))


def test_too_many_that_wait_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MOST_WAITING", 3)

    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            intake = Intake(ledger, BUILT_IN, Metrics(), authorized=True)
            # Its thread isn't there yet: nothing is written.
            takings = [asyncio.create_task(intake.take(a_receipt(f"u{index}"))) for index in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(FullError):
                await intake.take(a_receipt("late"))
            async with intake, asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*takings)
                await intake.take(a_receipt("late"))

    asyncio.run(session())
    assert {"u0", "u1", "u2", "late"} == set(kept(tmp_path / "ledger.sqlite3"))


def test_a_ledger_that_fails_is_tried_again_though_nobody_posts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "TRY_AGAIN_S", 0.01)
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        with open_ledger(str(path), create=True) as ledger:
            metrics = Metrics()
            async with Intake(ledger, BUILT_IN, metrics, authorized=True) as intake:
                with broken(path):
                    with pytest.raises(LedgerError):
                        await intake.take(a_receipt("u"))
                    assert not is_well(intake)
                    assert b"campaign_receipts_healthy 0.0" in metrics.text()
                async with asyncio.timeout(DEADLINE_S):
                    while not is_well(intake):  # noqa: ASYNC110 (a thread's doing, which no event tells of)
                        await asyncio.sleep(0.005)
                assert b"campaign_receipts_healthy 1.0" in metrics.text()

    asyncio.run(session())
    assert {"u"} == set(kept(path))


def test_a_ledger_that_fails_does_not_hold_up_the_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        with open_ledger(str(path), create=True) as ledger, broken(path):
            async with asyncio.timeout(DEADLINE_S), Intake(ledger, BUILT_IN, Metrics(), authorized=True) as intake:
                with pytest.raises(LedgerError):
                    await intake.take(a_receipt("u"))

    asyncio.run(session())
    assert {} == kept(path)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_nothing_is_taken_into_a_ledger_that_was_deleted(tmp_path: Path, *, is_replaced: bool) -> None:
    """SQLite writes on into a deleted file, and tells nobody."""
    path = tmp_path / "ledger.sqlite3"

    async def session() -> None:
        with open_ledger(str(path), create=True) as ledger:
            async with asyncio.timeout(DEADLINE_S), Intake(ledger, BUILT_IN, Metrics(), authorized=True) as intake:
                await intake.take(a_receipt("u1"))
                assert not is_gone(intake)
                path.unlink()
                if is_replaced:
                    path.write_bytes(b"")
                with pytest.raises(LedgerError, match="was deleted or replaced while the server was running"):
                    await intake.take(a_receipt("u2"))
                assert is_gone(intake)
                assert not is_well(intake)

    asyncio.run(session())


def test_one_that_cannot_be_written_does_not_hold_up_the_others(tmp_path: Path) -> None:
    poison = Receipt("bad", None, DeliveryState.DELIVERED, 2**70)  # more than the database's integers hold

    async def session() -> None:
        with open_ledger(str(tmp_path / "ledger.sqlite3"), create=True) as ledger:
            async with asyncio.timeout(DEADLINE_S), Intake(ledger, BUILT_IN, Metrics(), authorized=True) as intake:
                events: list[Receipt | Inbound] = [a_receipt("u1"), poison, a_receipt("u2"), a_reply("STOP")]
                one, bad, *others = await asyncio.gather(*map(intake.take, events), return_exceptions=True)
                assert [None, None, None] == [one, *others]
                assert isinstance(bad, LedgerError)

    asyncio.run(session())
    assert {"u1", "u2"} == set(kept(tmp_path / "ledger.sqlite3"))
    assert {"+12025550123"} == set(opted(tmp_path / "ledger.sqlite3"))


def test_each_server_counts_for_itself() -> None:
    one, other = Metrics(), Metrics()
    one.event("receipt", "delivered")
    assert b'kind="receipt"' in one.text()
    assert b'kind="receipt"' not in other.text()


def test_counts_for_people_are_those_for_machines() -> None:
    metrics = Metrics()
    metrics.event("receipt", "sent")
    metrics.event("receipt", "sent")
    metrics.event("opt_out")
    metrics.refused(401)
    metrics.settled.inc(2)
    metrics.group_size.observe(3)
    metrics.waiting.set(7)
    assert {"receipt": 2, "opt_out": 1, "refused": 1} == metrics.counts
    lines = metrics.text().decode().splitlines()
    for line in (
        'campaign_receipts_events_total{kind="receipt"} 2.0',
        'campaign_receipts_states_total{state="sent"} 2.0',
        'campaign_receipts_refused_total{status="401"} 1.0',
        "campaign_receipts_settled_total 2.0",
        "campaign_receipts_group_size_sum 3.0",
        "campaign_receipts_waiting 7.0",
        "campaign_receipts_healthy 1.0",
    ):
        assert line in lines


def test_without_authorization_stop_counts_and_start_does_not(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite3"
    stop, start = a_reply("STOP"), a_reply("START", at=AT_US + 1)
    with open_ledger(str(path), create=True) as ledger:
        now = AT_US + 10**10
        kinds, _ = write_events(ledger, [stop, start], BUILT_IN, now, authorized=False)
        assert [("opt_out", None), ("untrusted_opt_in", None)] == kinds
        assert opted(path)["+12025550123"][0]
        write_events(ledger, [start], BUILT_IN, now, authorized=True)
        assert not opted(path)["+12025550123"][0]


@pytest.mark.parametrize("authorized", [True, False])
def test_a_reply_in_doubt_is_kept_or_not_taken(tmp_path: Path, *, authorized: bool) -> None:
    """The provider posts it again, as long as it got no 200."""
    path = tmp_path / "ledger.sqlite3"
    events = [a_reply("when does it stop?"), a_reply("please stop texting me", "12025550124")]
    with open_ledger(str(path), create=True) as ledger:
        with broken(path, "replies"), pytest.raises(LedgerError):
            write_events(ledger, events, BUILT_IN, NOW, authorized=authorized)
        for _ in range(2):
            kinds, _settled = write_events(ledger, events, BUILT_IN, NOW, authorized=authorized)
            assert [("review", None), ("opt_out", None)] == kinds
        assert ["+12025550123"] == [each.destination for each in waiting_replies(ledger)]
    assert {"+12025550124"} == set(opted(path))
