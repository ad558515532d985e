"""The capture thread: a latest-frame slot, and a camera's losses waited out."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from edge_vessel import abandonable
from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError
from edge_vessel.sinks.base import CameraEvent, CameraState, Unreadable
from edge_vessel.sources.base import Frame, Source

_FIRST_PAUSE_S = 0.2  # between two attempts to open; doubles up to the longest
_LONGEST_PAUSE_S = 5.0
_JOIN_S = 1.5  # for the thread at the end
_GRACE_S = 2.0  # beyond its own timeout, before a call into a driver counts as hanging


@dataclass(frozen=True)
class CaptureConfig:
    """How long to wait for what."""

    open_timeout_s: float = 20.0  # for a live source to open; RTSP and GStreamer allow 15 s
    read_timeout_s: float = 5.0  # for one frame of a live source
    give_up_s: float = 30.0  # for a lost source to come back; 0: for ever


@dataclass(frozen=True)
class End:
    """The source has delivered everything."""


class Capture:
    """Reads a source in a thread of its own.

    A live source never waits for its reader: the slot holds the newest frame and `dropped` counts
    what it overwrote. A file source waits until its frame is taken, so that none is lost. A live
    source that fails is closed, opened again with growing pauses, and given up after `give_up_s`;
    a read that does not come back at all, whatever the driver does, is noticed by `take`.

    `captured`, `dropped` and `failed` count frames, `losses` the times a live source went away.
    """

    def __init__(self, source: Source, config: CaptureConfig | None = None) -> None:
        self.source = source
        self.config = config or CaptureConfig()
        self.state: CameraState = "recovering" if source.live else "ok"
        self.captured = self.dropped = self.failed = self.losses = 0
        self._changed = threading.Condition()
        self._slot: Frame | Unreadable | None = None
        self._events: deque[CameraEvent] = deque()
        self._ended = False
        self._fault: EdgeVesselError | None = None
        self._stopping = False
        self._call: tuple[float, float] | None = None  # began, is overdue: monotonic seconds
        self._lost_since: float | None = None
        self._shape: tuple[int, ...] | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"{abandonable.PREFIX}capture", daemon=True
        )

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def take(self, timeout_s: float) -> Frame | Unreadable | CameraEvent | End | None:
        """What is next: events first, then the newest frame; None when nothing came in time.

        Raises:
            UsageError: the source cannot be read at all.
            DeviceError: the source is lost for good.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._events or self._slot is not None or self._ended, timeout_s
            )
            self._notice_a_hanging_read()
            if self._events:
                return self._events.popleft()
            if self._slot is not None:
                taken, self._slot = self._slot, None
                self._changed.notify_all()
                return taken
            if self._fault is not None:
                raise self._fault
            return End() if self._ended else None

    def stop(self) -> None:
        """Ends the thread and closes the source, from here where the thread does not come back.

        A thread that hangs in a driver even then is left behind: see `command_line.leave`.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._join()
        if self._thread.is_alive():
            self.source.close()
            self._join()

    def _join(self) -> None:
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        fault: EdgeVesselError | None = None
        try:
            self._read_until_the_end()
        except EdgeVesselError as error:
            fault = error
        except Exception as error:  # a fault of ours has to end the run, not to hang it
            fault = DeviceError(f"{self.source.uri}: capture failed: {error!r}")
        finally:
            self.source.close()
        with self._changed:
            self._fault, self._ended = self._fault or fault, True
            self._changed.notify_all()

    def _read_until_the_end(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping:
            try:
                with self._deadline(self.config.open_timeout_s):
                    self.source.open()
                if self.state == "lost":
                    self._note("recovering", f"{self.source.uri}: open again")
                while not self._stopping:
                    if not self._read_one():
                        return
                    pause_s = _FIRST_PAUSE_S
            except DeviceError as error:
                if not self.source.live:
                    raise
                self.source.close()
                if self.state != "lost":
                    self._note("lost", str(error))
                if self._given_up():
                    raise
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _read_one(self) -> bool:
        """Reads one frame into the slot; False at the end of the source."""
        try:
            with self._deadline(self.config.read_timeout_s):
                frame = self.source.read(self.config.read_timeout_s)
        except UsageError as error:
            self.failed += 1
            self._put(Unreadable(self.captured + self.failed - 1, str(error)))
            return True
        if frame is None:
            return False
        self.captured += 1
        if self.source.live:
            self._note_a_frame(frame)
        self._put(frame)
        return True

    def _put(self, item: Frame | Unreadable) -> None:
        with self._changed:
            if not self.source.live:
                self._changed.wait_for(lambda: self._slot is None or self._stopping)
            elif self._slot is not None:
                self.dropped += 1
            self._slot = item
            self._changed.notify_all()

    def _note_a_frame(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        if self._shape is None and self._lost_since is None:
            self.state = "ok"  # the first frame of a source that opened at once is no news
        elif self.state != "ok":
            self._note("ok", f"{self.source.uri}: frames again, {width}x{height}")
        elif self._shape not in (None, (height, width)):
            self._note("ok", f"{self.source.uri}: frames are {width}x{height} from now on")
        self._shape = (height, width)

    def _note(self, state: CameraState, reason: str) -> None:
        with self._changed:
            if state == "lost" and self._lost_since is None:
                self.losses += 1
                self._lost_since = time.monotonic()
            elif state == "ok":
                self._lost_since = None
            self.state = state
            self._events.append(CameraEvent(state, reason, time.time()))
            self._changed.notify_all()

    def _given_up(self) -> bool:
        limit_s, since = self.config.give_up_s, self._lost_since
        return limit_s > 0 and since is not None and time.monotonic() - since >= limit_s

    @contextlib.contextmanager
    def _deadline(self, timeout_s: float) -> Iterator[None]:
        """Marks a call into the source, so that `take` can see that it hangs."""
        started_s = time.monotonic()
        self._call = (started_s, started_s + timeout_s + _GRACE_S)
        try:
            yield
        finally:
            self._call = None

    def _notice_a_hanging_read(self) -> None:
        call, now_s = self._call, time.monotonic()
        if call is None or now_s <= call[1] or not self.source.live or self._ended:
            return
        reason = f"{self.source.uri}: has not answered for {now_s - call[0]:.0f} s"
        if self.state != "lost":
            self._note("lost", reason)
        if self._given_up():
            self._fault = DeviceError(f"{reason}; check the camera, then start again")
