"""The machines that the compiler knows: `python -m compile --list-targets`."""

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from compile.schedules.core import Core
from edge_vessel.errors import UsageError
from edge_vessel.manifest import NONE, Target

if TYPE_CHECKING:
    import tvm

KIB = 1024
NEON_BITS, AVX2_BITS = 128, 256


@dataclass(frozen=True)
class CompileTarget:
    """One kind of machine.

    Attributes:
        triple, cpu, attributes: as LLVM names them.
        features: what /proc/cpuinfo of the machine must list.
        threads: worker threads of an artifact, unless the user asks for another number.
        memory_mb: of the smallest such machine.
        vector_bits, registers: of the vector unit that the schedules use.
        l1_bytes: first-level data cache of a core.
        l2_bytes: second-level cache, shared by `l2_cores` cores.
        compiler: links the library.
        shown: what this project has run of it; nothing has met a board yet.
        accelerator: the GPU that runs the network, as the manifest names it; the rest is its host.
    """

    description: str
    triple: str
    cpu: str
    attributes: tuple[str, ...]
    features: tuple[str, ...]
    threads: int
    memory_mb: int
    vector_bits: int
    registers: int
    l1_bytes: int
    l2_bytes: int
    l2_cores: int
    compiler: str
    shown: str
    accelerator: str = NONE
    name: str = ""

    @property
    def architecture(self) -> str:
        """The first part of the triple."""
        return self.triple.partition("-")[0]

    @property
    def half(self) -> bool:
        """Whether its cores compute with float16 vectors."""
        return "asimdhp" in self.features

    @property
    def widens(self) -> bool:
        """Whether 8-bit products, widened as ARMv8.0 does it, are its fastest arithmetic."""
        return self.architecture == "aarch64" and self.accelerator == NONE and not self.half

    def core(self, threads: int, precision: str = "fp32") -> Core:
        """What the schedules need; threads share the second-level cache."""
        share = min(threads, self.l2_cores)
        bits, dtype = (16, "float16") if precision == "fp16" else (32, "float32")
        return Core(
            self.vector_bits // bits,
            self.registers,
            self.l1_bytes,
            self.l2_bytes // share,
            threads,
            dtype,
            neon=self.architecture == "aarch64",
        )

    def manifest(self, threads: int) -> Target:
        """What the artifact says that it needs."""
        return Target(
            self.triple, self.cpu, self.features, threads, self.memory_mb, self.accelerator
        )

    def tvm(self, threads: int) -> "tvm.target.Target":
        """TVM's own description."""
        import tvm

        options: dict[str, Any] = {
            "kind": "llvm",
            "mtriple": self.triple,
            "mcpu": self.cpu,
            "num-cores": threads,
        }
        if self.attributes:
            options["mattr"] = list(self.attributes)
        if self.accelerator == NONE:
            return tvm.target.Target(options)
        kind, _, architecture = self.accelerator.partition(":")
        gpu: dict[str, Any] = {"kind": kind, "max_threads_per_block": 256, "host": options}
        if architecture:
            gpu |= {"arch": architecture, "max_shared_memory_per_block": 48 * KIB}
        return tvm.target.Target(gpu)


def _arm(
    description: str,
    cpu: str,
    threads: int,
    memory_mb: int,
    l2_kib: int,
    l2_cores: int,
    shown: str,
    attributes: tuple[str, ...] = ("+neon",),
    features: tuple[str, ...] = ("fp", "asimd"),
    l1_kib: int = 32,
) -> CompileTarget:
    return CompileTarget(
        description,
        "aarch64-linux-gnu",
        cpu,
        attributes,
        features,
        threads,
        memory_mb,
        NEON_BITS,
        registers=32,
        l1_bytes=l1_kib * KIB,
        l2_bytes=l2_kib * KIB,
        l2_cores=l2_cores,
        compiler="aarch64-linux-gnu-g++",
        shown=shown,
    )


def _nvidia(description: str, architecture: str) -> CompileTarget:
    host = TARGETS["x86_64"]
    return replace(
        host, description=description, shown=_BUILDS, accelerator=f"cuda:{architecture}", threads=1
    )


_EMULATED = "ran under emulation"
_BUILDS = "builds; not run"

TARGETS: dict[str, CompileTarget] = {
    "x86_64": CompileTarget(
        "any x86-64 with AVX2 and FMA (x86-64-v3, since 2013)",
        "x86_64-linux-gnu",
        "x86-64-v3",
        (),
        ("avx2", "fma"),
        threads=2,
        memory_mb=512,
        vector_bits=AVX2_BITS,
        registers=16,
        l1_bytes=32 * KIB,
        l2_bytes=256 * KIB,
        l2_cores=1,
        compiler="g++",
        shown="ran here",
    ),
    # 256-bit vectors: the padding of narrow maps to 16 lanes costs more than the width gains.
    "x86_64-v4": CompileTarget(
        "x86-64 with AVX-512 (x86-64-v4: Zen 4, Skylake-SP and later)",
        "x86_64-linux-gnu",
        "x86-64-v4",
        (),
        ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
        threads=2,
        memory_mb=512,
        vector_bits=AVX2_BITS,
        registers=32,
        l1_bytes=32 * KIB,
        l2_bytes=1024 * KIB,
        l2_cores=1,
        compiler="g++",
        shown="ran here",
    ),
    # Cortex-A72 TRM, section 1.2: 32 KiB L1D, 48 KiB L1I; L2 of 512 KiB to 4 MiB a cluster.
    "cortex-a72": _arm("one Cortex-A72 cluster", "cortex-a72", 2, 1024, 1024, 4, _EMULATED),
    "rk3399": _arm("Rockchip RK3399: its two A72", "cortex-a72", 2, 2048, 1024, 2, _EMULATED),
    "rpi4": _arm("Raspberry Pi 4: four A72", "cortex-a72", 4, 1024, 1024, 4, _BUILDS),
    # BCM2712: 512 KiB L2 for each A76.
    "rpi5": _arm(
        "Raspberry Pi 5: four A76, dot product, half precision",
        "cortex-a76",
        4,
        2048,
        512,
        1,
        _BUILDS,
        attributes=("+neon", "+dotprod", "+fullfp16"),
        features=("fp", "asimd", "asimddp", "fphp", "asimdhp"),
        l1_kib=64,
    ),
    "generic-aarch64": _arm("any ARMv8.0 with NEON", "generic", 2, 1024, 512, 4, _BUILDS),
}

TARGETS |= {
    "jetson-orin": replace(
        _arm("Jetson Orin: its GPU, CUDA 13", "cortex-a78ae", 1, 4096, 256, 1, _BUILDS),
        accelerator="cuda:sm_87",
    ),
    "cuda-sm86": _nvidia("GeForce RTX 30, A10, A40: CUDA 13", "sm_86"),
    "cuda-sm89": _nvidia("GeForce RTX 40, L4, L40: CUDA 13", "sm_89"),
    "cuda-sm90": _nvidia("H100, H200: CUDA 13", "sm_90"),
    "x86_64-opencl": replace(
        TARGETS["x86_64"],
        description="any OpenCL device of an x86-64 machine; pocl runs it on the CPU",
        accelerator="opencl",
        threads=1,
        shown="ran here (pocl)",
    ),
    "rk3399-mali": replace(
        TARGETS["rk3399"],
        description="Rockchip RK3399: its Mali-T860 by OpenCL 1.2",
        accelerator="opencl",
        shown=_BUILDS,
    ),
}

TARGETS = {name: replace(target, name=name) for name, target in TARGETS.items()}


def find(name: str) -> CompileTarget:
    """The target of that name.

    Raises:
        UsageError: there is none; lists the known ones.
    """
    if name not in TARGETS:
        near = difflib.get_close_matches(name, TARGETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"target {name!r} is unknown: {', '.join(TARGETS)}{hint}")
    return TARGETS[name]


def table() -> str:
    """One line a target."""
    rows = [("TARGET", "CPU", "THREADS", "L2", "GPU", "SHOWN", "WHAT")]
    for name, target in TARGETS.items():
        l2 = f"{target.l2_bytes // KIB} KiB / {target.l2_cores}"
        gpu = "-" if target.accelerator == NONE else target.accelerator
        threads = str(target.threads)
        rows.append((name, target.cpu, threads, l2, gpu, target.shown, target.description))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = (
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )
    return "\n".join(lines) + "\n"
