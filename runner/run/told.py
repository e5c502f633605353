"""From what the user tells (a row, or a line of JSON) to a conversion of a message, or why it is none.

A message is named by its recipient's key, by the provider's umid, or by the clientMessageId.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from runner.errors import InputError
from runner.ledger.feedback import Message, find_by_umid, find_messages, prepare_umids
from runner.ledger.ledger import Ledger, RunRecord
from runner.models import Conversion, ConversionOutcome, Status
from runner.plan.identity import MessageIds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"\d{10}(\.\d+)?")
_MILLISECONDS = re.compile(r"\d{13}")
_DATE_ALONE = 10  # characters: at which time of the day it was matters, within 15 minutes

TOLERANCE_US = 60_000_000
"""Two computers' clocks may differ by so much."""

NAMES = {"clientmessageid": "clientMessageId", "umid": "umid", "key": "key"}
"""How a message may be named, the most certain first; letters' case and underscores don't matter."""

_OUTCOMES = {
    **dict.fromkeys(("success", "true", "yes", "1"), ConversionOutcome.SUCCESS),
    **dict.fromkeys(("failure", "false", "no", "0"), ConversionOutcome.FAILURE),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which cell of a row is which."""

    named_by: Mapping[str, int]
    outcome: int
    timestamp: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """One row or line: how it names its message, and what it says of it."""

    place: int
    named_by: str
    name: str
    conversion: Conversion


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row or line that can't be fed back. `place` is its number, from 1; `name` as it was given."""

    place: int
    name: str
    why: str


@dataclass(slots=True)
class Matched:
    """What a part of a file comes to. `found` are (message id, conversion), in the file's order."""

    found: list[tuple[str, Conversion]] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)


def find_columns(header: Sequence[str], file: str) -> Columns:
    """The columns of a file. Raises InputError when it names no messages, or says nothing of them."""
    places = {_plain(name): index for index, name in reversed(list(enumerate(header)))}
    named_by = {name: places[name] for name in NAMES if name in places}
    has = ", ".join(f'"{name}"' for name in header[:20])
    if not named_by:
        raise InputError.of(
            f"{file} has no column that says which message is meant",
            f"name one of them key, umid or clientMessageId; it has {has}",
        )
    if "outcome" not in places:
        raise InputError.of(f'{file} has no column "outcome"', f"add one, with success or failure; it has {has}")
    return Columns(named_by, places["outcome"], places.get("timestamp"))


def told_by_row(place: int, cells: Sequence[str], columns: Columns) -> Told | Unmatched:
    """What one row says."""
    fields = {name: cells[index] for name, index in columns.named_by.items()}
    time = cells[columns.timestamp] if columns.timestamp is not None else ""
    return _told(place, fields, cells[columns.outcome], time)


def told_by_object(place: int, told: Mapping[str, object]) -> Told | Unmatched:
    """What one line of JSON says."""
    texts = {_plain(name): _text(value) for name, value in told.items() if value is not None}
    fields = {name: texts[name] for name in NAMES if name in texts}
    return _told(place, fields, texts.get("outcome", ""), texts.get("timestamp", ""))


def _text(value: object) -> str:
    """A JSON value as a cell would have it; what is no plain value is shown, so that its error can be read."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _told(place: int, fields: Mapping[str, str], outcome: str, time: str) -> Told | Unmatched:
    named_by, name = next(((by, value.strip()) for by, value in fields.items() if value.strip()), ("", ""))
    if not name:
        return Unmatched(place, "", "it names no message: it has no key, no umid and no clientMessageId")
    found = _OUTCOMES.get(outcome.strip().casefold())
    if found is None:
        is_none = f'the outcome "{outcome.strip()[:40]}" is neither success nor failure'
        return Unmatched(place, name, is_none if outcome.strip() else "it has no outcome: success or failure")
    at = _moment(time.strip()) if time.strip() else None
    if time.strip() and at is None:
        return Unmatched(place, name, f'the timestamp "{time.strip()[:40]}" is not one like 2026-12-01T10:00:00+08:00')
    return Told(place, named_by, name, Conversion(found, at))


def _moment(text: str) -> int | None:
    """Microseconds since the epoch, of ISO 8601 (UTC where it has no offset) or Unix time (seconds or milliseconds)."""
    if _SECONDS.fullmatch(text):
        return int(Decimal(text) * 1_000_000)
    if _MILLISECONDS.fullmatch(text):
        return int(text) * 1_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= _DATE_ALONE:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _plain(name: str) -> str:
    return name.strip().casefold().replace("_", "")


class Matcher:
    """Holds what is told against the messages of one run."""

    def __init__(self, ledger: Ledger, record: RunRecord) -> None:
        self._ledger = ledger
        self._run_id = record.id
        self._ids = MessageIds(record.name, record.run)
        self._by_umid = False

    def match(self, told: Sequence[Told | Unmatched], *, now: int) -> Matched:
        """Find the messages that are meant; `now` is microseconds since the epoch."""
        matched = Matched(unmatched=[one for one in told if isinstance(one, Unmatched)])
        known = self._messages([one for one in told if isinstance(one, Told)])
        for one in told:
            if isinstance(one, Unmatched):
                continue
            message = known.get((one.named_by, one.name))
            if message is None or (why := _why_not(message, one.conversion, now)):
                why = _no_message(one) if message is None else why
                matched.unmatched.append(Unmatched(one.place, one.name, why))
                continue
            matched.found.append((message.message_id, one.conversion))
        matched.unmatched.sort(key=lambda one: one.place)
        return matched

    def _messages(self, told: Sequence[Told]) -> dict[tuple[str, str], Message]:
        umids = sorted({one.name for one in told if one.named_by == "umid"})
        if umids and not self._by_umid:
            prepare_umids(self._ledger)
            self._by_umid = True
        found = {("umid", umid): message for umid, message in find_by_umid(self._ledger, self._run_id, umids).items()}
        ids = {
            (one.named_by, one.name): one.name if one.named_by == "clientmessageid" else self._ids.of(one.name)
            for one in told
            if one.named_by != "umid"
        }
        by_id = find_messages(self._ledger, self._run_id, sorted(set(ids.values())))
        return found | {name: by_id[message_id] for name, message_id in ids.items() if message_id in by_id}


def _no_message(told: Told) -> str:
    match told.named_by:
        case "umid":
            return "no message of this run has this umid"
        case "clientmessageid":
            return "no message of this run has this clientMessageId"
        case _:
            hint = "without recipients.key in the campaign, the key is the number, as in +12025550142"
            return f"no message of this run has this key; {hint}" if _is_number(told.name) else _NO_KEY


_NO_KEY = "no message of this run has this key"


def _is_number(key: str) -> bool:
    return len(re.sub(r"\D", "", key)) >= 7 and not re.search(r"[^\W\d_]", key) and not key.startswith("+")


def _why_not(message: Message, conversion: Conversion, now: int) -> str:
    """Why a conversion can't be fed back; empty when it can."""
    if message.status == Status.REJECTED.value:
        return "its message was rejected, so that it reached nobody"
    if message.umid is None or message.status != Status.ACCEPTED.value:
        return f"its message is {message.status} so far; feed it back again once it is accepted"
    if conversion.at is not None and conversion.at > now + TOLERANCE_US:
        return "its timestamp is in the future"
    if conversion.at is not None and message.sent_at is not None and conversion.at < message.sent_at - TOLERANCE_US:
        return "its timestamp is before the message was sent (without an offset it is read as UTC)"
    return ""
