"""Outcomes of messages, and what the sender does next."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from runner.base.errors import BlockedError, StoppedError


class Status(StrEnum):
    """The final status of a row of the recipient file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    UNSENT = "unsent"
    EXCLUDED = "excluded"


class OutcomeReason(StrEnum):
    """Why a message has its status, as a code. Excluded rows have an `ExclusionReason` instead."""

    # accepted
    QUEUED = "queued"
    OTHER_DESTINATION = "other_destination"
    OTHER_ENCODING = "other_encoding"
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
    # unknown: the request left, but no valid answer came
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    SERVER_ERROR = "server_error"
    INVALID_ANSWER = "invalid_answer"
    PROCESS_DIED = "process_died"
    ABANDONED = "abandoned"
    IN_FLIGHT = "in_flight"
    UNPROVED_RECEIPT = "unproved_receipt"
    # unsent: certainly not received
    NOT_REACHED = "not_reached"
    HELD_BACK = "held_back"
    INTERRUPTED = "interrupted"
    THROTTLED = "throttled"
    NO_CONNECTION = "no_connection"
    TLS_FAILED = "tls_failed"
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


# The provider accepted the message, but its answer has another number or encoding than the request.
DIFFERING = frozenset({OutcomeReason.OTHER_DESTINATION, OutcomeReason.OTHER_ENCODING})
# Reasons to stop that a person must do something about: exit code 5. After every other reason, the same command may
# succeed later: exit code 3.
_NEEDS_PERSON = frozenset(
    {
        OutcomeReason.FUSE,
        OutcomeReason.LIMIT_REACHED,
        OutcomeReason.TOO_LATE,
        OutcomeReason.UNAUTHORIZED,
        OutcomeReason.FORBIDDEN,
        OutcomeReason.NOT_FOUND,
        OutcomeReason.UPGRADE_REQUIRED,
        OutcomeReason.TLS_FAILED,
        OutcomeReason.UNSUPPORTED,
        OutcomeReason.UNEXPECTED_ANSWER,
    }
)


def stop_exit_code(reason: OutcomeReason) -> int:
    """The exit code of a command that stopped for this reason."""
    return (BlockedError if reason in _NEEDS_PERSON else StoppedError).exit_code


class Then(StrEnum):
    """What the sender does after an outcome. The policy is data on the outcome."""

    GO_ON = "go_on"  # this message is done
    PAUSE = "pause"  # all sending pauses for `retry_after_s`, then this message is retried
    BACK_OFF = "back_off"  # the provider can't be reached: wait, then retry this message
    STOP = "stop"  # nothing more is sent


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a message's request, or of a request about an accepted message, and what to do next.

    `sent_at` is None if no byte of the request left; `answered_at` is None if no answer came.
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


class FatalAnswer(NamedTuple):
    """The answer that stopped a session: which message got it, after how many requests, and what it was."""

    message_id: str
    attempts: int
    outcome: Outcome
