"""Conversions: whether a message had the intended effect."""

from dataclasses import dataclass
from enum import StrEnum


class ConversionOutcome(StrEnum):
    """Whether a message had the intended effect, in the provider's terms."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the user reports about one message. `at` is when it happened, or None if that isn't known."""

    outcome: ConversionOutcome
    at: int | None = None
