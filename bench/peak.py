"""How many multiply-adds a core could do at most, for the cores of which that is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.quantities import NotNegative
from edge_vessel.board import Board

# float32 multiply-adds a cycle: four lanes for each FMLA of 128 bits that a core can begin in a
# cycle. Source: Arm's software optimisation guides, "ASIMD FP multiply accumulate, Q-form". Of the
# Cortex-A53 and A73 we know of no public guide: LLVM's scheduling models have one FMLA a cycle for
# both, as for A57 and A72, and two for the Neoverse N1. The A78AE counts as an A78.
_MADDS_PER_CYCLE = {
    "Cortex-A53": 4,
    "Cortex-A55": 4,
    "Cortex-A57": 4,
    "Cortex-A72": 4,
    "Cortex-A73": 4,
    "Cortex-A76": 8,
    "Cortex-A78": 8,
    "Cortex-A78AE": 8,
    "Neoverse-N1": 8,
}


@dataclass(frozen=True)
class Peak:
    """`percent` that a rate is of what the cores together could do, in float32, at their highest
    clock."""

    percent: NotNegative
    gmadds_per_s: NotNegative
    source: str


def madds_per_cycle(part: str) -> int | None:
    """float32 multiply-adds that a core, such as "Cortex-A72", can begin in a cycle; None where
    that is not known."""
    return _MADDS_PER_CYCLE.get(part)


def find_peak(
    board: Board, cores: Sequence[int], threads: int, precision: str, gmadds_per_s: float
) -> Peak | None:
    """Of a rate by the `threads` fastest of these cores.

    None where a core or its clock is not known, and for what does not calculate in float32, of
    which a core can do more or less in a cycle.
    """
    if precision != "fp32":
        return None
    rates = []
    for core in board.cores:
        if core.index not in cores:
            continue
        per_cycle = madds_per_cycle(core.part)
        if per_cycle is None or not core.max_mhz:
            return None
        rates.append((per_cycle * core.max_mhz / 1e3, f"{core.part} at {core.max_mhz:.0f} MHz"))
    rates.sort(reverse=True)
    used = rates[:threads]
    if not used:
        return None
    names = " + ".join(sorted({name for _, name in used}))
    peak = sum(rate for rate, _ in used)
    percent = round(100 * gmadds_per_s / peak, 1)
    return Peak(percent, round(peak, 3), f"{len(used)} of {names}, what they begin in a cycle")
