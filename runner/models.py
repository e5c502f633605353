"""The few frozen records and closed codes that rooms hand each other.

Codes are for programs to match on, words (`detail`) for people to read. Times are integers: microseconds since the
Unix epoch, UTC.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
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

    # the row
    UNREADABLE_ROW = "unreadable_row"
    FILTERED = "filtered"
    # its number
    INVALID_NUMBER = "invalid_number"
    NOT_MOBILE = "not_mobile"
    NUMBER_TYPE = "number_type"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    # its person
    SUPPRESSED = "suppressed"
    DUPLICATE = "duplicate"
    COOLDOWN = "cooldown"
    NOT_SAMPLED = "not_sampled"
    # its text
    MISSING_FIELD = "missing_field"
    TEMPLATE_ERROR = "template_error"
    EMPTY_MESSAGE = "empty_message"
    INVALID_TEXT = "invalid_text"
    REQUIRED_TEXT = "required_text"
    TOO_MANY_SEGMENTS = "too_many_segments"
    NOT_GSM7 = "not_gsm7"
    # its time
    UNKNOWN_ZONE = "unknown_zone"
    OUTSIDE_WINDOW = "outside_window"
    # how many
    OVER_LIMIT = "over_limit"


class OutcomeReason(StrEnum):
    """Why a message ended as it did (for the statuses other than excluded)."""

    # accepted
    QUEUED = "queued"
    RECONCILED = "reconciled"
    RECEIPT = "receipt"
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
    LIMIT_REACHED = "limit_reached"
    OUTSIDE_WINDOW = "outside_window"
    TOO_LATE = "too_late"
    COOLDOWN = "cooldown"
    OPTED_OUT = "opted_out"
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


class Duplicates(StrEnum):
    """What happens to rows that share a key."""

    FIRST = "first"  # the first is sent to
    REJECT = "reject"  # none is
    ALL = "all"  # each is


class RemarkKind(StrEnum):
    """What a person should know of a text that will be sent all the same."""

    REPLACED = "replaced"  # smart encoding put a character's likeness in GSM-7 in its place
    REPLACEABLE = "replaceable"  # forces UCS-2, and smart encoding would have replaced it
    FORCES_UCS2 = "forces_ucs2"  # forces UCS-2, and has no likeness
    PLAIN_HTTP = "plain_http"  # a link without encryption
    LONG_LINK = "long_link"  # a link that takes much of a segment
    BROKEN_LINK = "broken_link"  # a link with a space in it, put there by a field


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about one text. `subject` is the character or link in words, `source` where it comes from.

    `source` is "the template, line 3" or "the column first_name".
    """

    kind: RemarkKind
    subject: str
    source: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text and what it costs. `encoding` is GSM7 or UCS2; `segments` is 1 to 10.

    `saved` are the segments that smart encoding saved, or would have saved where it is off. `note` says in words what
    it replaced.
    """

    text: str
    encoding: Encoding
    segments: int
    saved: int = 0
    note: str | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What will be sent to one recipient. `message_id` is unique in the run and holds no personal data.

    `zones` are the IANA time zones in all of which it must be inside of the sending hours; empty when the campaign has
    none, or has them in one zone for all.
    """

    row: int
    key: str
    destination: str
    country: str | None
    text: str
    encoding: Encoding
    segments: int
    message_id: str
    zones: tuple[str, ...] = ()


class Outside(StrEnum):
    """What becomes of a message whose turn comes outside of the sending hours."""

    WAIT = "wait"  # the run sleeps until they begin
    SKIP = "skip"  # it is left out
    SCHEDULE = "schedule"  # the provider gets it now, and sends it when they begin


@dataclass(frozen=True, slots=True)
class Window:
    """Sending hours, in local time. `opens` and `closes` are minutes since midnight, `closes` up to 1440.

    A window that closes before it opens, or at the same minute, goes on past midnight and belongs to the day on which
    it opens. `days` are those days, 0 is Monday. `zone` is the IANA time zone for all; None: each recipient's own.
    """

    opens: int
    closes: int
    days: frozenset[int]
    zone: str | None
    outside: Outside = Outside.WAIT


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a run may send and cost, all of its sessions together. None: no limit. `cost` is in `currency`."""

    messages: int | None = None
    segments: int | None = None
    cost: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A number gets at most `messages` in any `per_s` seconds, over all campaigns of the ledger."""

    messages: int
    per_s: int


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


class DeliveryState(StrEnum):
    """What became of an accepted message, as far as receipts, the provider's log or a cancelling tell."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # the provider says so, or says something that this version doesn't know


@dataclass(frozen=True, slots=True)
class Receipt:
    """What receipts have told of one message so far: one of them, or several merged.

    `message_id` is the clientMessageId, None where the provider doesn't echo it. `at` is the provider's time of the
    state, `delivered_at` that of the first delivery to the phone. `segments` and `price` (decimal text, of the whole
    message, in `currency`, ISO 4217) are what the provider bills, where it tells.
    """

    umid: str
    message_id: str | None
    state: DeliveryState
    at: int
    detail: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    delivered_at: int | None = None
    segments: int | None = None
    price: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that somebody wrote back. `source` is the phone as the provider writes it, `destination` our sender."""

    umid: str
    source: str
    destination: str
    body: str
    at: int


class OptOutSource(StrEnum):
    """How an opt-out came into the ledger."""

    REPLY = "reply"  # an inbound message
    COMMAND = "command"  # `campaign optouts add` or `remove`
    FILE = "file"  # a list given to that command


@dataclass(frozen=True, slots=True)
class OptOut:
    """A number (E.164) that wants no more messages from any campaign of the ledger; or, not `is_out`, wants them again.

    `word` is what was replied, as far as it decided.
    """

    destination: str
    is_out: bool
    at: int
    source: OptOutSource
    word: str | None = None


class ConversionOutcome(StrEnum):
    """Whether a message had the effect that it was sent for, in the provider's words."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the user tells of one message. `at` is when it happened, None where that isn't known."""

    outcome: ConversionOutcome
    at: int | None = None


class EventKind(StrEnum):
    """Moments in a run's life that no single message holds."""

    STARTED = "started"
    THROTTLED = "throttled"  # the provider's rate limit held sending up
    UNREACHABLE = "unreachable"  # no connection
    RESTED = "rested"  # until sending hours began
    STOPPED = "stopped"  # before the end
    ENDED = "ended"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Event:
    """A moment in a run's life. `seconds` is how long it lasted, where it has a length; `detail` is for people."""

    kind: EventKind
    at: int
    seconds: float | None = None
    detail: str | None = None
