"""What machine this is and how it fares, read from /proc and /sys."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from edge_vessel.json_reader import Range

# MIDR part numbers: the kernel's arch/arm64/include/asm/cputype.h.
_ARM_PARTS = {
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD0D: "Cortex-A77",
    0xD41: "Cortex-A78",
    0xD42: "Cortex-A78AE",
}
_ARM_IMPLEMENTER = 0x41
# Raspberry Pi documentation, "vcgencmd": bits of get_throttled.
_THROTTLE_BITS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage has occurred",
    17: "frequency capping has occurred",
    18: "throttling has occurred",
    19: "soft temperature limit has occurred",
}
_VCGENCMD_TIMEOUT_S = 5.0
# 65535 on x86: the kernel's word for "no cluster".
_NO_CLUSTER = 0xFFFF
# A zone outside these is a sensor that is not connected.
_PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True)
class Core:
    """One processor as Linux counts them; None where the kernel does not say."""

    index: Annotated[int, Range(0, 10**15)]
    part: str
    cluster: Annotated[int, Range(0, 10**15)] | None
    min_mhz: Annotated[float, Range(0, 1e12)] | None
    max_mhz: Annotated[float, Range(0, 1e12)] | None
    governor: str | None


@dataclass(frozen=True)
class ThermalZone:
    """One temperature sensor, in degrees Celsius."""

    name: str
    celsius: float


@dataclass(frozen=True)
class Cooling:
    """A cooling device: a fan, or a processor slowed down where its name says so; 0 is idle."""

    name: str
    state: int
    max_state: int

    @property
    def slows_processor(self) -> bool:
        """Whether it cools by slowing the processor down, as no fan does."""
        return re.search("cpu|processor", self.name, re.IGNORECASE) is not None


@dataclass(frozen=True)
class Board:
    """`throttle` is None where the board has no such report (all but the Raspberry Pi)."""

    model: str
    compatible: tuple[str, ...]
    cpu: str
    cores: tuple[Core, ...]
    zones: tuple[ThermalZone, ...]
    cooling: tuple[Cooling, ...]
    throttle: tuple[str, ...] | None
    memory_bytes: int
    available_bytes: int
    load_1min: float
    kernel: str
    os: str

    @property
    def hottest_c(self) -> float | None:
        """The highest temperature, None without a sensor."""
        return max((zone.celsius for zone in self.zones), default=None)

    @property
    def slowed(self) -> tuple[str, ...]:
        """What slows the processor now, empty where nothing does."""
        cooling = tuple(
            f"{device.name} at {device.state} of {device.max_state}"
            for device in self.cooling
            if device.state and device.slows_processor
        )
        now = (flag for flag in self.throttle or () if not flag.endswith("has occurred"))
        return (*now, *cooling)


def read_board(root: Path = Path("/")) -> Board:
    """Reads the machine under `root`, which holds `proc`, `sys` and `etc`; raises nothing."""
    processors = _processors(root)
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE))
    load = re.match(r"[\d.]+", _text(root / "proc/loadavg"))
    cores = tuple(_core(root, processor) for processor in processors)
    return Board(
        model=_model(root),
        compatible=tuple(_text(root / "proc/device-tree/compatible").split("\0")[:-1]),
        cpu=_cpu_name(cores),
        cores=cores,
        zones=tuple(thermal_zones(root)),
        cooling=tuple(cooling_devices(root)),
        throttle=throttle_report(root),
        memory_bytes=int(memory.get("MemTotal", 0)) * 1024,
        available_bytes=int(memory.get("MemAvailable", 0)) * 1024,
        load_1min=float(load[0]) if load else 0.0,
        kernel=_text(root / "proc/sys/kernel/osrelease").strip(),
        os=_os_name(root),
    )


def throttle_flags(value: int) -> tuple[str, ...]:
    """The names of the bits set in the answer of `vcgencmd get_throttled`."""
    return tuple(name for bit, name in _THROTTLE_BITS.items() if value >> bit & 1)


def _model(root: Path) -> str:
    tree = _text(root / "proc/device-tree/model").rstrip("\0\n")
    if tree:
        return tree
    dmi = root / "sys/class/dmi/id"
    names = (_text(dmi / "sys_vendor").strip(), _text(dmi / "product_name").strip())
    return " ".join(name for name in names if name) or "unknown"


def _processors(root: Path) -> list[dict[str, str]]:
    blocks = _text(root / "proc/cpuinfo").split("\n\n")
    fields = [dict(re.findall(r"^([\w ]+?)\s*: (.*)$", block, re.MULTILINE)) for block in blocks]
    return [block for block in fields if block.get("processor", "").isdigit()]


def _core(root: Path, processor: dict[str, str]) -> Core:
    index = int(processor["processor"])
    folder = root / f"sys/devices/system/cpu/cpu{index}"
    cluster = _number(folder / "topology/cluster_id")
    if cluster is None or cluster < 0 or cluster == _NO_CLUSTER:
        cluster = _number(folder / "topology/physical_package_id")
    low, high = (_number(folder / f"cpufreq/cpuinfo_{end}_freq") for end in ("min", "max"))
    return Core(
        index=index,
        part=_part(processor),
        cluster=None if cluster is None or cluster < 0 else cluster,
        min_mhz=None if low is None else low / 1000,
        max_mhz=None if high is None else high / 1000,
        governor=_text(folder / "cpufreq/scaling_governor").strip() or None,
    )


def _part(processor: dict[str, str]) -> str:
    try:
        implementer = int(processor["CPU implementer"], 16)
        part = int(processor["CPU part"], 16)
    except (KeyError, ValueError):
        return processor.get("model name", "unknown")
    known = _ARM_PARTS.get(part) if implementer == _ARM_IMPLEMENTER else None
    return known or f"implementer {implementer:#04x} part {part:#05x}"


def _cpu_name(cores: tuple[Core, ...]) -> str:
    counts: dict[str, int] = {}
    for core in cores:
        counts[core.part] = counts.get(core.part, 0) + 1
    return " + ".join(f"{count}x {part}" for part, count in counts.items()) or "unknown"


def thermal_zones(root: Path = Path("/")) -> Iterable[ThermalZone]:
    """The temperatures alone, cheap enough to be asked several times a second."""
    for folder in _numbered(root / "sys/class/thermal", "thermal_zone"):
        millidegrees = _number(folder / "temp")
        if millidegrees is None:
            continue
        celsius = millidegrees / 1000
        if _PLAUSIBLE_C[0] <= celsius <= _PLAUSIBLE_C[1]:
            yield ThermalZone(_text(folder / "type").strip() or folder.name, celsius)


def cooling_devices(root: Path = Path("/")) -> Iterable[Cooling]:
    """The cooling devices alone, cheap as the temperatures."""
    for folder in _numbered(root / "sys/class/thermal", "cooling_device"):
        state, highest = _number(folder / "cur_state"), _number(folder / "max_state")
        if state is not None and highest is not None:
            yield Cooling(_text(folder / "type").strip() or folder.name, state, highest)


def throttle_report(root: Path = Path("/")) -> tuple[str, ...] | None:
    """The flags of `vcgencmd get_throttled`, which starts a process; None on boards without it."""
    command = shutil.which("vcgencmd", path=_search_path(root))
    if command is None:
        return None
    try:
        answer = subprocess.run(
            [command, "get_throttled"],
            capture_output=True,
            text=True,
            timeout=_VCGENCMD_TIMEOUT_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"throttled=(0x[0-9a-fA-F]+)", answer)
    return throttle_flags(int(match[1], 16)) if match else None


def _search_path(root: Path) -> str:
    return os.pathsep.join(str(root / folder) for folder in ("usr/bin", "opt/vc/bin"))


def _os_name(root: Path) -> str:
    release = _text(root / "etc/os-release")
    fields: dict[str, str] = dict(re.findall(r'^(\w+)="?(.*?)"?$', release, re.MULTILINE))
    return fields.get("PRETTY_NAME", "unknown")


def _numbered(folder: Path, prefix: str) -> list[Path]:
    found = [path for path in folder.glob(f"{prefix}*") if path.name[len(prefix) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(prefix) :]))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
