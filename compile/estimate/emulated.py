"""What aarch64 programs would cost on one core of a board: counted under QEMU, then weighed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compile.estimate import execution
from compile.estimate.cycles import instructions, weigh
from compile.estimate.machine import Machine

LINE_BYTES = 64


@dataclass(frozen=True)
class Estimate:
    """One call on one core; nothing is measured.

    Attributes:
        instructions: executed.
        cycles: of the core's pipelines, every access a hit in the first-level cache.
        l1_misses, l2_misses: lines of data that the two caches did not hold; no prefetcher.
        bytes_read, bytes_written: between the second-level cache and memory.
        core_seconds, memory_seconds: see `Machine`.
    """

    instructions: int
    cycles: float
    l1_misses: int
    l2_misses: int
    bytes_read: int
    bytes_written: int
    core_seconds: float
    memory_seconds: float

    @property
    def seconds(self) -> float:
        """The slower one of core and memory."""
        # The longer one, not the sum: maps are read and written in order, which the prefetchers of
        # both cores follow, so that memory works while the core computes.
        return max(self.core_seconds, self.memory_seconds)

    @property
    def serial_seconds(self) -> float:
        """Were the core to stop for every transfer: the most that this model can say."""
        return self.core_seconds + self.memory_seconds


def estimate(
    programs: Sequence[Sequence[str]],
    folder: Path,
    cpu: str,
    machine: Machine,
    cache_bytes: tuple[int, int],
) -> list[Estimate]:
    """Of what each program does between `hint #126` and `hint #127`.

    Args:
        programs, folder, cpu: see `execution.run`.
        machine: that weighs the counts.
        cache_bytes: of the first and the second level.

    Raises:
        DeviceError: a program failed, or llvm-mca does not know the instructions.
    """
    first, second = cache_bytes
    caches = first, machine.l1_ways, second, machine.l2_ways
    counts = execution.run(programs, folder, cpu, caches)
    cycles = weigh([one.blocks for one in counts], machine, folder)
    return [_estimate(*cost, machine) for cost in zip(counts, cycles, strict=True)]


def _estimate(count: execution.Counts, cycles: float, machine: Machine) -> Estimate:
    read, written = LINE_BYTES * count.l2_misses, LINE_BYTES * count.write_backs
    return Estimate(
        instructions(count.blocks),
        cycles,
        count.l1_misses,
        count.l2_misses,
        read,
        written,
        machine.core_seconds(cycles, count.l1_misses - count.l2_misses),
        machine.memory_seconds(read + written),
    )
