import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from statistics import median
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from needs import unavailable
from results import make_result

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks import preview_server
from edge_vessel.sinks.base import CameraEvent, Unreadable
from edge_vessel.sinks.mjpeg import MAX_VIEWERS, MjpegSink, parse_address
from edge_vessel.sinks.preview_server import MAX_CONNECTIONS

TOKEN = "0123456789abcdef"


@pytest.fixture
def sink() -> Iterator[MjpegSink]:
    sink = MjpegSink("127.0.0.1", 0)
    yield sink
    sink.close()


def get(
    sink: MjpegSink, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


class Viewer:
    """A browser's side of /stream."""

    def __init__(self, sink: MjpegSink, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", sink.port))
        self.socket.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = http.client.parse_headers(self.file)

    def frame(self) -> np.ndarray:
        assert self.file.readline() == b"--frame\r\n"
        head = http.client.parse_headers(self.file)
        assert head["Content-Type"] == "image/jpeg"
        content = self.file.read(int(head["Content-Length"]))
        assert self.file.readline() == b"\r\n"
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert picture is not None
        return picture

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def serving() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if "process_request" in name]


def viewers(sink: MjpegSink) -> int:
    return int(json.loads(get(sink, "/status")[2])["viewers"])


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


@pytest.mark.parametrize("path", ["/", "/status", "/nowhere"])
def test_every_answer_carries_the_security_headers(sink: MjpegSink, path: str) -> None:
    _, headers, _ = get(sink, path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "Python" not in headers["server"]


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


@pytest.mark.parametrize(
    ("status", "method"),
    [(404, "GET /secret"), (501, "POST /"), (400, "GET / x y"), (400, "GET http://[")],
)
def test_what_it_does_not_offer(sink: MjpegSink, status: int, method: str) -> None:
    with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as client:
        client.sendall(f"{method} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert client.makefile("rb").readline().split()[1] == str(status).encode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "LocalHost"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
    ids=str,
)
def test_another_site_cannot_reach_a_loopback_preview(
    sink: MjpegSink, headers: dict[str, str], status: int
) -> None:
    assert get(sink, "/status", headers)[0] == status


def test_a_request_without_or_with_two_hosts_is_refused(sink: MjpegSink) -> None:
    for hosts in ("", "Host: localhost\r\nHost: evil.example\r\n"):
        with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as client:
            client.sendall(f"GET /status HTTP/1.1\r\n{hosts}\r\n".encode())
            assert client.makefile("rb").readline().split()[1] == b"403"


@pytest.mark.parametrize("path", ["/", "/stream", "/status", "/nowhere"])
@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=0123456789abcdeX", "?token=%C3%A9", "?Token=" + TOKEN]
)
def test_nothing_is_told_without_the_token(path: str, query: str) -> None:
    sink = MjpegSink("127.0.0.1", 0, TOKEN)
    try:
        sink.write(make_result())
        status, _, content = get(sink, path + query)
        assert (status, content) == (403, b"forbidden\n")
    finally:
        sink.close()


def test_the_token_opens_everything_by_any_name() -> None:
    sink = MjpegSink("127.0.0.1", 0, TOKEN)
    try:
        assert sink.url == f"http://127.0.0.1:{sink.port}/?token={TOKEN}"
        status, _, content = get(sink, f"/?token={TOKEN}", {"Host": "kiosk.local"})
        assert status == 200
        assert f'src="stream?token={TOKEN}"' in content.decode()
        assert get(sink, f"/status?token={TOKEN}", {"Host": "kiosk.local"})[0] == 200
    finally:
        sink.close()


def test_the_token_is_never_written_anywhere(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    sink = MjpegSink("0.0.0.0", 0)
    token = urlsplit(sink.url).query.removeprefix("token=")
    get(sink, f"/?token={token}")
    get(sink, f"/stream?token={token}x")
    sink.close()
    out, err = capfd.readouterr()
    assert token not in out + err + caplog.text


def test_beyond_loopback_a_token_is_made() -> None:
    sinks = [MjpegSink("0.0.0.0", 0) for _ in range(2)]
    try:
        tokens = {urlsplit(sink.url).query for sink in sinks}
        assert len(tokens) == 2
        assert all(len(token) >= len("token=") + 32 for token in tokens)
        assert get(sinks[0], "/status")[0] == 403
    finally:
        for sink in sinks:
            sink.close()


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "with spaces in it and long", "é" * 20])
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(UsageError, match="too weak") as caught:
        MjpegSink("127.0.0.1", 0, token)
    assert not token or token not in str(caught.value)


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
