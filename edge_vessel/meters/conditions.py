"""What the machine was like while it was measured: temperature, frequency, what slowed it."""

from dataclasses import dataclass
from pathlib import Path

from edge_vessel import board
from edge_vessel.errors import DeviceError
from edge_vessel.meters import sysfs


@dataclass(frozen=True)
class Conditions:
    """One look at the machine.

    `hottest_c` is the highest temperature in degrees Celsius, None without a sensor;
    `frequencies_mhz` one figure for each cpufreq policy (a cluster of cores, on ARM), in the order
    of their numbers; `throttle` the flags of `vcgencmd get_throttled`, None on boards without it;
    `cooling` names each device that slows the processor, with its state.
    """

    hottest_c: float | None
    frequencies_mhz: tuple[float, ...]
    throttle: tuple[str, ...] | None
    cooling: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """What was seen in between, about once a second; `looks` counts how often.

    Frequencies by cpufreq policy, as in `Conditions`, since a policy last came or went;
    `slowed_by` names what has slowed the processor at any of these looks.
    """

    looks: int
    hottest_c: float | None
    min_mhz: tuple[float, ...]
    mean_mhz: tuple[float, ...]
    slowed_by: tuple[str, ...]


def read_conditions(root: Path = Path("/"), throttle: bool = True) -> Conditions:
    """Looks at the machine under `root`; raises nothing.

    `throttle` False leaves the Raspberry Pi's flags out: asking for them starts a process.
    """
    return Conditions(
        hottest_c=max((zone.celsius for zone in board.thermal_zones(root)), default=None),
        frequencies_mhz=_frequencies_mhz(root),
        throttle=board.throttle_report(root) if throttle else None,
        cooling=tuple(
            f"{device.name} at {device.state} of {device.max_state}"
            for device in board.cooling_devices(root)
            if device.slows_processor and device.state
        ),
    )


class CourseKeeper:
    """Sums up looks in constant memory."""

    def __init__(self) -> None:
        self._looks = 0
        self._hottest_c: float | None = None
        # Those that the sum is of.
        self._summed = 0
        self._min_mhz: tuple[float, ...] = ()
        self._sum_mhz: tuple[float, ...] = ()
        self._slowed_by: set[str] = set()

    def add(self, look: Conditions) -> None:
        """Takes one look; a policy that comes or goes (a core unplugged) starts the means anew."""
        seen_c = [c for c in (look.hottest_c, self._hottest_c) if c is not None]
        self._hottest_c = max(seen_c, default=None)
        found = look.frequencies_mhz
        if len(found) != len(self._sum_mhz):
            self._summed, self._min_mhz, self._sum_mhz = 0, found, (0.0,) * len(found)
        self._looks += 1
        self._summed += 1
        self._min_mhz = tuple(map(min, self._min_mhz, found))
        self._sum_mhz = tuple(a + b for a, b in zip(self._sum_mhz, found, strict=True))
        self._slowed_by.update(text.partition(" at ")[0] for text in look.cooling)
        # The rest tells of some time since the board was started.
        flags = (flag for flag in look.throttle or () if not flag.endswith("has occurred"))
        self._slowed_by.update(flags)

    def course(self) -> Course:
        """What was seen so far."""
        return Course(
            looks=self._looks,
            hottest_c=self._hottest_c,
            min_mhz=self._min_mhz,
            mean_mhz=tuple(total / self._summed for total in self._sum_mhz),
            slowed_by=tuple(sorted(self._slowed_by)),
        )


def _frequencies_mhz(root: Path) -> tuple[float, ...]:
    found = []
    for policy in sysfs.numbered(root / "sys/devices/system/cpu/cpufreq", "policy"):
        try:
            found.append(sysfs.number(policy / "scaling_cur_freq") / 1000)
        except DeviceError:
            continue
    return tuple(found)
