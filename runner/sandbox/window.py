"""Requests in a sliding window: the sandbox's rate limit, and the count that shows a client's own rate."""

from collections import deque


class SlidingWindow:
    """Admits at most `limit` requests in any `period_s` seconds. What it turns away takes no place in the window."""

    def __init__(self, limit: int, period_s: float = 1.0) -> None:
        self._period_s = period_s
        self._admitted: deque[float] = deque(maxlen=limit)

    def wait_s(self, now: float) -> float:
        """0 when a request at `now` (a monotonic clock, in seconds) is admitted, or else for how long none will be."""
        admitted = self._admitted
        if len(admitted) == admitted.maxlen and (wait := admitted[0] + self._period_s - now) > 0:
            return wait
        admitted.append(now)  # the oldest falls out on the left
        return 0.0


class Busiest:
    """Knows the most requests that came in any `period_s` seconds. Two that are a whole period apart aren't in one."""

    def __init__(self, period_s: float = 1.0) -> None:
        self._period_s = period_s
        self._recent: deque[float] = deque()
        self.most = 0

    def add(self, now: float) -> None:
        self._recent.append(now)
        while now - self._recent[0] >= self._period_s:
            self._recent.popleft()
        self.most = max(self.most, len(self._recent))
