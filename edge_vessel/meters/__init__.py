"""Power meters, by sensor family; the first that answers is taken."""

from collections.abc import Callable
from pathlib import Path

from edge_vessel.meters import hwmon, powercap
from edge_vessel.meters.base import Meter, NullMeter

# The board's sensors come before the processor's own, which leave out the rest of the board.
METERS: dict[str, Callable[[Path], Meter | None]] = {
    "hwmon": hwmon.find,
    "powercap": powercap.find,
}


def find_meter(root: Path = Path("/")) -> Meter:
    """The first meter under `root` that gives a reading, else a `NullMeter`.

    Args:
        root: what holds `sys` and `proc`.
    """
    for find in METERS.values():
        meter = find(root)
        if meter is not None:
            return meter
    return NullMeter()


__all__ = ["METERS", "Meter", "NullMeter", "find_meter"]
