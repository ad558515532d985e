"""A client's connection: whoever is slow with a request's headers, or with reading, is left."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_TIMEOUT_S = 10.0
READING_TIMEOUT_S = 30.0


class Connection(H11Protocol):
    """uvicorn's, which alone waits for ever for either. Bodies: see `Gate`."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """From now on a request has to come."""
        super().connection_made(transport)
        self._await_request(None)

    def on_response_complete(self) -> None:
        """The next one has to come, if it has not already."""
        answered = self.cycle
        super().on_response_complete()
        self._await_request(answered)

    def pause_writing(self) -> None:
        """The client has to read what waits for it."""
        super().pause_writing()
        self._within(READING_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has."""
        super().resume_writing()
        self._in_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        self._in_time()
        super().connection_lost(exc)

    def _await_request(self, answered: RequestResponseCycle | None) -> None:
        def close_without_one() -> None:
            if self.cycle is answered:
                self.transport.abort()

        self._within(REQUEST_TIMEOUT_S, close_without_one)

    def _within(self, seconds: float, or_else: Callable[[], None]) -> None:
        self._in_time()
        self._deadline = self.loop.call_later(seconds, or_else)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
