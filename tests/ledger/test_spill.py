"""Answers that the ledger could not take: kept beside it, durable, and merged at the next start."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base.errors import LedgerError
from runner.base.messages import Encoding, Message
from runner.base.outcomes import Outcome, OutcomeReason, Status
from runner.ledger.ledger import Ledger, open_ledger
from runner.ledger.writer import SPILL_BYTES, Claim, LedgerWriter, Spill, merge_spill, spill_path

ACCEPTED = Outcome(Status.ACCEPTED, OutcomeReason.QUEUED, umid="u-1", http_status=200, sent_at=10, answered_at=20)
UNSENT = Outcome(Status.UNSENT, OutcomeReason.THROTTLED)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.sqlite3"), create=True) as opened:
        opened.begin_run(name="a", run="b", now=1, sub_account_id="x", options="{}", fingerprint="f", rows=3, to_send=3)
        yield opened


def claim(ledger: Ledger, count: int) -> None:
    async def scenario() -> None:
        spill = Spill(spill_path(ledger.path, 1))
        async with LedgerWriter(ledger.engine, 1, spill, on_failure=lambda _: None) as writer:
            await writer.claim(
                [
                    Claim(Message(n, f"C-{n}", "+12025550142", "US", "Hi", Encoding.GSM7, 1, f"a.b.{n}"), 1)
                    for n in range(count)
                ]
            )

    asyncio.run(scenario())


def test_what_was_spilled_is_settled_at_the_next_start(ledger: Ledger) -> None:
    claim(ledger, 3)
    spill = Spill(spill_path(ledger.path, 1))
    spill.write([("a.b.0", ACCEPTED), ("a.b.1", UNSENT)])
    spill.close()

    assert 2 == merge_spill(ledger, 1)

    assert {"accepted": 1, "sending": 1} == ledger.counts(1)
    assert "u-1" == ledger.records(1, ["a.b.0"])["a.b.0"].umid
    assert not spill_path(ledger.path, 1).exists()
    assert 0 == merge_spill(ledger, 1)


def test_half_a_line_and_settled_messages_are_left_alone(ledger: Ledger) -> None:
    claim(ledger, 2)
    path = spill_path(ledger.path, 1)
    spill = Spill(path)
    spill.write([("a.b.0", ACCEPTED)])
    spill.close()
    merge_spill(ledger, 1)
    again = Spill(path)
    again.write([("a.b.0", UNSENT), ("a.b.1", ACCEPTED)])
    again.close()
    whole = path.read_bytes().rstrip(b"\0").splitlines(keepends=True)
    path.write_bytes(whole[0] + whole[1][:30])

    assert 0 == merge_spill(ledger, 1)
    assert {"accepted": 1, "sending": 1} == ledger.counts(1)


def test_its_room_is_taken_before_it_is_needed_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "spill"
    spill = Spill(path)

    assert (SPILL_BYTES, 0o600) == (path.stat().st_size, stat.S_IMODE(path.stat().st_mode))
    spill.close()
    assert not path.exists()


def test_an_unused_spill_that_somebody_deleted_is_no_error(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill")
    (tmp_path / "spill").unlink()
    spill.close()


def test_the_room_and_each_answer_are_on_the_disk_before_they_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spill"
    synced: list[tuple[int, int]] = []
    monkeypatch.setattr("os.fsync", lambda _: synced.append((path.stat().st_size, path.read_bytes().count(b"\n"))))
    spill = Spill(path)
    spill.write([("a.b.0", ACCEPTED), ("a.b.1", UNSENT)])
    spill.write([("a.b.2", UNSENT)])
    spill.close()

    assert [(SPILL_BYTES, 0), (SPILL_BYTES, 2), (SPILL_BYTES, 3)] == synced


def test_without_room_nothing_begins() -> None:
    with pytest.raises(LedgerError, match="free some disk space"):
        Spill(Path("/dev/full"))


@pytest.mark.parametrize(
    "line", [b"123", b"null", b'["x", 5]', b'["x", {"status": "accepted"}]', b'["a.b.0", {"status": "new"}]', b"\xff"]
)
def test_a_damaged_line_is_like_a_torn_one(ledger: Ledger, line: bytes) -> None:
    claim(ledger, 1)
    spill_path(ledger.path, 1).write_bytes(line + b"\n")

    assert 0 == merge_spill(ledger, 1)
    assert {"sending": 1} == ledger.counts(1)


def test_a_spill_is_found_through_any_link(ledger: Ledger, tmp_path: Path) -> None:
    claim(ledger, 1)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/link.sqlite3"
    link.symlink_to(ledger.path)
    spill = Spill(spill_path(link, 1))
    spill.write([("a.b.0", ACCEPTED)])
    spill.close()

    assert 1 == merge_spill(ledger, 1)
    assert {"accepted": 1} == ledger.counts(1)
