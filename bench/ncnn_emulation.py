"""ncnn's library for Arm under QEMU, in an arm64 root folder that bench/README.md makes."""

from collections.abc import Sequence
from pathlib import Path

from bench import estimated
from compile.estimate import emulated, tools
from compile.estimate.emulated import Estimate
from edge_vessel.atomic import write_file
from edge_vessel.errors import UsageError

CPU = "cortex-a72"
_GUEST = Path(__file__).with_name("ncnn_guest.py")
_MARKS = Path(__file__).with_name("marks.c")
_PYTHON = "usr/bin/python3.11"
_PACKAGES = "usr/local/lib/python3.11/dist-packages"
# As a Cortex-A72 shows itself; ncnn reads it, and would find the workstation's.
_CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 2
"""


def prepare(root: Path) -> str:
    """Which ncnn is in `root`; writes a Cortex-A72's /proc/cpuinfo there.

    Raises:
        UsageError: it is no such folder.
    """
    found = sorted((root / _PACKAGES).glob("ncnn-*.dist-info"))
    if not found or not (root / _PYTHON).exists():
        raise UsageError(f"{root}: no arm64 root folder with ncnn; bench/README.md makes one")
    (root / "proc").mkdir(exist_ok=True)
    write_file(root / "proc" / "cpuinfo", _CPUINFO.encode())
    return found[-1].name.removesuffix(".dist-info").replace("-", " ")


def emulate(networks: Sequence[tuple[Path, int]], root: Path, folder: Path) -> list[Estimate]:
    """Of one inference of each ncnn network: a .param and its side in pixels.

    Raises:
        UsageError: a program is missing.
        DeviceError: ncnn or QEMU failed.
    """
    machine, caches = estimated.core(CPU)
    options = ["-O2", "-shared", "-fPIC", "-o", "marks.so"]
    tools.call(["aarch64-linux-gnu-gcc", *options, str(_MARKS)], folder)
    root = root.resolve()
    python = ["-L", str(root), str(root / _PYTHON), str(_GUEST), "./marks.so"]
    programs = [[*python, str(network.resolve()), str(side)] for network, side in networks]
    return emulated.estimate(programs, folder, CPU, machine, caches)
