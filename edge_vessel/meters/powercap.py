"""The processor's own energy counters (RAPL), which wrap.

Files and units: Documentation/power/powercap/powercap.rst (microjoules). The counters cover the
processor's packages, not the board. Intel measures them since Haswell (Hackenberg et al. 2015,
doi:10.1109/IPDPSW.2015.70); AMD computes them from a model (Schoene et al. 2021,
arXiv:2108.00808).
"""

import time
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.meters.base import Kind

# The counters move about once a millisecond: over less than ten of them the quotient is noise.
_SHORTEST_S = 0.01
_MICRO = 1e-6


@dataclass
class _Counter:
    energy: Path
    range_uj: int
    last_uj: int

    def step_uj(self) -> int:
        now_uj = _read(self.energy)
        # The range is the highest value before 0 comes again.
        step = (now_uj - self.last_uj) % (self.range_uj + 1)
        self.last_uj = now_uj
        return step


class PowercapMeter:
    """The mean power of all packages since the last reading."""

    accuracy = "not known; covers the processor's packages, not the board"

    def __init__(self, root: Path = Path("/")) -> None:
        """Finds the packages under `root`/sys/class/powercap.

        Raises:
            DeviceError: there are none, or they may not be read (root only since CVE-2020-8694).
        """
        self._counters = []
        for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*")):
            # "intel-rapl:0:1" is a part of "intel-rapl:0".
            if zone.name.count(":") == 1 and _name(zone).startswith("package"):
                energy = zone / "energy_uj"
                range_uj = _read(zone / "max_energy_range_uj")
                self._counters.append(_Counter(energy, range_uj, _read(energy)))
        if not self._counters:
            raise DeviceError(f"{root / 'sys/class/powercap'}: no processor package counts energy")
        self.name = f"RAPL ({len(self._counters)} package{'s'[: len(self._counters) - 1]})"
        self.kind: Kind = "measured" if _is_intel(root) else "estimated"
        self._last_s = time.monotonic()
        self._last_w = 0.0

    def power_w(self) -> float:
        """See `Meter.power_w`; readings less than 10 ms apart give the same figure."""
        elapsed_s = time.monotonic() - self._last_s
        if elapsed_s < _SHORTEST_S and self._last_w == 0:
            time.sleep(_SHORTEST_S - elapsed_s)
            elapsed_s = time.monotonic() - self._last_s
        if elapsed_s >= _SHORTEST_S:
            self._last_s += elapsed_s
            step_uj = sum(counter.step_uj() for counter in self._counters)
            self._last_w = step_uj * _MICRO / elapsed_s
        return self._last_w


def find(root: Path) -> PowercapMeter | None:
    """The packages' meter, None where there is none that may be read."""
    try:
        return PowercapMeter(root)
    except DeviceError:
        return None


def _read(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DeviceError(f"{path}: the energy counter cannot be read: {reason}") from error


def _name(zone: Path) -> str:
    try:
        return (zone / "name").read_text().strip()
    except OSError:
        return ""


def _is_intel(root: Path) -> bool:
    try:
        return "GenuineIntel" in (root / "proc/cpuinfo").read_text()
    except OSError:
        return False
