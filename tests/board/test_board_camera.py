"""Our camera code on an ARM board with a USB camera of the kernel's own drivers.

Pixels, texts and exit codes are judged, never the guest's time: emulation is slow.
"""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from board import Board
from numpy.typing import NDArray

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(2400)]

LIMIT_S = 300


def play(board: Board, share: Path, scene: str, modules: str = "-a vhci-hcd uvcvideo") -> dict:
    """Runs one scene of guest_camera.py; everything it told, later facts over earlier ones."""
    command = f"modprobe {modules} && python3 /mnt/ro/tests/board/guest_camera.py {scene}"
    code, output = board.run(command, share, LIMIT_S)
    assert code == 0, output
    facts: dict = {"all": [json.loads(x) for x in output.splitlines() if x.startswith("{")]}
    for fact in facts["all"]:
        facts.update(fact)
    return facts


def nearest(share: Path, name: str) -> tuple[str, float]:
    """The photograph that a saved frame shows, and their largest difference in grey levels."""
    frame = np.load(share / name).astype(int)
    distances = {}
    for path in sorted((share / "images").glob("*.jpg")):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB).astype(int)
        assert frame.shape == image.shape
        distances[path.name] = float(np.abs(frame - image).max())
    best = min(distances, key=lambda key: distances[key])
    return best, distances[best]


def test_capture_and_diagnosis(board: Board, photographs: Path) -> None:
    facts = play(board, photographs, "capture")
    cameras = [fact for fact in facts["all"] if "card" in fact]
    assert len(cameras) == 1
    assert cameras[0]["path"] == "/dev/video0"
    assert cameras[0]["by_id"] == "/dev/v4l/by-id/usb-emulated-video-index0"
    assert cameras[0]["driver"] == "uvcvideo"
    assert "Fundus USB camera" in cameras[0]["card"]
    assert cameras[0]["sizes"] == ["MJPG 996x960"]

    saved = [fact["saved"] for fact in facts["all"] if "saved" in fact]
    shown = [nearest(photographs, name) for name in saved]
    assert len(shown) == 9
    assert max(difference for _, difference in shown) <= 2
    assert {name for name, _ in shown} == {"0.jpg", "1.jpg", "2.jpg"}

    assert f"held by PID {facts['holder']} (python3" in facts["busy"]
    assert "metadata node" in facts["metadata"]
    assert "/dev/video0 (" in facts["metadata"]
    assert "no such device; cameras here: /dev/video0" in facts["missing"]
    assert facts["size"].startswith("UsageError")
    assert "123x45 is not offered; choose 996x960" in facts["size"]
    assert "it offers MJPG" in facts["format"]
    assert "group video" in facts["permission"]


def test_cable_pulled_and_plugged_in_under_another_number(board: Board, photographs: Path) -> None:
    facts = play(board, photographs, "replug")
    assert facts["pulled"].startswith("DeviceError: camera:0 (/dev/video0): the camera is gone")
    assert facts["within_deadline"]
    assert "open it first" in facts["closed"]
    assert "plug it in again" in facts["gone"]
    assert facts["path"] != "/dev/video0"
    assert nearest(photographs, "before.npy")[1] <= 2
    assert nearest(photographs, "after.npy")[1] <= 2


def test_silent_camera_misses_the_deadline(board: Board, photographs: Path) -> None:
    facts = play(board, photographs, "silent")
    assert facts["silent"].startswith("DeviceError: camera:0 (/dev/video0): no frame for 3 s")
    assert facts["still_silent"]
    assert facts["again"]


def test_frozen_camera(board: Board, photographs: Path) -> None:
    (photographs / "still").mkdir()
    shutil.copy(photographs / "images/0.jpg", photographs / "still/0.jpg")
    facts = play(board, photographs, "freeze")
    assert "the same picture for 2 s" in facts["frozen"]
    assert facts["frames_before"] > 0
    assert "the same picture" in facts["still"]
    assert facts["off"]


def test_yuyv_camera(board: Board, photographs: Path) -> None:
    (photographs / "yuyv").mkdir()
    for path in (photographs / "images").glob("*.jpg"):
        image = cv2.resize(cv2.imread(str(path), cv2.IMREAD_COLOR_BGR), (320, 240))
        raw = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_YUY2)
        (photographs / "yuyv" / f"{path.stem}.raw").write_bytes(raw.tobytes())
    facts = play(board, photographs, "yuyv")
    assert facts["mode"] == "YUYV"
    frame = np.load(photographs / "yuyv.npy").astype(float)
    assert frame.shape == (240, 320, 3)
    sources = [
        cv2.resize(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), (320, 240)).astype(float)
        for path in (photographs / "images").glob("*.jpg")
    ]
    # Chroma is halved and rounded: the mean over the picture is what must agree.
    assert min(np.abs(frame - source).mean() for source in sources) < 2.0


def test_pixel_formats_and_faults_of_vivid(board: Board, tmp_path: Path) -> None:
    facts = play(board, tmp_path, "vivid", "vivid n_devs=1 node_types=0x1 multiplanar=1")

    def lower_half(name: str) -> NDArray[np.float64]:
        image = np.load(tmp_path / name)
        assert image.shape == (360, 640, 3)
        return image[180:].astype(float)  # the upper half shows a running counter

    bars = lower_half("vivid-RGB3.npy")
    assert bars.std() > 50
    for fourcc in ("BGR3", "YUYV", "UYVY", "NV12"):
        # The edges of the bars differ by their chroma sampling, the bars do not.
        difference = np.abs(lower_half(f"vivid-{fourcc}.npy") - bars)
        assert np.median(difference) <= 3, fourcc
        assert difference.mean() < 4, fourcc
    # vivid's grey is the luma of Rec. ITU-R BT.709, full range.
    grey = lower_half("vivid-GREY.npy")
    luma = bars @ [0.2126, 0.7152, 0.0722]
    assert np.ptp(grey, axis=2).max() == 0
    assert np.median(np.abs(grey[..., 0] - luma)) <= 2

    assert facts["damaged"] == 1
    assert facts["queue_error"].startswith("DeviceError")
    assert np.load(tmp_path / "vivid-again.npy").shape == (180, 320, 3)
    assert facts["disconnected"].startswith("DeviceError")
