"""What an external meter says: one reading a line (docs/meters.md).

5.132        watts
5.132 W      the same
5132 mW      milliwatts
# anything   a remark, which is passed over
"""

import re
from dataclasses import dataclass

from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.meters.base import plausible_w

LONGEST = 64  # bytes of a line, without its end
_READING = re.compile(rb"\s*([+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(W|mW)?\s*")
_OPTIONS = re.compile(r"(.*?)((?:,(?:accuracy|baud)=[^,]*)*)", re.DOTALL)
_SHOWN = 24


@dataclass(frozen=True)
class Address:
    """Where an external meter is, and what its user says of it.

    `baud` is None where it was not given, and so is `accuracy`, a share of the reading (0.01 for
    1 %).
    """

    place: str
    baud: int | None
    accuracy: float | None

    def uncertainty_w(self, power_w: float) -> float | None:
        """For `Meter.uncertainty_w`: what the user says."""
        return None if self.accuracy is None else abs(power_w) * self.accuracy

    def describe(self) -> str:
        """For `Meter.accuracy`."""
        if self.accuracy is None:
            return "not known; say it with ,accuracy=PERCENT"
        return f"{self.accuracy * 100:g} % of the reading, as its user says"


def parse_address(text: str) -> Address:
    """Splits PLACE[,baud=N][,accuracy=PERCENT].

    Raises:
        UsageError: an option's value is no such number, or is given twice.
    """
    match = _OPTIONS.fullmatch(text)
    place, given = (match[1], match[2]) if match else (text, "")
    pairs = [option.split("=", 1) for option in given.split(",")[1:]]
    options = dict(pairs)
    if len(options) < len(pairs):
        raise UsageError(f"--meter: {given[1:]}: give each option once")
    accuracy = options.get("accuracy")
    share = None
    if accuracy is not None:
        if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,6})?", accuracy):
            raise UsageError(f"--meter: accuracy={accuracy}: per cent of the reading, 0 to 99")
        share = float(accuracy) / 100
    baud = options.get("baud")
    if baud is not None and not re.fullmatch(r"[0-9]{1,7}", baud):
        raise UsageError(f"--meter: baud={baud}: a number, such as 115200")
    return Address(place, None if baud is None else int(baud), share)


def parse_watts(line: bytes, source: str) -> float | None:
    """The power of one line, in watts; None for a remark or an empty line.

    Raises:
        DeviceError: the line is too long, no number, or no board's power.
    """
    if len(line) > LONGEST:
        raise DeviceError(f"{source}: a line of over {LONGEST} bytes; check what it sends")
    if not line.strip() or line.lstrip().startswith(b"#"):
        return None
    match = _READING.fullmatch(line)
    if match is None:
        raise DeviceError(f"{source}: {line[:_SHOWN]!r} is no reading such as b'5.13 W'")
    watts = float(match[1]) * (1e-3 if match[2] == b"mW" else 1.0)
    return plausible_w(watts, source)
