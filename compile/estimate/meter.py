"""Estimates TIR functions; a meter for the tuner where there is no board."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tvm import tirx

from compile.estimate import execution, machine, program, tools
from compile.estimate.cycles import weigh
from compile.targets import CompileTarget

_LINE_BYTES = 64
_FUNCTION = "estimated"


@dataclass(frozen=True)
class Estimate:
    """One call on one core; nothing is measured.

    Attributes:
        cycles: of the core's pipelines, every access a hit in the first-level cache.
        l1_misses, l2_misses: lines of data that the two caches did not hold; no prefetcher.
        bytes_read, bytes_written: between the second-level cache and memory.
        seconds: see `Machine.seconds`.
    """

    cycles: float
    l1_misses: int
    l2_misses: int
    bytes_read: int
    bytes_written: int
    seconds: float


class EstimateMeter:
    """One core of the target, emulated; a `compile.tuning.Meter`.

    Args:
        target: whose CPU is one of `machine.MACHINES`.
        threads: how many will share the second-level cache. The estimate is of one core that does
            the work of all.

    Raises:
        UsageError: another CPU, or a missing program.
    """

    def __init__(self, target: CompileTarget, threads: int = 1) -> None:
        self._machine = machine.find(target)
        tools.check(self._machine.llvm)
        core = target.core(threads)
        share = core.l2_bytes * 100 // target.l2_bytes
        self.place = f"estimate {target.cpu}" + (f", {share}% of L2" if share < 100 else "")
        self._cpu = target.cpu
        self._target = target.tvm(1)
        ways = self._machine.l1_ways, self._machine.l2_ways
        self._caches = core.l1_bytes, ways[0], core.l2_bytes, ways[1]

    def seconds(self, function: tirx.PrimFunc) -> float:
        """Of one call with random arguments, the caches as the call before it left them.

        Raises:
            DeviceError: it could not be built or run.
        """
        return self.estimate(function).seconds

    def estimate(self, function: tirx.PrimFunc) -> Estimate:
        """See `seconds`."""
        return self.estimates({_FUNCTION: function})[_FUNCTION]

    def estimates(self, functions: dict[str, tirx.PrimFunc]) -> dict[str, Estimate]:
        """See `seconds`; all of them are compiled together and run side by side."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            built = program.build(functions, self._target, folder)
            counts = execution.run(built, len(functions), self._cpu, self._caches)
            cycles = weigh([one.blocks for one in counts], self._machine, folder)
        costs = zip(counts, cycles, strict=True)
        return dict(zip(functions, (self._estimate(*cost) for cost in costs), strict=True))

    def _estimate(self, count: execution.Counts, cycles: float) -> Estimate:
        read, written = _LINE_BYTES * count.l2_misses, _LINE_BYTES * count.write_backs
        hits = count.l1_misses - count.l2_misses
        seconds = self._machine.seconds(cycles, hits, read + written)
        return Estimate(cycles, count.l1_misses, count.l2_misses, read, written, seconds)


def explain(functions: dict[str, tirx.PrimFunc], target: CompileTarget) -> dict[str, Estimate]:
    """What each function of a network costs on one core of the target, by name.

    Raises:
        UsageError: see `EstimateMeter`.
        DeviceError: a function could not be built or run.
    """
    return EstimateMeter(target).estimates(functions) if functions else {}
