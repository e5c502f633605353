"""The few frozen records and closed codes that rooms hand each other.

Codes are for programs to match on, words (`detail`) for people to read. Times are integers: microseconds since the
Unix epoch, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Encoding(StrEnum):
    """How a text travels. In a campaign AUTO lets the text decide; in a plan only the other two occur."""

    AUTO = "AUTO"
    GSM7 = "GSM7"
    UCS2 = "UCS2"


class Status(StrEnum):
    """What became of a row of the recipient file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    UNSENT = "unsent"
    EXCLUDED = "excluded"


class ExclusionReason(StrEnum):
    """Why a row will not be sent to."""

    INVALID_NUMBER = "invalid_number"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    SUPPRESSED = "suppressed"
    DUPLICATE = "duplicate"
    MISSING_FIELD = "missing_field"
    EMPTY_MESSAGE = "empty_message"
    INVALID_TEXT = "invalid_text"
    TOO_MANY_SEGMENTS = "too_many_segments"
    NOT_GSM7 = "not_gsm7"
    OVER_LIMIT = "over_limit"


class OutcomeReason(StrEnum):
    """Why a message ended as it did (for the statuses other than excluded)."""

    # accepted
    QUEUED = "queued"
    RECONCILED = "reconciled"
    # rejected: the provider read the message and refused it
    REJECTED_BY_PROVIDER = "rejected_by_provider"
    INVALID_DESTINATION = "invalid_destination"
    INVALID_TEXT = "invalid_text"
    INVALID_SOURCE = "invalid_source"
    INVALID_OPTION = "invalid_option"
    RESENDING_INTERVAL = "resending_interval"
    BAD_REQUEST = "bad_request"
    # unknown: bytes left and no proof came back
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    SERVER_ERROR = "server_error"
    INVALID_ANSWER = "invalid_answer"
    PROCESS_DIED = "process_died"
    ABANDONED = "abandoned"
    IN_FLIGHT = "in_flight"
    # unsent: certainly not received
    NOT_REACHED = "not_reached"
    HELD_BACK = "held_back"
    INTERRUPTED = "interrupted"
    THROTTLED = "throttled"
    NO_CONNECTION = "no_connection"
    FUSE = "fuse"
    LEASE_LOST = "lease_lost"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UPGRADE_REQUIRED = "upgrade_required"
    UNSUPPORTED = "unsupported"
    UNEXPECTED_ANSWER = "unexpected_answer"


class Then(StrEnum):
    """What the sender does after an outcome: the policy travels as data on the outcome."""

    GO_ON = "go_on"  # this message is done with
    PAUSE = "pause"  # all sending rests for `retry_after_s`, then this message again
    BACK_OFF = "back_off"  # the provider cannot be reached: wait, then this message again
    STOP = "stop"  # nothing more leaves


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why one row is left out: a code, and words that name the column and value."""

    reason: ExclusionReason
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the recipient file, read and judged.

    `number` is the 1-based data row. `fields` holds every column, trimmed, empty cells as "". `key`, `destination`
    (E.164 with plus) and `country` (ISO 3166-1 alpha-2) are None where they couldn't be told. A row without an
    exclusion is a recipient and has key and destination. `note` tells what was repaired.
    """

    number: int
    fields: Mapping[str, str]
    key: str | None = None
    destination: str | None = None
    country: str | None = None
    exclusion: Exclusion | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text and what it costs. `encoding` is GSM7 or UCS2; `segments` is 1 to 10."""

    text: str
    encoding: Encoding
    segments: int


@dataclass(frozen=True, slots=True)
class Message:
    """What will be sent to one recipient. `message_id` is unique in the run and holds no personal data."""

    row: int
    key: str
    destination: str
    country: str | None
    text: str
    encoding: Encoding
    segments: int
    message_id: str


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What the campaign says about every message alike. None means that the field is not sent.

    `scheduled` and `expiry` are absolute, or relative to the moment of sending. `send_country` adds each number's
    country to its request.
    """

    source: str | None = None
    encoding: Encoding = Encoding.AUTO
    scheduled: datetime | timedelta | None = None
    expiry: datetime | timedelta | None = None
    dlr_callback_url: str | None = None
    client_ip: str | None = None
    track: str | None = None
    send_country: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests are started in any window of `period_s` seconds."""

    count: int
    period_s: int

    @property
    def per_second(self) -> float:
        return self.count / self.period_s

    def __str__(self) -> str:
        unit = {1: "s", 60: "min", 3600: "h"}.get(self.period_s, f"{self.period_s}s")
        return f"{self.count}/{unit}"


@dataclass(frozen=True, slots=True)
class FuseLimits:
    """When a run stops by itself. Shares are from 0 to 1."""

    unknown_in_a_row: int = 20
    unknown_share: float = 0.2
    rejected_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for one request, and what it means for the sending of the rest.

    `sent_at` is None when no byte of the request left; `answered_at` is None when no answer came.
    """

    status: Status
    reason: OutcomeReason
    detail: str = ""
    then: Then = Then.GO_ON
    umid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    error_id: str | None = None
    retry_after_s: float | None = None
    sent_at: int | None = None
    answered_at: int | None = None
