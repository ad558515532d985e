"""Tells the service manager of frames: no frame, no sign of life."""

import time

from edge_vessel.service_manager import ServiceManager
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable

# Often enough for a watchdog that loses one, seldom enough not to wake the manager at every frame.
_SIGNS_A_PERIOD = 4


class NotifySink:
    """READY with the first segmented frame, WATCHDOG with later ones, STOPPING at the end.

    It stands last among the sinks, so that a frame counts when it went through all of them. With no
    frame there is no READY: a start that ended well has shown that camera and network work.
    """

    def __init__(self, manager: ServiceManager, what: str) -> None:
        """`what` names the artifact in the status line."""
        self._manager = manager
        self._what = what
        self._period_s = (manager.watchdog_s or 0.0) / _SIGNS_A_PERIOD
        self._frames = 0
        self._told_s = 0.0
        manager.tell(STATUS=f"{what}: waiting for the first frame")

    def write(self, _: Result) -> None:
        """A sign of life, as often as the watchdog asks for."""
        self._frames += 1
        now_s = time.monotonic()
        if self._frames == 1:
            self._manager.tell(READY="1", STATUS=f"{self._what}: frames are segmented")
        elif self._manager.watchdog_s is None or now_s - self._told_s < self._period_s:
            return
        else:
            self._manager.tell(WATCHDOG="1", STATUS=f"{self._what}: {self._frames} frames")
        self._told_s = now_s

    def unreadable(self, _: Unreadable) -> None:
        """No sign of life."""

    def event(self, event: CameraEvent) -> None:
        """The camera's state in `systemctl status`."""
        self._manager.tell(STATUS=f"{self._what}: camera {event.state}: {event.reason}")

    def close(self) -> None:
        """The rest may take a moment."""
        self._manager.tell(STOPPING="1", STATUS=f"{self._what}: stopping")
        self._manager.close()
