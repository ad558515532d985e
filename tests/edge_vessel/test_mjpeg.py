"""The preview as its viewers see it: frames, slow viewers, limits, its end."""

import contextlib
import http.client
import json
import re
import socket
import time
from statistics import median
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from needs import unavailable
from preview_viewers import Viewer, get, serving, until, viewers
from results import make_result

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks import preview_server
from edge_vessel.sinks.base import CameraEvent, Unreadable
from edge_vessel.sinks.mjpeg import MAX_VIEWERS, MjpegSink, parse_address
from edge_vessel.sinks.preview_server import MAX_CONNECTIONS


def test_the_stream_shows_each_new_frame_with_its_vessels(sink: MjpegSink) -> None:
    viewer = Viewer(sink)
    assert viewer.status == 200
    assert viewer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
    for background in ((160, 60, 20), (20, 60, 160), (90, 90, 90)):
        sink.write(make_result(height=240, width=320, background=background))
        picture = viewer.frame()
        corner = picture[20, 20].astype(int)
        assert abs(corner - background).max() < 20
        red, green, blue = picture[117, 160].astype(int)
        assert min(green, blue) > red + 100, "a vessel's edge is cyan"
    viewer.close()


def test_the_page_needs_nothing_from_elsewhere(sink: MjpegSink) -> None:
    status, headers, content = get(sink, "/")
    page = content.decode()
    assert status == 200
    assert 'src="stream"' in page
    assert not re.search(r"https?://|//[a-z]", page.replace("// ", ""))
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', page))
    policy = headers["content-security-policy"]
    assert f"script-src 'nonce-{nonce}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert nonce not in get(sink, "/")[2].decode(), "a nonce is used once"


def test_the_status_follows_the_run(sink: MjpegSink) -> None:
    empty = json.loads(get(sink, "/status")[2])
    assert (empty["frame"], empty["camera"], empty["frames"]) == (None, None, 0)
    for index in range(4):
        sink.write(make_result(index))
    sink.event(CameraEvent("lost", "unplugged", 0.0))
    status = json.loads(get(sink, "/status")[2])
    assert status["frames"] == 4
    assert status["rate_hz"] == 2.0
    assert status["frame"]["index"] == 3
    assert status["camera"]["reason"] == "unplugged"


def test_a_slow_viewer_slows_nobody(sink: MjpegSink) -> None:
    slow, fast = Viewer(sink, receive_buffer=4096), Viewer(sink)
    noise = np.random.default_rng(0).integers(0, 256, (960, 1280, 3), np.uint8)
    result = make_result(height=960, width=1280)
    result.frame.image[:] = noise
    spent_s = []
    for _ in range(8):
        started = time.monotonic()
        sink.write(result)
        spent_s.append(time.monotonic() - started)
        fast.frame()
    assert median(spent_s) < 0.05, "a busy machine takes one of them longer"
    slow.close()
    fast.close()


def test_a_viewer_who_paused_goes_on_near_the_newest_frame(sink: MjpegSink) -> None:
    viewer = Viewer(sink)
    noise = np.random.default_rng(0).integers(0, 256, (240, 480, 3), np.uint8)
    newest = 40
    for index in range(newest + 1):
        result = make_result(index, height=480, width=480, background=(index * 6,) * 3)
        result.frame.image[240:] = noise
        sink.write(result)
        time.sleep(0.03)
    for _ in range(8):
        if abs(int(viewer.frame()[10, 10, 0]) - newest * 6) < 3:
            break
    else:
        pytest.fail("eight frames later it still sees the past")
    viewer.close()


def test_nothing_is_compressed_while_nobody_watches(
    sink: MjpegSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed = []
    encode = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *a: compressed.append(1) or encode(*a))
    for index in range(20):
        sink.write(make_result(index))
    assert get(sink, "/status")[0] == 200
    assert not compressed
    first, second = Viewer(sink), Viewer(sink)
    first.frame()
    second.frame()
    assert len(compressed) == 1, "viewers share one JPEG"
    first.close()
    second.close()


def test_a_viewer_too_many_is_turned_away_and_a_place_comes_free(sink: MjpegSink) -> None:
    watching = [Viewer(sink) for _ in range(MAX_VIEWERS)]
    assert [viewer.status for viewer in watching] == [200] * MAX_VIEWERS
    assert get(sink, "/stream")[0] == 503
    watching.pop().close()
    until(lambda: viewers(sink) < MAX_VIEWERS)
    late = Viewer(sink)
    assert late.status == 200
    for viewer in (late, *watching):
        viewer.close()


def test_idle_connections_are_bounded(sink: MjpegSink) -> None:
    idle = [
        socket.create_connection(("127.0.0.1", sink.port), timeout=10)
        for _ in range(MAX_CONNECTIONS)
    ]
    with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as extra:
        assert extra.recv(1) == b""
    assert len(serving()) <= MAX_CONNECTIONS
    for client in idle:
        client.close()
    until(lambda: _answers(sink))


def _answers(sink: MjpegSink) -> bool:
    try:
        return get(sink, "/status")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_it_closes_within_a_second_with_viewers_connected() -> None:
    sink = MjpegSink("127.0.0.1", 0)
    watching = [Viewer(sink), Viewer(sink, receive_buffer=4096)]
    idle = socket.create_connection(("127.0.0.1", sink.port), timeout=10)
    sink.write(make_result(height=960, width=1280))
    watching[0].frame()
    started = time.monotonic()
    sink.close()
    assert time.monotonic() - started < 1
    assert watching[0].file.readline() == b"--frame\r\n"
    assert watching[0].file.read() == b""
    until(lambda: not serving(), timeout_s=1)
    sink.close()
    again = MjpegSink("127.0.0.1", sink.port)
    again.close()
    for client in (idle, *watching):
        client.close()


def test_a_port_in_use_is_told_in_one_line(sink: MjpegSink) -> None:
    with pytest.raises(DeviceError, match=f"127.0.0.1:{sink.port}.*Address already in use") as c:
        MjpegSink("127.0.0.1", sink.port)
    assert "\n" not in str(c.value)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:db8::1"])
def test_an_address_of_another_machine_is_told_from_a_port_in_use(host: str) -> None:
    with pytest.raises(DeviceError) as caught:
        MjpegSink(host, 0)
    text = str(caught.value)
    assert "no interface of this device has this address" in text or "family" in text
    assert "another port" not in text


def test_the_address_that_is_shown_for_all_interfaces_answers() -> None:
    sink = MjpegSink("0.0.0.0", 0)
    try:
        shown = urlsplit(sink.url)
        assert shown.hostname not in {None, "0.0.0.0", "127.0.0.1"}
        if shown.hostname == socket.gethostname().lower():
            unavailable("an interface with an address that is not loopback")
        with socket.create_connection((shown.hostname, sink.port), timeout=10) as client:
            client.sendall(f"GET /status?{shown.query} HTTP/1.1\r\n\r\n".encode())
            assert client.makefile("rb").readline().split()[1] == b"200"
    finally:
        sink.close()


def test_whoever_drips_a_request_loses_the_place(
    sink: MjpegSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_server, "HEADERS_DEADLINE_S", 3.0)
    dripping = [
        socket.create_connection(("127.0.0.1", sink.port), timeout=10)
        for _ in range(MAX_CONNECTIONS)
    ]
    for client in dripping:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
    until(lambda: len(serving()) == MAX_CONNECTIONS)

    def drip() -> bool:
        for client in dripping:
            with contextlib.suppress(OSError):
                client.sendall(b"x")
        return _answers(sink)

    until(drip)
    until(lambda: not serving())
    for client in dripping:
        client.close()


def test_a_stream_outlives_the_deadline_of_a_request(
    sink: MjpegSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_server, "HEADERS_DEADLINE_S", 0.3)
    monkeypatch.setattr(preview_server, "REQUEST_DEADLINE_S", 0.3)
    viewer = Viewer(sink)
    started = time.monotonic()
    until(lambda: time.monotonic() - started > 0.8)
    sink.write(make_result())
    viewer.frame()
    viewer.close()


def test_no_fault_of_a_handler_prints_a_traceback(
    sink: MjpegSink, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    # What JSON cannot say: a fault of ours.
    sink.event(CameraEvent("lost", object(), 0.0))  # type: ignore[arg-type]
    with pytest.raises((OSError, http.client.HTTPException)):
        get(sink, "/status")
    until(lambda: not serving())
    assert "TypeError" in caplog.text
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_an_unknown_host_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no such host"):
        MjpegSink("no-such-host.invalid", 0)


def test_a_frame_that_cannot_be_read_is_told_until_the_next_one(sink: MjpegSink) -> None:
    sink.write(make_result(0))
    sink.unreadable(Unreadable(1, "eye.jpg: truncated"))
    assert json.loads(get(sink, "/status")[2])["frame"]["error"] == "eye.jpg: truncated"
    sink.write(make_result(2))
    assert json.loads(get(sink, "/status")[2])["frame"]["error"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        (":8080", ("127.0.0.1", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("8080", None),
        ("host:", None),
        ("::1:8080", None),
        ("host:65536", None),
        ("host:-1", None),
        ("", None),
    ],
)
def test_addresses(text: str, expected: tuple[str, int] | None) -> None:
    if expected is None:
        with pytest.raises(UsageError, match="HOST:PORT"):
            parse_address(text)
    else:
        assert parse_address(text) == expected
