"""What is told of one message: the receipts on its way, then what its recipient writes back. No clock, no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from yarl import URL

from runner.net import is_loopback
from runner.sandbox.chance import chance
from runner.sandbox.fate import AT_OPERATOR, DELIVERED, Fate, Fates
from runner.sandbox.options import SandboxOptions
from runner.sandbox.webhooks import Reply, Sent, Step, disordered, receipt_of, reply_of, sent_of, way_to

PEOPLE_ARE_SLOWER = 3
INBOUND = "inbound"
# More than the coarsest timestamp cuts off: a START must not seem older than the STOP before it.
STEP_US = 20_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """One body on its way. `label` is what it counts as, `attempt` from 0."""

    url: URL
    body: bytes
    label: str
    attempt: int = 0


@dataclass(slots=True)
class Story:
    """How far the telling has come. `due` is the next step's time (loop time, s), `at` that of the last (epoch, µs)."""

    sent: Sent
    steps: tuple[Step, ...]
    receipts_to: URL | None
    replies_to: URL | None
    due: float = 0.0
    position: int = 0
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.steps) - self.position

    def parcel(self, now: int) -> Parcel:
        """The next step, on its way at `now` (epoch, µs)."""
        step = self.steps[self.position]
        self.at = max(now, self.at + STEP_US)
        if isinstance(step, Reply):
            assert self.replies_to is not None
            return Parcel(self.replies_to, reply_of(self.sent, step, self.at), INBOUND)
        assert self.receipts_to is not None
        return Parcel(self.receipts_to, receipt_of(self.sent, step, self.at), label_of(step))

    def comes_twice(self, options: SandboxOptions) -> bool:
        """Whether the next step is a receipt that is posted twice."""
        is_receipt = isinstance(self.steps[self.position], Fate)
        return is_receipt and self.chance("twice", options.seed) < options.receipt_duplicates

    def delay_s(self, options: SandboxOptions) -> float:
        """How long after the step before it the next one comes."""
        slower = PEOPLE_ARE_SLOWER if isinstance(self.steps[self.position], Reply) else 1
        return options.receipt_delay_s * slower * (0.5 + self.chance("delay", options.seed))

    def chance(self, what: str, seed: int) -> float:
        return chance(seed, what, self.sent.client_message_id or "", self.sent.destination, self.position)


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes stories as the options ask for them."""

    options: SandboxOptions
    fates: Fates

    def story_of(self, message: Mapping[str, Any], *, umid: str, sub_account_id: str) -> tuple[Story | None, int]:
        """The story of a message that was queued, None if there is nothing to tell; and how many steps are left out
        because they would have gone beyond this computer.
        """
        callback = message.get("dlrCallbackUrl")
        inbound = self.options.inbound_url or callback
        if inbound is None:
            return None, 0
        fate = self.fates.of(message)
        receipts = way_to(fate) if callback else ()
        replies = tuple(map(Reply, self.fates.replies_to(message))) if fate is DELIVERED else ()
        receipts_to, replies_to = self._allowed(callback), self._allowed(inbound)
        total = len(receipts) + len(replies)
        steps: tuple[Step, ...] = (*(receipts if receipts_to else ()), *(replies if replies_to else ()))
        if not steps:
            return None, total
        sent = sent_of(message, umid=umid, sub_account_id=sub_account_id)
        story = Story(sent, steps, receipts_to, replies_to)
        if receipts_to and story.chance("disorder", self.options.seed) < self.options.receipt_disorder:
            in_disorder = disordered(receipts, story.chance("order", self.options.seed))
            story.steps = (*in_disorder, *steps[len(receipts) :])
        return story, total - len(steps)

    def _allowed(self, url: str | None) -> URL | None:
        """Where to post; None for nowhere."""
        target = _parsed(url) if url else None
        return target if target and (self.options.receipts_beyond_loopback or is_loopback(target.host)) else None


@lru_cache(maxsize=64)
def _parsed(url: str) -> URL | None:
    """An URL as the client reads it, which is the reading that counts; None for one that it cannot read."""
    try:
        return URL(url)
    except ValueError:
        return None


def label_of(fate: Fate) -> str:
    """What a receipt counts as: its state, and of delivered the detail."""
    return fate.detail if fate.detail and fate in (AT_OPERATOR, DELIVERED) else fate.state
