"""An exported network as native code for a target: model.so and the runtime that it needs."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tvm import tirx

from compile import opencl_runtime, relax_import, rules
from compile.gpu_build import compile_gpu
from compile.plan import NotCoveredError, Step
from compile.runtime_library import VERSION, runtime_library
from compile.schedules.core import Core
from compile.steps import steps
from compile.targets import CompileTarget
from compile.tuning import Tuner
from compile.tvm_build import export, lower, module
from edge_vessel.engines.tvm import MODEL_FILE
from edge_vessel.engines.tvm_gpu import RUNTIME_FILES
from edge_vessel.engines.tvm_library import RUNTIME_FILE
from edge_vessel.errors import UsageError
from edge_vessel.manifest import NONE
from edge_vessel.preprocessing import OFFSET, SCALE


@dataclass(frozen=True)
class Native:
    """What was compiled, and how.

    Attributes:
        steps: of the hand-written schedules; empty where they do not cover the network.
        uncovered: why they do not, naming the node; None where they do.
        operators: name -> rule of every operator that a general rule scheduled.
        functions: TIR, scheduled, by name; empty for a GPU.
        executable: TVM's own, to be timed where this machine can run it; None for a GPU.
    """

    files: dict[str, bytes]
    engine_version: str
    core: Core
    steps: list[Step]
    uncovered: str | None
    operators: dict[str, str]
    functions: dict[str, tirx.PrimFunc] = field(repr=False)
    executable: Any = field(repr=False)


def compile_native(
    content: bytes,
    target: CompileTarget,
    threads: int,
    gpu_runtime: Path | None = None,
    tuner: Tuner | None = None,
    precision: str = "fp32",
) -> Native:
    """Compiles a rewritten ONNX model that takes the camera's bytes.

    Args:
        tuner: measures what is fastest where the schedules would compute it.
        gpu_runtime: libtvm_runtime_opencl.so in place of ours.
        precision: "fp32", or "fp16" or "int8" where the target gains by it.

    Raises:
        UsageError: fp16 or int8 for a network that no schedule covers, an operator that TVM cannot
            import, or no linker for the target.
    """
    if target.accelerator != NONE:
        return _compile_gpu(content, target, gpu_runtime)
    core, machine = target.core(threads, precision), target.tvm(threads)
    planned: list[Step] = []
    operators: dict[str, str] = {}
    uncovered = None
    try:
        planned = steps(content, precision)
        with np.errstate(over="ignore"):
            fits = all(np.isfinite(step.bottleneck.packed(core)).all() for step in planned)
        if not fits:
            raise UsageError(
                f"--precision {precision}: a weight is beyond 65504: use --precision fp32"
            )
        scheduled = module(planned, core, tuner)
    except NotCoveredError as error:
        uncovered = str(error)
        if precision != "fp32":
            raise UsageError(
                f"--precision {precision}: no hand-written schedule covers this network "
                f"({uncovered}); use --precision fp32"
            ) from error
        scheduled = relax_import.module(content, SCALE, OFFSET, core.lanes, machine)
        operators = rules.apply(scheduled, core, tuner=tuner)
    functions = {
        name.name_hint: function
        for name, function in scheduled.functions_items()
        if isinstance(function, tirx.PrimFunc)
    }
    executable = lower(scheduled, machine)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / MODEL_FILE
        try:
            export(executable, library, target.compiler)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"{target.compiler}: cannot link for {target.triple}: is it installed? "
                f"({str(error).strip().splitlines()[-1]})"
            ) from error
        files = {
            MODEL_FILE: library.read_bytes(),
            RUNTIME_FILE: runtime_library(target.architecture),
        }
    return Native(files, VERSION, core, planned, uncovered, operators, functions, executable)


def _compile_gpu(content: bytes, target: CompileTarget, gpu_runtime: Path | None) -> Native:
    kind = target.accelerator.partition(":")[0]
    files = {
        MODEL_FILE: compile_gpu(content, target.name),
        RUNTIME_FILE: runtime_library(target.architecture),
    }
    if kind == "cuda":
        files[RUNTIME_FILES[kind]] = runtime_library(target.architecture, RUNTIME_FILES[kind])
    elif gpu_runtime is None:
        files[RUNTIME_FILES[kind]] = opencl_runtime.build(target.architecture)
    else:
        try:
            files[RUNTIME_FILES[kind]] = gpu_runtime.read_bytes()
        except OSError as error:
            raise UsageError(f"{gpu_runtime}: cannot be read: {error.strerror}") from error
    return Native(files, VERSION, target.core(1), [], None, {}, {}, None)
