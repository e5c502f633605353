"""Whether a message had the effect that it was sent for."""

from dataclasses import dataclass
from enum import StrEnum


class ConversionOutcome(StrEnum):
    """Whether a message had the effect that it was sent for, in the provider's words."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the user tells of one message. `at` is when it happened, None where that isn't known."""

    outcome: ConversionOutcome
    at: int | None = None
