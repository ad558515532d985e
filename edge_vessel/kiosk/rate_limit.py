"""No more often than that, whoever asks."""

import threading
import time
from collections.abc import Callable


class RateLimit:
    """Allows one in `period_s` seconds."""

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
