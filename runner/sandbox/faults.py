"""Faults: what shall go wrong, and for which requests. Pure; `fault_file` reads them, `faulty` and `wire` do them.

The decision about the n-th request depends on the file, the seed and n alone, so that a failure repeats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from runner.sandbox.chance import chance

TAIL_SHAPE = 1.5
TAIL_LIMIT = 100.0


class FaultName(StrEnum):
    """Every fault. "Booked" ones judge the message as usual first, so that a sound one is accepted and in the book."""

    # the answer comes late, and is the usual one
    LATENCY = "latency"
    # another answer, without a look at the message: not booked
    THROTTLE = "throttle"
    ERROR = "error"
    SERVER_ERROR = "server_error"
    # booked, and the answer is spoiled
    ACCEPTED_ERROR_500 = "accepted_error_500"
    BROKEN_JSON = "broken_json"
    MISSING_UMID = "missing_umid"
    WRONG_CLIENT_MESSAGE_ID = "wrong_client_message_id"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    WRONG_ENCODING = "wrong_encoding"
    # booked, and the connection breaks
    ACCEPTED_THEN_RESET = "accepted_then_reset"
    HALF_RESPONSE = "half_response"
    NEVER_ANSWER = "never_answer"
    CLOSE_IDLE = "close_idle"
    # the connection breaks before the body is read: not booked
    RESET_BEFORE_READING = "reset_before_reading"
    NEVER_ANSWER_UNBOOKED = "never_answer_unbooked"
    # of log exports
    EXPORT_FAILED = "export_failed"
    EXPORT_CANCELLED = "export_cancelled"
    EXPORT_ERROR = "export_error"
    EXPORT_NEVER_ENDS = "export_never_ends"
    EXPORT_JOB_LOST = "export_job_lost"
    EXPORT_LINK_EXPIRED = "export_link_expired"
    EXPORT_CUT_OFF = "export_cut_off"

    @property
    def is_of_exports(self) -> bool:
        return self.startswith("export_")


class RetryAfter(StrEnum):
    """The forms of a Retry-After header."""

    SECONDS = "seconds"
    DATE = "date"
    ABSENT = "absent"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong. The fields beside `name` belong to some faults only; `fault_file` knows to which."""

    name: FaultName
    seconds: float = 1.0
    tail: bool = False
    retry_after: RetryAfter = RetryAfter.SECONDS
    code: int = 0
    status: int = 0
    body: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault and when it happens: to a `share` of the requests, or to certain ones by their number (from 1).

    `times` is how often it happens at most.
    """

    fault: Fault
    share: float | None = None
    requests: frozenset[int] | None = None
    first: int = 1
    last: int | None = None
    times: int | None = None

    def fits(self, number: int, *, index: int, seed: int) -> bool:
        if self.share is not None:
            return chance(seed, "rule", index, number) < self.share
        if self.requests is not None:
            return number in self.requests
        return self.first <= number and (self.last is None or number <= self.last)


class Faults:
    """Decides request by request; of the rules that fit, the first counts. Numbers come in order, each once."""

    def __init__(self, rules: Sequence[Rule] = (), *, seed: int = 0, of_exports: bool = False) -> None:
        # A rule keeps its place in the file, so that its share falls on the same requests whatever stands around it.
        self._rules = [(i, rule) for i, rule in enumerate(rules) if rule.fault.name.is_of_exports == of_exports]
        self._left = {i: rule.times for i, rule in self._rules}
        self._seed = seed

    def of(self, number: int) -> Fault | None:
        """What happens to this request."""
        for index, rule in self._rules:
            left = self._left[index]
            if left == 0 or not rule.fits(number, index=index, seed=self._seed):
                continue
            if left is not None:
                self._left[index] = left - 1
            return rule.fault
        return None

    def delay_s(self, fault: Fault, number: int) -> float:
        """How long a latency lasts. With a tail (Pareto's), `seconds` is the least: half take more than 1.6 times as
        long, one in a hundred more than 21 times, none more than a hundred times.
        """
        if fault.name is not FaultName.LATENCY:
            return 0.0
        if not fault.tail:
            return fault.seconds
        stretch = float((1 - chance(self._seed, "tail", number)) ** (-1 / TAIL_SHAPE))
        return fault.seconds * min(stretch, TAIL_LIMIT)
