"""Schedules for operators that have none of their own: any convolution, then everything else."""

from collections.abc import Callable
from typing import Any

import tvm
from tvm import s_tir, tirx

from compile.rules.convolution import convolution
from compile.rules.gpu import gpu_convolution, gpu_spatial
from compile.rules.spatial import spatial
from compile.schedules.core import Core
from compile.tuning import Tuner

Rule = Callable[[tirx.PrimFunc, Core], s_tir.Schedule | None]

CPU: dict[str, Rule] = {"convolution": convolution, "spatial": spatial}
GPU: dict[str, Rule] = {"convolution": gpu_convolution, "spatial": gpu_spatial}


def apply(
    module: tvm.IRModule,
    core: Core,
    rules: dict[str, Rule] = CPU,
    tuner: Tuner | None = None,
) -> dict[str, str]:
    """Schedules each TIR function in place that nobody scheduled; returns its rule by name.

    Args:
        tuner: measures other block sizes and MetaSchedule's schedules and takes the fastest.
    """
    chosen = {}
    for name, function in list(module.functions_items()):
        if not isinstance(function, tirx.PrimFunc) or "tirx.is_scheduled" in function.attrs:
            continue
        for rule_name, rule in rules.items():
            schedule = rule(function, core)
            if schedule is None:
                continue
            best = schedule.mod["main"]
            if tuner is not None:

                def make(core: Core, rule: Rule = rule, plain: tirx.PrimFunc = function) -> Any:
                    return rule(plain, core).mod["main"]

                best = tuner.schedule(name.name_hint, function, make, core)
            module.update_func(name, best.with_attr("tirx.is_scheduled", True))
            chosen[name.name_hint] = rule_name
            break
    return chosen


__all__ = ["CPU", "GPU", "apply"]
