"""What the JSON lines and the preview say of a frame and of the camera."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from edge_vessel.sinks.base import CameraEvent, CameraState, Result, Unreadable
from edge_vessel.vessels import Biomarkers


@dataclass(frozen=True)
class FovRecord:
    """The circle of the fundus in pixels of the photograph, as `FieldOfView` counts them."""

    centre_x_px: float
    centre_y_px: float
    radius_px: float


@dataclass(frozen=True)
class StageTimes:
    """Milliseconds each stage took; None where the frame did not reach it."""

    capture: float | None
    preprocess: float | None
    inference: float | None
    postprocess: float | None
    analysis: float | None
    total: float | None


@dataclass(frozen=True)
class FrameRecord:
    """One frame. `vessel_density` is vessel pixels over pixels inside the field of view, in [0, 1];
    None, as is `fov`, where no fundus was found. `biomarkers` are None there too, and where nobody
    asked for them. `source` is the photograph's path, None from a
    camera; names may repeat, paths do not. `time` is ISO 8601 in UTC. A frame that could not be
    read has neither name nor size: its `error` says why."""

    type: Literal["frame"]
    index: int
    name: str | None
    source: str | None
    time: str
    status: Literal["ok", "no_fundus", "failed"]
    error: str | None
    width: int | None
    height: int | None
    fov: FovRecord | None
    vessel_px: int | None
    vessel_density: float | None
    biomarkers: Biomarkers | None
    ms: StageTimes
    dropped: int | None


@dataclass(frozen=True)
class CameraRecord:
    """A change of the source's state."""

    type: Literal["camera"]
    state: CameraState
    reason: str
    time: str


def frame_record(result: Result) -> FrameRecord:
    """The record of one result."""
    frame, found = result.frame, result.segmentation
    height, width = frame.image.shape[:2]
    vessel_px, fov = int(np.count_nonzero(found.mask)), found.fov
    density = None
    if fov is not None:
        fov_px = int(np.count_nonzero(fov.mask(height, width)))
        density = vessel_px / fov_px if fov_px else None
    return FrameRecord(
        type="frame",
        index=frame.index,
        name=frame.name,
        source=frame.source,
        time=iso_utc(frame.captured_s),
        status=found.status,
        error=None,
        width=width,
        height=height,
        fov=None if fov is None else FovRecord(fov.centre_x, fov.centre_y, fov.radius),
        vessel_px=vessel_px,
        vessel_density=density,
        biomarkers=None if result.vessels is None else result.vessels.biomarkers,
        ms=StageTimes(
            capture=frame.capture_ms,
            preprocess=found.preprocess_ms,
            inference=found.inference_ms,
            postprocess=found.postprocess_ms,
            analysis=None if result.vessels is None else result.vessels.analysis_ms,
            total=result.total_ms,
        ),
        dropped=result.dropped,
    )


def unreadable_record(frame: Unreadable, time_s: float) -> FrameRecord:
    """The record of a frame that could not be read; `time_s` is wall-clock time."""
    return FrameRecord(
        type="frame",
        index=frame.index,
        name=None,
        source=frame.source,
        time=iso_utc(time_s),
        status="failed",
        error=frame.error,
        width=None,
        height=None,
        fov=None,
        vessel_px=None,
        vessel_density=None,
        biomarkers=None,
        ms=StageTimes(None, None, None, None, None, None),
        dropped=None,
    )


def camera_record(event: CameraEvent) -> CameraRecord:
    """The record of one change of the source's state."""
    return CameraRecord("camera", event.state, event.reason, iso_utc(event.time_s))


def iso_utc(time_s: float) -> str:
    """Wall-clock seconds since 1970 as "2026-01-31T12:00:00.000Z"."""
    text = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
