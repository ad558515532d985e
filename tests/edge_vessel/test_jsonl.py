import json
import math
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from needs import unavailable
from results import FOV, HEIGHT, WIDTH, make_result

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.json_text import strict_json
from edge_vessel.sinks.base import CameraEvent, Unreadable
from edge_vessel.sinks.jsonl import JsonlSink
from edge_vessel.vessels import Field, analyse


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


@dataclass
class Summary:
    processed: int
    rate_hz: float


def test_a_run_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sink = JsonlSink(path)
    sink.write(make_result(7))
    sink.event(CameraEvent("lost", "unplugged", 1_767_225_601.5))
    sink.summary(Summary(1, 12.5))
    sink.close()
    sink.close()
    frame, camera, summary = lines(path)
    vessel_px = 6 * 80 + 40
    assert frame == {
        "type": "frame",
        "index": 7,
        "name": "eye.jpg",
        "source": None,
        "time": "2026-01-01T00:00:00.250Z",
        "status": "ok",
        "error": None,
        "width": WIDTH,
        "height": HEIGHT,
        "fov": {"centre_x_px": 80.0, "centre_y_px": 60.0, "radius_px": 50.0},
        "vessel_px": vessel_px,
        "vessel_density": pytest.approx(vessel_px / FOV.mask(HEIGHT, WIDTH).sum()),
        "biomarkers": None,
        "ms": {
            "capture": 2.0,
            "preprocess": 1.0,
            "inference": 5.0,
            "postprocess": 0.5,
            "analysis": None,
            "total": 9.0,
        },
        "dropped": 3,
    }
    assert camera == {
        "type": "camera",
        "state": "lost",
        "reason": "unplugged",
        "time": "2026-01-01T00:00:01.500Z",
    }
    assert summary == {"type": "summary", "processed": 1, "rate_hz": 12.5}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("no_fundus", {"status": "no_fundus", "error": None, "fov": None, "vessel_px": 0}),
    ],
)
def test_frames_without_vessels(tmp_path: Path, status: str, expected: dict[str, Any]) -> None:
    sink = JsonlSink(tmp_path / "run.jsonl")
    sink.write(make_result(status=status))
    sink.close()
    (frame,) = lines(tmp_path / "run.jsonl")
    assert frame["vessel_density"] is None
    assert {key: frame[key] for key in expected} == expected


def test_biomarkers_stand_in_the_line(tmp_path: Path) -> None:
    plain = make_result()
    found = analyse(plain.segmentation.mask, Field.of(plain.frame.image, FOV))
    sink = JsonlSink(tmp_path / "run.jsonl")
    sink.write(replace(plain, vessels=found))
    sink.close()
    (frame,) = lines(tmp_path / "run.jsonl")
    assert frame["biomarkers"] == asdict(found.biomarkers)
    assert frame["biomarkers"]["endings"] == 4, "two vessels"
    assert frame["ms"]["analysis"] == found.analysis_ms > 0


def test_a_frame_that_cannot_be_read_has_a_line_too(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "run.jsonl")
    sink.unreadable(Unreadable(4, "eye.jpg: truncated"))
    sink.write(make_result())
    sink.close()
    unreadable, frame = lines(tmp_path / "run.jsonl")
    assert unreadable.keys() == frame.keys()
    assert (unreadable["index"], unreadable["status"]) == (4, "failed")
    assert unreadable["error"] == "eye.jpg: truncated"


def test_a_line_leads_to_its_photograph(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "run.jsonl")
    for source in ("in/base.png", "in/base.jpg", None):
        result = make_result(name="base")
        sink.write(replace(result, frame=replace(result.frame, source=source)))
    sink.unreadable(Unreadable(3, "truncated", "in/base.gif"))
    sink.close()
    sources = [line["source"] for line in lines(tmp_path / "run.jsonl")]
    assert sources == ["in/base.png", "in/base.jpg", None, "in/base.gif"]


def test_every_line_is_there_before_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sink = JsonlSink(path)
    for index in range(5):
        sink.write(make_result(index))
        assert lines(path)[-1]["index"] == index
    sink.close()


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ("", 0),
        ('{"type":"frame"}\n', 1),
        ('{"type":"frame"}\n{"type":"fra', 2),
    ],
    ids=["empty", "whole", "torn by a power cut"],
)
def test_an_earlier_run_is_kept(tmp_path: Path, before: str, kept: int) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(before)
    sink = JsonlSink(path)
    sink.write(make_result())
    sink.close()
    text = path.read_text()
    assert text.startswith(before)
    assert json.loads(text.splitlines()[kept])["type"] == "frame"
    assert len(text.splitlines()) == kept + 1


def test_two_writers_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sinks = [JsonlSink(path) for _ in range(4)]

    def write(sink: JsonlSink) -> None:
        for index in range(100):
            sink.write(make_result(index, name="n" * 3000))

    threads = [threading.Thread(target=write, args=(sink,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sink in sinks:
        sink.close()
    assert len(lines(path)) == 400


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float32("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((1, [math.nan]), [1, [None]]),
        ("line\nbreak\u2028", "line\nbreak\u2028"),
        ("bad\udcff", "bad\\udcff"),
        ({1: "one"}, {"1": "one"}),
    ],
    ids=repr,
)
def test_json_is_strict(value: object, expected: object) -> None:
    text = strict_json({"value": value})
    assert "\n" not in text
    text.encode()
    assert json.loads(text, parse_constant=refuse) == {"value": expected}


def test_what_json_cannot_say_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError):
        strict_json({"value": object()})


@pytest.mark.parametrize("name", ["missing/run.jsonl", "."])
def test_a_path_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be opened for writing") as caught:
        JsonlSink(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_pipe_without_a_reader_is_told_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="no reader") as caught:
        JsonlSink(pipe)
    assert "\n" not in str(caught.value)


def test_a_pipe_with_a_slow_reader_loses_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    sink = JsonlSink(pipe)
    count = 500

    def write() -> None:
        for index in range(count):
            sink.write(make_result(index, name="n" * 1000))
        sink.close()

    # 500 kB are more than a pipe holds: the writer has to wait for the reader.
    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reader) as file:
        assert [json.loads(line)["index"] for line in file] == list(range(count))
    writer.join()


def test_a_read_only_disk_is_a_device_error(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("only root may mount the read-only disk")
    try:
        with pytest.raises(DeviceError, match="Read-only file system"):
            JsonlSink(folder / "run.jsonl")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_closed_standard_output_is_told_in_one_line() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    script = (
        "import sys\n"
        "from edge_vessel.errors import UsageError\n"
        "from edge_vessel.sinks.jsonl import JsonlSink\n"
        "try:\n    JsonlSink('-')\n"
        "except UsageError as error:\n    sys.stderr.write(str(error))\n"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, script],
        env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == "standard output is closed: name a file instead of -"


def test_a_full_device_is_a_device_error() -> None:
    sink = JsonlSink("/dev/full")
    with pytest.raises(DeviceError, match="No space left on device"):
        sink.write(make_result())
    sink.close()


def test_a_full_disk_takes_the_torn_line_back(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("only root may mount the small disk")
    try:
        sink = JsonlSink(folder / "run.jsonl")
        with pytest.raises(DeviceError, match="No space left on device"):
            for index in range(1000):
                sink.write(make_result(index, name="n" * 500))
        written = lines(folder / "run.jsonl")
        assert [line["index"] for line in written] == list(range(len(written)))
        assert len(written) > 50
        sink.close()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


WRITER = """
import sys
from results import make_result
from edge_vessel.errors import DeviceError
from edge_vessel.sinks.jsonl import JsonlSink
from edge_vessel.vessels import Field, analyse
sink = JsonlSink("-")
sys.stdin.read(1)
try:
    for index in range(2000):
        sink.write(make_result(index))
except DeviceError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
sink.close()
print("still open", flush=True)
"""


def start_writer() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def test_standard_output_gets_every_line_and_stays_open() -> None:
    out, err = start_writer().communicate(b"x", timeout=60)
    assert err == b""
    *frames, last = out.splitlines()
    assert [json.loads(line)["index"] for line in frames] == list(range(2000))
    assert last == b"still open"


def test_a_reader_that_leaves_is_told_in_one_line() -> None:
    with start_writer() as writer:
        assert writer.stdin and writer.stdout and writer.stderr
        writer.stdout.close()
        writer.stdin.write(b"x")
        writer.stdin.close()
        assert writer.stderr.read() == b"standard output: its reader has closed it"
        assert writer.wait(60) == DeviceError.exit_code
