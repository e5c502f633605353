"""Log exports as values: the period that is asked for, and the job that goes from queued to its end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from runner.sandbox.answers import Refusal, RefusedError
from runner.sandbox.book import Book
from runner.sandbox.codes import Code
from runner.sandbox.fate import Entry
from runner.sandbox.faults import Fault, FaultName

# yyyy-MM-dd, or with a time, or with a time and Z or an offset. Fractions of a second aren't documented.
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?)?")
DEFAULT_PERIOD = timedelta(days=7)


class State(StrEnum):
    """The document's states of an export job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EMPTY = "empty"
    ERROR = "error"


ENDS = {
    FaultName.EXPORT_FAILED: State.FAILED,
    FaultName.EXPORT_CANCELLED: State.CANCELLED,
    FaultName.EXPORT_ERROR: State.ERROR,
    FaultName.EXPORT_NEVER_ENDS: State.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages are asked for: created from `start` on and before `end`; `limit` 0 stands for all of them."""

    start: datetime
    end: datetime
    limit: int = 0
    phone_number: str | None = None
    countries: tuple[str, ...] = ()

    def of(self, book: Book, sub_account_id: str, *, not_after: datetime) -> list[Entry]:
        """The chosen ones, oldest first. What was created after `not_after` hasn't reached the log yet."""
        chosen = (entry for entry in book.entries() if self._holds(entry, sub_account_id, not_after))
        return list(islice(chosen, self.limit or None))

    def _holds(self, entry: Entry, sub_account_id: str, not_after: datetime) -> bool:
        created_at = datetime.fromtimestamp(entry["time"] / 1e6, UTC)
        return (
            entry["subAccountId"] == sub_account_id
            and self.start <= created_at < self.end
            and created_at <= not_after
            and self.phone_number in (None, entry["destination"].removeprefix("+"))
            and (not self.countries or entry.get("country") in self.countries)
        )


def selection_of(body: object, now: datetime) -> Selection:
    """What an export request asks for. Raises `RefusedError`.

    Without `from` it is the last seven days. Without `to` it is all that there is: the document's "today" doesn't say
    whether today is in.
    """
    if not isinstance(body, dict):
        raise _refused("The body must be a JSON object")
    start = _moment_of(body, "from") or now - DEFAULT_PERIOD
    end = _moment_of(body, "to") or now
    if start >= end:
        raise _refused("'from' must be before 'to'")
    limit = body.get("limit") or 0
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise _refused("'limit' is not a whole number from 0 up")
    number, countries = body.get("phoneNumber"), body.get("countries") or []
    if not isinstance(number, str | None):
        raise _refused("'phoneNumber' is not a string")
    if not isinstance(countries, list) or not all(isinstance(each, str) and len(each) == 2 for each in countries):
        raise _refused("'countries' is not a list of ISO 3166-1 alpha-2 codes")
    return Selection(start, end, limit, number.removeprefix("+") if number else None, tuple(countries))


def _moment_of(body: dict[str, Any], name: str) -> datetime | None:
    """A time of day is UTC unless it says otherwise; a date is its midnight."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise _refused(f"'{name}' is neither yyyy-MM-dd nor yyyy-MM-ddTHH:mm:ss with or without an offset")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _refused(f"'{name}' is not a date that exists") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refused(words: str) -> RefusedError:
    return RefusedError(Refusal(Code.INVALID_PARAMETER, words))


@dataclass(slots=True)
class Job:
    """One export. `files` are CSVs, none when nothing was found; it ends after `polls` questions."""

    sub_account_id: str
    files: list[bytes]
    polls: int
    fault: Fault | None = None
    asked: int = 0
    cancelled: bool = False

    def ask(self) -> State:
        """Its state, one question further."""
        self.asked += 1
        if self.cancelled:
            return State.CANCELLED
        if self.asked <= self.polls:
            return State.QUEUED if self.asked == 1 else State.RUNNING
        end = ENDS.get(self.fault.name) if self.fault else None
        return end or (State.SUCCEEDED if self.files else State.EMPTY)


def in_files(entries: list[Entry], rows: int | None) -> Iterator[list[Entry]]:
    """The entries of each file, `rows` of them at most."""
    size = rows or max(len(entries), 1)
    return (entries[begin : begin + size] for begin in range(0, len(entries), size))
