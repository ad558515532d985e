"""Schedules for operators that have none of their own: any convolution, then everything else."""

from collections.abc import Callable

import tvm
from tvm import s_tir, tirx

from compile.rules.convolution import convolution
from compile.rules.gpu import gpu_convolution, gpu_spatial
from compile.rules.spatial import spatial
from compile.schedules.core import Core

Rule = Callable[[tirx.PrimFunc, Core], s_tir.Schedule | None]

CPU: dict[str, Rule] = {"convolution": convolution, "spatial": spatial}
GPU: dict[str, Rule] = {"convolution": gpu_convolution, "spatial": gpu_spatial}


def apply(module: tvm.IRModule, core: Core, rules: dict[str, Rule] = CPU) -> dict[str, str]:
    """Schedules each TIR function in place that nobody scheduled; returns its rule by name."""
    chosen = {}
    for name, function in list(module.functions_items()):
        if not isinstance(function, tirx.PrimFunc) or "tirx.is_scheduled" in function.attrs:
            continue
        for rule_name, rule in rules.items():
            schedule = rule(function, core)
            if schedule is not None:
                scheduled = schedule.mod["main"].with_attr("tirx.is_scheduled", True)
                module.update_func(name, scheduled)
                chosen[name.name_hint] = rule_name
                break
    return chosen


__all__ = ["CPU", "GPU", "apply"]
