"""The file as node_exporter's textfile collector reads it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from results import make_result

from edge_vessel.errors import DeviceError
from edge_vessel.sinks.base import CameraEvent, Unreadable
from edge_vessel.sinks.metrics import MetricsSink

ARTIFACT = {"name": "tiny-16", "version": "3", "slot": "b"}
HOT_BOARD = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "81500\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "79000\n",
    "sys/class/thermal/cooling_device0/type": "Processor\n",
    "sys/class/thermal/cooling_device0/cur_state": "2\n",
    "sys/class/thermal/cooling_device0/max_state": "5\n",
    "sys/class/thermal/cooling_device1/type": "Processor\n",
    "sys/class/thermal/cooling_device1/cur_state": "1\n",
    "sys/class/thermal/cooling_device1/max_state": "5\n",
}
# Prometheus' text format 0.0.4: a comment, or a name, labels, a number.
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"([a-z_]+)(\{{{LABEL}(?:,{LABEL})*\}})? ([0-9.e+-]+|\+Inf|NaN)")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edge-vessel.prom"


def samples(path: Path) -> dict[str, float]:
    """Series and values of a well-formed file: no family is announced twice, no series is twice."""
    text = path.read_text()
    assert text.endswith("\n")
    announced = re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, re.MULTILINE)
    assert len(announced) == len(set(announced)) == text.count("# HELP ")
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        family = re.sub(r"_(bucket|sum|count)$", "", match[1])
        assert family in announced or match[1] in announced, line
        series = match[1].removeprefix("edge_vessel_") + (match[2] or "")
        assert series not in found
        found[series] = float(match[3])
    return found


def test_frames_are_counted_by_their_result(path, clock):
    sink = MetricsSink(path, ARTIFACT, clock_s=clock)
    assert samples(path)['artifact_info{name="tiny-16",version="3",slot="b"}'] == 1
    assert samples(path)["camera_up"] == 0
    for _ in range(3):
        sink.write(make_result())
    sink.write(make_result(status="no_fundus"))
    sink.unreadable(Unreadable(4, "torn"))
    sink.close()
    found = samples(path)
    assert found['frames_total{status="ok"}'] == 3
    assert found['frames_total{status="no_fundus"}'] == 1
    assert found['frames_total{status="failed"}'] == 1
    assert found["frames_dropped_total"] == 3
    assert found["camera_up"] == 1


def test_the_histogram_counts_up_to_each_end(path, clock):
    sink = MetricsSink(path, ARTIFACT, clock_s=clock)
    result = make_result()
    for inference_ms in (5.0, 10.0, 10.5, 400.0, 60_000.0):
        sink.write(
            replace(result, segmentation=replace(result.segmentation, inference_ms=inference_ms))
        )
    sink.write(make_result(status="no_fundus"))
    sink.close()
    found = samples(path)
    counts = {end: found[f'inference_seconds_bucket{{le="{end}"}}'] for end in ("0.01", "0.025")}
    assert counts == {"0.01": 2, "0.025": 3}
    assert found['inference_seconds_bucket{le="0.25"}'] == 3
    assert found['inference_seconds_bucket{le="0.5"}'] == 4
    assert found['inference_seconds_bucket{le="10"}'] == 4
    assert found['inference_seconds_bucket{le="+Inf"}'] == found["inference_seconds_count"] == 5
    assert found["inference_seconds_sum"] == pytest.approx(60.4255)


def test_it_is_rewritten_every_15_s_and_when_the_camera_changes(path, clock):
    sink = MetricsSink(path, ARTIFACT, clock_s=clock)
    sink.write(make_result())
    assert samples(path)['frames_total{status="ok"}'] == 0
    clock.now_s += 15
    sink.write(make_result())
    assert samples(path)['frames_total{status="ok"}'] == 2
    sink.event(CameraEvent("lost", "unplugged", 0.0))
    assert samples(path)["camera_up"] == 0
    assert samples(path)["camera_losses_total"] == 1
    sink.event(CameraEvent("ok", "frames again", 0.0))
    assert samples(path)["camera_up"] == 1


@pytest.mark.parametrize("flags", [None, 0x50005])
def test_a_hot_board(flags, path, clock, tmp_path):
    files = dict(HOT_BOARD)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    if flags is not None:
        command = tmp_path / "usr/bin/vcgencmd"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\necho throttled={flags:#x}\n")
        command.chmod(0o755)
    MetricsSink(path, ARTIFACT, tmp_path, clock)
    found = samples(path)
    assert found['temperature_celsius{zone="cpu-thermal"}'] == 81.5
    assert found["throttled"] == 1
    assert found['throttle_flag{flag="Processor"}'] == 1
    assert found.get('throttle_flag{flag="under-voltage has occurred"}') == (flags and 1)


def test_a_board_that_tells_nothing(path, clock, tmp_path):
    MetricsSink(path, ARTIFACT, tmp_path / "empty", clock)
    found = samples(path)
    assert found["throttled"] == 0
    assert not [series for series in found if series.startswith(("temp", "throttle_"))]


def test_names_are_escaped(path, clock):
    MetricsSink(path, {"name": 'a "b" \\ c\n'}, clock_s=clock)
    assert 'artifact_info{name="a \\"b\\" \\\\ c\\n"}' in samples(path)


def test_the_collector_may_read_it(path, clock):
    MetricsSink(path, ARTIFACT, clock_s=clock)
    assert path.stat().st_mode & 0o777 == 0o644


def test_no_folder_is_one_line(tmp_path, clock):
    with pytest.raises(DeviceError, match=r"missing/x\.prom: cannot be written"):
        MetricsSink(tmp_path / "missing" / "x.prom", ARTIFACT, clock_s=clock)
