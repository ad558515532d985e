"""An exported network as native code for a target: model.so and the runtime that it needs."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx

from compile.plan import NotCoveredError, Step, plan
from compile.runtime_library import VERSION, runtime_library
from compile.schedules.core import Core
from compile.targets import CompileTarget
from compile.tvm_build import build, export
from edge_vessel.engines.tvm import MODEL_FILE
from edge_vessel.engines.tvm_library import RUNTIME_FILE
from edge_vessel.errors import UsageError
from edge_vessel.preprocessing import OFFSET, SCALE


@dataclass(frozen=True)
class Native:
    """What was compiled, and how."""

    files: dict[str, bytes]
    engine_version: str
    steps: list[Step]
    core: Core


def compile_native(content: bytes, target: CompileTarget, threads: int) -> Native:
    """Compiles a rewritten ONNX model that takes the camera's bytes.

    Raises:
        UsageError: a node that no schedule covers, or no linker for the target.
    """
    core = target.core(threads)
    try:
        steps = plan(onnx.load_from_string(content), SCALE, OFFSET, bytes_in=True)
    except NotCoveredError as error:
        raise UsageError(
            f"no hand-written schedule covers this network: {error}; --engine onnx runs it"
        ) from error
    executable = build(steps, core, target.tvm(threads))
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
    return Native(files, VERSION, steps, core)
