"""One at a time before the camera, the others in a line of bounded length."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class LineFullError(Exception):
    """Too many wait already."""


class Turnstile:
    """First come, first served; used on the event loop alone."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._turn = asyncio.Lock()
        self.waiting = 0

    @property
    def full(self) -> bool:
        """Whether the next one is turned away."""
        return self.busy and self.waiting >= self._most_waiting

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn, or will have it before a newcomer."""
        return self._turn.locked() or self.waiting > 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for the turn and has it until the block ends.

        Raises:
            LineFullError: at once.
        """
        if self.full:
            raise LineFullError
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._turn.release()
