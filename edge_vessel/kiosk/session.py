"""One capture: frames until one is good, or the time, the camera or the client is gone."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from edge_vessel.biometrics.quality import Hint
from edge_vessel.errors import EdgeVesselError
from edge_vessel.field_of_view import FieldOfView, find_field_of_view
from edge_vessel.kiosk.camera import KioskCamera
from edge_vessel.kiosk.events import CameraChanged, Event, HintGiven
from edge_vessel.kiosk.presentation import PresentationCheck
from edge_vessel.kiosk.preview import Preview
from edge_vessel.kiosk.recognition import Look, Recognition
from edge_vessel.sinks.base import CameraEvent
from edge_vessel.sources.base import Frame

_POLL_S = 0.1


@dataclass(frozen=True)
class Captured:
    """The sharpest good look, and what the presentation check suspects."""

    look: Look
    suspicion: str | None


@dataclass(frozen=True)
class Missed:
    """No good look: why, and the last hint; `reason` is one line for the log."""

    status: Literal["timeout", "cancelled", "camera_lost"]
    hint: Hint | None
    reason: str = ""


class Photographer:
    """Takes captures, one at a time, from one thread.

    Every frame goes to the preview and to the presentation check as it comes. Beside that one frame
    at a time is looked at, which takes as long as several frames do; what the check could not
    follow to that frame is not compared: a print could be put in an eye's place for a moment.
    """

    def __init__(
        self,
        camera: KioskCamera,
        recognition: Recognition,
        preview: Preview,
        make_check: Callable[[], PresentationCheck],
        tell: Callable[[Event], None],
    ) -> None:
        self._camera = camera
        self._recognition = recognition
        self._preview = preview
        self._make_check = make_check
        self._tell = tell
        self._eye = ThreadPoolExecutor(1, "eye")

    def capture(self, until_s: float, cancelled: threading.Event) -> Captured | Missed:
        """Opens the camera where it is closed, and leaves it open.

        Args:
            until_s: monotonic seconds.

        Raises:
            DeviceError: the engine failed.
        """
        run = _Run(self._make_check(), self._look)
        try:
            while not cancelled.is_set():
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    lost = self._camera.state != "ok"
                    return Missed("camera_lost" if lost else "timeout", run.hint)
                try:
                    self._camera.open()
                    found = self._camera.next(min(_POLL_S, left_s))
                except EdgeVesselError as error:
                    self._camera.close()
                    return Missed("camera_lost", run.hint, str(error))
                if isinstance(found, CameraEvent):
                    self._tell(CameraChanged(found.state))
                elif found is not None:
                    fov = find_field_of_view(found.image)
                    self._preview.put(found.image, fov)
                    run.see(found, fov)
                if run.hear(self._tell) and run.captured is not None:
                    return run.captured
            return Missed("cancelled", run.hint)
        finally:
            self._preview.clear()
            run.end()

    def _look(self, frame: Frame, before: Frame) -> Future[Look]:
        return self._eye.submit(self._recognition.look, frame.image, before.image)


class _Run:
    """What one capture has seen so far."""

    def __init__(
        self, check: PresentationCheck, look: Callable[[Frame, Frame], Future[Look]]
    ) -> None:
        self.hint: Hint | None = None
        self._check = check
        self._start_look = look
        self._before: Frame | None = None
        self._looking: Future[Look] | None = None
        self._followed = False
        self._best: Look | None = None

    def see(self, frame: Frame, fov: FieldOfView | None) -> None:
        """Takes a frame and its field of view."""
        self._check.add(frame.image, time.monotonic(), fov)
        before, self._before = self._before, frame
        if self._looking is None and before is not None:
            self._looking = self._start_look(frame, before)
            self._followed = self._check.verdict().last_followed

    def hear(self, tell: Callable[[Event], None]) -> bool:
        """Whether a look has ended since the last call.

        Raises:
            DeviceError: the engine failed.
        """
        if self._looking is None or not self._looking.done():
            return False
        look, self._looking = self._looking.result(), None
        self.hint = look.quality.hint
        tell(HintGiven.of(look.quality))
        if self.hint is None and self._followed and _focus(look) > _focus(self._best):
            self._best = look
        return True

    @property
    def captured(self) -> Captured | None:
        """The best look, once there is a good one and the check has seen enough."""
        if self._best is None:
            return None
        verdict = self._check.verdict()
        return Captured(self._best, verdict.suspicion) if verdict.enough else None

    def end(self) -> None:
        """No look goes on in the background."""
        if self._looking is not None:
            wait([self._looking])


def _focus(look: Look | None) -> float:
    return -1.0 if look is None else look.quality.focus or 0.0
