from pathlib import Path

import pytest

from edge_vessel.board import Cooling, Core, ThermalZone, read_board, throttle_flags

RK3399 = {
    "proc/device-tree/model": "FriendlyElec NanoPC-T4\0",
    "proc/device-tree/compatible": "friendlyarm,nanopc-t4\0rockchip,rk3399\0",
    "proc/cpuinfo": "".join(
        f"processor\t: {n}\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 2\n\n"
        for n, part in enumerate(["0xd03"] * 4 + ["0xd08"] * 2)
    ),
    "proc/meminfo": "MemTotal:        3903148 kB\nMemFree:  1 kB\nMemAvailable:    3100000 kB\n",
    "proc/loadavg": "0.52 0.40 0.30 1/200 1234\n",
    "proc/sys/kernel/osrelease": "6.1.0\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61111\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "58750\n",
    "sys/class/thermal/thermal_zone2/temp": "-274000\n",
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
    "sys/class/thermal/cooling_device0/cur_state": "0\n",
    "sys/class/thermal/cooling_device0/max_state": "5\n",
    "sys/class/thermal/cooling_device10/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device10/cur_state": "2\n",
    "sys/class/thermal/cooling_device10/max_state": "3\n",
    "sys/class/thermal/cooling_device2/type": "cpufreq-cpu4\n",
    "sys/class/thermal/cooling_device2/cur_state": "3\n",
    "sys/class/thermal/cooling_device2/max_state": "7\n",
} | {
    f"sys/devices/system/cpu/cpu{n}/{name}": content
    for n in range(6)
    for name, content in {
        "topology/cluster_id": f"{n // 4}\n",
        "topology/physical_package_id": "0\n",
        "cpufreq/cpuinfo_min_freq": "408000\n",
        "cpufreq/cpuinfo_max_freq": "1416000\n" if n < 4 else "1800000\n",
        "cpufreq/scaling_governor": "ondemand\n",
    }.items()
}


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_a_big_little_board(tmp_path: Path) -> None:
    board = read_board(lay(tmp_path, RK3399))
    assert board.model == "FriendlyElec NanoPC-T4"
    assert board.compatible == ("friendlyarm,nanopc-t4", "rockchip,rk3399")
    assert board.cpu == "4x Cortex-A53 + 2x Cortex-A72"
    assert board.cores[0] == Core(0, "Cortex-A53", 0, 408.0, 1416.0, "ondemand")
    assert board.cores[5] == Core(5, "Cortex-A72", 1, 408.0, 1800.0, "ondemand")
    assert board.zones == (ThermalZone("cpu-thermal", 61.111), ThermalZone("gpu-thermal", 58.75))
    assert board.hottest_c == 61.111
    assert board.cooling == (
        Cooling("cpufreq-cpu0", 0, 5),
        Cooling("cpufreq-cpu4", 3, 7),
        Cooling("pwm-fan", 2, 3),
    )
    assert board.slowed == ("cpufreq-cpu4 at 3 of 7",)
    assert board.throttle is None
    assert board.memory_bytes == 3903148 * 1024
    assert board.available_bytes == 3100000 * 1024
    assert board.load_1min == 0.52
    assert board.kernel == "6.1.0"
    assert board.os == "Debian GNU/Linux 12 (bookworm)"


def test_a_pc(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "".join(
            f"processor\t: {n}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9B45\n\n"
            for n in range(2)
        ),
        "sys/class/dmi/id/sys_vendor": "LENOVO\n",
        "sys/class/dmi/id/product_name": "20XW\n",
        "sys/devices/system/cpu/cpu0/topology/cluster_id": "65535\n",
        "sys/devices/system/cpu/cpu0/topology/physical_package_id": "0\n",
        "sys/devices/system/cpu/cpu1/topology/cluster_id": "-1\n",
    }
    board = read_board(lay(tmp_path, files))
    assert board.model == "LENOVO 20XW"
    assert board.cpu == "2x AMD EPYC 9B45"
    assert [core.cluster for core in board.cores] == [0, None]
    assert board.hottest_c is None


def test_an_empty_machine_raises_nothing(tmp_path: Path) -> None:
    board = read_board(tmp_path)
    assert (board.model, board.cpu, board.os) == ("unknown", "unknown", "unknown")
    assert (board.cores, board.zones, board.throttle, board.slowed) == ((), (), None, ())


@pytest.mark.parametrize(
    ("implementer", "part", "name"),
    [
        ("0x41", "0xd08", "Cortex-A72"),
        ("0x41", "0xd0b", "Cortex-A76"),
        ("0x41", "0xfff", "implementer 0x41 part 0xfff"),
        ("0x51", "0xd08", "implementer 0x51 part 0xd08"),
    ],
)
def test_parts(tmp_path: Path, implementer: str, part: str, name: str) -> None:
    cpuinfo = f"processor\t: 0\nCPU implementer\t: {implementer}\nCPU part\t: {part}\n"
    board = read_board(lay(tmp_path, {"proc/cpuinfo": cpuinfo}))
    assert board.cpu == f"1x {name}"


@pytest.mark.parametrize(
    ("answer", "flags", "slowed"),
    [
        ("throttled=0x0", (), ()),
        (
            "throttled=0x50005",
            ("under-voltage", "throttled", "under-voltage has occurred",
             "throttling has occurred"),
            ("under-voltage", "throttled"),
        ),
        ("throttled=0x80000", ("soft temperature limit has occurred",), ()),
        ("VCHI initialization failed", None, ()),
    ],
)  # fmt: skip
def test_the_raspberry_pis_own_report(
    tmp_path: Path, answer: str, flags: tuple[str, ...] | None, slowed: tuple[str, ...]
) -> None:
    script = f'#!/bin/sh\n[ "$1" = get_throttled ] && echo "{answer}"\n'
    lay(tmp_path, {"usr/bin/vcgencmd": script})
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    board = read_board(tmp_path)
    assert board.throttle == flags
    assert board.slowed == slowed


def test_every_throttle_bit_has_a_name() -> None:
    assert len(throttle_flags(0xF000F)) == 8
    assert throttle_flags(0x2) == ("frequency capped",)


def test_this_machine() -> None:
    board = read_board()
    assert board.cores
    assert board.memory_bytes > board.available_bytes > 0
    assert board.kernel
