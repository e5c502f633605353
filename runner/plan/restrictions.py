"""Rules that exclude recipients with valid numbers and texts: opt-outs, sample, sending hours, frequency cap, limit."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b

from runner.audience.key_index import KeyIndex
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.options import Cooldown, Outside, SendingHours
from runner.campaign.times import MAX_AHEAD
from runner.schedule.sending_hours import Hours

# The number of recent messages to each number, over all runs; numbers without messages are absent.
Recent = Callable[[Sequence[str]], Mapping[str, int]]

# The exclusions of the numbers that the ledger has as opted out.
OptedOut = Callable[[Sequence[str]], Mapping[str, Exclusion]]

# The keys to which this run has already sent, whatever the outcome.
Sent = Callable[[Sequence[str]], Collection[str]]

# Why a message must not be planned now for a phone that may be in these time zones; None: it may.
OutsideHours = Callable[[tuple[str, ...]], Exclusion | None]

_UTC = "%Y-%m-%d %H:%M UTC"


class Sample:
    """A share of the recipients, chosen only by the campaign's name and the key.

    A hash of both gives each key a position between 0 and 1. So the same people are chosen each time, on every machine,
    and a larger share includes the smaller one.
    """

    def __init__(self, name: str, share: float) -> None:
        self._seed = blake2b(name.encode() + b"\0", digest_size=8)
        self._below = round(share * 2**64)
        self.exclusion = Exclusion(
            ExclusionReason.NOT_SAMPLED, f"not in the sample of {share:.3%} (recipients.sample)".replace(".000%", "%")
        )

    def takes(self, key: str) -> bool:
        digest = self._seed.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest()) < self._below


def outside_hours(window: SendingHours, now: datetime) -> OutsideHours:
    """Decide whether recipients may be sent to at `now` (aware). Computed once for each set of zones."""
    hours = Hours(window)

    @cache
    def exclusion(zones: tuple[str, ...]) -> Exclusion | None:
        opening = hours.opening(zones, now)
        where = window.zone or ", ".join(zones)
        if opening is None:
            words = f"the sending hours in {where} don't overlap within 8 days"
        elif window.outside is Outside.SKIP and opening > now:
            words = f"outside sending hours in {where} until {opening:{_UTC}} (window.outside: skip)"
        elif window.outside is Outside.SCHEDULE and opening > now + MAX_AHEAD:
            words = f"the sending hours in {where} begin at {opening:{_UTC}}, over 7 days ahead, the provider's limit"
        else:
            return None
        return Exclusion(ExclusionReason.OUTSIDE_WINDOW, words)

    return exclusion


class FrequencyCap:
    """Limits the messages per number (`recipients.cooldown`), including the messages of this plan."""

    def __init__(self, cooldown: Cooldown, recent: Recent) -> None:
        self._cooldown = cooldown
        self._recent = recent
        self._planned = KeyIndex()

    def exclusions(self, destinations: Sequence[tuple[str, int]]) -> dict[int, Exclusion]:
        """Of a batch of (number, data row), the rows that exceed the cap."""
        before = self._recent([destination for destination, _ in destinations])
        allowed, span = self._cooldown.messages, _span(self._cooldown.per_s)
        found: dict[int, Exclusion] = {}
        for destination, row in destinations:
            others, earlier = before.get(destination, 0), self._planned.add(destination, row + 1)
            if others + earlier >= allowed:
                got = [f"{others} in the last {span}"] if others else []
                got += [f"{earlier} earlier in this file"] if earlier else []
                words = f"the number got {' and '.join(got)}; recipients.cooldown allows {allowed}"
                found[row] = Exclusion(ExclusionReason.COOLDOWN, words)
        return found


@dataclass(frozen=True, slots=True)
class Limit:
    """The maximum number of messages of a plan, and the key or option that sets it."""

    messages: int
    name: str


def _span(seconds: int) -> str:
    """`7d`, `36h`, `90min`, `45s`: the duration in the largest unit that divides it, as in a campaign file."""
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    unit_s, unit = next((size, name) for size, name in units if seconds % size == 0)
    return f"{seconds // unit_s}{unit}"
