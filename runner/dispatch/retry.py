"""What to do after trouble that isn't about one message. Decisions only: nothing here sleeps."""

import random

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0
GIVE_UP_AFTER_S = 600.0
"""Without a single answer for so long, a run stops; it can be continued once the network is back."""


class Backoff:
    """How long to rest while the provider can't be reached: full jitter, doubling, capped.

    Full jitter, because many machines that lost the same provider must not come back in step.
    """

    def __init__(self, rng: random.Random, *, give_up_after_s: float = GIVE_UP_AFTER_S) -> None:
        self._rng = rng
        self._give_up_after_s = give_up_after_s
        self._failures = 0
        self._failing_since: float | None = None

    def failed(self, now: float) -> float | None:
        """Seconds to rest before the next attempt, or None when it is time to give up."""
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._give_up_after_s:
            return None
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return self._rng.uniform(0, ceiling)

    def reached(self) -> None:
        """The provider was reached: the next failure starts from the beginning."""
        self._failures = 0
        self._failing_since = None
