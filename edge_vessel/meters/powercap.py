"""The processor's own energy counters (RAPL), which wrap.

Files and units: Documentation/power/powercap/powercap.rst (microjoules). The counters cover the
processor's packages, not the board. Intel measures them since Haswell, and modelled them before
(Hackenberg et al. 2015, doi:10.1109/IPDPSW.2015.70); AMD computes them from a model (Schoene et
al. 2021, arXiv:2108.00808).
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import DeviceError
from edge_vessel.meters import sysfs
from edge_vessel.meters.base import Kind, Meter, Sample, plausible_w

# The counters move about once a millisecond: over less than ten of them the quotient is noise.
_SHORTEST_S = 0.01
_MICRO = 1e-6
# Sandy Bridge and Ivy Bridge of family 6 (arch/x86/include/asm/intel-family.h).
_MODELLED_INTEL = frozenset({0x2A, 0x2D, 0x3A, 0x3E})


@dataclass
class _Counter:
    energy: Path
    range_uj: int
    last_uj: int

    def step_uj(self) -> int:
        now_uj = sysfs.number(self.energy)
        # The range is the highest value before 0 comes again.
        step = (now_uj - self.last_uj) % (self.range_uj + 1)
        self.last_uj = now_uj
        return step


class PowercapMeter(Meter):
    """The energy of all packages, and their mean power since the reading before."""

    accuracy = "not known; covers the processor's packages, not the board"

    def __init__(self, root: Path = Path("/"), part: str = "") -> None:
        """Finds the packages under `root`/sys/class/powercap; `part` asks for "package-0" alone.

        Raises:
            DeviceError: there are none, or they may not be read (root only since CVE-2020-8694).
        """
        zones = _packages(root, part)
        if not zones:
            folder = root / "sys/class/powercap"
            raise DeviceError(f"{folder}: no {part or 'processor package'} counts energy")
        self._counters = [_counter(zone) for zone in zones]
        self.name = f"RAPL ({len(zones)} package{'s'[: len(zones) - 1]})"
        self.kind: Kind = "measured" if _is_measured(root) else "estimated"
        self._counted_j = 0.0
        self._read_s = self._marked_s = time.monotonic()
        self._marked_j = 0.0
        self._last_w: float | None = None
        self._resets = 0

    def sample(self) -> Sample:
        """See `Meter.sample`; of readings less than 10 ms apart the power is the same figure."""
        since_s = time.monotonic() - self._marked_s
        if self._last_w is None and since_s < _SHORTEST_S:
            time.sleep(_SHORTEST_S - since_s)
        step_j = sum(counter.step_uj() for counter in self._counters) * _MICRO
        now_s = time.monotonic()
        self._check(step_j, now_s)
        self._counted_j += step_j
        self._read_s = now_s
        elapsed_s = now_s - self._marked_s
        if elapsed_s >= _SHORTEST_S or self._last_w is None:
            self._last_w = (self._counted_j - self._marked_j) / elapsed_s
            self._marked_s, self._marked_j = now_s, self._counted_j
        return Sample(now_s, self._last_w, self._counted_j, self._resets)

    def _check(self, step_j: float, now_s: float) -> None:
        """A counter that was reset looks as if it had wrapped: kilojoules within a moment."""
        try:
            plausible_w(step_j / max(now_s - self._read_s, _SHORTEST_S), self.name)
        except DeviceError:
            self._counted_j = self._marked_j = 0.0
            self._read_s = self._marked_s = now_s
            self._resets += 1
            raise


def find(root: Path, part: str = "") -> PowercapMeter | None:
    """The packages' meter, None where no processor counts.

    Raises:
        DeviceError: the counters may not be read.
    """
    return PowercapMeter(root, part) if _packages(root, part) else None


def _packages(root: Path, part: str) -> list[Path]:
    # "intel-rapl:0:1" is a part of "intel-rapl:0".
    zones = sysfs.numbered(root / "sys/class/powercap", "intel-rapl:")
    names = {zone: sysfs.word(zone / "name") for zone in zones}
    return [
        zone for zone, name in names.items() if name.startswith("package") and part in {"", name}
    ]


def _counter(zone: Path) -> _Counter:
    energy = zone / "energy_uj"
    range_uj = sysfs.number(zone / "max_energy_range_uj")
    if range_uj <= 0:
        raise DeviceError(f"{zone}/max_energy_range_uj: holds {range_uj}: this counter is unusable")
    return _Counter(energy, range_uj, sysfs.number(energy))


def _is_measured(root: Path) -> bool:
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False
    model = re.search(r"^model\s*: ([0-9]+)$", text, re.MULTILINE)
    known = int(model[1]) if model else 0
    return "GenuineIntel" in text and known not in _MODELLED_INTEL
