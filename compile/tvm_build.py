"""TIR functions as a TVM library: one Relax function calls them, its memory planned beforehand."""

from functools import partial
from pathlib import Path
from typing import Any

import tvm
from tvm import relax

from compile.plan import Step
from compile.schedules.core import Core
from compile.schedules.maps import Image
from compile.tuning import Tuner

# The default pipeline also fuses, tunes and legalises, which is of no use to finished functions.
_PASSES = (
    relax.transform.RewriteDataflowReshape,
    relax.transform.ToNonDataflow,
    relax.transform.RemovePurityChecking,
    relax.transform.CallTIRRewrite,
    relax.transform.StaticPlanBlockMemory,
    relax.transform.LowerAllocTensor,
    relax.transform.KillAfterLastUse,
    relax.transform.LowerRuntimeBuiltin,
    relax.transform.ComputePrimValue,
    relax.transform.VMShapeLower,
    relax.transform.AttachGlobalSymbol,
)


def module(steps: list[Step], core: Core, tuner: Tuner | None = None) -> tvm.IRModule:
    """`main`: the image -> the probability (1, 1, H, W); memory planned before it runs.

    Args:
        tuner: measures other block sizes of each step and takes the fastest.
    """
    builder = relax.BlockBuilder()
    image = next(m for s in steps for m in s.bottleneck.inputs if isinstance(m, Image))
    argument = relax.Var("image", relax.TensorType(image.shape, image.dtype))
    values: dict[str, Any] = {}
    with builder.function("main", [argument]):
        with builder.dataflow():
            for number, step in enumerate(steps):
                bottleneck = step.bottleneck
                name = f"bottleneck{number}"
                best = core
                if tuner is not None:
                    best = tuner.choose(name, partial(bottleneck.function, name=name), core)
                call = builder.add_func(bottleneck.function(best, name), name)
                out = bottleneck.output
                shape = (1, 1, out.height, out.width) if bottleneck.final else out.shape(core)
                reads = [
                    argument if isinstance(m, Image) else values[name]
                    for m, name in zip(bottleneck.inputs, step.reads, strict=True)
                ]
                weights = relax.const(bottleneck.packed(best), bottleneck.weights_dtype(core))
                kind = relax.TensorType(shape, bottleneck.output_dtype(core))
                result = relax.call_tir(call, [*reads, weights], kind)
                values[step.writes] = builder.emit(result)
            found = builder.emit_output(values[steps[-1].writes])
        builder.emit_func_output(found)
    return builder.get()


def build(steps: list[Step], core: Core, target: tvm.target.Target) -> Any:
    """The executable of a plan for `target`."""
    return lower(module(steps, core), target)


def lower(scheduled: tvm.IRModule, target: tvm.target.Target) -> Any:
    """The executable of a module whose TIR functions are scheduled."""
    pipeline = tvm.transform.Sequential([make() for make in _PASSES])
    return tvm.compile(scheduled, target=target, relax_pipeline=pipeline)


def export(executable: Any, path: Path, compiler: str) -> None:
    """Links a shared library with `compiler`."""
    executable.export_library(str(path), fcompile=tvm.support.cc.cross_compiler(compiler))
