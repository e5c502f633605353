"""Reads a row of a file or a JSON line as the conversion of a message, or as an unmatched row with the reason.

The message is identified by its recipient's key, the provider's umid, or the clientMessageId.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from runner.base.conversions import Conversion, ConversionOutcome
from runner.base.errors import InputError
from runner.base.outcomes import Status
from runner.base.text import folded, quoted_names
from runner.files.columns import bare, no_header_remedy
from runner.ledger.ledger import Ledger, MessageRecord, RunRecord
from runner.ledger.request_journal import records_by_umid
from runner.plan.message_ids import MessageIds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_TIME = re.compile(r"(\d{10})(?:\.(\d+)|(\d{3}))?")  # seconds, or milliseconds
_NUMBER = re.compile(r"(?!\+)(?:[\W_]*\d){7,}[\W_]*")  # a phone number that isn't in E.164
_DATE_ALONE = 10  # characters; a date without a time is refused, because feedback counts by the minute

# The most by which the clocks of two computers may differ.
TOLERANCE_US = 60_000_000

# The columns that can identify a message, the most precise first. Case and underscores don't matter.
NAMES = ("clientmessageid", "umid", "key")

_COLUMNS = (*NAMES, "outcome", "timestamp")

_OUTCOMES = {
    **dict.fromkeys(("success", "true", "yes", "1"), ConversionOutcome.SUCCESS),
    **dict.fromkeys(("failure", "false", "no", "0"), ConversionOutcome.FAILURE),
}


@dataclass(frozen=True, slots=True)
class ConversionRow:
    """One row or line: how it identifies its message, and the conversion."""

    place: int
    named_by: str
    name: str
    conversion: Conversion


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row or line that can't be reported. `place` is its number, from 1; `name` identifies its message, as given."""

    place: int
    name: str
    why: str


@dataclass(slots=True)
class Matched:
    """The conversions in part of a file, as (message id, conversion) in file order, and the unmatched rows."""

    conversions: list[tuple[str, Conversion]] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)


def find_columns(header: Sequence[str], file: str) -> dict[str, int]:
    """The positions of the columns that identify messages, and of `outcome` and `timestamp`, by normalised name.

    Raises InputError if no column identifies messages, or there is no outcome.
    """
    places: dict[str, int] = {}
    for index, name in enumerate(header):
        plain = _plain(bare(name))
        if places.setdefault(plain, index) != index and plain in _COLUMNS:
            what = f'{file} has two columns named "{plain}" (columns {places[plain] + 1} and {index + 1})'
            raise InputError.of(what, "rename one of them")
    has = quoted_names(header)
    no_header = no_header_remedy(header, list(ConversionOutcome))
    if not any(name in places for name in NAMES):
        raise InputError.of(
            f"{file} has no column that identifies the message",
            no_header or f"name a column key, umid or clientMessageId; the file has {has}",
        )
    if "outcome" not in places:
        remedy = no_header or f"add one with the values success or failure; the file has {has}"
        raise InputError.of(f'{file} has no column "outcome"', remedy)
    return {name: places[name] for name in _COLUMNS if name in places}


def read_row(place: int, cells: Sequence[str], columns: Mapping[str, int]) -> ConversionRow | Unmatched:
    """Read one row of a file. `place` is its number, from 1."""
    return _read(place, {name: cells[index].strip() for name, index in columns.items()})


def read_object(place: int, fields: Mapping[str, object]) -> ConversionRow | Unmatched:
    """Read one JSON object. Other values become text too, so that the error message can show them."""
    texts = {_plain(name): _text(value).strip() for name, value in fields.items() if value is not None}
    return _read(place, texts)


def _text(value: object) -> str:
    """A JSON value as the text of a cell."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read(place: int, texts: Mapping[str, str]) -> ConversionRow | Unmatched:
    named_by = next((name for name in NAMES if texts.get(name)), None)
    if named_by is None:
        return Unmatched(place, "", "no key, umid or clientMessageId")
    name, outcome, time = texts[named_by], texts.get("outcome", ""), texts.get("timestamp", "")
    found = _OUTCOMES.get(outcome.casefold())
    if found is None:
        why = f'the outcome "{outcome[:40]}" is invalid' if outcome else "no outcome"
        return Unmatched(place, name, f"{why}; write success or failure")
    at = _moment(time) if time else None
    if time and at is None:
        return Unmatched(place, name, f'the timestamp "{time[:40]}" is invalid; write it as 2026-12-01T10:00:00+08:00')
    return ConversionRow(place, named_by, name, Conversion(found, at))


def _moment(text: str) -> int | None:
    """Microseconds since the epoch, from ISO 8601 (UTC without an offset) or Unix time (seconds or milliseconds)."""
    if found := _UNIX_TIME.fullmatch(text):
        seconds, fraction, milliseconds = found.groups()
        return int(Decimal(f"{seconds}.{fraction or milliseconds or 0}") * 1_000_000)
    if len(text) <= _DATE_ALONE:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _plain(name: str) -> str:
    return folded(name).replace("_", "")


class Matcher:
    """Finds the messages of one run that rows refer to."""

    def __init__(self, ledger: Ledger, record: RunRecord) -> None:
        self._ledger = ledger
        self._run_id = record.id
        self._ids = MessageIds(record.name, record.run)

    def match(self, rows: Sequence[ConversionRow | Unmatched], *, now: int) -> Matched:
        """Find the messages of the rows; `now` is microseconds since the epoch."""
        matched = Matched()
        messages = self._messages([row for row in rows if isinstance(row, ConversionRow)])
        for row in rows:
            if isinstance(row, Unmatched):
                matched.unmatched.append(row)
                continue
            message = messages.get((row.named_by, row.name))
            why = _why_not(message, row.conversion, now) if message else _no_message(row)
            if message and not why:
                matched.conversions.append((message.message_id, row.conversion))
            else:
                matched.unmatched.append(Unmatched(row.place, row.name, why))
        return matched

    def _messages(self, rows: Sequence[ConversionRow]) -> dict[tuple[str, str], MessageRecord]:
        """The messages by (column, name)."""
        umids = sorted({row.name for row in rows if row.named_by == "umid"})
        by_umid = records_by_umid(self._ledger, self._run_id, umids)
        found = {("umid", umid): message for umid, message in by_umid.items()}
        ids = {("clientmessageid", row.name): row.name for row in rows if row.named_by == "clientmessageid"}
        ids |= {("key", row.name): self._ids.of(row.name) for row in rows if row.named_by == "key"}
        by_id = self._ledger.records(self._run_id, sorted(set(ids.values())))
        return found | {name: by_id[message_id] for name, message_id in ids.items() if message_id in by_id}


def _no_message(row: ConversionRow) -> str:
    name = "clientMessageId" if row.named_by == "clientmessageid" else row.named_by
    is_number = row.named_by == "key" and _NUMBER.fullmatch(row.name)
    hint = "; without recipients.key, the key is the number in E.164, such as +12025550142" if is_number else ""
    return f"no message with this {name} in this run{hint}"


def _why_not(message: MessageRecord, conversion: Conversion, now: int) -> str:
    """Why a conversion can't be reported; "" if it can."""
    if message.status == Status.REJECTED.value:
        return "the message was rejected, so it can't have a conversion"
    if message.umid is None or message.status != Status.ACCEPTED.value:
        return f"the message is {message.status}; report the conversion again when the message is accepted"
    if conversion.at is None:
        return ""
    if conversion.at > now + TOLERANCE_US:
        return "the timestamp is in the future"
    if message.sent_at is not None and conversion.at < message.sent_at - TOLERANCE_US:
        return "the timestamp is before the message was sent (a time without an offset is UTC)"
    return ""
