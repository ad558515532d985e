"""The cores that inference may use, and which of them are fast."""

import contextlib
import os
from pathlib import Path

SYSTEM = Path("/sys/devices/system/cpu")

# Taken once: TVM ties the thread that runs inference to its cores, and with it whoever asks later.
_AT_START = frozenset(os.sched_getaffinity(0))


def available() -> frozenset[int]:
    """Numbers of the cores that this process was given when it started."""
    return _AT_START


def fastest(count: int, cores: frozenset[int] = _AT_START, system: Path = SYSTEM) -> list[int]:
    """The `count` fastest, in ascending order: of an RK3399 the two A72, not the four A53."""

    def speed(core: int) -> tuple[int, int]:
        for file in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
            with contextlib.suppress(OSError, ValueError):
                return int((system / f"cpu{core}" / file).read_text()), -core
        return 0, -core

    return sorted(sorted(cores, key=speed, reverse=True)[:count])
