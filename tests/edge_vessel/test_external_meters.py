"""Meters of one's own: a pseudo-terminal as serial port, a real HTTP server on loopback."""

import contextlib
import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from nobody import as_nobody

from edge_vessel import meters
from edge_vessel.board import read_board
from edge_vessel.diagnosis import Wanted, diagnose
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.http import HttpMeter
from edge_vessel.meters.line_protocol import LONGEST, Address, parse_address, parse_watts
from edge_vessel.meters.serial import SerialMeter


@pytest.mark.parametrize(
    ("line", "watts"),
    [
        (b"5.132", 5.132),
        (b"5.132 W\r", 5.132),
        (b"5132 mW", 5.132),
        (b"  0W ", 0.0),
        (b"+3.5 W", 3.5),
        (b"-0.02 W", -0.02),
        (b"", None),
        (b"  \r", None),
        (b"# my meter, 1 %", None),
    ],
)
def test_a_line(line: bytes, watts: float | None) -> None:
    assert parse_watts(line, "meter") == pytest.approx(watts)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nan", "no reading"),
        (b"inf W", "no reading"),
        (b"1e3 W", "no reading"),
        (b"5,1 W", "no reading"),
        (b"5.1 kW", "no reading"),
        (b"5.1 W 3", "no reading"),
        (b"\xff\x00\x1b[2J", r"b'\\xff\\x00\\x1b\[2J' is no reading"),
        (b"5000 W", "5000 W is no board's power"),
        (b"-5 W", "-5 W is no board's power; swap the wires"),
        (b"9" * 40, "no reading"),
        (b"1" * (LONGEST + 1), "over 64 bytes"),
    ],
)
def test_nonsense_in_a_line(line: bytes, says: str) -> None:
    with pytest.raises(DeviceError, match=f"^meter: .*{says}"):
        parse_watts(line, "meter")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dev/ttyUSB0", Address("/dev/ttyUSB0", None, None)),
        ("/dev/ttyUSB0,baud=9600,accuracy=1.5", Address("/dev/ttyUSB0", 9600, 0.015)),
        ("http://10.0.0.7/a,b?c=d,accuracy=2", Address("http://10.0.0.7/a,b?c=d", None, 0.02)),
    ],
)
def test_an_address(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("serial:/dev/null,accuracy=good", "accuracy=good: per cent"),
        ("serial:/dev/null,accuracy=100", "accuracy=100: per cent"),
        ("serial:/dev/null,baud=fast", "baud=fast: a number"),
        ("serial:/dev/null,baud=12345", "baud=12345: no port's speed"),
        ("serial:/dev/null,baud=0", "baud=0: no port's speed"),
        ("http://meter.example/watts", "with an IP address or localhost"),
        ("http://127.0.0.1:99999/", "with an IP address or localhost"),
        ("http:///watts", "with an IP address or localhost"),
        ("http://user:geheim@127.0.0.1/", "a name and password are not sent"),
        ("http://user:geheim@127.0.0.1:0/", "a name and password are not sent"),
        ("http://127.0.0.1/a b", "must be escaped"),
        ("http://127.0.0.1/a\nb", "must be escaped"),
        ("http://127.0.0.1:0/", "with an IP address or localhost"),
        ("http://127.0.0.1/watts#2", "with an IP address or localhost"),
        ("http://127.0.0.1/watts,baud=300", "baud=300 is a serial port's; leave it out"),
        ("serial:/dev/null,accuracy=1,accuracy=2", "accuracy=1,accuracy=2: give each option once"),
        ("serial:/dev/null,baud=9600,accuracy=2,baud=9600", "give each option once"),
    ],
)
def test_an_address_that_cannot_be(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        meters.find(spec)
    assert "geheim" not in str(caught.value)


class Wire:
    """The meter's end of a serial line; `path` is the board's."""

    def __init__(self) -> None:
        self.end, far = pty.openpty()
        tty.setraw(far)
        self.path = os.ttyname(far)
        os.close(far)
        self._keep = os.open(self.path, os.O_RDWR | os.O_NOCTTY)

    def say(self, text: bytes) -> None:
        os.write(self.end, text)

    def unplug(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._keep)
        with contextlib.suppress(OSError):
            os.close(self.end)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.unplug()


@contextlib.contextmanager
def speaking(wire: Wire, line: Callable[[int], bytes], period_s: float = 0.02) -> Iterator[None]:
    """Says a line again and again, as a meter does that nobody asks."""
    stop = threading.Event()

    def speak() -> None:
        number = 0
        while not stop.wait(period_s):
            wire.say(line(number))
            number += 1

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def serial_meter(wire: Wire, timeout_s: float = 0.5, accuracy: float | None = None) -> SerialMeter:
    return SerialMeter(Address(wire.path, 115_200, accuracy), timeout_s)


def test_a_serial_meter_measures(wire: Wire) -> None:
    with speaking(wire, lambda _: b"5.25 W\r\n# a remark\r\n"):
        meter = meters.find(f"serial:{wire.path},baud=9600,accuracy=2")
        assert (meter.name, meter.kind) == (f"meter at {wire.path}", "measured")
        assert meter.accuracy == "2 % of the reading, as its user says"
        with meters.window("inference", meter) as window:
            time.sleep(0.8)
        meter.close()
        meter.close()
    energy = window.energy
    assert energy.why is None
    # Each line is one sample, whoever would like to ask more often.
    assert 10 <= energy.samples <= 45
    assert energy.energy_j == pytest.approx(5.25 * energy.duration_s)
    assert energy.uncertainty_j == pytest.approx(0.105 * energy.duration_s)


def test_what_waited_in_the_port_is_old(wire: Wire) -> None:
    meter = serial_meter(wire)
    with speaking(wire, lambda _: b"1 W\n"):
        assert meter.power_w() == 1.0
    for _ in range(50):
        wire.say(b"1 W\n")
    time.sleep(0.6)
    with speaking(wire, lambda _: b"2 W\n"):
        assert meter.power_w() == 2.0
    meter.close()


def test_half_a_line_is_no_reading(wire: Wire) -> None:
    meter = serial_meter(wire)
    timer = threading.Timer(0.1, wire.say, [b"23.5 W\n4.5 W\n"])
    timer.start()
    assert meter.power_w() == 4.5
    timer.join()
    for part in (b"7", b".25", b" W\n"):
        wire.say(part)
        time.sleep(0.02)
    assert meter.power_w() == 7.25
    meter.close()


def test_the_newest_of_many_lines_counts(wire: Wire) -> None:
    meter = serial_meter(wire)
    timer = threading.Timer(0.1, wire.say, [b"\n1 W\n2 W\n3 W\n# done\n"])
    timer.start()
    assert meter.power_w() == 3.0
    timer.join()
    meter.close()


def test_a_slow_meter_has_time_for_a_line_each(wire: Wire) -> None:
    """Its first line is half a line; the wait for the second one starts anew."""
    meter = serial_meter(wire)
    with speaking(wire, lambda number: b"%d W\n" % number, period_s=0.35):
        first, second, third = [meter.power_w() for _ in range(3)]
    assert 0 < first < second < third
    meter.close()


def test_a_line_after_a_silence_is_whole(wire: Wire) -> None:
    meter = serial_meter(wire)
    with speaking(wire, lambda _: b"1 W\n"):
        assert meter.power_w() == 1.0
    with pytest.raises(DeviceError, match="no reading within"):
        while True:
            meter.sample()
    time.sleep(0.1)
    timer = threading.Timer(0.1, wire.say, [b"2 W\n"])
    timer.start()
    assert meter.power_w() == 2.0
    timer.join()
    meter.close()


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "no reading within 0.5 s; is the meter on, and baud=N its speed"),
        (b"# remarks\n# alone\n# never ends\n", "no reading within 0.5 s"),
        (b"x" * 400, "over 64 bytes without a line's end; is baud=N its speed"),
        (b"\nnonsense\n", "b'nonsense' is no reading"),
    ],
)
def test_a_serial_line_without_readings(wire: Wire, sent: bytes, says: str) -> None:
    meter = serial_meter(wire)
    timer = threading.Timer(0.1, wire.say, [sent or b"\n"])
    timer.start()
    began_s = time.monotonic()
    with pytest.raises(DeviceError, match=says):
        meter.sample()
    assert time.monotonic() - began_s < 2
    timer.join()
    meter.close()


def test_an_unplugged_serial_meter_costs_the_joules_alone(wire: Wire) -> None:
    meter = serial_meter(wire)
    with meters.window("inference", meter) as window:
        with speaking(wire, lambda _: b"5 W\n"):
            time.sleep(0.4)
        wire.unplug()
        time.sleep(0.05)
    assert window.energy.energy_j is None
    assert window.energy.samples >= meters.MIN_SAMPLES
    assert window.energy.why is not None
    assert window.energy.why.startswith(f"{wire.path}: ")
    assert window.energy.why.endswith("(no reading at the end)")


def test_a_serial_meter_that_comes_back_is_opened_again(tmp_path: Path) -> None:
    """A link stands for /dev/serial/by-id: the device behind it has another number afterwards."""
    before, after, link = Wire(), Wire(), tmp_path / "usb-meter"
    link.symlink_to(before.path)
    meter = SerialMeter(Address(str(link), 115_200, None), timeout_s=0.5)
    with speaking(before, lambda _: b"1 W\n"):
        assert meter.power_w() == 1.0
    before.unplug()
    link.unlink()
    with pytest.raises(DeviceError, match=r"usb-meter: "):
        meter.sample()
    with pytest.raises(DeviceError, match="usb-meter: no such port; see ls /dev/serial/by-id"):
        meter.sample()
    link.symlink_to(after.path)
    with speaking(after, lambda _: b"2 W\n"):
        assert meter.power_w() == 2.0
    meter.close()
    after.unplug()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/dev/null", "/dev/null: Inappropriate ioctl for device"),
        ("/etc/hostname", "/etc/hostname: no serial port"),
        ("/dev/ttyNONE", "/dev/ttyNONE: no such port; see ls /dev/serial/by-id"),
    ],
)
def test_what_is_no_serial_port(path: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        meters.find(f"serial:{path}")


def test_a_port_that_may_not_be_opened(wire: Wire) -> None:
    Path(wire.path).chmod(0)
    with as_nobody(), pytest.raises(DeviceError, match="Permission denied; sudo usermod -aG dial"):
        meters.find(f"serial:{wire.path}")


def test_a_port_that_another_program_reads(wire: Wire) -> None:
    Path(wire.path).chmod(0o666)
    first, second = serial_meter(wire), serial_meter(wire)
    with speaking(wire, lambda _: b"1 W\n"):
        assert first.power_w() == 1.0
        with as_nobody(), pytest.raises(DeviceError, match="another program reads it: end"):
            second.sample()
        # This test's own end of the line stays open, and with it what marks the port as taken.
        first.close()
        with as_nobody():
            assert second.power_w() == 1.0
    second.close()


def test_the_doctor_lets_go_of_a_meter_that_fails(wire: Wire) -> None:
    wanted = Wanted(Path("/no/such/artifact"), meter=f"serial:{wire.path}")
    heard = []

    def is_open() -> bool:
        held = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        return held.count(Path(wire.path)) > 1

    def line(number: int) -> bytes:
        heard.extend([number] if is_open() else [])
        # Half a line and the reading that finds the meter, then this.
        return b"nonsense\n" if len(heard) > 2 else b"1 W\n"

    with speaking(wire, line):
        found = {item.name: item for item in diagnose(read_board(), wanted)}["meter"]
    assert (found.status, "b'nonsense' is no reading" in found.detail) == ("fail", True)
    assert not is_open()


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
