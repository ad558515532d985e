"""What a power meter is."""

from typing import Literal, Protocol

from edge_vessel.errors import DeviceError

Kind = Literal["measured", "estimated", "none"]


class Meter(Protocol):
    """Reads the power that a board, or a named part of it, draws.

    `name` says which sensor and what it covers; `kind` whether the figure comes from a sensor or a
    model; `accuracy` is one line from the datasheet, or says that none is known.
    """

    name: str
    kind: Kind
    accuracy: str

    def power_w(self) -> float:
        """The power now, in watts.

        Raises:
            DeviceError: the sensor is gone or does not answer.
        """


class NullMeter:
    """Stands for the meter that a board does not have: no joules come of it."""

    name = "none"
    kind: Kind = "none"
    accuracy = "no meter"

    def power_w(self) -> float:
        """Has nothing to say.

        Raises:
            DeviceError: always.
        """
        raise DeviceError("this device has no power meter: attach one, such as an INA226")
