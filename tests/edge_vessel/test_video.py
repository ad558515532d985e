"""Video files that OpenCV wrote, whole and damaged."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_vessel.errors import UsageError
from edge_vessel.sources.container import missing_bytes, shown_share
from edge_vessel.sources.video import VideoFile

FRAMES = 30
SIZE = (320, 240)


def grey_level(index: int) -> int:
    return 30 + 6 * index


def write_video(path: Path, codec: str) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, SIZE)
    assert writer.isOpened()
    noise = np.random.default_rng(0).integers(0, 20, (SIZE[1], SIZE[0], 3), np.uint8)
    for index in range(FRAMES):
        picture = np.full((SIZE[1], SIZE[0], 3), grey_level(index), np.uint8)
        picture[:, :, 0] = 10  # blue
        writer.write(picture + noise)
    writer.release()
    return path


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "FFV1")])
def test_every_frame_in_order(tmp_path: Path, suffix: str, codec: str) -> None:
    video = VideoFile(str(write_video(tmp_path / f"eye.{suffix}", codec)))
    for _ in range(2):  # open begins anew
        video.open()
        frames = list(iter(lambda: video.read(1.0), None))
        assert [f.index for f in frames] == list(range(FRAMES))
        assert frames[7].name == "eye-000007"
        for frame in frames:
            assert frame.image.shape == (SIZE[1], SIZE[0], 3)
            assert frame.image.dtype == np.uint8
            red, green, blue = frame.image.reshape(-1, 3).mean(axis=0) - 9.5
            assert abs(red - grey_level(frame.index)) < 5
            assert abs(green - grey_level(frame.index)) < 5
            assert abs(blue - 10) < 9
    video.close()
    video.close()
    assert video.read(1.0) is None


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_truncated_avi_gives_its_frames_then_says_so(tmp_path: Path, keep: float) -> None:
    path = write_video(tmp_path / "eye.avi", "MJPG")
    os.truncate(path, int(path.stat().st_size * keep))
    video = VideoFile(str(path))
    video.open()
    count = 0
    with pytest.raises(UsageError, match=r"eye.avi: truncated: \d+ bytes are missing") as caught:
        while video.read(1.0) is not None:
            count += 1
    assert 0 < count < FRAMES
    assert f"{count} frames" in str(caught.value)
    assert video.read(1.0) is None


def test_truncated_mp4_with_its_index_in_front(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "eye.mp4", "mp4v").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(index_first(whole)[: -len(whole) // 3])
    video = VideoFile(str(path))
    video.open()
    count = 0
    with pytest.raises(UsageError, match="truncated"):
        while video.read(1.0) is not None:
            count += 1
    assert 0 < count < FRAMES


def index_first(whole: bytes) -> bytes:
    """An MP4 with its moov box before mdat, as cameras that stream write it."""
    boxes, position = {}, 0
    while position < len(whole):
        length = int.from_bytes(whole[position : position + 4], "big")
        boxes[whole[position + 4 : position + 8]] = (position, whole[position : position + length])
        position += length
    moov = bytearray(boxes[b"moov"][1])
    moved = boxes[b"ftyp"][1] + moov + boxes[b"mdat"][1]
    shift = moved.find(boxes[b"mdat"][1]) - boxes[b"mdat"][0]
    table = moov.find(b"stco")
    for entry in range(int.from_bytes(moov[table + 8 : table + 12], "big")):
        at = table + 12 + 4 * entry
        offset = int.from_bytes(moov[at : at + 4], "big") + shift
        moov[at : at + 4] = offset.to_bytes(4, "big")
    return boxes[b"ftyp"][1] + bytes(moov) + boxes[b"mdat"][1]


def test_unreadable_files(tmp_path: Path) -> None:
    cut = write_video(tmp_path / "cut.mp4", "mp4v")
    os.truncate(cut, cut.stat().st_size // 2)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.avi").write_text("no video")
    (tmp_path / "folder.mp4").mkdir()
    expected = {
        "missing.mp4": "no such video file",
        "folder.mp4": "no such video file",
        "empty.mp4": "empty file",
        "text.avi": "no video that can be decoded",
        "cut.mp4": "truncated",
    }
    for name, text in expected.items():
        with pytest.raises(UsageError, match=text):
            VideoFile(str(tmp_path / name)).open()


def overwritten(content: bytes) -> bytes:
    at, noise = len(content) * 4 // 10, np.random.default_rng(0)
    return content[:at] + noise.bytes(20_000) + content[at + 20_000 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


@pytest.mark.parametrize(
    ("suffix", "codec", "damage"),
    [
        ("mkv", "FFV1", cut),
        ("mkv", "mp4v", cut),
        ("mkv", "mp4v", overwritten),
        ("mkv", "MJPG", overwritten),
        ("mp4", "mp4v", overwritten),
        ("avi", "MJPG", overwritten),
        ("avi", "XVID", overwritten),
    ],
)
def test_fewer_frames_than_declared_are_told_once(
    tmp_path: Path, suffix: str, codec: str, damage: Callable[[bytes], bytes]
) -> None:
    path = write_video(tmp_path / f"eye.{suffix}", codec)
    path.write_bytes(damage(path.read_bytes()))
    video = VideoFile(str(path))
    video.open()
    count = 0
    with pytest.raises(UsageError, match=r"eye.*: ends after \d+ of 30 frames") as caught:
        while video.read(1.0) is not None:
            count += 1
    assert f"after {count} of" in str(caught.value)
    assert 0 < count < FRAMES - 1
    assert video.read(1.0) is None


@pytest.mark.skipif(
    shutil.which("gst-launch-1.0") is None and os.environ.get("CI") != "true",
    reason="apt install gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good",
)
def test_a_varying_rate_is_no_damage(tmp_path: Path) -> None:
    """Matroska holds no count: FFmpeg takes it for duration times rate."""
    path = tmp_path / "eye.mkv"
    pipeline = (
        "videotestsrc num-buffers=120 ! video/x-raw,width=320,height=240,framerate=30/1 "
        f"! identity drop-probability=0.5 ! jpegenc ! matroskamux ! filesink location={path}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)
    video = VideoFile(str(path))
    video.open()
    assert 30 < len(list(iter(lambda: video.read(1.0), None))) < 90


@pytest.mark.parametrize(("shown_ms", "frames"), [(3000, 30), (1500, 15), (500, 5)])
def test_a_clip_trimmed_by_its_edit_list_is_whole(
    tmp_path: Path, shown_ms: int, frames: int
) -> None:
    path = write_video(tmp_path / "eye.mp4", "mp4v")
    content = bytearray(path.read_bytes())
    at = content.find(b"elst") + 12
    assert content[at : at + 4] == (3000).to_bytes(4, "big")
    content[at : at + 4] = shown_ms.to_bytes(4, "big")
    path.write_bytes(content)
    video = VideoFile(str(path))
    video.open()
    assert len(list(iter(lambda: video.read(1.0), None))) == frames
    path.write_bytes(overwritten(bytes(content)))
    assert shown_share(path) == pytest.approx(shown_ms / 3000)


@pytest.mark.parametrize("name", ["fifo.mp4", "fifo.avi", "zero.mp4"])
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path, name: str) -> None:
    if name == "zero.mp4":
        (tmp_path / name).symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match=f"{name}: is not a regular file"):
        VideoFile(str(tmp_path / name)).open()
    with pytest.raises(OSError, match="regular"):
        missing_bytes(tmp_path / name)


def test_ffmpeg_adds_no_lines_of_its_own(tmp_path: Path) -> None:
    """In a process of its own, as FFmpeg takes its level once."""
    cut = write_video(tmp_path / "cut.mp4", "mp4v")
    os.truncate(cut, cut.stat().st_size // 2)
    code = (
        "import sys\n"
        "from edge_vessel.errors import UsageError\n"
        "from edge_vessel.sources.video import VideoFile\n"
        "try: VideoFile(sys.argv[1]).open()\n"
        "except UsageError as error: sys.exit(f'one line: {error}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(cut)], capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("one line: ")
    assert len(done.stderr.splitlines()) == 1
