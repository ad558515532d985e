"""Source -> segmenter -> sinks, until the end, a limit or a stop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_vessel.capture import Capture, CaptureConfig, End
from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError
from edge_vessel.meters.stopwatch import Percentiles, Stopwatch
from edge_vessel.segmenter import Segmenter
from edge_vessel.sinks.base import CameraEvent, CameraState, Result, Sink, Unreadable
from edge_vessel.sources.base import Frame, Source
from edge_vessel.vessels import Field, VesselAnalysis, analyse

STAGES = ("capture", "preprocess", "inference", "postprocess", "analysis", "total")
_POLL_S = 0.1


@dataclass(frozen=True)
class Limits:
    """When to stop; None: never."""

    max_frames: int | None = None  # processed
    duration_s: float | None = None  # since the start


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `fps` counts processed frames since the first one."""

    captured: int
    processed: int
    no_fundus: int
    dropped: int
    failed: int
    losses: int
    camera: CameraState
    duration_s: float
    fps: float
    stages: dict[str, Percentiles | None]


@dataclass(frozen=True)
class Outcome:
    """The end of a run: its last progress, and the fault that ended it, if one did."""

    progress: Progress
    fault: EdgeVesselError | None

    @property
    def exit_code(self) -> int:
        """0; the fault's; 2 where a frame could not be read."""
        if self.fault is not None:
            return self.fault.exit_code
        return UsageError.exit_code if self.progress.failed else 0


class Pipeline:
    """Segments every frame of a source and hands the results to the sinks, in order.

    Args:
        analyse_vessels: finds graph, landmarks and biomarkers of each frame too.
        report: called after each frame and event, at most as often as it likes to draw.
        warn: called with one line for each frame that cannot be read and each change of the camera.
        stop_when: asked between frames; the run ends where it says so.
    """

    def __init__(
        self,
        source: Source,
        segmenter: Segmenter,
        sinks: Sequence[Sink],
        limits: Limits | None = None,
        capture: CaptureConfig | None = None,
        analyse_vessels: bool = False,
        report: Callable[[Progress], None] = lambda _: None,
        warn: Callable[[str], None] = lambda _: None,
        stop_when: Callable[[], bool] = lambda: False,
    ) -> None:
        self._segmenter = segmenter
        self._sinks = sinks
        self._limits = limits or Limits()
        self._capture = Capture(source, capture)
        self._report = report
        self._warn = warn
        self._stop_when = stop_when
        self._analyses = analyse_vessels
        stages = STAGES if analyse_vessels else (one for one in STAGES if one != "analysis")
        self._watches = {stage: Stopwatch() for stage in stages}
        self._processed = self._no_fundus = self._failed = 0
        self._started_s = 0.0
        self._first_frame_s: float | None = None
        self._stopping = False

    def stop(self) -> None:
        """Ends the run after the frame in hand; safe in a signal handler."""
        self._stopping = True

    def run(self) -> Outcome:
        """Runs to the end and closes the source; a fault comes back in the outcome."""
        self._started_s = time.monotonic()
        fault: EdgeVesselError | None = None
        self._capture.start()
        try:
            while not self._done():
                item = self._capture.take(_POLL_S)
                if isinstance(item, End):
                    break
                self._handle(item)
                self._report(self.progress())
        except EdgeVesselError as error:
            fault = error
        finally:
            self._capture.stop()
        progress = self.progress()
        if fault is None and progress.camera != "ok":
            came = f"{progress.captured} frames came" if progress.captured else "no frame came"
            fault = DeviceError(
                f"{self._capture.source.uri}: {progress.camera} when the run ended; {came}"
            )
        return Outcome(progress, fault)

    def progress(self) -> Progress:
        """Where the run stands now."""
        now = time.monotonic()
        running_s = now - (self._first_frame_s or now)
        capture = self._capture
        return Progress(
            capture.captured,
            self._processed,
            self._no_fundus,
            capture.dropped,
            capture.failed + self._failed,
            capture.losses,
            capture.state,
            duration_s=now - self._started_s,
            fps=self._processed / running_s if running_s > 0 else 0.0,
            stages={name: watch.percentiles() for name, watch in self._watches.items()},
        )

    def _done(self) -> bool:
        limits = self._limits
        return (
            self._stopping
            or self._stop_when()
            or (limits.max_frames is not None and self._processed >= limits.max_frames)
            or (
                limits.duration_s is not None
                and time.monotonic() - self._started_s >= limits.duration_s
            )
        )

    def _handle(self, item: Frame | Unreadable | CameraEvent | None) -> None:
        if isinstance(item, Frame):
            try:
                self._process(item)
            except MemoryError:
                height, width = item.image.shape[:2]
                reason = f"{item.source or item.name}: {width}x{height} px need more memory than is"
                self._failed += 1
                self._give_up(Unreadable(item.index, f"{reason} free: scale it down", item.source))
        elif isinstance(item, Unreadable):
            self._give_up(item)
        elif isinstance(item, CameraEvent):
            self._warn(f"camera {item.state}: {item.reason}")
            for sink in self._sinks:
                sink.event(item)

    def _give_up(self, frame: Unreadable) -> None:
        self._warn(f"error: {frame.error}")
        for sink in self._sinks:
            sink.unreadable(frame)

    def _process(self, frame: Frame) -> None:
        if self._first_frame_s is None:
            self._first_frame_s = time.monotonic()
        started = time.perf_counter()
        segmentation = self._segmenter.segment(frame.image)
        vessels: VesselAnalysis | None = None
        if self._analyses and segmentation.fov is not None:
            field = Field.of(frame.image, segmentation.fov)
            vessels = analyse(segmentation.mask, field)
        total_ms = frame.capture_ms + 1e3 * (time.perf_counter() - started)
        self._processed += 1
        self._watches["capture"].add(frame.capture_ms)
        self._watches["total"].add(total_ms)
        if segmentation.status == "ok":
            self._watches["preprocess"].add(segmentation.preprocess_ms)
            self._watches["inference"].add(segmentation.inference_ms)
            self._watches["postprocess"].add(segmentation.postprocess_ms)
            if vessels is not None:
                self._watches["analysis"].add(vessels.analysis_ms)
        else:
            self._no_fundus += 1
        result = Result(frame, segmentation, self._capture.dropped, total_ms, vessels)
        for sink in self._sinks:
            sink.write(result)
