"""Sensors as the kernel lays them out below /sys, in a folder of the test's own."""

from pathlib import Path

MAX_RANGE_UJ = 262_143_328_850


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


def hwmon(root: Path, number: int, files: dict[str, str]) -> Path:
    return lay(root / f"sys/class/hwmon/hwmon{number}", files)


def rapl(
    root: Path, packages: list[int], vendor: str = "GenuineIntel", model: int = 0x8E
) -> list[Path]:
    cpu = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel\t\t: {model}\nmodel name\t: a processor"
    lay(root, {"proc/cpuinfo": cpu})
    zones = []
    for number, energy_uj in enumerate(packages):
        zone = root / f"sys/class/powercap/intel-rapl:{number}"
        content = {"energy_uj": str(energy_uj), "max_energy_range_uj": str(MAX_RANGE_UJ)}
        lay(zone, {"name": f"package-{number}", **content})
        lay(zone.parent / f"{zone.name}:0", {"name": "core", **content})
        zones.append(zone)
    return zones


def supply(root: Path, name: str, files: dict[str, str]) -> Path:
    return lay(root / "sys/class/power_supply" / name, files)
