"""How the learning rate goes, by name."""

from functools import partial
from math import cos, pi
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    ReduceLROnPlateau,
)

from edge_vessel.errors import UsageError

_LOWEST = 1e-8  # learning rate at the end of a cycle
SCHEDULES = ("constant", "cosine", "cyclical", "plateau")


def schedule(name: str, optimiser: Optimizer, steps: int, cycles: int) -> dict[str, Any]:
    """The schedule of that name in the form that Lightning takes.

    Args:
        name: "constant"; "cosine", half a cosine down to 0 over the run; "cyclical", `cycles` of
            these one after another down to 1e-8 (Galdran et al. 2022, section 3); "plateau", a
            tenth whenever the validation loss has not fallen for ten checks.
        steps: optimiser steps of the whole run.

    Raises:
        UsageError: the name is not in the registry, or there are no cycles.
    """
    if name == "plateau":
        found: Any = ReduceLROnPlateau(optimiser, factor=0.1, patience=10)
        return {"scheduler": found, "monitor": "val_loss", "strict": False}
    if name == "cosine":
        found = CosineAnnealingLR(optimiser, steps)
    elif name == "cyclical":
        if cycles < 1:
            raise UsageError(f"--model.cycles {cycles}: 1 or more")
        found = LambdaLR(optimiser, partial(_cycle, steps, cycles, optimiser.defaults["lr"]))
    elif name == "constant":
        found = ConstantLR(optimiser, factor=1.0)
    else:
        raise UsageError(f"unknown schedule {name!r}; known: {', '.join(SCHEDULES)}")
    return {"scheduler": found, "interval": "step"}


def _cycle(steps: int, cycles: int, learning_rate: float, step: int) -> float:
    """The factor of the learning rate; the last cycle ends with the run, whole steps or not."""
    place = step * cycles / steps % 1.0
    lowest = _LOWEST / learning_rate
    return lowest + (1.0 - lowest) * (1.0 + cos(pi * place)) / 2.0
