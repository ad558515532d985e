"""An exported network as native code for a target: model.so and the runtime that it needs."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from compile import relax_import, rules
from compile.plan import NotCoveredError, Step, plan
from compile.runtime_library import VERSION, runtime_library
from compile.schedules.core import Core
from compile.targets import CompileTarget
from compile.tvm_build import export, lower, module
from edge_vessel.engines.tvm import MODEL_FILE
from edge_vessel.engines.tvm_library import RUNTIME_FILE
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import OFFSET, SCALE


@dataclass(frozen=True)
class Native:
    """What was compiled, and how.

    Attributes:
        steps: of the hand-written schedules; empty where they do not cover the network.
        uncovered: why they do not, naming the node; None where they do.
        operators: name -> rule of every operator that a general rule scheduled.
        executable: TVM's own, to be timed where this machine can run it.
    """

    files: dict[str, bytes]
    engine_version: str
    core: Core
    steps: list[Step]
    uncovered: str | None
    operators: dict[str, str]
    executable: Any = field(repr=False)


def compile_native(content: bytes, target: CompileTarget, threads: int) -> Native:
    """Compiles a rewritten ONNX model that takes the camera's bytes.

    Raises:
        UsageError: an operator that TVM cannot import, or no linker for the target.
    """
    core, machine = target.core(threads), target.tvm(threads)
    steps: list[Step] = []
    operators: dict[str, str] = {}
    uncovered = None
    try:
        steps = plan(onnx.load_from_string(content), SCALE, OFFSET, bytes_in=True)
        scheduled = module(steps, core)
    except NotCoveredError as error:
        uncovered = str(error)
        scheduled = relax_import.module(content, SCALE, OFFSET, core.lanes, machine)
        operators = rules.apply(scheduled, core)
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
    return Native(files, VERSION, core, steps, uncovered, operators, executable)
