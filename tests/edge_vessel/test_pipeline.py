"""Source to sinks, in this process: order, limits, faults, memory."""

from pathlib import Path

import numpy as np
import psutil
import pytest
from artifact_folders import write
from staged_sources import StagedCamera

from edge_vessel import sources
from edge_vessel.artifact import open_artifact
from edge_vessel.capture import CaptureConfig
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.pipeline import Limits, Pipeline
from edge_vessel.segmenter import Segmenter
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.jsonl import JsonlSink
from edge_vessel.sinks.mjpeg import MjpegSink


@pytest.fixture
def segmenter(tmp_path: Path) -> Segmenter:
    """A network of one convolution, so that the pipeline's own cost is what is left."""
    return Segmenter(open_artifact(write(tmp_path / "tiny"), (), allow_unsigned=True))


class Collector:
    """A sink that keeps what it is given; `fault` is raised by the write after `faults_at`."""

    def __init__(self, faults_at: int | None = None) -> None:
        self.results: list[Result] = []
        self.unreadables: list[Unreadable] = []
        self.events: list[CameraEvent] = []
        self._faults_at = faults_at

    def write(self, result: Result) -> None:
        if self._faults_at is not None and len(self.results) >= self._faults_at:
            raise DeviceError("the disk is full")
        self.results.append(result)

    def unreadable(self, frame: Unreadable) -> None:
        self.unreadables.append(frame)

    def event(self, event: CameraEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


def test_every_file_frame_arrives_in_order_in_camera_pixels(segmenter):
    sink = Collector()
    source = sources.create("synthetic:frames=12,width=320,height=240")
    outcome = Pipeline(source, segmenter, [sink]).run()
    assert outcome.exit_code == 0
    assert [result.frame.index for result in sink.results] == list(range(12))
    for result in sink.results:
        assert result.segmentation.status == "ok"
        assert result.segmentation.mask.shape == (240, 320)
        assert result.segmentation.probability.dtype == np.float32
        fov = result.segmentation.fov
        assert not result.segmentation.probability[~fov.mask(240, 320)].any()
    stages = outcome.progress.stages
    assert all(stages[name].count == 12 for name in stages)


@pytest.mark.parametrize(
    ("limits", "frames"),
    [(Limits(max_frames=5), 5), (Limits(duration_s=0.0), 0), (Limits(), 8)],
)
def test_limits(segmenter, limits, frames):
    source = sources.create("synthetic:frames=8,width=200,height=200")
    outcome = Pipeline(source, segmenter, [], limits).run()
    assert outcome.progress.processed == frames
    assert outcome.exit_code == 0


def test_stop_finishes_the_frame_in_hand(segmenter):
    pipelines: list[Pipeline] = []
    sink = Collector()
    source = sources.create("synthetic:width=200,height=200")

    def stop_at_the_third(progress) -> None:
        if progress.processed == 3:
            pipelines[0].stop()

    pipelines.append(Pipeline(source, segmenter, [sink], report=stop_at_the_third))
    outcome = pipelines[0].run()
    assert outcome.exit_code == 0
    assert outcome.progress.processed == len(sink.results) == 3


def test_a_frame_without_a_fundus_is_a_result(segmenter, tmp_path, samples):
    (tmp_path / "in").mkdir()
    import cv2

    cv2.imwrite(str(tmp_path / "in" / "wall.png"), np.full((300, 400, 3), 120, np.uint8))
    (tmp_path / "in" / "dot.png").write_bytes(cv2.imencode(".png", np.zeros((1, 1)))[1].tobytes())
    (tmp_path / "in" / "eye.jpg").write_bytes((samples / "chase_db1_07L.jpg").read_bytes())
    sink = Collector()
    outcome = Pipeline(sources.create(str(tmp_path / "in")), segmenter, [sink]).run()
    assert [r.segmentation.status for r in sink.results] == ["no_fundus", "ok", "no_fundus"]
    assert not sink.results[2].segmentation.mask.any()
    assert (outcome.progress.no_fundus, outcome.exit_code) == (2, 0)


def test_an_unreadable_file_costs_the_exit_code_but_not_the_others(segmenter, tmp_path, samples):
    for name, cut in (("a.jpg", None), ("b.jpg", 5000), ("c.jpg", None)):
        content = (samples / "chase_db1_07L.jpg").read_bytes()[:cut]
        (tmp_path / name).write_bytes(content)
    (tmp_path / "tiny").rename(tmp_path / "tiny.d")
    sink, said = Collector(), []
    outcome = Pipeline(
        sources.create(str(tmp_path / "*.jpg")), segmenter, [sink], warn=said.append
    ).run()
    assert [result.frame.name for result in sink.results] == ["a", "c"]
    assert len(sink.unreadables) == len(said) == 1
    assert "b.jpg: truncated" in said[0]
    assert outcome.exit_code == 2


def test_a_sink_that_fails_ends_the_run_with_its_fault(segmenter):
    sink = Collector(faults_at=3)
    source = sources.create("synthetic:width=200,height=200")
    outcome = Pipeline(source, segmenter, [sink]).run()
    assert outcome.exit_code == 3
    assert "disk is full" in str(outcome.fault)
    assert len(sink.results) == 3


def test_a_camera_lost_for_good_ends_with_its_code_and_its_events(segmenter):
    gone = DeviceError("/dev/video0: the camera is gone")
    source = StagedCamera([200, gone], opens=[None, *[gone] * 50])
    sink, said = Collector(), []
    outcome = Pipeline(
        source, segmenter, [sink], capture=CaptureConfig(give_up_s=0.3), warn=said.append
    ).run()
    assert outcome.exit_code == 3
    assert outcome.progress.camera == "lost"
    assert [event.state for event in sink.events] == ["lost"]
    assert said == ["camera lost: /dev/video0: the camera is gone"]


def test_a_run_that_ends_while_the_camera_is_lost_says_so(segmenter):
    source = StagedCamera([200, DeviceError("gone")], opens=[None, *[DeviceError("gone")] * 99])
    outcome = Pipeline(source, segmenter, [], Limits(duration_s=0.5)).run()
    assert outcome.exit_code == 3
    assert "lost when the run ended" in str(outcome.fault)


def test_a_camera_that_never_delivered_is_no_success(segmenter):
    outcome = Pipeline(StagedCamera([], period_s=9), segmenter, [], Limits(duration_s=0.3)).run()
    assert outcome.exit_code == 3
    assert "no frame came" in str(outcome.fault)


class _Starved:
    """A segmenter on a machine without memory for one of the frames."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def segment(self, image: np.ndarray):
        if image.shape[1] == 999:
            raise MemoryError
        return self._segmenter.segment(image)


def test_a_frame_too_large_for_memory_is_passed_over(segmenter, samples):
    sink, said = Collector(), []
    source = sources.create(str(samples / "*.jpg"))
    outcome = Pipeline(source, _Starved(segmenter), [sink], warn=said.append).run()
    assert outcome.exit_code == 2
    assert [result.frame.name for result in sink.results] == ["hrf_07_h"]
    assert outcome.progress.failed == len(said) == len(sink.unreadables) == 2
    assert "chase_db1_07L.jpg: 999x960 px need more memory" in said[0]


def test_a_camera_that_recovered_costs_nothing(segmenter):
    gone = DeviceError("gone")
    source = StagedCamera([200, gone, *[200] * 40], opens=[None, gone, None])
    sink = Collector()
    outcome = Pipeline(source, segmenter, [sink], Limits(max_frames=20)).run()
    assert outcome.exit_code == 0
    assert outcome.progress.losses == 1
    assert [event.state for event in sink.events] == ["lost", "recovering", "ok"]


@pytest.mark.parametrize(
    ("threads", "threshold", "says"),
    [
        (0, None, "threads 0"),
        (4096, None, "the cores of this machine"),
        (1, 0.0, "threshold 0.0"),
        (1, 1.5, "threshold 1.5"),
    ],
)
def test_values_out_of_range(tmp_path, threads, threshold, says):
    artifact = open_artifact(write(tmp_path / "tiny"), (), allow_unsigned=True)
    with pytest.raises(UsageError, match=says):
        Segmenter(artifact, threads, threshold)


class _Memory(Collector):
    """Keeps nothing but its process's resident memory after 100 frames and at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._frames = 0
        self.early = self.late = 0

    def write(self, result: Result) -> None:
        self._frames += 1
        if self._frames == 100:
            self.early = psutil.Process().memory_info().rss
        elif self._frames % 100 == 0:
            self.late = psutil.Process().memory_info().rss


@pytest.mark.slow
def test_two_thousand_frames_stay_within_4_mb(segmenter, tmp_path):
    """Two KB a frame: whatever is kept of each frame, an array or its JSON line, is more."""
    memory = _Memory()
    lines, preview = JsonlSink(tmp_path / "frames.jsonl"), MjpegSink("127.0.0.1", 0)
    source = sources.create("synthetic:frames=2000,width=240,height=200")
    outcome = Pipeline(source, segmenter, [lines, preview, memory]).run()
    lines.close()
    preview.close()
    assert outcome.progress.processed == 2_000
    assert len((tmp_path / "frames.jsonl").read_text().splitlines()) == 2_000
    assert memory.late - memory.early < 4 * 2**20
