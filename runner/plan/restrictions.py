"""What leaves recipients out whose numbers and texts are fine: opt-outs, a sample, sending hours, cooldowns, limits."""

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

# How many messages each of some numbers got lately, over all runs; those that got none are absent.
Recent = Callable[[Sequence[str]], Mapping[str, int]]

# Which of some numbers the ledger has as opted out, and why each of them is left out.
OptedOut = Callable[[Sequence[str]], Mapping[str, Exclusion]]

# To which of some keys this run has sent already, whatever the answer was.
Sent = Callable[[Sequence[str]], Collection[str]]

# Why a message must not be planned now to a phone that may be in any of these time zones; None: it may.
OutsideHours = Callable[[tuple[str, ...]], Exclusion | None]

_UTC = "%Y-%m-%d %H:%M UTC"


class Sample:
    """A share of the recipients, told by the campaign's name and the key alone.

    A key's place between 0 and 1 is a hash of both, so that the same people are chosen each time, on every machine, and
    a larger share holds the smaller one.
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
    """Judges when recipients may be sent to, as it looks at `now` (aware). One look for each set of zones."""
    hours = Hours(window)

    @cache
    def exclusion(zones: tuple[str, ...]) -> Exclusion | None:
        opening = hours.opening(zones, now)
        where = window.zone or ", ".join(zones)
        if opening is None:
            words = f"within 8 days no moment is inside of the sending hours in all of {where}"
        elif window.outside is Outside.SKIP and opening > now:
            words = f"the sending hours in {where} begin {opening:{_UTC}} (window.outside: skip)"
        elif window.outside is Outside.SCHEDULE and opening > now + MAX_AHEAD:
            words = f"the sending hours in {where} begin {opening:{_UTC}}, and the provider takes 7 days ahead at most"
        else:
            return None
        return Exclusion(ExclusionReason.OUTSIDE_WINDOW, words)

    return exclusion


class FrequencyCap:
    """Keeps a number from getting more than its cooldown allows, counting what this plan is about to send too."""

    def __init__(self, cooldown: Cooldown, recent: Recent) -> None:
        self._cooldown = cooldown
        self._recent = recent
        self._planned = KeyIndex()

    def exclusions(self, destinations: Sequence[tuple[str, int]]) -> dict[int, Exclusion]:
        """Of a batch of (number, data row), the rows that would be too much."""
        before = self._recent([destination for destination, _ in destinations])
        allowed, span = self._cooldown.messages, _span(self._cooldown.per_s)
        found: dict[int, Exclusion] = {}
        for destination, row in destinations:
            others, earlier = before.get(destination, 0), self._planned.add(destination, row + 1)
            if others + earlier >= allowed:
                got = [f"{others} in the last {span}"] if others else []
                got += [f"{earlier} earlier in this file"] if earlier else []
                words = f"its number got {' and '.join(got)}; recipients.cooldown allows {allowed}"
                found[row] = Exclusion(ExclusionReason.COOLDOWN, words)
        return found


@dataclass(frozen=True, slots=True)
class Limit:
    """The most messages of a plan, and which key or option says so."""

    messages: int
    name: str


def _span(seconds: int) -> str:
    """`7d`, `36h`, `90min`, `45s`: in the largest unit that it is a whole number of, as a campaign file has it."""
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    unit_s, unit = next((size, name) for size, name in units if seconds % size == 0)
    return f"{seconds // unit_s}{unit}"
