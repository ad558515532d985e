"""What a power meter is."""

import functools
import math
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from edge_vessel.errors import DeviceError

Kind = Literal["measured", "estimated", "none"]

ATTACH = (
    "attach one, such as an INA226, or any other with --meter serial:DEVICE or --meter "
    "http://ADDRESS (docs/meters.md)"
)
# A wall socket gives 3.7 kW; ten boards in one place are not what this project measures.
_MOST_W = 4000.0
# A sensor without load may show a little less than nothing.
_LEAST_W = -0.1


@dataclass(frozen=True)
class Sample:
    """One reading: `power_w` watts at `at_s` of `time.monotonic`.

    `counted_j` is the meter's own energy counter, in joules since any moment, or None where it has
    none; it never falls but for a counter that was reset, which `resets` counts where the meter
    notices.
    """

    at_s: float
    power_w: float
    counted_j: float | None = None
    resets: int = 0


class Meter(ABC):
    """Reads the power that a board, or a named part of it, draws.

    `name` says which sensor and what it covers; `kind` whether the figure comes from a sensor or a
    model; `accuracy` is one line from the datasheet, or says that none is known; `rate_hz` is how
    often the sensor has something new to say. One thread at a time may ask it.
    """

    name: str
    kind: Kind
    accuracy: str
    rate_hz: float = 20.0

    @functools.cached_property
    def turn(self) -> threading.Lock:
        """Held by the window that asks: one whose sensor hangs keeps the next one waiting."""
        return threading.Lock()

    @abstractmethod
    def sample(self) -> Sample:
        """Asks the sensor; a line meter waits for its next line, for seconds at most.

        Raises:
            DeviceError: the sensor is gone, does not answer, or says what cannot be.
        """

    def power_w(self) -> float:
        """The power now, in watts; raises what `sample` raises."""
        return self.sample().power_w

    def uncertainty_w(self, power_w: float) -> float | None:  # noqa: ARG002
        """The largest error of a reading of `power_w`, in watts; None where it is not known."""
        return None

    def close(self) -> None:  # noqa: B027
        """Lets go of what the meter holds open; harmless twice."""


class NullMeter(Meter):
    """Stands for the meter that a board does not have: no joules come of it."""

    name = "none"
    kind: Kind = "none"
    accuracy = "no meter"
    rate_hz = 1.0

    def __init__(self, why: str = ATTACH) -> None:
        """`why` says what was found and how to get a meter."""
        self.why = f"no meter: {why}"

    def sample(self) -> Sample:
        """Has nothing to say.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(self.why)


def plausible_w(power_w: float, source: str) -> float:
    """`power_w` itself, in watts.

    Raises:
        DeviceError: no board draws that; `source` (file or address) and value are named.
    """
    if math.isfinite(power_w) and _LEAST_W <= power_w <= _MOST_W:
        return power_w
    step = "swap the wires of its shunt" if power_w < 0 else "check the sensor and its shunt"
    raise DeviceError(f"{source}: {power_w:g} W is no board's power; {step}")
