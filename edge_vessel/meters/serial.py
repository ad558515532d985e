"""An external meter at a serial port, real or USB, that speaks the line protocol."""

import contextlib
import errno
import fcntl
import os
import select
import termios
import time
from pathlib import Path

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.base import Kind, Meter, Sample
from edge_vessel.meters.line_protocol import LONGEST, Address, parse_watts

_BAUD = 115_200
# The slowest meter that is understood says a line in this time (docs/meters.md).
_TIMEOUT_S = 4.0
# What waited in the port for longer than this is old.
_FRESH_S = 0.5
_CHUNK = 4096  # of a port's buffer
_NEXT_STEP = {
    errno.EACCES: "sudo usermod -aG dialout $USER, then log in again",
    errno.EBUSY: "another program reads it: end that one",
    errno.ENOTTY: "see ls /dev/serial/by-id /dev/ttyUSB*",
}


class SerialMeter(Meter):
    """Takes each new line as a reading, at the moment at which it came.

    The port is opened at the first reading, and again after it was pulled out and put back.
    """

    kind: Kind = "measured"
    # It is the meter that paces: each reading waits for the next line.
    rate_hz = 100.0

    def __init__(self, address: Address, timeout_s: float = _TIMEOUT_S) -> None:
        """`timeout_s` bounds the wait for a line, of which the first reading may need two.

        Raises:
            UsageError: the speed is none that a port can have.
        """
        baud = _BAUD if address.baud is None else address.baud
        speed = getattr(termios, f"B{baud}", None)
        if not isinstance(speed, int) or not baud:
            raise UsageError(f"--meter: baud={baud}: no port's speed; try 9600 or 115200")
        self._speed = speed
        self._path = address.place
        self._address = address
        self._timeout_s = timeout_s
        self._port: int | None = None
        self._pending = b""
        self._in_step = False
        self._read_s = 0.0
        self.name = f"meter at {self._path}"
        self.accuracy = address.describe()

    def sample(self) -> Sample:
        """See `Meter.sample`."""
        try:
            port = self._opened()
            waited = time.monotonic() - self._read_s > _FRESH_S
            # Where nothing waits the next byte goes on with what came last.
            if waited and select.select([port], [], [], 0)[0]:
                termios.tcflush(port, termios.TCIFLUSH)
                self._pending, self._in_step = b"", False
            return self._newest(port)
        except (OSError, termios.error) as error:
            self.close()
            number = error.args[0]
            step = _NEXT_STEP.get(number, "is the meter plugged in?")
            raise DeviceError(f"{self._path}: {os.strerror(number)}; {step}") from error

    def uncertainty_w(self, power_w: float) -> float | None:
        """See `Meter.uncertainty_w`."""
        return self._address.uncertainty_w(power_w)

    def close(self) -> None:
        """See `Meter.close`."""
        if self._port is not None:
            with contextlib.suppress(OSError):
                # The mark outlives this descriptor where another program holds the port as well.
                fcntl.ioctl(self._port, termios.TIOCNXCL)
            with contextlib.suppress(OSError):
                os.close(self._port)
            self._port = None

    def _opened(self) -> int:
        if self._port is not None:
            return self._port
        if not Path(self._path).is_char_device():
            found = "no serial port" if Path(self._path).exists() else "no such port"
            raise DeviceError(f"{self._path}: {found}; see ls /dev/serial/by-id /dev/ttyUSB*")
        port = os.open(self._path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _set_raw(port, self._speed)
            fcntl.ioctl(port, termios.TIOCEXCL)
        except (OSError, termios.error):
            os.close(port)
            raise
        self._port, self._read_s = port, 0.0
        self._pending, self._in_step = b"", False
        return port

    def _newest(self, port: int) -> Sample:
        """The last whole line that came; what came before the first end is half a line."""
        deadline_s = time.monotonic() + self._timeout_s
        while True:
            wait_s = deadline_s - time.monotonic()
            if wait_s <= 0 or not select.select([port], [], [], wait_s)[0]:
                raise DeviceError(
                    f"{self._path}: no reading within {self._timeout_s:g} s; is the meter on, and "
                    "baud=N its speed?"
                )
            chunk = os.read(port, _CHUNK)
            if not chunk:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._read_s = time.monotonic()
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            if len(self._pending) > LONGEST:
                self._pending, self._in_step = b"", False
                raise DeviceError(
                    f"{self._path}: over {LONGEST} bytes without a line's end; is baud=N its speed?"
                )
            if lines and not self._in_step:
                self._in_step = True
                del lines[0]
                deadline_s = time.monotonic() + self._timeout_s
            for line in reversed(lines):
                power_w = parse_watts(line, self._path)
                if power_w is not None:
                    return Sample(self._read_s, power_w)


def _set_raw(port: int, speed: int) -> None:
    """Eight bits, no parity, no echo, no flow control; modem lines are not looked at."""
    settings = termios.tcgetattr(port)
    settings[0] = termios.IGNBRK | termios.IGNPAR
    settings[1] = 0
    settings[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    settings[3] = 0
    settings[4] = settings[5] = speed
    termios.tcsetattr(port, termios.TCSANOW, settings)
