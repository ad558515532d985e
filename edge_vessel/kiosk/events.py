"""What happens at the kiosk, told to those who listen. No image, template or score is among it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Literal

from edge_vessel.biometrics.quality import Hint, Quality
from edge_vessel.json_text import strict_json
from edge_vessel.kiosk.results import Operation, Status
from edge_vessel.kiosk.tokens import Role
from edge_vessel.sinks.base import CameraState

HEARTBEAT_S = 15.0
MAX_LISTENERS, MAX_LISTENERS_EACH = 32, 8  # together, and of one token
_MAX_UNREAD = 256  # then a listener is too slow to be served


@dataclass(frozen=True)
class CaptureStarted:
    """`session` numbers the operations since the service started; by `request`, the first 8 hex
    digits of the SHA-256 of its nonce, a client knows its own turn."""

    name: ClassVar = "capture_started"
    operation: Operation
    session: int
    request: str


@dataclass(frozen=True)
class HintGiven:
    """Of one frame that was looked at."""

    name: ClassVar = "hint"
    hint: Hint | None
    brightness: float | None
    contrast: float | None
    focus: float | None
    shown: float | None
    size: float | None
    motion: float | None

    @staticmethod
    def of(quality: Quality) -> "HintGiven":
        """What a person can change, rounded to what it says."""
        measured = (
            quality.brightness, quality.contrast, quality.focus, quality.shown, quality.size,
            quality.motion,
        )  # fmt: skip
        return HintGiven(quality.hint, *(None if v is None else round(v, 4) for v in measured))


@dataclass(frozen=True)
class CaptureTaken:
    """Capture `number` of the operation's `of`."""

    name: ClassVar = "capture_taken"
    number: int
    of: int


@dataclass(frozen=True)
class RemoveAndReturn:
    """Between two captures of an enrolment."""

    name: ClassVar = "remove_and_return"


@dataclass(frozen=True)
class ResultGiven:
    """`subject` and `suspicion` (of a presentation attack) are for operators alone."""

    name: ClassVar = "result"
    status: Status
    hint: Hint | None
    operation: Operation
    subject: str | None
    suspicion: str | None


@dataclass(frozen=True)
class CameraChanged:
    """`closed` where nobody asks for a capture."""

    name: ClassVar = "camera"
    state: CameraState | Literal["closed"]


@dataclass(frozen=True)
class LockedOut:
    """An operation was refused; the next may be asked for after `wait_s` seconds."""

    name: ClassVar = "locked"
    wait_s: float


Event = (
    CaptureStarted | HintGiven | CaptureTaken | RemoveAndReturn | ResultGiven | CameraChanged
    | LockedOut
)  # fmt: skip


def encoded(event: Event, role: Role) -> bytes:
    """As a server-sent event for a listener of that role."""
    if isinstance(event, ResultGiven) and role != "operator":
        # Whom a terminal asked about it knows; whom another asked about it need not.
        event = replace(event, subject=None, suspicion=None)
    return f"event: {event.name}\ndata: {strict_json(asdict(event))}\n\n".encode()


class Events:
    """Hands each event to every listener. `tell` is for any thread, the rest for the loop's."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._places: Counter[str] = Counter()

    def use(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop that listeners are served on."""
        self._loop = loop

    def admit(self, name: str) -> bool:
        """Whether one more of that token may listen; its place is taken until `leave`."""
        taken = self._places[name] >= MAX_LISTENERS_EACH
        if taken or self._places.total() >= MAX_LISTENERS:
            return False
        self._places[name] += 1
        return True

    def leave(self, name: str) -> None:
        """Whoever was admitted is gone."""
        self._places[name] -= 1

    def tell(self, event: Event) -> None:
        """Returns at once."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
                self._loop.call_soon_threadsafe(self._hand_out, event)

    def close(self) -> None:
        """Ends every listener's stream."""
        for queue in list(self._listeners):
            self._end(queue)

    async def listen(self, role: Role) -> AsyncIterator[bytes]:
        """The stream of one listener, with a comment now and then so that a lost one is noticed."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield b": listening\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event is None:
                    return
                yield encoded(event, role)
        finally:
            self._listeners.discard(queue)

    def _hand_out(self, event: Event) -> None:
        for queue in list(self._listeners):
            if queue.qsize() < _MAX_UNREAD:
                queue.put_nowait(event)
            else:
                self._end(queue)

    def _end(self, queue: asyncio.Queue[Event | None]) -> None:
        self._listeners.discard(queue)
        queue.put_nowait(None)
