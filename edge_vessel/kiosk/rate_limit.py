"""No more often than that."""

import threading
import time
from collections.abc import Callable


class RateLimit:
    """Allows one in `period_s` seconds, whoever asks."""

    def __init__(self, period_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._next_s = -float("inf")

    def allows(self) -> bool:
        """Whether it may happen now; counts as having happened."""
        with self._lock:
            now_s = self._clock_s()
            if now_s < self._next_s:
                return False
            self._next_s = now_s + self._period_s
            return True


class Allowance:
    """Allows each name `most` at once, and one more every `period_s` seconds. For one thread."""

    def __init__(
        self, most: int, period_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._period_s = period_s
        self._clock_s = clock_s
        self._whole_s: dict[str, float] = {}  # when a name has all of it again

    def take(self, name: str) -> float:
        """0 where it may happen now, which counts; else the seconds until it may."""
        now_s = self._clock_s()
        whole_s = max(now_s, self._whole_s.get(name, now_s)) + self._period_s
        wait_s = whole_s - now_s - self._most * self._period_s
        if wait_s > 0:
            return wait_s
        self._whole_s[name] = whole_s
        return 0.0

    def give_back(self, name: str) -> None:
        """What was taken did not happen."""
        self._whole_s[name] -= self._period_s
