"""A meter of one's own over HTTP: a real server on loopback."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_vessel import meters
from edge_vessel.errors import DeviceError
from edge_vessel.meters.http import HttpMeter
from edge_vessel.meters.line_protocol import parse_address


@dataclass
class Server:
    """What the meter answers next, and what it was asked."""

    body: bytes = b"5.5 W\n"
    status: int = 200
    drip_s: float = 0.0
    asked: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/watts?ch=1"


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            assert self.path == "/watts?ch=1"
            self.send_response(state.status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                for byte in state.body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(state.drip_s)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = httpd.server_address[1]
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def http_meter(server: Server) -> HttpMeter:
    return HttpMeter(parse_address(server.url), timeout_s=0.5)


def test_an_http_meter_measures(server: Server) -> None:
    meter = meters.find(f"{server.url},accuracy=1")
    assert (meter.name, meter.kind) == (f"meter at {server.url}", "measured")
    with meters.window("inference", meter, rate_hz=50) as window:
        time.sleep(0.5)
    energy = window.energy
    assert energy.why is None
    assert energy.energy_j == pytest.approx(5.5 * energy.duration_s)
    assert energy.uncertainty_j == pytest.approx(0.055 * energy.duration_s)
    assert server.asked == energy.samples + 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"body": b"warm"}, "b'warm' is no reading"),
        ({"body": b""}, "an answer without a reading"),
        ({"body": b"# none\n"}, "an answer without a reading"),
        ({"body": b"1" * 10_000_000}, "over 64 bytes"),
        ({"body": b"99999 W"}, "no board's power"),
        ({"status": 404}, "answers 404; check the URL's path"),
        ({"status": 302}, "answers 302"),
        ({"body": b"1" * 60, "drip_s": 0.1}, "no whole answer within 0.5 s; is the meter on"),
    ],
    ids=["text", "empty", "remark", "endless", "a city's", "missing", "elsewhere", "dripping"],
)
def test_an_http_answer_without_a_reading(
    server: Server, answer: dict[str, object], says: str
) -> None:
    meter = http_meter(server)
    assert meter.power_w() == 5.5
    for name, value in answer.items():
        setattr(server, name, value)
    began_s = time.monotonic()
    with pytest.raises(DeviceError, match=says):
        meter.sample()
    assert time.monotonic() - began_s < 2
    assert server.asked == 2


@contextlib.contextmanager
def answering(text: bytes) -> Iterator[str]:
    """The URL of a server that sends this and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "text",
    [
        OK + b"Content-Length: 6\r\n\r\n13.5 W",
        OK + b"Content-Length: 7\r\n\r\n13.5 W\n",
        OK + b"Content-Length: 107\r\n\r\n13.5 W\n" + b" " * 100,
        OK + b"\r\n13.5 W\n",
        CHUNKED + b"3\r\n13.\r\n3\r\n5 W\r\n0\r\n\r\n",
        OK + b"\r\n" + b" " * 58 + b"13.5 W\n",
    ],
    ids=["length", "a newline", "long", "to the end", "chunks", "64 bytes"],
)
def test_whole_answers(text: bytes) -> None:
    with answering(text) as url:
        assert HttpMeter(parse_address(url)).power_w() == 13.5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (OK + b"Content-Length: 8\r\n\r\n13", "an answer that was cut off; ask again"),
        (OK + b"Content-Length: 8\r\n\r\n13\n", "cut off"),
        (OK + b"Content-Length: 80\r\n\r\n" + b" " * 63 + b"13.5 W", "over 64 bytes"),
        (OK + b"\r\n13", "cut off"),
        (CHUNKED + b"3\r\n13.\r\n", "no HTTP answer"),
        (OK + b"\r\n" + b" " * 63 + b"13.5 W\n", "over 64 bytes"),
    ],
    ids=["length", "a newline", "a long line", "no length", "chunks", "65 bytes"],
)
def test_an_answer_that_was_cut_off(text: bytes, says: str) -> None:
    with answering(text) as url, pytest.raises(DeviceError, match=says):
        HttpMeter(parse_address(url)).sample()


def test_an_http_meter_that_is_off() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with pytest.raises(DeviceError, match=f"{url}: Connection refused; is the meter on"):
            meters.find(url)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "no whole answer within 0.5 s"),
        (b"5.5 W\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n5 W\n", "no HTTP answer"),
    ],
    ids=["silent", "no HTTP", "too many headers"],
)
def test_a_port_that_is_no_http_meter(sent: bytes, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if sent:
                    connection.sendall(sent)
                else:
                    connection.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(DeviceError, match=says):
            HttpMeter(parse_address(url), timeout_s=0.5).sample()
        thread.join()
