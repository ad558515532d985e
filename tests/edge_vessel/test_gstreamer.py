"""Real gst-launch-1.0 processes with GStreamer's test source."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import artifact_folders
import cv2
import numpy as np
import pytest

from edge_vessel.errors import DeviceError, EdgeVesselError, UsageError
from edge_vessel.sources.gstreamer import GStreamer, to_rgb

needs_gstreamer = pytest.mark.skipif(
    shutil.which("gst-launch-1.0") is None and os.environ.get("CI") != "true",
    reason="apt install gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good",
)

ORANGE = "videotestsrc is-live=true pattern=solid-color foreground-color=0xffb45f32"


@pytest.fixture
def pipeline_of() -> Iterator[Callable[..., GStreamer]]:
    """Makes sources that are closed behind the test, whatever becomes of it."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(closing(GStreamer(*arguments)))


def children(parent: int | None = None) -> set[str]:
    """The gst-launch-1.0 processes that `parent`, or this process, has started and that live."""
    parent = os.getpid() if parent is None else parent
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
        except OSError:
            continue
        if "gst-launch" in name and int(rest.split()[1]) == parent:
            found.add(status.parent.name)
    return found


@needs_gstreamer
@pytest.mark.parametrize("source_format", ["RGB", "I420", "NV12", "YUY2", "Y444"])
def test_colours_and_size(source_format: str, pipeline_of: Callable[..., GStreamer]) -> None:
    caps = f"video/x-raw,format={source_format},width=324,height=243,framerate=30/1"
    source = pipeline_of(f"{ORANGE} ! {caps}")
    source.open()
    for index in range(3):
        frame = source.read(10.0)
        assert frame is not None
        assert frame.index == index
        assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{index:06d}", frame.name)
        assert frame.image.shape == (243, 324, 3)
        assert frame.image.dtype == np.uint8
        # videoconvert's own fast paths are up to four grey levels off.
        assert np.abs(frame.image - np.array([180.0, 95.0, 50.0])).max() <= 6
        assert abs(time.time() - frame.captured_s) < 5
    assert len(children()) == 1
    source.close()
    source.close()
    assert not children()


@needs_gstreamer
def test_a_picture_comes_through_pixel_by_pixel(
    tmp_path: Path, pipeline_of: Callable[..., GStreamer]
) -> None:
    rows, columns = np.indices((48, 64))
    picture = np.stack([rows * 5, columns * 3, 255 - rows * 5], axis=2).astype(np.uint8)
    path = tmp_path / "a b.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    source = pipeline_of(f"filesrc location='{path}' ! pngdec ! imagefreeze is-live=true")
    source.open()
    frame = source.read(10.0)
    source.close()
    assert frame is not None
    np.testing.assert_allclose(frame.image, picture, atol=4)


class CountingCamera:
    """A motion-JPEG camera on loopback, 20 pictures a second; a picture's grey is its number."""

    def __init__(self) -> None:
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, suppress(OSError):
            for number in range(250):
                picture = np.full((720, 1280, 3), number, np.uint8)
                data = cv2.imencode(".jpg", picture)[1].tobytes()
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                connection.sendall(head.encode() + data + b"\r\n")
                self.sent = number + 1
                time.sleep(0.05)


@needs_gstreamer
@pytest.mark.parametrize("grey", [0, 30, 200, 255])
def test_full_range_jpeg_keeps_its_greys(
    tmp_path: Path, grey: int, pipeline_of: Callable[..., GStreamer]
) -> None:
    path = tmp_path / "grey.jpg"
    cv2.imwrite(str(path), np.full((48, 64, 3), grey, np.uint8))
    source = pipeline_of(f"filesrc location={path} ! jpegdec ! imagefreeze is-live=true")
    source.open()
    frame = source.read(10.0)
    source.close()
    assert frame is not None
    np.testing.assert_allclose(frame.image, grey, atol=2)


@needs_gstreamer
def test_late_reader_gets_a_new_picture(pipeline_of: Callable[..., GStreamer]) -> None:
    camera = CountingCamera()
    client = f"tcpclientsrc host=127.0.0.1 port={camera.port} ! multipartdemux boundary=next"
    source = pipeline_of(f"{client} ! image/jpeg ! jpegdec")
    source.open()
    assert source.read(10.0) is not None
    time.sleep(1.5)
    sent_before = camera.sent
    frame = source.read(10.0)
    source.close()
    assert frame is not None
    assert sent_before > 20
    assert np.median(frame.image) >= sent_before - 4


@needs_gstreamer
def test_end_of_the_pipeline_is_the_end_of_the_stream(
    pipeline_of: Callable[..., GStreamer],
) -> None:
    source = pipeline_of(
        "videotestsrc num-buffers=3 is-live=true ! video/x-raw,width=320,height=240"
    )
    source.open()
    frames = 0
    while source.read(10.0) is not None:
        frames += 1
    assert 1 <= frames <= 3
    assert not children()


@needs_gstreamer
@pytest.mark.parametrize(
    ("pipeline", "error", "text"),
    [
        ("", UsageError, "names no pipeline"),
        ("'videotestsrc", UsageError, "check the quotes"),
        ("nosuchsrc ! identity", UsageError, 'no element "nosuchsrc"'),
        ("videotestsrc nosuch=1", UsageError, 'no property "nosuch"'),
        ("videotestsrc ! video/x-raw,width=322", UsageError, "could not link"),
        ("v4l2src device=/dev/nosuch", DeviceError, "Cannot identify device '/dev/nosuch'"),
        ("videotestsrc num-buffers=0", DeviceError, "ended without a picture"),
    ],
)
def test_a_pipeline_that_fails(
    pipeline: str, error: type[EdgeVesselError], text: str, pipeline_of: Callable[..., GStreamer]
) -> None:
    source = pipeline_of(pipeline)
    with pytest.raises(error) as caught:
        source.open()
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not children()


@needs_gstreamer
def test_no_shell_sees_the_pipeline(tmp_path: Path, pipeline_of: Callable[..., GStreamer]) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(UsageError, match="could not be constructed"):
        pipeline_of(f"videotestsrc ! $(touch {trap}); touch {trap}").open()
    assert not trap.exists()


@needs_gstreamer
def test_silent_pipeline_is_killed_at_the_deadline(pipeline_of: Callable[..., GStreamer]) -> None:
    hung = pipeline_of("appsrc ! video/x-raw,format=RGB,width=320,height=240,framerate=1/1", 1.0)
    began_s = time.monotonic()
    with pytest.raises(DeviceError, match="no frame for 1 s"):
        hung.open()
    assert time.monotonic() - began_s < 4
    assert not children()


def wait_until(true: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.02)


HANGING = "appsrc ! video/x-raw,format=RGB,width=320,height=240,framerate=1/1"
FEW = f"{ORANGE} ! video/x-raw,width=320,height=240,framerate=1/10"


@needs_gstreamer
@pytest.mark.parametrize("pipeline", [ORANGE, HANGING, FEW])
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_ends_leaves_no_pipeline(
    tmp_path: Path, pipeline: str, blow: signal.Signals
) -> None:
    artifact = artifact_folders.write(tmp_path / "artifact")
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "edge_vessel.run", "--allow-unsigned"),
            *("--model", str(artifact), "--input", f"gst:{pipeline}"),
        ],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: children(run.pid) or run.poll() is not None)
        (child,) = children(run.pid)
        run.send_signal(blow)
        run.wait(20)
        wait_until(lambda: not alive(child), 2.0)
    finally:
        run.kill()
        run.wait()


def alive(pid: str) -> bool:
    try:
        return "gst-launch" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return False


@needs_gstreamer
def test_a_pipeline_outlives_the_thread_that_opened_it(
    pipeline_of: Callable[..., GStreamer],
) -> None:
    source = pipeline_of(f"{ORANGE} ! video/x-raw,width=320,height=240,framerate=30/1")
    opener = threading.Thread(target=source.open)
    opener.start()
    opener.join()
    for _ in range(10):
        assert source.read(10.0) is not None


@needs_gstreamer
@pytest.mark.parametrize("call", ["open", "read"])
def test_close_by_another_thread_ends_a_call_at_once(
    call: str, pipeline_of: Callable[..., GStreamer]
) -> None:
    source = pipeline_of(HANGING if call == "open" else FEW, 30.0)
    faults: list[DeviceError] = []

    def use() -> None:
        try:
            source.open()
            while source.read(30.0) is not None:
                pass
        except DeviceError as error:
            faults.append(error)

    user = threading.Thread(target=use)
    user.start()
    wait_until(children)
    time.sleep(0.5)  # into the wait for what does not come
    began_s = time.monotonic()
    source.close()
    user.join(5.0)
    assert time.monotonic() - began_s < 3
    assert not user.is_alive()
    assert "the pipeline was closed" in str(faults[0])
    assert not children()


@needs_gstreamer
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_lost_pipeline_and_reopening(
    blow: signal.Signals, pipeline_of: Callable[..., GStreamer]
) -> None:
    source = pipeline_of(f"{ORANGE} ! video/x-raw,width=320,height=240,framerate=30/1")
    source.open()
    assert source.read(10.0) is not None
    os.kill(int(children().pop()), blow)
    began_s = time.monotonic()
    with pytest.raises(DeviceError):
        for _ in range(100):
            assert source.read(1.0) is not None
    assert time.monotonic() - began_s < 6
    assert not children()
    with pytest.raises(DeviceError, match="open it first"):
        source.read(1.0)
    source.open()
    assert source.read(10.0) is not None
    source.close()


@needs_gstreamer
def test_passwords_are_not_shown() -> None:
    url = "rtsp://me:secret@127.0.0.1:1/eye"
    source = GStreamer(f"rtspsrc location={url} user-id=me user-pw=secret ! decodebin")
    assert source.uri.startswith("gst:rtspsrc location=rtsp://me:***@127.0.0.1:1/eye ")
    with pytest.raises(EdgeVesselError) as caught:
        source.open()
    assert "secret" not in source.uri + str(caught.value)


def test_gst_launch_is_missing(
    monkeypatch: pytest.MonkeyPatch, pipeline_of: Callable[..., GStreamer]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"sudo apt install gstreamer1.0-tools"):
        pipeline_of("videotestsrc").open()


@pytest.mark.parametrize(
    ("ycc", "rgb"),
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (255, 255, 255)),
        ((81, 90, 240), (255, 0, 0)),  # 100 % bars in BT.601
        ((145, 54, 34), (0, 255, 0)),
        ((41, 240, 110), (0, 0, 255)),
    ],
)
def test_bt601(ycc: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    planes = np.array(ycc, np.uint8).reshape(3, 1, 1)
    np.testing.assert_allclose(to_rgb(planes)[0, 0], rgb, atol=2)
