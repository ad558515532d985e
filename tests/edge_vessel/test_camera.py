"""What camera capture can show without a camera; tests/board has the rest."""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from needs import unavailable

from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError
from edge_vessel.sources import v4l2
from edge_vessel.sources.camera import Camera, FreezeDetector
from edge_vessel.sources.camera_list import CameraInfo, explain, list_cameras
from edge_vessel.sources.camera_mode import Mode, PixelFormat, SizeRange, choose_mode
from edge_vessel.sources.pixel_formats import decode
from edge_vessel.sources.v4l2_stream import newest

STRUCTURES: dict[str, tuple[type[ctypes.Structure], int]] = {
    "v4l2_capability": (v4l2.Capability, 104),
    "v4l2_fmtdesc": (v4l2.FormatDescription, 64),
    "v4l2_frmsizeenum": (v4l2.FrameSize, 44),
    "v4l2_format": (v4l2.Format, 208),
    "v4l2_streamparm": (v4l2.StreamParameters, 204),
    "v4l2_requestbuffers": (v4l2.RequestBuffers, 20),
    "v4l2_buffer": (v4l2.Buffer, 88),
}
REQUESTS = {
    "VIDIOC_QUERYCAP": 0x80685600,
    "VIDIOC_ENUM_FMT": 0xC0405602,
    "VIDIOC_G_FMT": 0xC0D05604,
    "VIDIOC_S_FMT": 0xC0D05605,
    "VIDIOC_REQBUFS": 0xC0145608,
    "VIDIOC_QUERYBUF": 0xC0585609,
    "VIDIOC_QBUF": 0xC058560F,
    "VIDIOC_DQBUF": 0xC0585611,
    "VIDIOC_STREAMON": 0x40045612,
    "VIDIOC_STREAMOFF": 0x40045613,
    "VIDIOC_G_PARM": 0xC0CC5615,
    "VIDIOC_S_PARM": 0xC0CC5616,
    "VIDIOC_ENUM_FRAMESIZES": 0xC02C564A,
}
MEMBERS = {
    "v4l2_capability": ["driver", "card", "bus_info", "capabilities", "device_caps"],
    "v4l2_fmtdesc": ["index", "type", "description", "pixelformat"],
    "v4l2_requestbuffers": ["count", "type", "memory", "capabilities"],
    "v4l2_buffer": ["index", "type", "bytesused", "flags", "sequence", "memory", "m", "length"],
    "v4l2_format": ["type", "fmt"],
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_sizes_of_structures(name: str) -> None:
    structure, size = STRUCTURES[name]
    assert ctypes.sizeof(structure) == size


@pytest.mark.parametrize("name", REQUESTS)
def test_ioctl_numbers(name: str) -> None:
    assert getattr(v4l2, name) == REQUESTS[name]


@pytest.mark.parametrize("compiler", ["gcc", "aarch64-linux-gnu-gcc"])
def test_layout_is_the_kernel_headers(tmp_path: Path, compiler: str) -> None:
    """The C compiler holds every size, offset, number and constant against linux/videodev2.h."""
    if shutil.which(compiler) is None:
        unavailable(f"{compiler} is not installed")
    claims = [f"sizeof(struct {n}) == {size}" for n, (_, size) in STRUCTURES.items()]
    claims += [f"{name} == {value:#x}u" for name, value in REQUESTS.items()]
    for name, members in MEMBERS.items():
        structure = STRUCTURES[name][0]
        for member in members:
            offset = getattr(structure, member).offset
            claims.append(f"offsetof(struct {name}, {member}) == {offset}")
    for name, _ in v4l2.PixelFormat._fields_[:9]:
        offset = 8 + getattr(v4l2.PixelFormat, name).offset
        claims.append(f"offsetof(struct v4l2_format, fmt.pix.{name}) == {offset}")
    claims += [
        f"offsetof(struct v4l2_buffer, timestamp) == {v4l2.Buffer.tv_sec.offset}",
        f"offsetof(struct v4l2_frmsizeenum, discrete.height) == {v4l2.FrameSize.max_width.offset}",
        "offsetof(struct v4l2_frmsizeenum, stepwise.step_height) == "
        f"{v4l2.FrameSize.step_height.offset}",
        "offsetof(struct v4l2_streamparm, parm.capture.timeperframe) == "
        f"{v4l2.StreamParameters.numerator.offset}",
        f"V4L2_CAP_DEVICE_CAPS == {v4l2.CAP_DEVICE_CAPS:#x}",
        f"V4L2_CAP_META_CAPTURE == {v4l2.CAP_META_CAPTURE:#x}",
        f"V4L2_CAP_VIDEO_M2M == {v4l2.CAP_VIDEO_M2M:#x}",
        f"V4L2_CAP_VIDEO_M2M_MPLANE == {v4l2.CAP_VIDEO_M2M_MPLANE:#x}",
        f"V4L2_CAP_VIDEO_CAPTURE_MPLANE == {v4l2.CAP_VIDEO_CAPTURE_MPLANE:#x}",
        f"V4L2_CAP_STREAMING == {v4l2.CAP_STREAMING:#x}",
        f"V4L2_BUF_FLAG_ERROR == {v4l2.BUF_FLAG_ERROR:#x}",
        f"V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC == {v4l2.BUF_FLAG_TIMESTAMP_MONOTONIC:#x}",
        f"V4L2_BUF_FLAG_TIMESTAMP_MASK == {v4l2.BUF_FLAG_TIMESTAMP_MASK:#x}",
        f"V4L2_PIX_FMT_NV12 == {v4l2.fourcc_code('NV12'):#x}",
        f"V4L2_PIX_FMT_Y10 == {v4l2.fourcc_code('Y10'):#x}",
    ]
    source = tmp_path / "layout.c"
    asserts = "\n".join(f'_Static_assert({claim}, "");' for claim in claims)
    source.write_text(f"#include <stddef.h>\n#include <linux/videodev2.h>\n{asserts}\n")
    include = ["-isystem", "/usr/include"] if compiler != "gcc" else []
    done = subprocess.run(
        [compiler, "-fsyntax-only", *include, str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["MJPG", "YUYV", "GREY", "Y10"])
def test_fourcc_round_trip(text: str) -> None:
    assert v4l2.fourcc_text(v4l2.fourcc_code(text)) == text


@pytest.fixture
def picture() -> np.ndarray:
    """(48, 64, 3) uint8 RGB with smooth colours, as chroma is halved."""
    rows, columns = np.indices((48, 64))
    return np.stack([40 + rows * 3, 60 + columns * 2, 200 - rows * 3], axis=2).astype(np.uint8)


def packed(picture: np.ndarray, fourcc: str) -> np.ndarray:
    """The picture in a raw format as rows of bytes, by BT.601 (limited range)."""
    red, green, blue = picture.astype(float).transpose(2, 0, 1)
    luma = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    chroma_blue = (128 - 0.148 * red - 0.291 * green + 0.439 * blue)[:, ::2]
    chroma_red = (128 + 0.439 * red - 0.368 * green - 0.071 * blue)[:, ::2]
    height, width = luma.shape
    out = np.zeros((height, width, 2))
    first = 0 if fourcc == "YUYV" else 1
    out[..., first] = luma
    out[:, ::2, 1 - first], out[:, 1::2, 1 - first] = chroma_blue, chroma_red
    match fourcc:
        case "YUYV" | "UYVY":
            rows = out.reshape(height, -1)
        case "NV12":
            chroma = np.stack([chroma_blue[::2], chroma_red[::2]], axis=2).reshape(height // 2, -1)
            rows = np.vstack([luma, chroma])
        case "RGB3":
            rows = picture.reshape(height, -1)
        case "BGR3":
            rows = picture[..., ::-1].reshape(height, -1)
        case _:
            rows = picture.mean(axis=2)
    return (rows + 0.5).astype(np.uint8)


@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("fourcc", ["YUYV", "UYVY", "NV12", "RGB3", "BGR3", "GREY"])
def test_decode_raw_formats(picture: np.ndarray, fourcc: str, padding: int) -> None:
    rows = packed(picture, fourcc)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    image = decode(fourcc, padded.tobytes(), (64, 48), padded.shape[1])
    assert image is not None
    assert image.dtype == np.uint8
    expected = picture.astype(float)
    if fourcc == "GREY":
        expected = np.repeat(expected.mean(axis=2, keepdims=True), 3, axis=2)
    assert np.abs(image - expected).max() <= (1 if fourcc in ("RGB3", "BGR3", "GREY") else 7)
    assert decode(fourcc, padded.tobytes()[:-1], (64, 48), padded.shape[1]) is None


def test_decode_jpeg(picture: np.ndarray) -> None:
    payload = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    for whole in (payload, payload + bytes(100)):  # some cameras pad
        image = decode("MJPG", whole, (1, 1), 0)
        assert image is not None
        assert np.abs(image.astype(int) - picture).max() <= 12
    for damaged in (
        b"",
        payload[:-2],
        payload[: len(payload) // 2],
        payload[2:],
        b"\xff\xd8\xff\xd9",
    ):
        assert decode("MJPG", damaged, (64, 48), 0) is None


def buffer(index: int, flags: int = 0, bytesused: int = 100) -> v4l2.Buffer:
    return v4l2.Buffer(index=index, flags=flags, bytesused=bytesused)


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        ([], None),
        ([buffer(2)], 2),
        ([buffer(3), buffer(0), buffer(1)], 1),
        ([buffer(0), buffer(1, v4l2.BUF_FLAG_ERROR)], 0),
        ([buffer(0), buffer(1, bytesused=0)], 0),
        ([buffer(0, v4l2.BUF_FLAG_ERROR)], None),
    ],
)
def test_newest_whole_buffer(ready: list[v4l2.Buffer], expected: int | None) -> None:
    chosen = newest(ready)
    assert (None if chosen is None else chosen.index) == expected


HD, VGA, ODD = (1920, 1080), (640, 480), (123, 45)
MJPG = PixelFormat("MJPG", "Motion-JPEG", (VGA, HD))
YUYV = PixelFormat("YUYV", "YUYV 4:2:2", (VGA, HD))
SMALL_YUYV = PixelFormat("YUYV", "YUYV 4:2:2", (VGA,))
GREY = PixelFormat("GREY", "8-bit Greyscale", (), SizeRange((32, 32), HD, (2, 2)))
BAYER = PixelFormat("pBAA", "10-bit Bayer", (HD,))


@pytest.mark.parametrize(
    ("formats", "size", "pixel_format", "expected"),
    [
        ([YUYV, MJPG], None, None, Mode("MJPG", HD)),
        ([SMALL_YUYV, MJPG], VGA, None, Mode("YUYV", VGA)),
        ([MJPG, SMALL_YUYV], None, None, Mode("MJPG", HD)),
        ([SMALL_YUYV], None, None, Mode("YUYV", VGA)),
        ([BAYER, GREY], None, None, Mode("GREY", HD)),
        ([GREY], (100, 50), None, Mode("GREY", (100, 50))),
        ([YUYV, MJPG], None, "YUYV", Mode("YUYV", HD)),
        ([YUYV, MJPG], ODD, None, "123x45 is not offered; choose 1920x1080, 640x480"),
        ([GREY], ODD, None, "choose 32x32 to 1920x1080"),
        ([BAYER], None, None, "it offers pBAA"),
        ([MJPG], None, "NV12", "pixel format NV12 is not offered"),
        ([], None, None, "it offers nothing"),
    ],
)
def test_choice_of_mode(
    formats: list[PixelFormat],
    size: tuple[int, int] | None,
    pixel_format: str | None,
    expected: Mode | str,
) -> None:
    if isinstance(expected, Mode):
        assert choose_mode(formats, size, pixel_format) == expected
    else:
        with pytest.raises(UsageError, match=re.escape(expected)):
            choose_mode(formats, size, pixel_format)


def test_freeze_detector() -> None:
    freeze = FreezeDetector(5.0)
    assert not freeze.frozen(b"a", 100.0)
    assert not freeze.frozen(b"a", 105.0)
    assert freeze.frozen(b"a", 105.1)
    freeze.restart()
    assert freeze.frozen(b"a", 200.0), "reopening does not thaw a camera"
    assert not freeze.frozen(b"b", 201.0)
    freeze.restart()
    assert not freeze.frozen(b"b", 300.0), "the pause of a loss is no freeze"
    assert not FreezeDetector(0).frozen(b"", 1e9)
    off = FreezeDetector(0)
    assert not any(off.frozen(b"a", now_s) for now_s in (0.0, 10.0, 1e6))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"path": "/dev/video3"}, True),
        ({"bus": "usb-2"}, True),
        ({"model": "1d6b:0102:0002:00:0"}, False),
        ({"card": "Another"}, False),
        ({"model": "", "bus": "usb-2"}, False),
    ],
)
def test_same_camera_again(other: dict[str, str], same: bool) -> None:
    facts = {"path": "/dev/video0", "by_id": None, "card": "Eye", "driver": "uvcvideo"}
    facts |= {"bus": "usb-1", "model": "1d6b:0102:0001:00:0"}
    mine = CameraInfo(**facts, formats=())  # type: ignore[arg-type]
    assert mine.same_camera(CameraInfo(**(facts | other), formats=())) == same  # type: ignore[arg-type]


def test_no_camera_behind_the_name(tmp_path: Path) -> None:
    plain = tmp_path / "plain (1)"
    plain.touch()
    cases: list[tuple[str, type[EdgeVesselError], str]] = [
        ("/dev/null", UsageError, "/dev/null: not a camera"),
        (str(plain), UsageError, f"{plain}: not a camera"),
        (str(tmp_path), UsageError, "not a camera"),
        (str(tmp_path / "none"), UsageError, "no such file"),
        (str(plain / "below"), UsageError, "no such file"),
        ("/dev/video987", DeviceError, "/dev/video987: no such device; cameras here:"),
        ("987", DeviceError, "/dev/video987: no such device; cameras here:"),
        ("/dev/v4l/by-id/none", DeviceError, "/dev/v4l/by-id/none: no such device"),
    ]
    for device, error, text in cases:
        camera = Camera(device)
        with pytest.raises(error) as caught:
            camera.open()
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(DeviceError, match="open it first"):
            camera.read(0.1)
        camera.close()


@pytest.fixture
def fake_node(tmp_path: Path) -> Iterator[Path]:
    """A character device with a camera's number and no driver behind it."""
    if os.geteuid() != 0:
        unavailable("making a device node needs root")
    node = tmp_path / "video"
    try:
        os.mknod(node, 0o020600, os.makedev(v4l2.VIDEO_MAJOR, 250))
    except PermissionError:
        unavailable("this container may not make device nodes")
    yield node


def test_permission_denied(fake_node: Path) -> None:
    for folder in (fake_node.parent, fake_node.parent.parent, fake_node.parent.parent.parent):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(DeviceError, match="permission denied; add the user to group video"):
            Camera(str(fake_node)).open()
    finally:
        os.seteuid(0)


def test_errno_of_a_busy_camera_names_the_next_step() -> None:
    error = explain("camera:0 (/dev/video0)", "/dev/video0", OSError(16, "busy"))
    assert isinstance(error, DeviceError)
    assert str(error) == "camera:0 (/dev/video0): busy; find who holds it: fuser -v /dev/video0"


def test_list_holds_only_nodes_that_exist() -> None:
    assert all(Path(info.path).exists() for info in list_cameras())
