"""How many multiply-adds a core could do at most, for the cores whose manuals say so."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_vessel.board import Board

# float32 multiply-adds a cycle: four lanes for each FMLA of 128 bits that a core can begin in a
# cycle. Source: Arm's software optimisation guides, "ASIMD FP multiply accumulate, Q-form".
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
    """What the cores together could do in float32, at their highest clock."""

    gmadds_per_s: float
    source: str


def find_peak(board: Board, cores: Sequence[int], threads: int) -> Peak | None:
    """Of the `threads` fastest of these cores; None where a core or its clock is not known."""
    rates = []
    for core in board.cores:
        if core.index not in cores:
            continue
        per_cycle = _MADDS_PER_CYCLE.get(core.part)
        if per_cycle is None or core.max_mhz is None:
            return None
        rates.append((per_cycle * core.max_mhz / 1e3, f"{core.part} at {core.max_mhz:.0f} MHz"))
    rates.sort(reverse=True)
    used = rates[:threads]
    if not used:
        return None
    names = " + ".join(sorted({name for _, name in used}))
    return Peak(round(sum(rate for rate, _ in used), 3), f"{len(used)} of {names}, data sheet")
