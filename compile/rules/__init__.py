"""Schedules for operators that have none of their own: any convolution, then everything else."""

import tvm
from tvm import s_tir, tirx

from compile.rules.convolution import convolution
from compile.rules.spatial import spatial
from compile.schedules.core import Core

_RULES = (convolution, spatial)


def apply(module: tvm.IRModule, core: Core) -> dict[str, str]:
    """Schedules each TIR function in place that nobody scheduled; returns its rule by name."""
    chosen = {}
    for name, function in list(module.functions_items()):
        if not isinstance(function, tirx.PrimFunc) or "tirx.is_scheduled" in function.attrs:
            continue
        for rule in _RULES:
            schedule = rule(function, core)
            if schedule is not None:
                scheduled = schedule.mod["main"].with_attr("tirx.is_scheduled", True)
                module.update_func(name, scheduled)
                chosen[name.name_hint] = rule.__name__
                break
        else:
            chosen[name.name_hint] = "none"
    return chosen


__all__ = ["apply", "s_tir"]
