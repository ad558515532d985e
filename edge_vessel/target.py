"""Whether this machine can run what an artifact was built for."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.accelerator import check_accelerator
from edge_vessel.errors import ArtifactError, DeviceError
from edge_vessel.manifest import Target

CPUINFO = Path("/proc/cpuinfo")

# One name where kernels and compilers use several.
ARCHITECTURES = {
    "arm64": "aarch64",
    "amd64": "x86_64",
    "armv7l": "arm",
    "armv7a": "arm",
    "armv7": "arm",
    "armv8l": "arm",
    "i386": "i686",
}
# A 32-bit userland under a 64-bit kernel (Raspberry Pi OS 32-bit) loads 32-bit libraries only.
NARROW = {"aarch64": "arm", "x86_64": "i686"}


@dataclass(frozen=True)
class Machine:
    """`features` are those that every core has, in the words of /proc/cpuinfo."""

    architecture: str
    features: frozenset[str]


def this_machine() -> Machine:
    """The machine that this process runs on.

    Raises:
        DeviceError: /proc/cpuinfo cannot be read.
    """
    architecture = canonical_architecture(platform.machine(), sys.maxsize > 2**32)
    try:
        return Machine(architecture, cpu_features(CPUINFO.read_text(errors="replace")))
    except OSError as error:
        raise DeviceError(f"{CPUINFO}: cannot be read: {error.strerror}") from error


def canonical_architecture(name: str, wide: bool = True) -> str:
    """`name` of a triple or of `uname -m`; `wide` says whether the process has 64-bit pointers."""
    name = ARCHITECTURES.get(name.lower(), name.lower())
    return name if wide else NARROW.get(name, name)


def cpu_features(cpuinfo: str) -> frozenset[str]:
    """The features that all cores share: lines "flags" (x86) or "Features" (ARM)."""
    cores = [
        frozenset(value.split())
        for key, _, value in (line.partition(":") for line in cpuinfo.splitlines())
        if key.strip() in ("flags", "Features")
    ]
    return frozenset.intersection(*cores) if cores else frozenset()


def check_target(target: Target, machine: Machine, folder: Path) -> None:
    """Returns where `machine` can run it; `folder` is only named in messages.

    Raises:
        ArtifactError: another architecture, or CPU features or a GPU that this machine lacks.
    """
    if target.triple != "any":
        needed = canonical_architecture(target.triple.partition("-")[0])
        if needed != machine.architecture:
            raise ArtifactError(
                f"{folder}: is built for {target.triple} (cpu {target.cpu}); this machine is "
                f"{machine.architecture}; use an artifact for it or a portable one (onnx)"
            )
    missing = [name for name in target.features if name not in machine.features]
    if missing:
        present = [name for name in target.features if name in machine.features]
        raise ArtifactError(
            f"{folder}: needs the CPU features {' '.join(target.features)} (cpu {target.cpu}); "
            f"this machine ({machine.architecture}) has {' '.join(present) or 'none of them'} and "
            f"lacks {' '.join(missing)}; use an artifact built for it"
        )
    check_accelerator(target.accelerator, folder)
