"""Estimates TIR functions; a meter for the tuner where there is no board."""

import tempfile
from pathlib import Path

from tvm import tirx

from compile.estimate import emulated, machine, program, tools
from compile.estimate.emulated import Estimate
from compile.targets import CompileTarget

_FUNCTION = "estimated"


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
        self._cache_bytes = core.l1_bytes, core.l2_bytes

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
            programs = [(f"./{built.name}", str(number)) for number in range(len(functions))]
            found = emulated.estimate(programs, folder, self._cpu, self._machine, self._cache_bytes)
        return dict(zip(functions, found, strict=True))


def explain(functions: dict[str, tirx.PrimFunc], target: CompileTarget) -> dict[str, Estimate]:
    """What each function of a network costs on one core of the target, by name.

    Raises:
        UsageError: see `EstimateMeter`.
        DeviceError: a function could not be built or run.
    """
    return EstimateMeter(target).estimates(functions) if functions else {}
