"""A meter of one's own at a serial port: a pseudo-terminal."""

import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nobody import as_nobody

from edge_vessel import meters
from edge_vessel.board import read_board
from edge_vessel.diagnosis import Wanted, diagnose
from edge_vessel.errors import DeviceError
from edge_vessel.meters.line_protocol import Address
from edge_vessel.meters.serial import SerialMeter


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
