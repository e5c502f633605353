"""What became of a message, and what the sender does next."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What became of a row of the recipient file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    UNSENT = "unsent"
    EXCLUDED = "excluded"


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
class Outcome:
    """What came back for a message's request, or for one about an accepted message, and what it means for the rest.

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
