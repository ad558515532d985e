"""The boards that a bundle can be made for."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import UsageError
from edge_vessel.manifest import NONE, Target
from edge_vessel.target import canonical_architecture

# glibc of the boards' systems: Debian 12 and Ubuntu 22.04 have 2.35 or newer.
_GLIBC = ("2_28", "2_27", "2_24", "2_17", "2_5")


@dataclass(frozen=True)
class BoardTarget:
    """A kind of board.

    Attributes:
        machine: as `uname -m` names it.
        features: of its cores, in the words of /proc/cpuinfo; those alone that artifacts ask for.
        accelerators: prefixes of those that an artifact may need.
    """

    description: str
    machine: str
    features: frozenset[str] = frozenset({"fp", "asimd"})
    accelerators: tuple[str, ...] = ()

    @property
    def platforms(self) -> list[str]:
        """Tags of the wheels that run there, the newest first."""
        tags = [f"manylinux_{version}_{self.machine}" for version in _GLIBC]
        return [*tags, f"manylinux2014_{self.machine}"]

    def check(self, needed: Target, folder: Path) -> None:
        """Returns where the board can run what `needed` describes; `folder` is only named.

        Raises:
            UsageError: another architecture, or CPU features or a GPU that the board lacks.
        """
        if needed.triple != "any":
            architecture = canonical_architecture(needed.triple.partition("-")[0])
            if architecture != self.machine:
                raise UsageError(
                    f"{folder}: is built for {needed.triple}; {self.description} is {self.machine}"
                )
            if missing := [name for name in needed.features if name not in self.features]:
                raise UsageError(
                    f"{folder}: needs the CPU features {' '.join(missing)} (cpu {needed.cpu}), "
                    f"which {self.description} lacks: compile it for that board"
                )
        if needed.accelerator != NONE and not needed.accelerator.startswith(self.accelerators):
            raise UsageError(
                f"{folder}: needs a GPU ({needed.accelerator}), which {self.description} lacks"
            )


_ARMV8_2 = frozenset({"fp", "asimd", "asimdhp", "asimddp"})

TARGETS = {
    "rk3399": BoardTarget("RK3399", "aarch64", accelerators=("opencl",)),
    "rpi4": BoardTarget("Raspberry Pi 4", "aarch64"),
    "rpi5": BoardTarget("Raspberry Pi 5", "aarch64", _ARMV8_2),
    "jetson-orin": BoardTarget("Jetson Orin", "aarch64", _ARMV8_2, ("cuda:sm_87",)),
    "generic-aarch64": BoardTarget("any 64-bit Arm board", "aarch64"),
    "x86_64": BoardTarget(
        "x86-64", "x86_64", frozenset({"avx", "avx2", "fma", "sse4_2"}), ("opencl",)
    ),
}


def accelerator_kind(needed: Iterable[Target]) -> str:
    """What the first that needs a GPU reaches it by, "cuda" or "opencl"; else "none"."""
    kinds = (target.accelerator.partition(":")[0] for target in needed)
    return next((kind for kind in kinds if kind != NONE), NONE)
