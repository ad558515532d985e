"""The one thread that works for the requests, and whether it still comes to an end."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Done = TypeVar("Done")


class Worker:
    """Does one thing after the other. `stuck` may be asked by any thread."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._thread = ThreadPoolExecutor(1, "operation")
        self._until_s: float | None = None  # None: has nothing to do

    def submit(self, most_s: float, work: Callable[[], Done]) -> Future[Done]:
        """`most_s`: seconds that the work may take once its turn has come."""

        def timed() -> Done:
            self._until_s = self._clock_s() + most_s
            try:
                return work()
            finally:
                self._until_s = None

        return self._thread.submit(timed)

    @property
    def stuck(self) -> bool:
        """Whether what it does takes longer than it may: an engine or a driver that hangs."""
        until_s = self._until_s
        return until_s is not None and self._clock_s() > until_s
