"""What a row or a line tells, and of which message."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.errors import InputError
from runner.feedback.conversion_rows import (
    ConversionRow,
    Matched,
    Matcher,
    Unmatched,
    find_columns,
    read_object,
    read_row,
)
from runner.ledger.ledger import open_ledger
from tests.run.sent import IDS, sent_run, umid_of

SUCCESS, FAILURE = ConversionOutcome.SUCCESS, ConversionOutcome.FAILURE
COLUMNS = {"key": 0, "outcome": 1, "timestamp": 2}
AT = 1_796_090_400_000_000  # 2026-12-01T02:00:00Z


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (["key", "outcome"], {"key": 0, "outcome": 1}),
        (["Outcome", "UMID", "Timestamp"], {"umid": 1, "outcome": 0, "timestamp": 2}),
        (["client_message_id", "outcome", "x"], {"clientmessageid": 0, "outcome": 1}),
        (["key", "clientMessageId", "umid", "outcome"], {"clientmessageid": 1, "umid": 2, "key": 0, "outcome": 3}),
    ],
)
def test_columns_are_found(header: list[str], expected: dict[str, int]) -> None:
    found = find_columns(header, "f.csv")
    assert list(expected.items()) == list(found.items())


WRONG_HEADERS = [
    (["phone", "outcome"], "umid"),
    (["key", "result"], "outcome"),
    (["C-17", "success"], 'the first row has data, not column names: "C-17", "success"; add a row with the column'),
    (["Key (column 1)", "KEY (column 2)", "outcome"], r'two columns named "key" \(columns 1 and 2\); rename one'),
    (["key", "outcome", "out_come"], r'two columns named "outcome" \(columns 2 and 3\)'),
]


@pytest.mark.parametrize(("header", "words"), WRONG_HEADERS)
def test_missing_columns_are_told(header: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        find_columns(header, "f.csv")
    assert "f.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "outcome"),
    [
        *((cell, SUCCESS) for cell in ("success", "Success", " SUCCESS ", "true", "TRUE", "yes", "1")),
        *((cell, FAILURE) for cell in ("failure", "false", "No", "0")),
    ],
)
def test_outcomes(cell: str, outcome: ConversionOutcome) -> None:
    assert ConversionRow(1, "key", "k", Conversion(outcome)) == read_row(1, ("k", cell, ""), COLUMNS)


@pytest.mark.parametrize(
    ("cell", "at"),
    [
        ("2026-12-01T02:00:00Z", AT),
        ("2026-12-01T10:00:00+08:00", AT),
        ("2026-12-01 02:00:00", AT),
        ("2026-12-01T02:00", AT),
        ("2026-12-01T02:00:00.000001Z", AT + 1),
        ("1796090400", AT),
        ("1796090400.25", AT + 250_000),
        ("1796090400250", AT + 250_000),
    ],
)
def test_timestamps(cell: str, at: int) -> None:
    assert ConversionRow(1, "key", "k", Conversion(SUCCESS, at)) == read_row(1, ("k", "success", cell), COLUMNS)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (("", "success", ""), "no key, umid or clientMessageId"),
        (("k", "", ""), "no outcome"),
        (("k", "maybe", ""), '"maybe"'),
        (("k", "x" * 1000, ""), "is invalid; write success or failure"),
        (("k", "success", "yesterday"), '"yesterday"'),
        (("k", "success", "2026-12-01"), '"2026-12-01"'),  # at which time of the day?
        (("k", "success", "20261201"), '"20261201"'),
        (("k", "success", "01/12/2026 10:00"), "2026-12-01T10:00:00+08:00"),
        (("k", "success", "45992.5"), '"45992.5"'),  # a spreadsheet's date as a number
    ],
)
def test_wrong_rows(cells: tuple[str, str, str], words: str) -> None:
    found = read_row(7, cells, COLUMNS)
    assert isinstance(found, Unmatched)
    assert (7, cells[0]) == (found.place, found.name)
    assert words in found.why
    assert len(found.why) < 200


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"key": "k", "outcome": "success"}, ConversionRow(1, "key", "k", Conversion(SUCCESS))),
        ({"key": 17, "outcome": True}, ConversionRow(1, "key", "17", Conversion(SUCCESS))),
        (
            {"Key": "k", "outcome": 0, "timestamp": 1796090400.25},
            ConversionRow(1, "key", "k", Conversion(FAILURE, AT + 250_000)),
        ),
        (
            {"clientMessageId": None, "umid": "u", "key": "k", "outcome": "success", "timestamp": None},
            ConversionRow(1, "umid", "u", Conversion(SUCCESS)),
        ),
        (
            {"client_message_id": "c", "key": "k", "outcome": "no"},
            ConversionRow(1, "clientmessageid", "c", Conversion(FAILURE)),
        ),
    ],
)
def test_lines(line: dict[str, object], expected: ConversionRow) -> None:
    assert expected == read_object(1, line)


@pytest.mark.parametrize(
    "line",
    [{}, {"key": "k"}, {"key": "k", "outcome": ["success"]}, {"key": "k", "outcome": "success", "timestamp": {}}],
)
def test_wrong_lines(line: dict[str, object]) -> None:
    assert isinstance(read_object(1, line), Unmatched)


@given(st.text(), st.text(), st.text())
def test_any_row_is_either(key: str, outcome: str, timestamp: str) -> None:
    assert isinstance(read_row(1, (key, outcome, timestamp), COLUMNS), ConversionRow | Unmatched)


@given(st.datetimes(min_value=datetime(2001, 9, 10), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_every_microsecond_is_kept(moment: datetime) -> None:
    found = read_row(1, ("k", "1", moment.isoformat()), COLUMNS)
    assert isinstance(found, ConversionRow)
    at = found.conversion.at
    assert at is not None
    assert moment.replace(tzinfo=UTC).isoformat() == told_back(at)


def told_back(at: int) -> str:
    seconds, microseconds = divmod(at, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds).isoformat()


def now() -> int:
    """Asked anew: a whole suite takes longer than the times that are told apart here."""
    return time.time_ns() // 1000


@pytest.fixture
def matcher(tmp_path: Path) -> Iterator[Matcher]:
    status = {"gone": "rejected", "lost": "unknown", "away": "sending"}
    record = sent_run(tmp_path / "ledger.sqlite3", ["ann", "bob", *status], ago_s=600, status=status)
    sent_run(tmp_path / "ledger.sqlite3", ["cat"], run="other")
    with open_ledger(str(tmp_path / "ledger.sqlite3"), create=False) as ledger:
        yield Matcher(ledger, record)


def match(matcher: Matcher, named_by: str, name: str, at: int | None = None) -> Matched:
    return matcher.match([ConversionRow(1, named_by, name, Conversion(SUCCESS, at))], now=now())


@pytest.mark.parametrize(
    ("named_by", "name"), [("key", "ann"), ("umid", umid_of("ann")), ("clientmessageid", IDS.of("ann"))]
)
def test_a_message_is_found_by_each_of_its_names(matcher: Matcher, named_by: str, name: str) -> None:
    assert Matched(conversions=[(IDS.of("ann"), Conversion(SUCCESS))]) == match(matcher, named_by, name)


@pytest.mark.parametrize(
    ("named_by", "name", "words"),
    [
        ("key", "nobody", "with this key"),
        ("key", "Ann", "with this key"),
        ("key", "1 202 555 0142", "such as +12025550142"),
        ("umid", "nothing", "with this umid"),
        ("umid", umid_of("cat"), "with this umid"),
        ("clientmessageid", "ann", "with this clientMessageId"),
        ("key", "gone", "was rejected"),
        ("key", "lost", "is unknown; report"),
        ("key", "away", "is sending; report"),
    ],
)
def test_why_there_is_nothing_to_tell(matcher: Matcher, named_by: str, name: str, words: str) -> None:
    found = match(matcher, named_by, name)
    [unmatched] = found.unmatched
    assert [] == found.conversions
    assert words in unmatched.why


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        pytest.param(-9.5, None, id="half a minute after the send"),
        pytest.param(-10.5, None, id="before it, as far as clocks may differ"),
        pytest.param(-12, "before the message was sent", id="before it"),
        pytest.param(0.5, None, id="ahead, as far as clocks may differ"),
        pytest.param(2, "in the future", id="in the future"),
    ],
)
def test_impossible_times(matcher: Matcher, minutes: float, words: str | None) -> None:
    found = match(matcher, "key", "ann", now() + int(minutes * 60e6))
    assert (words is None) == bool(found.conversions)
    assert all(words and words in one.why for one in found.unmatched)


def test_a_batch_keeps_its_order(matcher: Matcher) -> None:
    rows: list[ConversionRow | Unmatched] = [
        ConversionRow(1, "key", "bob", Conversion(SUCCESS)),
        Unmatched(2, "x", "torn"),
        ConversionRow(3, "umid", umid_of("ann"), Conversion(FAILURE)),
        ConversionRow(4, "key", "nobody", Conversion(SUCCESS)),
        ConversionRow(5, "key", "bob", Conversion(FAILURE)),
    ]
    found = matcher.match(rows, now=now())
    assert [("bob", SUCCESS), ("ann", FAILURE), ("bob", FAILURE)] == [
        (next(key for key in ("ann", "bob") if IDS.of(key) == message_id), one.outcome)
        for message_id, one in found.conversions
    ]
    assert [2, 4] == [one.place for one in found.unmatched]
