"""What takes results: files, JSON lines, a window, a network preview."""

from dataclasses import dataclass
from typing import Literal, Protocol

from edge_vessel.segmenter import Segmentation
from edge_vessel.sources.base import Frame
from edge_vessel.vessels import VesselAnalysis

CameraState = Literal["ok", "lost", "recovering"]


@dataclass(frozen=True)
class Result:
    """One frame and its vessel map.

    `dropped` counts the frames so far that a newer one overtook; `total_ms` is what
    reading, segmenting and analysing this one cost, waiting excluded. `vessels` is None where
    nobody asked for it, and where no fundus was found.
    """

    frame: Frame
    segmentation: Segmentation
    dropped: int
    total_ms: float
    vessels: VesselAnalysis | None = None


@dataclass(frozen=True)
class Unreadable:
    """A frame that could not be read, and why in one line; the source goes on.

    `source` is its file's path; None where it came from a camera or is not known.
    """

    index: int
    error: str
    source: str | None = None


@dataclass(frozen=True)
class CameraEvent:
    """A change of the source's state; `reason` is one line, `time_s` wall-clock time."""

    state: CameraState
    reason: str
    time_s: float


class Sink(Protocol):
    """Takes results in the order of the frames, from one thread."""

    def write(self, result: Result) -> None:
        """Takes one result.

        Raises:
            DeviceError: it cannot be stored or shown (full disk, lost connection of our own).
        """

    def unreadable(self, frame: Unreadable) -> None:
        """Takes a frame that could not be read.

        Raises:
            DeviceError: as `write`.
        """

    def event(self, event: CameraEvent) -> None:
        """Takes a change of the source's state."""

    def close(self) -> None:
        """Flushes and releases; everything written before stays."""
