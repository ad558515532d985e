"""The cores that can be estimated, and how counts become seconds on them."""

from dataclasses import dataclass

from compile.targets import CompileTarget
from edge_vessel.errors import UsageError
from edge_vessel.manifest import NONE


@dataclass(frozen=True)
class Machine:
    """One core and the memory of its usual boards.

    Attributes:
        model: the core as llvm-mca names it; LLVM calls an A76 by its server form, Neoverse N1.
        llvm: suffix of the LLVM whose model it is: Debian's default weighs an A76 like an A57.
        l1_ways, l2_ways: of the data caches; their sizes are the target's.
        l2_hit_cycles: what a miss of the first level that hits the second adds.
        bandwidth: bytes a second that one core moves from and to memory together.
    """

    model: str
    llvm: str
    clock_hz: float
    l1_ways: int
    l2_ways: int
    l2_hit_cycles: float
    bandwidth: float

    def core_seconds(self, cycles: float, l2_hits: int) -> float:
        """The core's own, where no access goes to memory."""
        return (cycles + self.l2_hit_cycles * l2_hits) / self.clock_hz

    def memory_seconds(self, moved_bytes: int) -> float:
        """Memory's, where the core waits for nothing else."""
        return moved_bytes / self.bandwidth


# Ways: Cortex-A72 TRM and Cortex-A76 TRM, "L1 memory system" and "L2 memory system".
# Clock: Raspberry Pi 4 and 5; an RK3399 runs its A72 at 1.8 GHz too.
# Bandwidth: twice what tinymembench's "C copy" copies on a Raspberry Pi 4 (2,777 MB/s) and 5
# (4,870 MB/s), github.com/geerlingguy/sbc-reviews, issues 110 and 21.
# Hits in the second level: half of about 18 and 9 cycles, the rest hidden by running out of order.
# That half is a guess. bench/README.md holds the whole model of the A72 against published times, to
# which nothing was fitted.
MACHINES = {
    "cortex-a72": Machine(
        "cortex-a72", "", 1.8e9, l1_ways=2, l2_ways=16, l2_hit_cycles=9, bandwidth=5.6e9
    ),
    "cortex-a76": Machine(
        "neoverse-n1", "-19", 2.4e9, l1_ways=4, l2_ways=8, l2_hit_cycles=4.5, bandwidth=9.7e9
    ),
}


def find(target: CompileTarget) -> Machine:
    """The machine of a target.

    Raises:
        UsageError: there is none; names the cores that can be estimated.
    """
    if target.accelerator != NONE or target.cpu not in MACHINES:
        raise UsageError(f"{target.name}: no estimate, only for the CPUs {', '.join(MACHINES)}")
    return MACHINES[target.cpu]
