"""A camera's RTSP stream: its address, and a real server on loopback, lost and found."""

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from needs import unavailable

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sources.rtsp import redact
from edge_vessel.sources.video import Rtsp

SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.5/eye", "rtsp://10.0.0.5/eye"),
        ("rtsp://me:secret@10.0.0.5:554/eye", "rtsp://me:***@10.0.0.5:554/eye"),
        ("rtsp://me:s/e@c@host/eye", "rtsp://me:***@host/eye"),
        ("rtsp://host/live?user=me&password=secret", "rtsp://host/live?user=me&password=***"),
        ("rtsp://host/user=me_password=secret_ch=1", "rtsp://host/user=me_password=***"),
        ("rtsp://host:554/a@b", "rtsp://host:554/a@b"),
        ("rtsp://host?token=secret", "rtsp://host?token=***"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert redact(url) == shown
    assert Rtsp(url).uri == shown
    assert "secret" not in Rtsp(url).uri


@pytest.mark.parametrize("url", ["rtsp:///eye", "rtsp://host:port/eye", "rtsp://"])
def test_rtsp_url_without_a_host(url: str) -> None:
    with pytest.raises(UsageError, match="write rtsp://HOST:PORT/PATH"):
        Rtsp(url).open()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(port: int, *credentials: str) -> subprocess.Popen[bytes]:
    server = Path(__file__).with_name("rtsp_server.py")
    process = subprocess.Popen(
        [SYSTEM_PYTHON, str(server), str(port), *credentials], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        process.kill()
        unavailable("apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good")
    return process


@pytest.fixture
def rtsp() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    if shutil.which(SYSTEM_PYTHON) is None:
        unavailable("no system Python")
    port = free_port()
    process = serve(port)
    yield port, process
    process.kill()
    process.wait()


def test_rtsp_lost_and_found(rtsp: tuple[int, subprocess.Popen[bytes]]) -> None:
    port, server = rtsp
    stream = Rtsp(f"rtsp://127.0.0.1:{port}/eye")
    stream.open()
    for index in range(5):
        frame = stream.read(5.0)
        assert frame.index == index
        assert frame.image.shape == (240, 320, 3)
        np.testing.assert_allclose(frame.image.mean(axis=(0, 1)), [180, 95, 50], atol=6)
        assert abs(time.time() - frame.captured_s) < 5
    server.kill()
    server.wait()
    began_s = time.monotonic()
    with pytest.raises(DeviceError, match=f"rtsp://127.0.0.1:{port}/eye: "):
        for _ in range(200):
            stream.read(3.0)
    assert time.monotonic() - began_s < 6
    with pytest.raises(DeviceError, match="open it first"):
        stream.read(1.0)
    with pytest.raises(DeviceError, match="refused"):
        stream.open()
    again = serve(port)
    try:
        stream.open()
        assert stream.read(5.0).index == 5
    finally:
        stream.close()
        again.kill()
        again.wait()


def test_rtsp_silent_server_misses_the_deadline(
    rtsp: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, server = rtsp
    stream = Rtsp(f"rtsp://127.0.0.1:{port}/eye")
    stream.open()
    stream.read(5.0)
    server.send_signal(signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        with pytest.raises(DeviceError, match="no frame for 1 s"):
            for _ in range(200):
                stream.read(1.0)
        assert time.monotonic() - began_s < 4
    finally:
        server.send_signal(signal.SIGCONT)


def abandonable_threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("abandonable-")}


def test_rtsp_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = Rtsp(f"rtsp://me:secret@127.0.0.1:{listener.getsockname()[1]}/eye", 2.0)
        before = abandonable_threads()
        began_s = time.monotonic()
        with pytest.raises(DeviceError, match="no answer within 2 s") as caught:
            stream.open()
        assert time.monotonic() - began_s < 3
        for thread in abandonable_threads() - before:  # FFmpeg gives up about then
            thread.join(1.0)
        assert abandonable_threads() <= before
        assert "secret" not in str(caught.value)


def test_rtsp_password_and_path(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    server = serve(port, "me", "secret")
    try:
        good = Rtsp(f"rtsp://me:secret@127.0.0.1:{port}/eye")
        good.open()
        assert good.read(5.0).image.shape == (240, 320, 3)
        good.close()
        for url in (f"rtsp://me:wrong!@127.0.0.1:{port}/eye", f"rtsp://127.0.0.1:{port}/other"):
            with pytest.raises(DeviceError, match="refuses the stream") as caught:
                Rtsp(url).open()
            assert "wrong!" not in str(caught.value)
        told = capfd.readouterr()
        assert "secret" not in told.err + told.out
        assert "wrong!" not in told.err + told.out
    finally:
        server.kill()
        server.wait()
