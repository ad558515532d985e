"""The trial of a release that has just been installed: good frames end it."""

from collections.abc import Callable

from edge_vessel.errors import ArtifactError, DeviceError
from edge_vessel.pipeline import Outcome
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.slots import state as states
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.state import Occupied, State

CONFIRM_AFTER = 100


class Trial:
    """A sink that confirms the active slot after `confirm_after` good frames.

    A good frame went through the network: one without a fundus says nothing of it. A slot that is
    no longer the active one is not confirmed; where the disk is full, it is tried again after as
    many frames.
    """

    def __init__(
        self, layout: Layout, slot: Occupied, confirm_after: int, warn: Callable[[str], None]
    ) -> None:
        self._layout = layout
        self._slot = slot
        self._confirm_after = confirm_after
        self._warn = warn
        self._good = 0
        self.over = False

    def write(self, result: Result) -> None:
        """Counts a good frame."""
        self._good += result.segmentation.status == "ok"
        if self.over or self._good < self._confirm_after:
            return
        self._good = 0
        self.over = self._change(State.confirmed)
        if self.over:
            self._warn(f"{self._slot}: confirmed after {self._confirm_after} good frames")

    def unreadable(self, _: Unreadable) -> None:
        """Says nothing of the release."""

    def event(self, _: CameraEvent) -> None:
        """Says nothing of the release."""

    def close(self) -> None:
        """Leaves the trial where it stands."""

    def ended(self, outcome: Outcome) -> None:
        """Gives the start back where the run ended in order, or by the camera's fault: a board that
        is switched off each evening, or has no camera yet, shall not use the trial up."""
        lost = outcome.progress.camera != "ok"
        if not self.over and (outcome.fault is None or lost):
            self._change(State.start_given_back)

    def _change(self, to: Callable[[State], State]) -> bool:
        slot = self._slot
        try:
            states.change(self._layout, lambda now: to(now) if now.active == slot else now)
        except (ArtifactError, DeviceError) as error:
            self._warn(f"warning: {error}")
            return False
        return True
