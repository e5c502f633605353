"""Why rows are left out."""

from dataclasses import dataclass
from enum import StrEnum


class ExclusionReason(StrEnum):
    """Why a row is left out, as a code."""

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


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why one row is left out: a code, and a text that names the column and value."""

    reason: ExclusionReason
    detail: str


class Duplicates(StrEnum):
    """What to do with rows that have the same key."""

    FIRST = "first"  # send to the first
    REJECT = "reject"  # send to none
    ALL = "all"  # send to each
